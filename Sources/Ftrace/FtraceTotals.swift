public import X86

/// What dyn_ftrace_total_info tells: ftrace_update_tot_cnt, ftrace_number_of_pages, ftrace_number_of_groups.
public struct FtraceTotals: Sendable, Hashable {
    public let records: Int
    public let pages: Int
    public let groups: Int
    /// The lines that ftrace_init() logs, before .init.text is dropped.
    public let bootLog: [String]

    static let pageSize = 4096

    /// ftrace_allocate_records() takes the largest power of two of pages that the rest of the records fills, one group
    /// after the other; a record has two words. The table is sorted and .init.text lies behind .text, so
    /// ftrace_free_mem() empties groups from the end, and an empty group's pages are given back.
    ///
    /// 37,697 records of 16 bytes: 128 + 16 + 4 pages in 3 groups; 35,609 remain, all in the first two: 144 pages.
    public init(mode: ProcessorMode, sitesInFile: Int, sites: Int) {
        let perPage = Self.pageSize / (2 * mode.wordSize)
        var remaining = sitesInFile
        var start = 0
        var allPages = 0
        var allGroups = 0
        var keptPages = 0
        var keptGroups = 0
        while remaining > 0 {
            let needed = (remaining + perPage - 1) / perPage
            let pages = 1 << (Int.bitWidth - 1 - needed.leadingZeroBitCount)
            let records = min(remaining, pages * perPage)
            allPages += pages
            allGroups += 1
            if start < sites {
                keptPages += pages
                keptGroups += 1
            }
            start += records
            remaining -= records
        }
        records = sites
        pages = keptPages
        groups = keptGroups
        bootLog = [
            "ftrace: allocating \(sitesInFile) entries in \(sitesInFile / perPage + 1) pages",
            "ftrace: allocated \(allPages) pages with \(allGroups) groups",
        ]
    }
}

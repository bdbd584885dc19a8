import Ftrace
import Testing

struct FtraceGlobTests {
    static let kinds: [(String, FtraceGlob.Kind, String, Bool)] = [
        ("schedule", .full, "schedule", false),
        ("sched*", .front, "sched", false),
        ("*sched", .end, "sched", false),
        ("*sched*", .middle, "sched", false),
        ("*", .end, "", false),
        ("**", .middle, "", false),
        ("s*d", .glob, "s*d", false),
        ("*s*d", .glob, "*s*d", false),
        ("s?hed", .glob, "s?hed", false),
        ("[sv]*", .glob, "[sv]*", false),
        ("a\\*", .glob, "a\\*", false),
        ("!schedule", .full, "schedule", true),
        ("!*x", .end, "x", true),
        ("12", .index, "12", false),
        ("!7", .index, "7", true),
        ("", .full, "", false),
    ]

    @Test("A pattern is taken apart as filter_parse_regex does", arguments: kinds)
    func parse(pattern: String, kind: FtraceGlob.Kind, search: String, isNegated: Bool) {
        let glob = FtraceGlob(pattern)
        #expect(glob.kind == kind)
        #expect(glob.search == Array(search.utf8))
        #expect(glob.isNegated == isNegated)
    }

    static let matches: [(String, String, Bool)] = [
        ("schedule", "schedule", true), ("schedule", "schedule_timeout", false), ("schedule", "__schedule", false),
        ("sched*", "schedule", true), ("sched*", "__sched", false), ("sched*", "sched", true),
        ("*read", "vfs_read", true), ("*read", "read", true), ("*read", "vfs_readv", false), ("*read", "ad", false),
        ("*fs_r*", "vfs_read", true), ("*fs_r*", "vfs_write", false), ("*", "anything", true),
        ("v*_read", "vfs_read", true), ("v*_read", "vfs_ready", false), ("*f*_*d", "vfs_read", true),
        ("vfs_?ead", "vfs_read", true), ("vfs_?ead", "vfs_ead", false), ("?", "", false),
        ("[uv]fs*", "vfs_read", true), ("[!v]fs*", "vfs_read", false), ("[!u]fs*", "vfs_read", true),
        ("[a-z]fs?read", "vfs_read", true), ("[0-9]*", "vfs", false), ("[]x]a", "]a", true), ("[a-]b", "-b", true),
        ("[!]]a", "]a", false), ("[abc", "[abc", true), ("[abc", "a", false), ("x[^a]", "x^", true),
        ("a\\*b", "a*b", true), ("a\\*b", "axb", false), ("*a*a*a", "aaa", true), ("*a*a*a", "aab", false),
        ("x*y*z", "xyyz", true), ("x*y*z", "xz", false), ("12", "12", false),
    ]

    @Test("A pattern matches as ftrace_match and glob_match do", arguments: matches)
    func match(pattern: String, name: String, expected: Bool) {
        #expect(FtraceGlob(pattern).matches(name) == expected)
    }

    @Test(
        "A leading digit is a line number in any base of C",
        arguments: [("1", 1), ("010", 8), ("0x10", 16), ("0", nil), ("9x", nil), ("08", nil)] as [(String, Int?)])
    func index(pattern: String, number: Int?) {
        #expect(FtraceGlob(pattern).lineNumber == number)
    }
}

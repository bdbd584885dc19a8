import X86

/// Names to addresses for the loader: kallsyms first, then the file's .symtab, which also has what kallsyms leave out.
struct NamedAddresses {
    private let symbols: SymbolTable
    private let elfSymbols: SymbolTable?

    init(symbols: SymbolTable, elfSymbols: SymbolTable?) {
        self.symbols = symbols
        self.elfSymbols = elfSymbols
    }

    func callAsFunction(_ name: String) -> UInt64? {
        (symbols.address(of: name) ?? elfSymbols?.address(of: name))?.rawValue
    }

    /// The address of the symbol number `position` of that name, counted from 1 in kallsyms' order as sympos does; 0
    /// stands for the only one.
    func callAsFunction(_ name: String, position: Int) -> UInt64? {
        var found = symbols.indices(named: name).map { symbols.address(at: $0).rawValue }
        if found.isEmpty, let elfSymbols {
            found = elfSymbols.indices(named: name).map { elfSymbols.address(at: $0).rawValue }
        }
        if position == 0 { return found.count == 1 ? found[0] : nil }
        return position <= found.count ? found[position - 1] : nil
    }

    /// The range between two boundary symbols; nil unless both are there and in order.
    func range(_ start: String, _ stop: String) -> Range<UInt64>? {
        guard let start = self(start), let stop = self(stop), start <= stop else { return nil }
        return start..<stop
    }
}

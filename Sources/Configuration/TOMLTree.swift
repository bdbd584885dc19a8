/// Tables while a file is being read: TOML's rules of who may add to which table.
final class TOMLTreeTable {
    /// How a table came to be; that decides what may still be added.
    enum Origin: Equatable {
        /// By a header of one of its subtables; a header or dotted keys may still define it.
        case implied
        case header
        /// By dotted keys of the section with this number, which may add to it.
        case dotted(section: Int)
        /// `{ }`, complete as it stands.
        case inline
    }

    indirect enum Node {
        case value(TOMLItem)
        case table(TOMLTreeTable)
        /// `[[name]]`.
        case tables([TOMLTreeTable])
    }

    var origin: Origin
    let position: SourcePosition
    private(set) var order: [String] = []
    private var nodes: [String: (node: Node, position: SourcePosition)] = [:]

    init(_ origin: Origin, _ position: SourcePosition) {
        self.origin = origin
        self.position = position
    }

    func node(_ key: String) -> (node: Node, position: SourcePosition)? {
        nodes[key]
    }

    func add(_ key: String, _ node: Node, _ position: SourcePosition) {
        if nodes[key] == nil { order.append(key) }
        nodes[key] = (node, nodes[key]?.position ?? position)
    }

    /// The table as a value.
    var frozen: TOMLTable {
        var table = TOMLTable(position: position)
        for key in order {
            guard let (node, position) = nodes[key] else { continue }
            let value: TOMLValue =
                switch node {
                case .value(let item): item.value
                case .table(let inner): .table(inner.frozen)
                case .tables(let inner):
                    .array(inner.map { TOMLItem(value: .table($0.frozen), position: $0.position) })
                }
            table.entries.append(TOMLTable.Entry(key: key, position: position, value: value))
        }
        return table
    }
}

/// A key as it was written, `a.b.c`.
struct TOMLKeyPath {
    var parts: [String]
    var position: SourcePosition

    var text: String { parts.joined(separator: ".") }
}

extension TOMLTreeTable {
    private static func definedAt(_ what: String, _ position: SourcePosition) -> String {
        "\(what) on line \(position.line) already"
    }

    /// The table that a header names. Throws where the header's name is taken.
    func defined(byHeader path: TOMLKeyPath, isElement: Bool) throws(TOMLSyntaxError) -> TOMLTreeTable {
        var table = self
        for part in path.parts.dropLast() { table = try table.inner(part, ofHeader: path) }
        let last = path.parts[path.parts.count - 1]
        func taken(_ what: String, _ position: SourcePosition) -> TOMLSyntaxError {
            TOMLSyntaxError(
                position: path.position, message: "[\(path.text)]: " + Self.definedAt(what, position))
        }
        let made = TOMLTreeTable(.header, path.position)
        switch (table.node(last), isElement) {
        case (nil, true): table.add(last, .tables([made]), path.position)
        case (nil, false): table.add(last, .table(made), path.position)
        case (.some((.tables(let elements), _)), true):
            table.add(last, .tables(elements + [made]), path.position)
        case (.some((.table(let found), _)), false) where found.origin == .implied:
            found.origin = .header
            return found
        case (.some((.tables, let position)), false): throw taken("is a list of tables, [[\(path.text)]],", position)
        case (.some((.table, let position)), _): throw taken("is defined", position)
        case (.some((.value, let position)), _): throw taken("has a value", position)
        }
        return made
    }

    private func inner(_ key: String, ofHeader path: TOMLKeyPath) throws(TOMLSyntaxError) -> TOMLTreeTable {
        switch node(key) {
        case nil:
            let made = TOMLTreeTable(.implied, path.position)
            add(key, .table(made), path.position)
            return made
        case .some((.table(let found), _)) where found.origin != .inline: return found
        case .some((.tables(let elements), _)): return elements[elements.count - 1]
        case .some((_, let position)):
            throw TOMLSyntaxError(
                position: path.position, message: "[\(path.text)]: " + Self.definedAt("\(key) has a value", position))
        }
    }

    /// Adds `path = item`, written in the section with that number.
    func set(_ path: TOMLKeyPath, _ item: TOMLItem, section: Int) throws(TOMLSyntaxError) {
        var table = self
        for part in path.parts.dropLast() {
            switch table.node(part) {
            case nil:
                let made = TOMLTreeTable(.dotted(section: section), path.position)
                table.add(part, .table(made), path.position)
                table = made
            case .some((.table(let found), _)) where found.origin == .dotted(section: section): table = found
            case .some((.table(let found), _)) where found.origin == .implied:
                found.origin = .dotted(section: section)
                table = found
            case .some((_, let position)):
                throw TOMLSyntaxError(
                    position: path.position, message: "\(path.text): " + Self.definedAt("\(part) is defined", position))
            }
        }
        let last = path.parts[path.parts.count - 1]
        if let (_, position) = table.node(last) {
            throw TOMLSyntaxError(
                position: path.position, message: "\(path.text): " + Self.definedAt("is set", position))
        }
        table.add(last, .value(item), path.position)
    }
}

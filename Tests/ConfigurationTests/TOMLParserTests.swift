import Testing

@testable import Configuration

@Suite struct TOMLParserTests {
    private func parsed(_ text: String) -> TOMLTable {
        let (table, errors) = TOMLParser.parse(Array(text.utf8))
        #expect(errors.isEmpty, "\(errors)")
        return table
    }

    private func errors(_ text: String) -> [TOMLSyntaxError] {
        TOMLParser.parse(Array(text.utf8)).errors
    }

    @Test(
        "Values of every kind are read",
        arguments: [
            ("0", TOMLValue.integer(0)), ("-17", .integer(-17)), ("+1_000", .integer(1000)),
            ("0xDEAD_beef", .integer(0xdeadbeef)),
            ("0o755", .integer(0o755)), ("0b1101", .integer(13)), ("9223372036854775807", .integer(.max)),
            ("-9223372036854775808", .integer(.min)), ("1.5", .float(1.5)), ("-2e3", .float(-2000)),
            ("6.5E-1", .float(0.65)),
            ("1_0.2_5", .float(10.25)), ("inf", .float(.infinity)), ("-inf", .float(-.infinity)),
            ("true", .boolean(true)),
            ("false", .boolean(false)), (#""a\tb\u00e4\U0001F600\"""#, .string("a\tbä😀\"")),
            (#"'C:\no'"#, .string(#"C:\no"#)),
            ("\"\"\"\none\r\ntwo \\\n   three\"\"\"\"\"", .string("one\ntwo three\"\"")),
            ("'''\na'b''c\n'''", .string("a'b''c\n")),
            ("1979-05-27", .dateTime("1979-05-27")), ("1979-05-27 07:32:00.5Z", .dateTime("1979-05-27 07:32:00.5Z")),
            ("1979-05-27T07:32:00+01:30", .dateTime("1979-05-27T07:32:00+01:30")), ("07:32:00", .dateTime("07:32:00")),
        ])
    func values(text: String, value: TOMLValue) {
        #expect(parsed("key = \(text) # comment\n")["key"]?.value == value)
    }

    @Test(
        "What is no value is an error at its place",
        arguments: [
            "01", "1__0", "_1", "1_", "+0x1", "0x", "0b2", "1.", ".5", "1e", "1.e5", "9223372036854775808", "tru",
            "True", "nul",
            "1979-02-29", "1979-13-01", "25:00:00", "1979-05-27T", "\"", "\"\n\"", "'a", "\"\\q\"", "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\u0000\"", "\"\"\"a", "'''a", "[1, 2", "[1 2]", "[,]", "{a=1,}", "{a=1\n}", "{a=1, a=2}", "{a", "1 2",
            "\u{1}",
            "-", "", "abc", "[1]]", "\"a\" b",
        ])
    func noValues(text: String) {
        let errors = errors("key = \(text)\n")
        #expect([1, 2].contains(errors.first?.position.line), "\(errors)")
    }

    @Test("Not a number compares to nothing, but it is one")
    func notANumber() {
        guard case .float(let number) = parsed("a = -nan")["a"]?.value else {
            Issue.record("no number")
            return
        }
        #expect(number.isNaN)
    }

    @Test("Tables, dotted keys and lists of tables make one tree")
    func tables() {
        let table = parsed(
            """
            top = 1
            a.b.c = 2
            a.b."d e" = 3
            [x.y]
            z = [1, [2, "3"], { q = 4, r.s = 5 },
              # a comment
            ]
            [[x.list]]
            n = 1
            [x.list.inner]
            m = 2
            [[x.list]]
            [x]
            own = true
            """)
        #expect(table.entries.map(\.key) == ["top", "a", "x"])
        guard case .table(let x) = table["x"]?.value, case .array(let list) = x["list"]?.value else {
            Issue.record("no tables")
            return
        }
        #expect(x.entries.map(\.key) == ["y", "list", "own"])
        #expect(list.count == 2 && list[1].value == .table(TOMLTable(position: SourcePosition(line: 12, column: 1))))
        #expect(list[0].position == SourcePosition(line: 8, column: 1))
    }

    @Test(
        "Keys and tables are defined once",
        arguments: [
            ("a = 1\na = 2", 2), ("a = 1\na.b = 2", 2), ("[a]\n[a]", 2), ("[a]\nb = 1\n[a.b]", 3),
            ("[a.b]\n[a]\nb.c = 1", 3),
            ("a = {}\na.b = 1", 2), ("a = {}\n[a.b]", 2), ("a = []\n[[a]]", 2), ("[[a]]\n[a]", 2), ("[a]\n[[a]]", 2),
            ("a.b = 1\n[a]", 2), ("[a.b.c]\n[a]\nb.c.t = 1", 3), ("[x]\na.b = 1\n[x.a]", 3), ("a = 1\n[a.b]", 2),
            ("a = {b = 1, b.c = 2}", 1), ("[a]\nb.c = 1\n[a.b.d]\n[a.b]", 4), ("[[a]]\nb = 1\n[[a.b]]", 3),
        ])
    func definedOnce(text: String, line: Int) {
        let errors = errors(text)
        #expect(errors.map(\.position.line) == [line], "\(errors)")
        #expect(errors.first?.message.contains(" on line ") == true, "\(errors)")
    }

    @Test("An error does not hide the next one, and both say line and column")
    func allErrors() {
        let errors = errors("a = \nb = 1\nä = 2\n c = 3 d\n[e\n[f]\ng = \"h\n")
        #expect(
            errors.map(\.position) == [
                SourcePosition(line: 1, column: 5), SourcePosition(line: 3, column: 1),
                SourcePosition(line: 4, column: 8),
                SourcePosition(line: 5, column: 3), SourcePosition(line: 7, column: 5),
            ])
    }

    @Test("What is nested too deep is an error, not a crash")
    func depth() {
        for text in [
            "a = " + String(repeating: "[", count: 100_000), "a = " + String(repeating: "{a=", count: 100_000),
            "[" + Array(repeating: "a", count: 100_000).joined(separator: ".") + "]",
            String(repeating: "a = [\n", count: 1000),
            "a = {" + Array(repeating: "a", count: 60).joined(separator: ".") + "={a.b.c.d.e=1}}",
        ] {
            #expect(!errors(text).isEmpty)
            #expect(errors(text).count <= TOMLParser.errorsMax)
        }
    }

    @Test("Columns count characters, and CRLF ends a line")
    func places() {
        #expect(errors("ä\r\n").isEmpty == false)
        #expect(errors("a = 1\r\nb = \"äöü\" x\r\n").map(\.position) == [SourcePosition(line: 2, column: 11)])
        #expect(errors("a = 1\rb = 2").map(\.position) == [SourcePosition(line: 1, column: 6)])
    }
}

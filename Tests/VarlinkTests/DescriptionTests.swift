import Testing

@testable import Varlink

@Suite struct DescriptionTests {
    @Test func everyKindOfDeclarationIsRead() throws {
        let text = """
            # About the interface.
            interface org.example.more-words
            # A thing.
            # Two lines.
            type Thing (
              # A comment inside.
              a: int, b: ?[]string, c: [string]?Other,
              d: (x: float, y: (one, two)), e: object
            )
            type Other (left, right)
            type One (single)
            method Do(thing: Thing) -> (other: Other, all: [][]bool)
            method Nothing() -> ()
            error Failed (reason: string)
            error Bare ()
            """
        let description = try InterfaceDescription(parsing: text)
        #expect(description.name == "org.example.more-words")
        #expect(description.types.map(\.name) == ["Thing", "Other", "One"])
        #expect(description.types[0].comment == "A thing.\nTwo lines.")
        guard case .structure(let fields) = description.types[0].type else {
            Issue.record("Thing is a structure")
            return
        }
        #expect(fields[1].type == .optional(.array(.string)))
        #expect(fields[2].type == .dictionary(.optional(.named("Other"))))
        #expect(
            fields[3].type
                == .structure([
                    .init(name: "x", type: .float), .init(name: "y", type: .enumeration(["one", "two"])),
                ]))
        #expect(description.type(named: "One") == .enumeration(["single"]))
        #expect(description.methods[0].reply[1].type == .array(.array(.bool)))
        #expect(description.methods[1].parameters.isEmpty)
        #expect(description.errors.map(\.name) == ["Failed", "Bare"])
    }

    @Test(arguments: [
        ("", 1), ("interface", 1), ("interface org", 1), ("interface org.example\nmethod do() -> ()", 2),
        ("interface org.example\n\nmethod Do() -> (a: Missing)", 3),
        ("interface org.example\ntype A (a: int, a: int)", 2),
        ("interface org.example\ntype A ()\nmethod A() -> ()", 3), ("interface org.example\ntype A (a: ??int)", 2),
        ("interface org.example\nmethod Do() (a: int)", 2), ("interface org.example\ntype A (a: int", 2),
        ("interface org.example\nsomething", 2), ("interface org.example\ntype A (a, a)", 2),
        ("interface org.example\ntype A (a: \(String(repeating: "[]", count: 1000))int)", 2),
    ])
    func mistakesAreErrorsWithTheirLine(text: String, line: Int) {
        do {
            _ = try InterfaceDescription(parsing: text)
            Issue.record("parsed")
        } catch {
            #expect(error.line == line)
            #expect(!error.message.isEmpty)
        }
    }

    @Test func ownDescriptionOfTheServiceInterfaceIsRight() throws {
        let description = try InterfaceDescription(parsing: serviceDescription)
        #expect(description.methods.map(\.name) == ["GetInfo", "GetInterfaceDescription"])
        #expect(description.errors.count == 6)
    }

    @Test func aTypesShapeIsFoundByDecodingIt() throws {
        let description = try InterfaceDescription(parsing: TestService.description)
        let method = try #require(description.methods.first { $0.name == "Shape" })
        #expect(try TypeShape.fields(of: TestService.ShapeParameters.self) == description.resolved(method.parameters))
        #expect(try TypeShape.fields(of: TestService.ShapeReply.self) == description.resolved(method.reply))
        #expect(try TypeShape.fields(of: TestService.Text.self) != description.resolved(method.reply))
        #expect(try TypeShape.fields(of: TestService.Empty.self).isEmpty)
    }

    @Test func introspectionTellsWhatThereIs() throws {
        let peer = try TestService().kept().peer()
        peer.send(#"{"method":"org.varlink.service.GetInfo"}"#)
        let info = try peer.answer().parameters
        #expect(info["vendor"] as? String == "v")
        #expect(info["interfaces"] as? [String] == ["org.varlink.service", "org.example.test"])
        peer.send(
            #"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.example.test"}}"#)
        let text = try peer.answer().parameters
        #expect(text["description"] as? String == TestService.description)
        peer.send(
            #"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.example.no"}}"#)
        #expect(try peer.error().name == "org.varlink.service.InterfaceNotFound")
    }
}

@Suite struct FrameBufferTests {
    @Test func anyCutOfTheBytesGivesTheSameFrames() {
        let frames = ["a", "", "bcd", String(repeating: "x", count: 1000), "e"]
        let bytes = Array(frames.map { $0 + "\0" }.joined().utf8)
        for size in [1, 2, 3, 7, 999, 1001, 5000] {
            var buffer = FrameBuffer()
            var found: [String] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                let chunk = bytes[start..<min(start + size, bytes.count)]
                chunk.withUnsafeBytes { buffer.append($0) }
                while case .frame(let frame) = buffer.next(bytesMax: 2000) {
                    found.append(String(decoding: frame, as: UTF8.self))
                }
            }
            #expect(found == frames)
            #expect(buffer.count == 0)
        }
    }

    @Test func aFrameBeyondTheLimitIsToldBeforeItEnds() {
        var buffer = FrameBuffer()
        [UInt8](repeating: 1, count: 11).withUnsafeBytes { buffer.append($0) }
        guard case .tooLarge = buffer.next(bytesMax: 10) else {
            Issue.record("11 bytes without an end are too many for 10")
            return
        }
    }
}

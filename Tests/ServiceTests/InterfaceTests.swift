import FindingStore
import Logging
import PatchsimInterface
import Systemd
import Testing
import Varlink

@testable import PatchsimService

/// The descriptions in docs/varlink, the texts in the binary, the handlers and the Swift types say the same.
@Suite struct InterfaceTests {
    private static let names = ["Events", "Files", "Findings", "Ftrace", "Invariants", "Machine", "Service", "Text"]

    @Test func theEmbeddedTextsAreTheFiles() {
        #expect(EmbeddedTexts.interfaces.keys.sorted() == Self.names.map { "io.patchsim.\($0)" })
        for (name, embedded) in EmbeddedTexts.interfaces {
            #expect(embedded == text(of: "\(packagePath)/docs/varlink/\(name).varlink"), "run Tests/embed.sh")
        }
    }

    private let interfaces: [VarlinkInterface]

    init() throws {
        let backend = ScriptedBackend()
        let findings = FindingsPerformer(store: try FindingStore(directory: nil))
        let performer = ServicePerformer(backend: backend, findings: findings, version: "1", startedAt: 0)
        let status = StatusLine(.absent) { try await backend.state() }
        let log = ServiceLog(Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        interfaces = ServiceInterfaces(performer: performer, log: log, status: status).all()
    }

    @Test func everyDescribedMethodHasAHandlerOfTheDescribedTypes() throws {
        for interface in interfaces {
            let description = interface.description
            #expect(interface.methods.count == description.methods.count)
            for method in description.methods {
                let name = "\(description.name).\(method.name)"
                let handler = try #require(interface.methods.first { $0.name == name }, "\(name) has a handler")
                let reply = try #require(handler.replyType as? any Decodable.Type)
                #expect(
                    try TypeShape.fields(of: handler.parametersType) == description.resolved(method.parameters),
                    "\(name)")
                #expect(try TypeShape.fields(of: reply) == description.resolved(method.reply), "\(name)")
            }
        }
    }

    @Test func everyFaultIsDescribed() throws {
        let interfaces = interfaces
        for fault in interfaceFaults {
            let parts = fault.name.split(separator: ".").map(String.init)
            let interface = parts.dropLast().joined(separator: ".")
            let description = try #require(interfaces.first { $0.description.name == interface }).description
            let error = try #require(description.errors.first { $0.name == parts.last! }, "\(fault.name)")
            guard case .structure(let fields) = error.type else {
                Issue.record("an error is a structure")
                continue
            }
            #expect(try TypeShape.fields(of: fault) == description.resolved(fields), "\(fault.name)")
        }
    }

    @Test func everythingDescribedIsExplained() {
        for interface in interfaces {
            for type in interface.description.errors where type.name != "TooManyStreams" {
                #expect(!type.comment.isEmpty, "\(interface.description.name).\(type.name)")
            }
        }
    }

    @Test func addressesAndBytesTravelAsText() {
        #expect(Wire.address(0xffff_ffff_8100_0000) == "0xffffffff81000000")
        #expect(Wire.address("0xffffffff81000000") == 0xffff_ffff_8100_0000)
        for wrong in ["", "0x", "ffffffff81000000", "0x-1", "0x+1", "0x1g", "0x11111111111111111", " 0x1"] {
            #expect(Wire.address(wrong) == nil, "\(wrong)")
        }
        #expect(Wire.bytes([0x0f, 0x1f, 0x44, 0, 0xff]) == "0f1f4400ff")
        #expect(Wire.bytes("0F1f") == [0x0f, 0x1f])
        for wrong in ["0", "0g", "+1", "0x"] { #expect(Wire.bytes(wrong) == nil, "\(wrong)") }
    }
}

import Glibc
import Locking
import Testing

@testable import Varlink

@Suite struct RefusalTests {
    @Test(arguments: [
        (#"{"method":"org.example.none.Do"}"#, "InterfaceNotFound", "interface", "org.example.none"),
        (#"{"method":"org.example.test.Do"}"#, "MethodNotFound", "method", "org.example.test.Do"),
        (#"{"method":"org.example.test.Nowhere"}"#, "MethodNotImplemented", "method", "org.example.test.Nowhere"),
        (#"{"method":"Do"}"#, "InvalidParameter", "parameter", "method"),
        (#"{"method":"org.example.test.Echo"}"#, "InvalidParameter", "parameter", "text"),
        (#"{"method":"org.example.test.Echo","parameters":{"text":1}}"#, "InvalidParameter", "parameter", "text"),
        (#"{"method":"org.example.test.Echo","parameters":{"text":null}}"#, "InvalidParameter", "parameter", "text"),
        (
            #"{"method":"org.example.test.Echo","parameters":{"text":"a","txet":"b"}}"#, "InvalidParameter",
            "parameter",
            "txet"
        ),
        (
            #"{"method":"org.example.test.Echo","parameters":{"text":"a"},"upgrade":true}"#, "InvalidParameter",
            "parameter", "upgrade"
        ),
        (
            #"{"method":"org.example.test.Shape","parameters":{"thing":{"number":1,"list":["a",2]},"color":"red","share":1}}"#,
            "InvalidParameter", "parameter", "thing.list.Index 1"
        ),
    ])
    func aWrongCallIsRefusedAndTheConnectionLives(call: String, error: String, parameter: String, value: String) throws
    {
        let peer = try TestService().kept().peer()
        peer.send(call)
        let (name, parameters) = try peer.error()
        #expect(name == "org.varlink.service." + error)
        #expect(parameters[parameter] as? String == value)
        peer.send(#"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#)
        #expect(try peer.frame() == #"{"parameters":{"text":"x"}}"#)
    }

    @Test func errorsOfHandlersArriveWithTheirParameters() throws {
        let peer = try TestService().kept().peer()
        peer.send(#"{"method":"org.example.test.Fail","parameters":{"how":"mine"}}"#)
        #expect(try peer.error().parameters["reason"] as? String == "a \"quote\"")
        peer.send(#"{"method":"org.example.test.Fail","parameters":{"how":"denied"}}"#)
        #expect(try peer.error().name == "org.varlink.service.PermissionDenied")
        peer.send(#"{"method":"org.example.test.Fail","parameters":{"how":"odd"}}"#)
        #expect(try peer.error().name == "org.example.limits.Internal")
    }

    @Test(arguments: [
        "", "{", "nonsense", "[]", "1", #""text""#, "null", #"{"method":1}"#, #"{"parameters":{}}"#,
        #"{"method":"org.example.test.Echo","parameters":[]}"#,
        #"{"method":"org.example.test.Echo","parameters":{"text":"x"},"more":1}"#,
        #"{"method":"org.example.test.Echo","parameters":{"text":"\ud800"}}"#,
        String(repeating: "[", count: 100_000), String(repeating: #"{"method":"#, count: 10_000),
    ])
    func whatIsNoCallEndsTheConnectionWithAnErrorAndTheServerLives(text: String) throws {
        let service = try TestService()
        let peer = try service.peer()
        peer.send(text)
        let (name, parameters) = try peer.error()
        if name == "org.varlink.service.InvalidParameter" { return }
        #expect(name == "org.example.limits.MalformedCall")
        #expect((parameters["message"] as? String)?.isEmpty == false)
        #expect(peer.isClosed())
        let other = try service.peer()
        other.send(#"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#)
        #expect(try other.frame() == #"{"parameters":{"text":"x"}}"#)
    }

    @Test func bytesThatAreNoTextEndTheConnection() throws {
        let service = try TestService()
        let peer = try service.peer()
        peer.send(
            bytes: Array(#"{"method":"org.example.test.Echo","parameters":{"text":""#.utf8) + [
                0xff, 0xfe, 0x22, 0x7d, 0x7d, 0,
            ])
        #expect(try peer.error().name == "org.example.limits.MalformedCall")
        #expect(peer.isClosed())
    }

    @Test func callsBeforeAMalformedOneAreAnsweredAndNoneAfterIt() throws {
        let peer = try TestService().kept().peer()
        let good = #"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"# + "\0"
        peer.send(bytes: Array((good + good + "bad\0" + good).utf8))
        #expect(try peer.frame() == #"{"parameters":{"text":"x"}}"#)
        #expect(try peer.frame() == #"{"parameters":{"text":"x"}}"#)
        #expect(try peer.error().name == "org.example.limits.MalformedCall")
        #expect(peer.isClosed())
    }

    @Test(arguments: [1001, 5000, 3_000_000])
    func anOversizedCallIsRefusedWhetherItEndsOrNot(count: Int) throws {
        let service = try TestService { $0.callBytesMax = 1000 }
        for ending in [[], [UInt8(0)]] {
            let peer = try service.peer()
            peer.send(bytes: Array(repeating: UInt8(ascii: "x"), count: count) + ending)
            let (name, parameters) = try peer.error()
            #expect(name == "org.example.limits.CallTooLarge")
            #expect(parameters["bytesMax"] as? Int == 1000)
            #expect(peer.isClosed())
        }
    }

    @Test func aCallOfExactlyTheLimitIsTaken() throws {
        let frame = #"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#
        let peer = try TestService { $0.callBytesMax = frame.utf8.count }.kept().peer()
        peer.send(frame)
        #expect(try peer.frame() == #"{"parameters":{"text":"x"}}"#)
        peer.send(frame + " ")
        #expect(try peer.error().name == "org.example.limits.CallTooLarge")
    }

    @Test func aReplyBeyondTheLimitIsAnErrorAndTheConnectionLives() throws {
        let peer = try TestService { $0.replyBytesMax = 1000 }.kept().peer()
        let text = String(repeating: "x", count: 2000)
        peer.send(#"{"method":"org.example.test.Echo","parameters":{"text":"\#(text)"}}"#)
        #expect(try peer.error().name == "org.example.limits.ReplyTooLarge")
        peer.send(#"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#)
        #expect(try peer.frame() == #"{"parameters":{"text":"x"}}"#)
    }

    @Test func connectionsBeyondTheLimitAreToldSo() throws {
        let service = try TestService { $0.connectionsMax = 2 }
        var peers = try (0..<2).map { _ in try service.peer() }
        for peer in peers {
            peer.send(#"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#)
            _ = try peer.frame()
        }
        let late = try service.peer()
        #expect(try late.error().name == "org.example.limits.TooManyConnections")
        #expect(late.isClosed())
        peers.removeLast()
        #expect(eventually { service.server.connectionCount < 2 })
        let next = try service.peer()
        next.send(#"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#)
        #expect(try next.frame() == #"{"parameters":{"text":"x"}}"#)
    }

    @Test func streamsBeyondTheLimitAreRefusedAndTheirPlacesComeBack() throws {
        let service = try TestService { $0.streamsMax = 1 }
        var first: TestPeer? = try service.peer()
        first!.send(#"{"method":"org.example.test.Forever","more":true}"#)
        _ = try first!.frame()
        let second = try service.peer()
        second.send(#"{"method":"org.example.test.Forever","more":true}"#)
        #expect(try second.error().name == "org.example.limits.TooManyStreams")
        first = nil
        #expect(eventually { service.running.withLock { $0 } == 0 })
        let isFree = eventually {
            second.send(#"{"method":"org.example.test.Count","parameters":{"to":2},"more":true}"#)
            guard let reply = try? second.answer(), reply.error == nil else { return false }
            return (try? second.answer())?.error == nil
        }
        #expect(isFree)
    }

    @Test func aPeerThatNeverReadsCostsOnlyItsBuffer() throws {
        let service = try TestService { $0.outputBytesMax = 50_000 }
        let peer = try service.peer()
        peer.send(#"{"method":"org.example.test.Count","parameters":{"to":1000000,"size":10000},"more":true}"#)
        usleep(300_000)
        let other = try service.peer()
        other.send(#"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#)
        #expect(try other.frame() == #"{"parameters":{"text":"x"}}"#)
    }
}

@Suite struct NumberTests {
    @Test(
        "A number that its type can't hold is refused by the parameter's name, with the number",
        arguments: [
            (#"{"to":99999999999999999999}"#, "to", "99999999999999999999 is not in -9223372036854775808 to"),
            (#"{"to":9223372036854775808}"#, "to", "is not in"), (#"{"to":-9223372036854775809}"#, "to", "is not in"),
            (#"{"to":1e30}"#, "to", "1e30 is not in"), (#"{"to":1.5}"#, "to", "1.5 is not of the type int"),
            (#"{"to":1,"size":1e400}"#, "size", "1e400 is not in"),
            (#"{"to":\#(String(repeating: "9", count: 2000))}"#, "to", "99... is not in"),
        ])
    func outOfRange(parameters: String, parameter: String, message: String) throws {
        let peer = try TestService().kept().peer()
        peer.send(#"{"method":"org.example.test.Count","parameters":\#(parameters)}"#)
        let error = try peer.error()
        #expect(error.name == "org.varlink.service.InvalidParameter")
        #expect(error.parameters["parameter"] as? String == parameter)
        #expect((error.parameters["message"] as? String)?.contains(message) == true)
    }

    @Test("A number out of range deep in a parameter is refused with its whole path; one that fits is taken")
    func paths() throws {
        let peer = try TestService().kept().peer()
        func shape(_ number: String, _ share: String) {
            peer.send(
                #"{"method":"org.example.test.Shape","parameters":{"thing":{"number":\#(number),"list":[]},"color":"red","share":\#(share)}}"#
            )
        }
        shape("18446744073709551616", "1")
        #expect(try peer.error().parameters["parameter"] as? String == "thing.number")
        shape("1", "1e-999")
        #expect(try peer.error().parameters["parameter"] as? String == "share")
        for number in ["1e2", "-9223372036854775808", "9223372036854775807", "-0"] {
            shape(number, "123456789012345678901234567890")
            #expect(try peer.frame().contains("thing"))
        }
    }

    @Test("A member or a parameter that is given twice is refused: readers differ in which one they take")
    func twice() throws {
        let peer = try TestService().kept().peer()
        peer.send(#"{"method":"org.example.test.Echo","parameters":{"text":"a","text":"b"}}"#)
        #expect(try peer.error().parameters["parameter"] as? String == "text")
        peer.send(#"{"method":"org.example.test.Echo","method":"org.example.test.Fail","parameters":{"text":"a"}}"#)
        #expect(try peer.error().name == "org.example.limits.MalformedCall")
    }
}

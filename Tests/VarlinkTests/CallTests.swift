import Glibc
import Locking
import Testing

@testable import Varlink

@Suite struct CallTests {
    @Test func aCallIsAnsweredWithItsReply() throws {
        let peer = try TestService().kept().peer()
        peer.send(#"{"method":"org.example.test.Echo","parameters":{"text":"ä/\u0001"}}"#)
        #expect(try peer.frame() == #"{"parameters":{"text":"ä/\u0001"}}"#)
    }

    @Test func aFrameMayComeInPieces() throws {
        let peer = try TestService().kept().peer()
        let bytes = Array(#"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#.utf8) + [0]
        for byte in bytes {
            peer.send(bytes: [byte])
            usleep(200)
        }
        #expect(try peer.frame() == #"{"parameters":{"text":"x"}}"#)
    }

    @Test func pipelinedCallsAreAnsweredInOrderBeyondTheLimit() throws {
        let peer = try TestService { $0.pipelinedCallsMax = 4 }.kept().peer()
        var text = ""
        for number in 1...300 {
            text += #"{"method":"org.example.test.Echo","parameters":{"text":"\#(number)"}}"# + "\0"
        }
        peer.send(bytes: Array(text.utf8))
        for number in 1...300 { #expect(try peer.frame() == #"{"parameters":{"text":"\#(number)"}}"#) }
    }

    @Test func whatWasAskedIsAnsweredAfterTheClientFinishedSending() throws {
        let peer = try TestService().kept().peer()
        peer.send(#"{"method":"org.example.test.Slow","parameters":{"milliseconds":100}}"#)
        peer.send(#"{"method":"org.example.test.Echo","parameters":{"text":"last"}}"#)
        peer.finishSending()
        #expect(try peer.frame() == #"{"parameters":{}}"#)
        #expect(try peer.frame() == #"{"parameters":{"text":"last"}}"#)
        #expect(peer.isClosed())
    }

    @Test func oneDoesNotWaitForTheOther() throws {
        let service = try TestService()
        let (slow, quick) = (try service.peer(), try service.peer())
        slow.send(#"{"method":"org.example.test.Slow","parameters":{"milliseconds":100000}}"#)
        quick.send(#"{"method":"org.example.test.Echo","parameters":{"text":"x"}}"#)
        #expect(try quick.frame() == #"{"parameters":{"text":"x"}}"#)
    }

    @Test func aOnewayCallHasNoReplyNotEvenAnError() throws {
        let peer = try TestService().kept().peer()
        peer.send(#"{"method":"org.example.test.Echo","parameters":{"text":"a"},"oneway":true}"#)
        peer.send(#"{"method":"org.example.test.Fail","parameters":{"how":"mine"},"oneway":true}"#)
        peer.send(#"{"method":"org.example.test.Count","parameters":{"to":3},"oneway":true,"more":true}"#)
        peer.send(#"{"method":"org.example.test.Echo","parameters":{"text":"b"}}"#)
        #expect(try peer.frame() == #"{"parameters":{"text":"b"}}"#)
    }

    @Test func aStreamContinuesUntilItsLastReply() throws {
        let peer = try TestService().kept().peer()
        peer.send(#"{"method":"org.example.test.Count","parameters":{"to":3},"more":true}"#)
        for number in 1...2 {
            let reply = try peer.answer()
            #expect(reply.continues == true)
            #expect(reply.parameters["number"] as? Int == number)
        }
        #expect(try peer.answer().continues == nil)
    }

    @Test func aMethodOfSeveralRepliesWithoutMoreIsExpectedMore() throws {
        let peer = try TestService().kept().peer()
        peer.send(#"{"method":"org.example.test.Count","parameters":{"to":3}}"#)
        #expect(try peer.error().name == "org.varlink.service.ExpectedMore")
        peer.send(#"{"method":"org.example.test.Count","parameters":{"to":1}}"#)
        #expect(try peer.answer().error == nil)
    }

    @Test func aStreamToASlowReaderIsHeldBackAndNothingIsLost() throws {
        let peer = try TestService { $0.outputBytesMax = 100_000 }.kept().peer()
        peer.send(#"{"method":"org.example.test.Count","parameters":{"to":200,"size":20000},"more":true}"#)
        usleep(200_000)
        for number in 1...200 {
            let reply = try peer.answer()
            #expect(reply.parameters["number"] as? Int == number)
        }
    }

    @Test func aStreamEndsWhenItsClientGoes() throws {
        let service = try TestService()
        var peer: TestPeer? = try service.peer()
        peer!.send(#"{"method":"org.example.test.Forever","more":true}"#)
        _ = try peer!.frame()
        #expect(service.running.withLock { $0 } == 1)
        peer = nil
        #expect(eventually { service.running.withLock { $0 } == 0 })
        #expect(eventually { service.server.connectionCount == 0 })
    }

    @Test func aClientThatFinishedSendingAndThenGoesIsNoticed() throws {
        let service = try TestService()
        var peer: TestPeer? = try service.peer()
        peer!.send(#"{"method":"org.example.test.Forever","more":true}"#)
        _ = try peer!.frame()
        peer!.finishSending()
        usleep(150_000)
        #expect(service.running.withLock { $0 } == 1)
        peer = nil
        #expect(eventually { service.running.withLock { $0 } == 0 })
    }

    @Test func stoppingTheServerEndsStreamsAndRemovesTheSocket() throws {
        let service = try TestService()
        let peer = try service.peer()
        peer.send(#"{"method":"org.example.test.Forever","more":true}"#)
        _ = try peer.frame()
        service.server.stop()
        #expect(peer.isClosed())
        #expect(eventually { access(service.path, F_OK) != 0 })
    }

    @Test func theClientCallsAndStreams() throws {
        let service = try TestService()
        let client = try VarlinkClient(path: service.path)
        let reply = try client.call(
            "org.example.test.Echo", TestService.Text(text: "hello"), reply: TestService.Text.self)
        #expect(reply.text == "hello")
        var numbers: [Int] = []
        try client.stream(
            "org.example.test.Count", TestService.CountParameters(to: 4), reply: TestService.CountReply.self
        ) {
            numbers.append($0.number)
            return true
        }
        #expect(numbers == [1, 2, 3, 4])
        do {
            _ = try client.call(
                "org.example.test.Fail", TestService.FailParameters(how: "mine"), reply: TestService.Empty.self)
            Issue.record("the call succeeded")
        } catch .refused(let error) {
            #expect(error.name == "org.example.test.Mine")
            #expect(error.parameters(as: TestService.Reason.self)?.reason == "a \"quote\"")
        }
    }
}

/// Whether it becomes true within some seconds.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<500 {
        if condition() { return true }
        usleep(10_000)
    }
    return condition()
}

/// Services that must outlive the expression that made them.
private let keptServices = Guarded<[TestService]>([])

extension TestService {
    /// Keeps the service until the process ends.
    func kept() -> TestService {
        keptServices.withLock { $0.append(self) }
        return self
    }
}

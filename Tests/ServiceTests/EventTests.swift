import PatchsimInterface
import Testing
import Varlink

@testable import PatchsimService

private func event(_ kind: String, _ text: String = "") -> EventRecord {
    EventRecord(sequence: 0, nanoseconds: 1, kind: kind, text: text)
}

@Suite struct EventTests {
    @Test func theNewestEventsAreKeptInOrder() {
        let feed = EventFeed()
        #expect(feed.recent(count: 10, kinds: nil).isEmpty)
        for number in 1...10_000 { feed.publish(event(number % 2 == 0 ? "even" : "odd", "\(number)")) }
        #expect(feed.recent(count: 3, kinds: nil).map(\.sequence) == [9998, 9999, 10_000])
        #expect(feed.recent(count: 2, kinds: ["odd"]).map(\.text) == ["9997", "9999"])
        #expect(feed.recent(count: 100_000, kinds: nil).count == EventFeed.eventsKeptMax)
        #expect(feed.recent(count: 100_000, kinds: nil).allSatisfy { "\($0.sequence)" == $0.text })
    }

    @Test func aReaderThatLagsIsToldHowManyItLost() async throws {
        let feed = EventFeed()
        var reader = feed.reader(from: 1)
        for _ in 1...5000 { feed.publish(event("a")) }
        let first = try #require(await reader.next(countMax: 10))
        #expect(first.lost == 5000 - EventFeed.eventsKeptMax)
        #expect(first.events.map(\.sequence) == Array(905...914))
        #expect(await reader.next(countMax: 10)?.events.first?.sequence == 915)
    }

    @Test func readersWaitAndEndWithTheFeedOrTheirTask() async {
        let feed = EventFeed()
        let readers = (0..<50).map { number in
            Task {
                var reader = feed.reader(from: 1)
                var count = 0
                while let (events, _) = await reader.next(countMax: 7) { count += events.count }
                return (number, count)
            }
        }
        for _ in 1...100 {
            feed.publish(event("a"))
            await Task.yield()
        }
        for reader in readers.prefix(10) { reader.cancel() }
        feed.finish()
        for reader in readers {
            let (number, count) = await reader.value
            #expect(number < 10 ? count <= 100 : count == 100)
        }
    }

    @Test func aSubscriptionGetsWhatHappensAndStopsWithTheService() async throws {
        let running = try RunningService()
        let client = try running.client()
        for number in 1...3 { running.backend.events.publish(event("a", "\(number)")) }
        #expect(try client.call(GetRecentEvents.self, .init(count: 2)).events.map(\.text) == ["2", "3"])
        #expect(try client.refusal(SubscribeEvents.self, .init())?.name == "org.varlink.service.ExpectedMore")
        var texts: [String] = []
        var replies = 0
        try client.stream(
            SubscribeEvents.name, SubscribeEvents.Parameters(from: 2, kinds: ["a"]), reply: SubscribeEvents.Reply.self
        ) { reply in
            if replies == 0 {
                running.backend.events.publish(event("b", "other"))
                running.backend.events.publish(event("a", "5"))
            }
            replies += 1
            texts += reply.events.map(\.text)
            return texts.count < 3
        }
        #expect(texts == ["2", "3", "5"])
        let second = try running.client()
        let feed = running.backend.events
        feed.finish()
        #expect(try second.all(SubscribeEvents.self, .init()).last?.events.isEmpty == true)
    }
}

internal import Locking
internal import PatchsimInterface
internal import Varlink

/// Bounds how many heavy calls each user has running, so that one user's listings and replays leave room for the others'.
struct HeavyCalls: Sendable {
    private let limit: Guarded<Int>
    let usersWithoutLimits: Set<UInt32>
    private let counts = Guarded(UserCounts())

    init(perUserMax: Int = ServiceLimits.heavyCallsPerUserMax, usersWithoutLimits: Set<UInt32> = [0]) {
        limit = Guarded(perUserMax)
        self.usersWithoutLimits = usersWithoutLimits
    }

    var perUserMax: Int {
        get { limit.withLock { $0 } }
        nonmutating set { limit.withLock { $0 = newValue } }
    }

    /// Runs `body`, counted if `action` is heavy; throws TooManyCalls where the peer's user has too many.
    func run<Result>(
        _ action: ServiceAction, _ peer: VarlinkPeer, _ body: () async throws -> Result
    ) async throws -> Result {
        guard action.isHeavy else { return try await body() }
        let perUserMax = perUserMax
        let isLimited = !usersWithoutLimits.contains(peer.uid)
        switch counts.withLock({
            $0.enter(peer.uid, max: ServiceLimits.heavyCallsMax, perUserMax: isLimited ? perUserMax : nil)
        }) {
        case .entered: break
        case .userIsFull: throw ServiceFault.TooManyCalls(callsMax: perUserMax, uid: Int(peer.uid))
        case .full: throw ServiceFault.TooManyCalls(callsMax: ServiceLimits.heavyCallsMax)
        }
        defer { counts.withLock { $0.leave(peer.uid) } }
        return try await body()
    }
}

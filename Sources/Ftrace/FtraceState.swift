public struct FtraceState: Sendable {
    public init() {}
}

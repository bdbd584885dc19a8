public import Configuration
public import Logging
public import Varlink

extension VarlinkLimits {
    /// The protocol's limits as the settings have them.
    public init(_ settings: LimitSettings) {
        self.init()
        take(settings)
    }

    /// Takes over what the settings say; the rest stays.
    mutating func take(_ settings: LimitSettings) {
        callBytesMax = settings.callBytesMax
        replyBytesMax = settings.replyBytesMax
        connectionsMax = settings.connectionsMax
        connectionsPerUserMax = settings.connectionsPerUser
        pipelinedCallsMax = settings.pipelinedCallsMax
        streamsMax = settings.streamsMax
        streamsPerUserMax = settings.streamsPerUser
    }
}

extension LogSettings.Level {
    /// swift-log's name of the severity.
    public var loggerLevel: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }
}

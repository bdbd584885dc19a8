/// Makes the simulated machine that the daemon serves.
public func makeSimulationBackend(
    settings: ServiceSettings, log: ServiceLog
) async throws(ServiceStartError) -> any ServiceBackend {
    throw ServiceStartError(.software, "this build has no simulated machine")
}

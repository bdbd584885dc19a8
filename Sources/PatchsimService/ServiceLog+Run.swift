public import Configuration
internal import KernelImage
internal import Logging
internal import PatchsimInterface
internal import Simulation
internal import X86

/// What entries about the machine need besides the event: how text is patched, and the line that leads there again.
struct RunOrigin: Sendable {
    let design: String
    let schedule: @Sendable (Violation) -> String

    init(_ settings: ServiceSettings, schedule: @escaping @Sendable (Violation) -> String) {
        design = settings.designText
        self.schedule = schedule
    }
}

extension ServiceSettings {
    /// `text_poke_bp`, and the steps that are left out of it.
    public var designText: String {
        ablated.isEmpty ? "text_poke_bp" : "text_poke_bp without \(ablated.joined(separator: ", "))"
    }
}

/// Entries about the machine.
extension ServiceLog {
    func updated(_ update: UpdateSummary, origin: RunOrigin) {
        let duration = update.endedNanoseconds - update.beganNanoseconds
        write(
            .info, .textUpdated,
            "Text update \(update.ticket): \(update.sites) sites in \(update.batches) batches, \(update.syncs) syncs, \(update.traps) INT3 traps, \(duration / 1000) us of simulated time",
            fields: [
                .update: "\(update.ticket)", .design: origin.design, .sites: "\(update.sites)",
                .batches: "\(update.batches)", .syncs: "\(update.syncs)", .traps: "\(update.traps)",
                .duration: "\(duration)", .time: "\(update.endedNanoseconds)",
            ])
    }

    func violated(_ violation: Violation, image: KernelImage, origin: RunOrigin) {
        write(
            .critical, .violation,
            "\(violation.invariant.label) \(violation.invariant.title): \(violation.message)",
            fields: [
                .invariant: violation.invariant.label, .cpu: "\(violation.cpu)",
                .address: Wire.address(violation.address.rawValue), .symbol: image.place(violation.address),
                .design: origin.design, .schedule: origin.schedule(violation), .time: "\(violation.nanoseconds)",
            ])
    }

    /// What the image holds, and what its boot stage did and did not do.
    func loaded(_ image: KernelImage, kernel: String) {
        func list(_ counts: [String: Int]) -> String {
            counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        }
        let report = image.bootReport
        let notApplied = report.notApplied.isEmpty ? "" : "; not applied: \(list(report.notApplied))"
        write(
            .info, .imageLoaded,
            "\(image.banner): \(image.symbols.count) symbols; booted sites: \(list(report.sitesByKind))\(notApplied)",
            fields: [.kernel: kernel])
    }

    func skipped(_ name: String, kernel: String) {
        write(
            .info, .entrySkipped, "Workload: nothing in \(kernel) matches \(name)",
            fields: [.kernel: kernel, .symbol: name])
    }

    /// A line of the simulated kernel's log: a stream of its own, with the kernel's level as priority.
    ///
    /// Without SYSLOG_FACILITY=0: a syslog daemon would put the lines into kern.log, among those of the real kernel.
    func kernelLine(_ line: KernelLog.Line) {
        let level: Logger.Level =
            switch line.level {
            case .emergency, .alert, .critical: .critical
            case .error: .error
            case .warning: .warning
            case .notice: .notice
            case .info: .info
            case .debug: .debug
            }
        kernel?.log(
            level: level, "\(line.text)", metadata: [LogField.time.rawValue: .stringConvertible(line.nanoseconds)])
    }
}

internal import Configuration
internal import FindingStore
internal import Glibc
internal import KernelFiles
internal import KernelImage
internal import MachineModel
internal import PatchsimInterface
internal import Simulation
internal import SimulationRuntime
internal import TextPatching
internal import X86

extension ServiceSettings {
    /// Within which bounds something was seen.
    func bounds(_ kernel: borrowing KernelState) -> String {
        let ablated = kernel.configuration.ablation.names
        return "fetch model \(kernel.configuration.fetchModel.rawValue), \(kernel.cpuCount) CPUs, "
            + "\(kernel.turn) turns of the \(driver.rawValue) driver from seed \(kernel.configuration.seed)"
            + (ablated.isEmpty ? "" : ", without \(ablated.joined(separator: ", "))")
    }
}

/// Makes findings of violations and stores them, before anybody is told.
struct FindingRecorder: Sendable {
    let store: FindingStore
    let log: ServiceLog
    let settings: ServiceSettings

    /// Stores a violation. One that was seen before, after a step back, is not stored again.
    func record(_ violation: Violation, replay: String, image: KernelImage, host: SimulationHost) {
        let finding = host.withKernel { kernel in
            Finding(
                foundAt: time(nil), version: Service.version, kernel: settings.kernel, banner: image.banner,
                invariant: violation.invariant.label, title: violation.invariant.title, message: violation.message,
                cpu: violation.cpu, address: Wire.address(violation.address.rawValue),
                symbol: image.place(violation.address), nanoseconds: Int(violation.nanoseconds),
                eventHash: Self.digits(kernel.events.hash), bounds: settings.bounds(kernel), replay: replay,
                checks: Invariant.allCases.map { invariant in
                    Finding.Checks(
                        invariant: invariant.label, title: invariant.title,
                        checks: Int(kernel.verdict.checks[invariant] ?? 0),
                        violations: violation.invariant == invariant ? 1 : 0)
                })
        }
        do {
            if let newest = try store.findings(count: 1).first?.finding, newest.eventHash == finding.eventHash,
                newest.replay == finding.replay, !finding.replay.isEmpty
            {
                return
            }
            _ = try store.record(finding)
        } catch {
            log.findingWaits(error.description, replay: replay)
        }
    }

    private static func digits(_ hash: UInt64) -> String {
        let text = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}

extension SimulationBackend {
    // MARK: What a restart has to do again

    /// Name of the setting that is there while clients have the machine paused.
    static let pausedName = "paused"
    /// Name of the setting that holds the banner of the kernel whose inputs are stored.
    static let bannerName = "kernel_banner"

    var machine: KeptInputs.Machine {
        KeptInputs.Machine(apply: { try await self.apply($0) }, listing: { self.listing() })
    }

    /// Brings a fresh machine to where the one before was told to be; the machine runs.
    func restore() async {
        let banner = try? store.setting(Self.bannerName)
        if let banner, banner != image.banner, (try? store.inputs().isEmpty) == false {
            log.otherKernel(stored: banner, now: image.banner)
        }
        await inputs.restore(machine)
        if banner != image.banner { try? store.set(Self.bannerName, image.banner) }
        if (try? store.setting(Self.pausedName)) != nil { await host.pause() }
    }

    /// Inputs that lead a fresh kernel to the tracer's state of this one.
    private func listing() -> [WorldInput] {
        host.withKernel { kernel in
            let instances = KernelFileTree.tracing + "/instances"
            let names = ((try? KernelFileTree.list(instances, in: kernel)) ?? []).map(\.name)
            var inputs = names.map { WorldInput(.makeDirectory, path: "\(instances)/\($0)") }
            for directory in [KernelFileTree.tracing] + names.map({ "\(instances)/\($0)" }) {
                func words(_ file: String) -> [String] {
                    let text = (try? KernelFileTree.read("\(directory)/\(file)", in: kernel)) ?? ""
                    return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
                }
                func add(_ file: String, _ text: String) {
                    inputs.append(WorldInput(.write, path: "\(directory)/\(file)", text: text))
                }
                for file in ["set_ftrace_filter", "set_ftrace_notrace"] {
                    let names = words(file)
                    if !names.isEmpty { add(file, names.joined(separator: "\n")) }
                }
                if words("tracing_on") == ["0"] { add("tracing_on", "0") }
                let tracer = words("current_tracer")
                if tracer != ["nop"], let name = tracer.first { add("current_tracer", name) }
            }
            return inputs
        }
    }
}

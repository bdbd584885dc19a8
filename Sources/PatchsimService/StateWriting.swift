public import PatchsimInterface
public import Varlink

// The state as JSON without Codable: it is asked for all the time, by whoever watches the machine. The members are those of
// `MachineState`, which a test compares with what Codable writes.

extension GetState.Reply: JSONWritable {
    public func write(to json: inout OutputBuffer) {
        json.beginObject()
        json.member("state")
        state.write(to: &json)
        json.endObject()
    }
}

extension MachineState: JSONWritable {
    public func write(to json: inout OutputBuffer) {
        json.beginObject()
        json.member("kernel", kernel)
        json.member("banner", banner)
        json.member("mode", mode)
        json.member("driver", driver.rawValue)
        json.member("run", run.rawValue)
        json.member("cpuCount", cpuCount)
        json.member("taskCount", taskCount)
        json.member("seed", seed)
        json.member("fetchModel", fetchModel)
        json.member("ablated", ablated)
        json.member("nanoseconds", nanoseconds)
        json.member("retired", retired)
        json.member("exactness")
        json.beginObject()
        json.member("exactSemantics", exactness.exactSemantics)
        json.member("knownInputs", exactness.knownInputs)
        json.endObject()
        json.member("pokes", pokes)
        json.member("batches", batches)
        json.member("syncs", syncs)
        json.member("trapsTaken", trapsTaken)
        json.member("trapsEmulated", trapsEmulated)
        json.member("trapSites", trapSites)
        json.member("tracer", tracer)
        json.member("enabledSites", enabledSites)
        json.member("eventSequence", eventSequence)
        json.member("violations", violations)
        json.endObject()
    }
}

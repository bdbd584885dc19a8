import X86

/// The values of static call keys and static branch keys after boot: those of the file with the updates laid over them.
struct BootKeys {
    /// Functions that the updates gave to static call keys; 0 is NULL.
    private(set) var functions: [UInt64: UInt64] = [:]
    /// The same for trampolines (__SCT__name) whose key no symbol names.
    private(set) var trampolineFunctions: [UInt64: UInt64] = [:]
    /// Static branch keys that the updates switched.
    private(set) var switches: [UInt64: Bool] = [:]
    /// Updates that name what this kernel doesn't have.
    private(set) var updatesNotFound = 0

    init(_ updates: BootUpdates, release: String, _ map: AddressMap, _ named: NamedAddresses) {
        for action in updates.actions(release: release) {
            switch action {
            case .staticCall(let name, let function):
                let target = function.map { named($0) } ?? .some(0)
                let key = named("__SCK__" + name)
                let trampoline = named("__SCT__" + name)
                guard let target, target == 0 || map.isText(target, count: 1), key != nil || trampoline != nil else {
                    updatesNotFound += 1
                    continue
                }
                if let key { functions[key] = target }
                if let trampoline { trampolineFunctions[trampoline] = target }
            case .staticKey(let place, let isOn):
                guard let start = named(place.symbol, position: place.position),
                    map.int32(start &+ UInt64(place.offset)) != nil
                else {
                    updatesNotFound += 1
                    continue
                }
                switches[start &+ UInt64(place.offset)] = isOn
            }
        }
    }

    /// static_key_enabled().
    func isEnabled(_ key: UInt64, _ map: AddressMap) -> Bool {
        switches[key] ?? ((map.int32(key) ?? 0) > 0)
    }

    /// key->func; 0 is NULL.
    func function(_ key: UInt64, _ map: AddressMap) -> UInt64 {
        functions[key] ?? map.word(key) ?? 0
    }
}

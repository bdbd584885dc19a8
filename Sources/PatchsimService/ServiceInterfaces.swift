internal import Locking
internal import PatchsimInterface
internal import Varlink

/// The handlers of the io.patchsim interfaces: each turns its parameters into an action and the action's result into its
/// reply.
struct ServiceInterfaces: Sendable {
    let performer: ServicePerformer
    let log: ServiceLog
    let status: StatusLine
    var access = Guarded(AccessRules())
    var heavy = HeavyCalls()

    func all() -> [VarlinkInterface] {
        let methods = machineMethods + textMethods + fileMethods + findingMethods + otherMethods
        let byInterface = Dictionary(grouping: methods) { method in
            method.name.split(separator: ".").dropLast().joined(separator: ".")
        }
        return EmbeddedTexts.interfaces.keys.sorted().map { name in
            do {
                return try VarlinkInterface(text: EmbeddedTexts.interfaces[name]!, methods: byInterface[name] ?? [])
            } catch {
                preconditionFailure("\(name) is described right: \(error)")
            }
        }
    }

    private var machineMethods: [VarlinkMethod] {
        let performer = performer
        return [
            method(Ping.self) { _ in .ping },
            // The one that is asked all the time. It changes nothing and everybody may ask it, so nothing is checked.
            method(GetState.self) { _ in .getState }.answeringAtOnce { _ in performer.stateAtOnce() },
            method(GetConfiguration.self) { _ in .getConfiguration },
            method(Reload.self) { _ in .reload },
            method(SetLogLevel.self) { try .setLogLevel($0) },
            method(ListCPUs.self) { _ in .listCPUs },
            method(ListTasks.self) { _ in .listTasks },
            method(Pause.self) { _ in .pause },
            method(Resume.self) { _ in .resume },
            method(Step.self) { try .step($0) },
        ]
    }

    private var textMethods: [VarlinkMethod] {
        [
            method(ReadText.self) { try .readText($0) },
            method(Disassemble.self) { try .disassemble($0) },
            method(LookupSymbol.self) { try .lookupSymbol($0) },
            method(ListFunctions.self) { .listFunctions(glob: try ServiceAction.optionalGlob($0.glob)) },
        ]
    }

    private var fileMethods: [VarlinkMethod] {
        [
            method(ListFiles.self) { .listFiles(path: try ServiceAction.path($0.path)) },
            method(ReadFile.self) { try .readFile($0) },
            method(WriteFile.self) { try .writeFile($0) },
            method(MakeDirectory.self) { .makeDirectory(path: try ServiceAction.path($0.path)) },
            method(RemoveDirectory.self) { .removeDirectory(path: try ServiceAction.path($0.path)) },
        ]
    }

    private var findingMethods: [VarlinkMethod] {
        [
            method(ListFindings.self) { try .listFindings($0) },
            method(GetFinding.self) { .getFinding(id: $0.id) },
            method(ExportFindings.self) { try .exportFindings($0) },
            method(DeleteFindings.self) { try .deleteFindings($0) },
        ]
    }

    private var otherMethods: [VarlinkMethod] {
        [
            method(EnableTracing.self) { try .setTracing(true, $0.glob) },
            method(DisableTracing.self) { try .setTracing(false, $0.glob) },
            method(ListSites.self) { .listSites(glob: try ServiceAction.optionalGlob($0.glob)) },
            method(GetRecentEvents.self) { try .recentEvents($0) },
            method(SubscribeEvents.self) { try .subscribe($0) },
            method(GetVerdict.self) { _ in .getVerdict },
            method(ReplayLine.self) { try .replay($0) },
        ]
    }

    private func method<Method: InterfaceMethod>(
        _ type: Method.Type, _ action: @escaping @Sendable (Method.Parameters) throws -> ServiceAction
    ) -> VarlinkMethod {
        let (performer, log, status, access, heavy) = (performer, log, status, access, heavy)
        return VarlinkMethod(Method.name, parameters: Method.Parameters.self, reply: Method.Reply.self) {
            parameters, replies in
            let stream = ServicePerformer.Stream(
                connection: replies.peer.connection, wantsMore: replies.wantsMore,
                send: { try await replies.send(Self.typed($0, Method.self)) })
            let action = try action(parameters)
            do {
                try access.withLock({ $0 }).check(action, replies.peer)
            } catch {
                log.denied(action, replies.peer)
                throw error
            }
            do {
                let reply = try await heavy.run(action, replies.peer) { try await performer.perform(action, stream) }
                if action.isChange {
                    log.changed(action, replies.peer)
                    status.changed(action, byUser: replies.peer.uid)
                }
                return Self.typed(reply, Method.self)
            } catch let fault as any InterfaceFault {
                log.refused(action, fault, replies.peer)
                throw fault.onTheWire
            }
        }
    }

    private static func typed<Method: InterfaceMethod>(
        _ reply: any Encodable & Sendable, _ method: Method.Type
    ) -> Method.Reply {
        guard let reply = reply as? Method.Reply else {
            preconditionFailure("\(Method.name) is answered with its own reply")
        }
        return reply
    }
}

extension InterfaceFault {
    fileprivate var onTheWire: VarlinkError {
        VarlinkError(name: Self.name, parameters: self)
    }
}

/// The methods of a server, org.varlink.service among them.
struct MethodTable: Sendable {
    private struct Entry: Sendable {
        let parameterNames: Set<String>
        /// Nil: described, but not implemented.
        let method: VarlinkMethod?
    }

    private let entries: [String: Entry]
    private let interfaceNames: Set<String>

    init(product: VarlinkProduct, interfaces: [VarlinkInterface]) {
        let service = Self.serviceInterface(product, interfaces)
        var entries: [String: Entry] = [:]
        for interface in [service] + interfaces {
            let handlers = Dictionary(uniqueKeysWithValues: interface.methods.map { ($0.name, $0) })
            for method in interface.description.methods {
                let name = "\(interface.description.name).\(method.name)"
                precondition(entries[name] == nil, "\(name) is registered once")
                var handler = handlers[name]
                precondition(
                    handler?.answerAtOnce == nil || method.parameters.isEmpty,
                    "\(name) is answered at once: no parameters")
                handler?.types = ParameterTypes(method.parameters, of: interface.description)
                entries[name] = Entry(parameterNames: Set(method.parameters.map(\.name)), method: handler)
            }
        }
        self.entries = entries
        interfaceNames = Set(([service] + interfaces).map(\.description.name))
    }

    func method(for head: CallHead) throws(VarlinkError) -> VarlinkMethod {
        guard let entry = entries[head.method] else {
            let name = String(decoding: head.method.utf8.prefix(methodNameBytesMax), as: UTF8.self)
            guard let dot = name.lastIndex(of: ".") else {
                throw .invalidParameter("method", "a method's name has its interface before it")
            }
            let interface = String(name[..<dot])
            throw interfaceNames.contains(interface) ? .methodNotFound(name) : .interfaceNotFound(interface)
        }
        guard let method = entry.method else { throw .methodNotImplemented(head.method) }
        if head.upgrade { throw .invalidParameter("upgrade", "no method here upgrades the connection") }
        guard !head.parameterNames.isEmpty else { return method }
        var seen: Set<String> = []
        for parameter in head.parameterNames {
            guard entry.parameterNames.contains(parameter) else {
                let names = entry.parameterNames.sorted().joined(separator: ", ")
                throw .invalidParameter(
                    parameter, "is no parameter of \(head.method)" + (names.isEmpty ? "" : ", which has \(names)"))
            }
            // Readers of JSON differ in which one they take.
            guard seen.insert(parameter).inserted else { throw .invalidParameter(parameter, "is given twice") }
        }
        return method
    }

    private struct NoParameters: Codable, Sendable {}

    private struct Info: Codable, Sendable {
        let vendor: String
        let product: String
        let version: String
        let url: String
        let interfaces: [String]
    }

    private struct Asked: Codable, Sendable {
        let interface: String
    }

    private struct Text: Codable, Sendable {
        let description: String
    }

    private static func serviceInterface(
        _ product: VarlinkProduct, _ interfaces: [VarlinkInterface]
    ) -> VarlinkInterface {
        let names = ["org.varlink.service"] + interfaces.map(\.description.name).sorted()
        var texts = ["org.varlink.service": serviceDescription]
        for interface in interfaces { texts[interface.description.name] = interface.text }
        let described = texts
        let getInfo = VarlinkMethod("org.varlink.service.GetInfo", parameters: NoParameters.self, reply: Info.self) {
            _, _ in
            Info(
                vendor: product.vendor, product: product.product, version: product.version, url: product.url,
                interfaces: names)
        }
        let getDescription = VarlinkMethod(
            "org.varlink.service.GetInterfaceDescription", parameters: Asked.self, reply: Text.self
        ) { asked, _ in
            guard let text = described[asked.interface] else { throw VarlinkError.interfaceNotFound(asked.interface) }
            return Text(description: text)
        }
        do {
            return try VarlinkInterface(text: serviceDescription, methods: [getInfo, getDescription])
        } catch {
            preconditionFailure("org.varlink.service is described right: \(error)")
        }
    }
}

/// https://varlink.org/Service, word for word.
let serviceDescription = """
    # The Varlink Service Interface is provided by every varlink service. It
    # describes the service and the interfaces it implements.
    interface org.varlink.service

    # Get a list of all the interfaces a service provides and information
    # about the implementation.
    method GetInfo() -> (
      vendor: string,
      product: string,
      version: string,
      url: string,
      interfaces: []string
    )

    # Get the description of an interface that is implemented by this service.
    method GetInterfaceDescription(interface: string) -> (description: string)

    # The requested interface was not found.
    error InterfaceNotFound (interface: string)

    # The requested method was not found
    error MethodNotFound (method: string)

    # The interface defines the requested method, but the service does not
    # implement it.
    error MethodNotImplemented (method: string)

    # One of the passed parameters is invalid.
    error InvalidParameter (parameter: string)

    # Client is denied access
    error PermissionDenied ()

    # Method is expected to be called with 'more' set to true, but wasn't
    error ExpectedMore ()

    """

internal import FoundationEssentials

/// Any member's name.
struct MemberName: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) {
        self.stringValue = stringValue
    }

    init?(intValue: Int) {
        nil
    }
}

/// What surrounds the parameters of a call.
struct CallHead: Decodable {
    let method: String
    let more: Bool
    let oneway: Bool
    let upgrade: Bool
    /// Names of the parameters that were given.
    let parameterNames: [String]

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: MemberName.self)
        func flag(_ name: String) throws -> Bool {
            try container.decodeIfPresent(Bool.self, forKey: MemberName(stringValue: name)) ?? false
        }
        method = try container.decode(String.self, forKey: MemberName(stringValue: "method"))
        more = try flag("more")
        oneway = try flag("oneway")
        upgrade = try flag("upgrade")
        let parameters = MemberName(stringValue: "parameters")
        if container.contains(parameters), try !container.decodeNil(forKey: parameters) {
            parameterNames = try container.nestedContainer(keyedBy: MemberName.self, forKey: parameters).allKeys
                .map(\.stringValue)
        } else {
            parameterNames = []
        }
    }
}

/// The parameters of a call. Absent ones are an empty object.
struct CallBody<Parameters: Decodable>: Decodable {
    let parameters: Parameters

    enum CodingKeys: CodingKey {
        case parameters
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if container.contains(.parameters), try !container.decodeNil(forKey: .parameters) {
            parameters = try container.decode(Parameters.self, forKey: .parameters)
        } else {
            parameters = try JSONDecoder().decode(Parameters.self, from: Data("{}".utf8))
        }
    }
}

struct ReplyMessage<Parameters: Encodable>: Encodable {
    let parameters: Parameters
    /// True, or absent.
    let continues: Bool?
}

/// A message from client to server.
struct CallMessage<Parameters: Encodable>: Encodable {
    let method: String
    let parameters: Parameters
    let more: Bool?
    let oneway: Bool?
}

/// What surrounds the parameters of a reply.
struct ReplyHead: Decodable {
    let error: String?
    let continues: Bool?
}

/// Says what a JSON decoder found wrong: the member's path within the parameters, or within the message, and a sentence.
func explain(_ error: DecodingError) -> (path: String, message: String) {
    func path(_ keys: [any CodingKey]) -> String {
        let names = keys.map(\.stringValue)
        return (names.first == "parameters" && names.count > 1 ? names[1...] : names[...]).joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, let context):
        return (path(context.codingPath + [key]), "is missing")
    case .typeMismatch(let type, let context):
        return (path(context.codingPath), "is not of the type \(jsonName(type))")
    case .valueNotFound(let type, let context):
        return (path(context.codingPath), "is null, not of the type \(jsonName(type))")
    case .dataCorrupted(let context):
        return (path(context.codingPath), context.debugDescription)
    @unknown default:
        return ("", "can't be read")
    }
}

private func jsonName(_ type: Any.Type) -> String {
    switch type {
    case is String.Type: "string"
    case is Bool.Type: "bool"
    case is Int.Type: "int"
    case is Double.Type: "float"
    case is [Any].Type: "array"
    default: "object"
    }
}

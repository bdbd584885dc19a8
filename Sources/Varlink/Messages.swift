internal import FoundationEssentials

/// The parameters of a reply. Absent ones are an empty object.
struct ReplyBody<Parameters: Decodable>: Decodable {
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

/// Says what a JSON decoder found wrong: the member's path, and a sentence.
func explain(_ error: DecodingError) -> (path: String, message: String) {
    func path(_ keys: [any CodingKey]) -> String {
        keys.map(\.stringValue).joined(separator: ".")
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

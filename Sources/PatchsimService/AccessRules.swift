internal import Glibc
internal import Varlink

/// Who may do what: reading is for everybody who can connect; changing is for root, the daemon's own user and the members
/// of one group. `ServiceAction.isChange` says what changes.
public struct AccessRules: Sendable {
    public static let groupDefault = "patchsim"

    /// A group's name, or its number in decimal digits.
    public let group: String
    let owner: UInt32
    private let number: @Sendable (String) -> UInt32?

    /// `owner` is the daemon's own user. Users that a user namespace doesn't map all look like the overflow user, so that
    /// a daemon which runs as that one has no user of its own here.
    public init(group: String = AccessRules.groupDefault, owner: UInt32? = nil) {
        self.init(group: group, owner: owner ?? geteuid(), number: Self.groupNumber)
    }

    /// The same rules with another group.
    func with(group: String) -> AccessRules {
        AccessRules(group: group, owner: owner, number: number)
    }

    /// `number` finds the number of a group's name.
    init(group: String, owner: UInt32, number: @escaping @Sendable (String) -> UInt32?) {
        self.group = group
        self.owner = owner
        self.number = number
    }

    /// Throws PermissionDenied, with who may, if `action` changes something and `peer` may not.
    ///
    /// The group is looked up each time: it may be made, or get another number, while the daemon runs.
    func check(_ action: ServiceAction, _ peer: VarlinkPeer) throws(VarlinkError) {
        guard action.isChange, !isOwner(peer) else { return }
        let number = number(group)
        if let number, peer.gid == number || peer.groups.contains(number) { return }
        throw .permissionDenied(refusal(groupExists: number != nil))
    }

    /// Root and the daemon's own user.
    func isOwner(_ peer: VarlinkPeer) -> Bool {
        peer.uid == 0 || peer.uid == owner && owner != Self.overflowUser
    }

    private func refusal(groupExists: Bool) -> String {
        let owners = owner == 0 || owner == Self.overflowUser ? "root" : "root, uid \(owner)"
        guard groupExists else {
            return
                "reading is for everybody, but only \(owners) may change anything: there is no group \(group) on this machine"
        }
        return
            "reading is for everybody, but only \(owners) and members of group \(group) may change anything; root makes you one with: usermod -aG \(group) YOUR-NAME (it counts from your next login)"
    }

    /// /proc/sys/kernel/overflowuid, where nobody changed it.
    private static let overflowUser: UInt32 = 65_534

    /// A group's number as the system's databases have it.
    private static func groupNumber(_ name: String) -> UInt32? {
        if let number = UInt32(name) { return number }
        var capacity = groupBytesUsual
        while capacity <= groupBytesMax {
            var entry = Glibc.group()
            var found: UnsafeMutablePointer<Glibc.group>?
            let (status, number) = withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { buffer in
                let status = getgrnam_r(name, &entry, buffer.baseAddress, buffer.count, &found)
                return (status, found.map { UInt32($0.pointee.gr_gid) })
            }
            if status != ERANGE { return number }
            capacity *= 2
        }
        return nil
    }
}

/// Room for a group's entry with its members, at the first try and at most.
private let groupBytesUsual = 4096
private let groupBytesMax = 16 << 20

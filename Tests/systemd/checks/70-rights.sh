# shellcheck shell=bash
# Who may do what. alice is in the group, bob is not.
fresh
id alice >/dev/null 2>&1 || useradd --create-home alice
id bob >/dev/null 2>&1 || useradd --create-home bob
gpasswd --add alice patchsim >/dev/null
as() { setpriv --reuid "$1" --regid "$1" --init-groups env -i PATH=/usr/bin:/bin HOME="/home/$1" "${@:2}"; }
started
mark
check "an outsider may look" has 'State: +running' as bob patchsimctl status
check "an outsider's change is refused, with who may" has 'members of group patchsim' \
    as bob patchsimctl --socket "$socket" ftrace enable 'vfs_*'
check "the refusal is an exit status" fails as bob patchsimctl --socket "$socket" pause
check "the machine is as it was" has 'State: +running|Tracer: +nop, 0 sites' ctl status
check "the journal tells who tried what" has 'Denied: enable tracing of vfs_\*' entries --output cat "PATCHSIM_CLIENT_UID=$(id -u bob)"
check "journalctl -x explains a refusal" has 'Subject: ' entries --catalog --grep 'Denied: enable'
check "a member of the group may change the machine" as alice patchsimctl --socket "$socket" ftrace enable 'vfs_*'
check "the journal tells who changed what" has 'vfs_\*' entries --output cat "PATCHSIM_CLIENT_UID=$(id -u alice)"
check "the daemon's own user may change the machine" as patchsim patchsimctl --socket "$socket" ftrace disable 'vfs_*'
check "root may change the machine" ctl ftrace enable 'vfs_*'
check "the group gives no access to the daemon's files" fails as alice ls /var/lib/patchsim
gpasswd --delete alice patchsim >/dev/null
check "who has left the group is refused" fails as alice patchsimctl --socket "$socket" ftrace disable 'vfs_*'
fresh

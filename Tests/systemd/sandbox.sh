#!/bin/bash
# Boots a real systemd as PID 1 of new namespaces over a throw-away copy of this machine's root, runs one program in it and
# hands its exit status back. Nothing is left behind, and the machine itself is not changed: mounts, host name, network,
# processes and cgroups are the sandbox's own. Its clock is the machine's: no program may set it.
#
#   sandbox.sh [OPTION]... PROGRAM [ARGUMENT]...
#     --lay TREE       lay the files of TREE over the root, as `make install DESTDIR=TREE` placed them
#     --give FILE:AS   show FILE or folder read-only as AS
#     --hide FOLDER    show FOLDER empty
#     --journal FILE   write the journal there afterwards, as text
#     --seconds N      end it after N seconds (default 300)
#
# Exit status: the program's; 124 where the time is over; 125 where the sandbox could not be made, with the reason on stderr.
# Needs root, overlayfs and cgroup2, which a virtual machine has and a container has when it is privileged.
set -euo pipefail

fail() {
    echo "sandbox.sh: $*" >&2
    exit 125
}

# The third stage: PID 1 of the new process namespace, before it becomes systemd.
if [ "${SANDBOX_STAGE:-}" = init ]; then
    cd "$SANDBOX_ROOT"
    hostname sandbox
    mount -t proc -o nosuid,nodev,noexec proc proc
    # What could reach the machine through /proc is shown read-only.
    for entry in proc/sys proc/sysrq-trigger proc/irq proc/bus; do
        [ ! -e "$entry" ] || { mount --bind "$entry" "$entry" && mount -o remount,bind,ro "$entry"; }
    done
    mount -t sysfs -o nosuid,nodev,noexec,ro sysfs sys
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
    mkdir run/before
    pivot_root . run/before
    umount -l /run/before
    rmdir /run/before
    exec env -i container=sandbox PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        /lib/systemd/systemd --system --unit=multi-user.target --show-status=0 --log-target=journal
fi

# The second stage: into the sandbox's cgroup, then into its namespaces.
if [ "${SANDBOX_STAGE:-}" = enter ]; then
    echo 0 >"$SANDBOX_CGROUP/cgroup.procs"
    SANDBOX_STAGE=init exec unshare --fork --kill-child=KILL --pid --mount --propagation private --uts --ipc --net --cgroup -- \
        bash "$0"
fi

# The first stage supervises, in a mount namespace of its own: what it mounts ends with it, however it ends.
if [ "${SANDBOX_STAGE:-}" = "" ]; then
    [ "$(id -u)" -eq 0 ] || fail "needs root: systemd is booted in namespaces of its own"
    [ -x /lib/systemd/systemd ] || fail "there is no /lib/systemd/systemd: apt-get install systemd"
    unshare --mount --propagation private true 2>/dev/null ||
        fail "may not make a mount namespace: a container must be privileged for it"
    SANDBOX_STAGE=supervise exec unshare --mount --propagation private -- bash "$0" "$@"
fi

lay= journal= seconds=300
give=() hide=()
while [ $# -gt 0 ]; do
    case $1 in
    --lay) lay=$2 ;;
    --give) give+=("$2") ;;
    --hide) hide+=("$2") ;;
    --journal) journal=$2 ;;
    --seconds) seconds=$2 ;;
    -*) fail "$1: no such option" ;;
    *) break ;;
    esac
    shift 2
done
[ $# -gt 0 ] || fail "no program"

program=$0
place= group= memory= launcher= init=
clean() {
    local status=$?
    trap '' INT TERM HUP
    set +e
    # All processes of the sandbox end with its PID 1.
    [ -z "$init" ] || kill -KILL "$init" 2>/dev/null
    [ -z "$launcher" ] || { kill -KILL "$launcher" 2>/dev/null; wait "$launcher" 2>/dev/null; }
    for folder in $group $memory; do
        for _ in $(seq 200); do
            find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null
            [ -d "$folder" ] || break
            sleep 0.02
        done
        [ ! -d "$folder" ] || echo "sandbox.sh: $folder can't be removed" >&2
    done
    if [ -n "$place" ]; then
        umount -R -l "$place"
        rmdir "$place"
    fi
    exit "$status"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

place=$(mktemp -d "${TMPDIR:-/tmp}/patchsim-sandbox.XXXXXX")
mount -t tmpfs -o mode=755 sandbox "$place"
mkdir "$place"/{changes,work,root,cgroup}

# A cgroup below our own.
mount -t cgroup2 cgroup2 "$place/cgroup" || fail "this kernel gives no cgroup2"
own=$(sed -n 's/^0:://p' /proc/self/cgroup)
group=$place/cgroup${own%/}/patchsim-sandbox.$$
mkdir "$group" || { group=; fail "may not make a cgroup below $own"; }
# Where memory is not a controller of cgroup2, it is one of the older hierarchies.
if ! grep -qw memory "$group/cgroup.controllers"; then
    own=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
    if [ -n "$own" ] && mkdir "/sys/fs/cgroup/memory${own%/}/patchsim-sandbox.$$" 2>/dev/null; then
        memory=/sys/fs/cgroup/memory${own%/}/patchsim-sandbox.$$
    fi
fi

# The machine's root below, a memory file system above.
root=$place/root
mount -t overlay -o "lowerdir=/,upperdir=$place/changes,workdir=$place/work" overlay "$root" ||
    fail "may not mount an overlay: a container must be privileged for it"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
for node in null zero full random urandom tty; do
    : >"$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root"/dev/{pts,shm}
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
for stream in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${stream%:*}" "$root/dev/${stream#*:}"; done
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"

# A machine of its own: an id, so that its journal is not the host's; none of the host's services and file systems.
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/systemd/system/*.requires "$root"/etc/rc?.d "$root/var/log/journal"
mkdir -p "$root/var/log/journal"
: >"$root/etc/fstab"
mkdir -p "$root"/run/systemd/{system,journald.conf.d,system.conf.d} "$root/run/sandbox"
for unit in systemd-udevd.service systemd-udev-trigger.service systemd-modules-load.service systemd-sysctl.service \
    systemd-timesyncd.service systemd-random-seed.service systemd-networkd.service systemd-resolved.service \
    systemd-binfmt.service getty.target sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount proc-sys-fs-binfmt_misc.automount; do
    ln -sf /dev/null "$root/run/systemd/system/$unit"
done
for timer in "$root"/lib/systemd/system/*.timer; do ln -sf /dev/null "$root/run/systemd/system/${timer##*/}"; done
# Every entry is wanted: checks count them.
printf '[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\n' \
    >"$root/run/systemd/journald.conf.d/sandbox.conf"
printf '[Manager]\nDefaultTimeoutStopSec=10s\n' >"$root/run/systemd/system.conf.d/sandbox.conf"

[ -z "$lay" ] || cp -a "$lay/." "$root/"
for entry in ${hide[@]+"${hide[@]}"}; do
    [ ! -d "$root$entry" ] || mount -t tmpfs -o size=4k,mode=755 hidden "$root$entry"
done
for entry in ${give[@]+"${give[@]}"}; do
    from=${entry%%:*} to=$root${entry#*:}
    if [ -d "$from" ]; then mkdir -p "$to"; else mkdir -p "${to%/*}" && : >>"$to"; fi
    mount --bind "$from" "$to"
    mount -o remount,bind,ro "$to"
done
if [ -n "$memory" ]; then
    mkdir "$root/run/sandbox/memory"
    mount --bind "$memory" "$root/run/sandbox/memory"
fi

console=$place/console
SANDBOX_STAGE=enter SANDBOX_ROOT=$root SANDBOX_CGROUP=$group setpriv --pdeathsig KILL bash "$program" \
    </dev/null >"$console" 2>&1 &
launcher=$!
# Waits until a command succeeds; the sandbox's boot takes a second or two.
await() {
    local end=$((SECONDS + 60))
    until "$@" 2>/dev/null; do
        if [ ! -d "/proc/$launcher" ] || [ "$SECONDS" -ge "$end" ]; then
            cat "$console" >&2
            fail "systemd did not boot: $*"
        fi
        sleep 0.02
    done
}
found_init() {
    init=$(head -n 1 "$group/init.scope/cgroup.procs") && [ -n "$init" ]
}
await found_init
await test -S "/proc/$init/root/run/systemd/private"
inside() {
    nsenter --target "$init" --mount --uts --ipc --net --pid --cgroup --root --wd=/ -- "$@"
}
state=$(timeout 60 nsenter --target "$init" --mount --uts --ipc --net --pid --cgroup --root --wd=/ -- \
    systemctl is-system-running --wait 2>&1) || true
case $state in
running) ;;
degraded) inside systemctl --failed --no-pager --no-legend --plain | sed 's/^/sandbox.sh: failed at boot: /' >&2 ;;
*) fail "systemd did not boot: it is '$state'" ;;
esac

# As a unit of the sandbox, so that it is in its cgroups too. systemd takes $ for its own.
set +e
timeout --foreground --kill-after 5 "$seconds" nsenter --target "$init" --mount --uts --ipc --net --pid --cgroup --root --wd=/ -- \
    systemd-run --quiet --wait --pipe --collect --service-type=exec --unit=sandbox-program --property=KillMode=mixed \
    --setenv=PATH=/usr/sbin:/usr/bin:/sbin:/bin --setenv=HOME=/root --setenv=LANG=C.UTF-8 -- "${@//\$/\$\$}"
status=$?
set -e
if [ -n "$journal" ]; then
    inside journalctl --sync || true
    inside journalctl --no-pager --quiet --output=short-precise >"$journal" || true
fi
exit "$status"

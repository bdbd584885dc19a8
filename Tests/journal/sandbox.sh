#!/bin/bash
# Runs a command in a mount and process namespace with a journald of its own, which has /run, /var and the catalog for
# itself: nothing of this machine's journal is read or written. Everything ends with the command.
#
#     Tests/journal/sandbox.sh COMMAND [ARGUMENT...]
#
# Needs root, or a system that lets everybody make user namespaces. Exit status: the command's; 125 where there can be no
# sandbox.
set -euo pipefail

fail() {
    echo "${0##*/}: $*" >&2
    exit 125
}

if [ "${PATCHSIM_SANDBOX:-}" != inside ]; then
    [ $# -gt 0 ] || fail "usage: ${0##*/} COMMAND [ARGUMENT...]"
    namespaces=(--mount --pid --fork --kill-child=KILL --propagation private)
    if [ "$(id -u)" -ne 0 ]; then
        namespaces+=(--map-root-user)
        unshare "${namespaces[@]}" true 2>/dev/null ||
            fail "this needs root, or user namespaces for everybody (sysctl kernel.unprivileged_userns_clone=1)"
    fi
    # Started as $PATCHSIM_SANDBOX=inside by itself, so that this file is all there is to it.
    PATCHSIM_SANDBOX=inside exec unshare "${namespaces[@]}" -- bash "$0" "$@"
fi
unset PATCHSIM_SANDBOX

journald=/lib/systemd/systemd-journald
[ -x "$journald" ] || fail "$journald is missing: install systemd"

mount -t tmpfs -o mode=755 sandbox /run
mount -t tmpfs -o mode=755 sandbox /var
mount -t proc proc /proc 2>/dev/null || true
mkdir -p /run/systemd/journald.conf.d /run/log/journal /var/log /var/tmp /var/lib/systemd/catalog
# One id for the machine, its own: journalctl shows no other machine's journal.
tr -d - </proc/sys/kernel/random/uuid >/run/machine-id
[ -e /etc/machine-id ] || fail "/etc/machine-id is missing"
mount --bind /run/machine-id /etc/machine-id
mount -t tmpfs -o mode=755 sandbox /usr/lib/systemd/catalog
cat >/run/systemd/journald.conf.d/sandbox.conf <<END
[Journal]
Storage=volatile
ReadKMsg=no
Audit=no
ForwardToSyslog=no
ForwardToWall=no
RateLimitIntervalSec=0
END

# Nobody passes journald its sockets here: it makes them, and they go with it.
start_journald() {
    "$journald" >/run/journald.out 2>&1 &
    journald_pid=$!
    for _ in {1..500}; do
        [ ! -S /run/systemd/journal/socket ] || return 0
        kill -0 "$journald_pid" 2>/dev/null || break
        sleep 0.02
    done
    cat /run/journald.out >&2
    fail "journald did not start"
}

stop_journald() {
    journalctl --sync 2>/dev/null || true
    kill "$journald_pid"
    wait "$journald_pid" || true
    rm -f /run/systemd/journal/{socket,stdout,dev-log}
}

start_journald
if [ "$1" = source ]; then
    # A script that stops and starts journald itself.
    shift
    # shellcheck disable=SC1090
    . "$@"
else
    "$@"
fi

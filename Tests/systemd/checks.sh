#!/bin/bash
# Runs inside the sandbox, where systemd is PID 1 and patchsim is installed: all of checks/*.sh in their order, or those
# that are named. Prints TAP, a line for each claim.
#
#   checks.sh CLAIMS-BEFORE [FILE]...
set -uo pipefail
cd "${BASH_SOURCE[0]%/*}"

socket=/run/patchsim/io.patchsim
unit=patchsimd.service
overrides=/run/systemd/system/$unit.d
kernel=/boot/vmlinuz-test
count=$1 failures=0
shift
scratch=$(mktemp -d)
# The user's own socket would be looked for first.
unset XDG_RUNTIME_DIR

# check CLAIM COMMAND...: one claim, and the command that shows it by its exit status.
check() {
    local claim=$1
    shift
    count=$((count + 1))
    if "$@" >"$scratch/output" 2>&1; then
        echo "ok $count - $claim"
    else
        echo "not ok $count - $claim"
        failures=$((failures + 1))
        echo "# $*"
        tail -n 25 "$scratch/output" | sed 's/^/#   /'
    fi
}

# skip is for what a machine can't show; the reason is part of the output.
skip() {
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2"
}

ctl() { patchsimctl --socket "$socket" "$@"; }
property() { systemctl show --property "$1" --value "${2:-$unit}"; }
is() { [ "$1" = "$2" ] || { echo "it is '$1', not '$2'"; return 1; }; }
# Whether the output of a command has a line that matches; its output is shown if not.
has() {
    local pattern=$1
    shift
    "$@" >"$scratch/has" 2>&1
    grep -qE -e "$pattern" "$scratch/has" || { echo "nothing matches $pattern in:"; cat "$scratch/has"; return 1; }
}
hasnt() { ! has "$@" || { echo "something matches $1 in:"; cat "$scratch/has"; return 1; }; }
fails() { ! "$@"; }
# Waits for something that comes about by itself; thirty seconds are for machines that are very busy.
eventually() {
    local end=$((SECONDS + 30))
    until "$@" >"$scratch/eventually" 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { cat "$scratch/eventually"; return 1; }
        sleep 0.05
    done
}
# The daemon's entries since the last `mark`. The mark is an entry of its own: journalctl 252 leaves the first one out that
# matches behind --after-cursor.
mark() {
    echo "checks go on at line ${BASH_LINENO[0]}" | systemd-cat --identifier mark
    journalctl --sync
    cursor=$(journalctl --quiet --no-pager --identifier mark --lines 1 --show-cursor --output cat | sed -n 's/^-- cursor: //p')
}
entries() {
    journalctl --sync
    journalctl --quiet --no-pager --cursor "$cursor" --unit "$unit" "$@"
}
# A drop-in of the unit, from stdin.
override() {
    mkdir -p "$overrides"
    cat >"$overrides/${1:-test}.conf"
    systemctl daemon-reload
}
# Back to a freshly installed, stopped daemon.
fresh() {
    systemctl stop patchsimd.socket "$unit" 2>/dev/null
    rm -rf "$overrides" "/run/systemd/system.control/$unit.d" /var/lib/patchsim
    systemctl daemon-reload
    systemctl reset-failed patchsimd.socket "$unit" 2>/dev/null
    mark
}
started() { systemctl start "$unit"; }
# Whether another process than $before runs.
restarted() { [ "$(property MainPID)" != "$before" ] && [ "$(systemctl is-active "$unit")" = active ]; }
now() { date +%s%N; }

[ $# -gt 0 ] || set -- checks/*.sh
for file in "$@"; do
    echo "# $file"
    # shellcheck source=/dev/null
    . "./$file"
done
echo "1..$count"
if [ "$failures" -gt 0 ]; then
    echo "# $failures of $count failed; the daemon's last entries:"
    journalctl --no-pager --quiet --lines 60 --unit "$unit" --output short-precise | sed 's/^/# /'
    exit 1
fi

#!/bin/bash
# The main job in one run: a private daemon with four CPUs, the function tracer switched on and off under running tasks,
# the bytes of one call site before, during and after, the verdict of the invariants, and the event log.
#
#   docs/demo/demo.sh [builtin | debian | PATH]
set -euo pipefail
cd "$(dirname "$0")/../.."

kernel=${1:-builtin}
binaries=$PWD/.build/release
function=vfs_read
work=$(mktemp -d "${TMPDIR:-/tmp}/patchsim-demo.XXXXXX")
socket=$work/io.patchsim
daemon=

stop() {
    if [ -n "$daemon" ]; then
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap stop EXIT

say() {
    printf '\n\033[1m%s\033[0m\n' "$*"
}

fail() {
    echo "demo: $*" >&2
    if [ -s "$work/daemon.log" ]; then
        echo "demo: the daemon's last lines:" >&2
        tail -n 20 "$work/daemon.log" >&2
    fi
    exit 1
}

# Readers below read to the end: `head` would end a writer with SIGPIPE.
ctl() {
    "$binaries/patchsimctl" --socket "$socket" "$@"
}

# A number of the machine's state, from `patchsimctl --json status`.
state() {
    ctl --json status | grep -oE "\"$1\" *: *[0-9]+" | sed -n '1s/.*[^0-9]//p'
}

# Debian's current cloud kernel, unpacked and not installed.
if [ "$kernel" = debian ]; then
    Tests/fetch-kernels.sh amd64 || fail "cannot fetch Debian's kernel"
    kernel=$PWD/.build-kernels/amd64/vmlinuz
fi

say "A private daemon: four CPUs on $kernel"
"$binaries/patchsimd" --kernel "$kernel" --socket "$socket" --cpus 4 --seed 1 >"$work/daemon.log" 2>&1 &
daemon=$!
for n in $(seq 600); do
    [ -S "$socket" ] && break
    kill -0 "$daemon" 2>/dev/null || fail "the daemon ended"
    sleep 0.1
done
[ -S "$socket" ] || fail "the daemon opened no socket within a minute"
ctl status
ctl cpus
ctl tasks | sed -n '1,8p'

site=0x$(ctl fs read /proc/kallsyms | awk -v name=$function '$3 == name && !n++ { print $1 }')
[ "$site" != 0x ] || fail "the kernel has no $function"

say "Before: $function starts with a NOP"
ctl read "$site" 8
ctl disasm $function | sed -n '1,4p'

say "During, in slow motion: the machine is paused and stepped while $function is switched on"
ctl pause >/dev/null
ctl ftrace enable $function >"$work/enable" 2>&1 &
enabling=$!
last=
small=0
for n in $(seq 600); do
    bytes=$(ctl read "$site" 8)
    [ "$bytes" = "$last" ] || echo "$bytes"
    last=$bytes
    kill -0 "$enabling" 2>/dev/null || break
    # Large steps until the INT3 stands there, small ones to see the bytes change, larger ones again where a sync waits for a
    # CPU that has interrupts off.
    count=$((n < 60 ? 6 : 40))
    case $bytes in
    *"  cc "*)
        small=$((small + 1))
        count=$((small < 100 ? 2 : 100))
        ;;
    esac
    ctl step --count "$count" >/dev/null
done
ctl resume >/dev/null
wait "$enabling" || fail "$(cat "$work/enable")"

say "Live: the function tracer goes on for every function, while the tasks run"
traps_before=$(state trapsTaken)
ctl ftrace enable '*'
traps=$(($(state trapsTaken) - traps_before))
echo "INT3 traps taken meanwhile: $traps; taken since the start: $(state trapsTaken), emulated: $(state trapsEmulated)"

say "While it is on: $function calls its trampoline, and the tracer records"
ctl read "$site" 8
ctl disasm $function | sed -n '1,4p'
ctl fs read /sys/kernel/tracing/enabled_functions | sed -n '1,5p'
ctl fs read /sys/kernel/tracing/trace | sed -n '1,20p'

say "The tracer goes off"
ctl ftrace disable '*'

say "After: the NOP is back"
ctl read "$site" 8
ctl disasm $function | sed -n '1,4p'

say "The last events"
ctl events | tail -n 25

say "The verdict of the invariants"
ctl status
ctl verdict
violations=$(state violations)
[ "$violations" = 0 ] || fail "$violations violations"
echo "No invariant was violated."

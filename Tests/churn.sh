#!/bin/bash
# Switches the function tracer on and off over every function for a minute while the CPUs run, on Debian's kernel or the
# one that is named, and tells how many INT3 traps were taken, where and by whom. Each emulated call must stand in the trace
# buffer: every cycle counts the traps and the trace's entries of the same functions.
#
#   Tests/churn.sh [KERNEL [SECONDS]]
set -euo pipefail
cd "$(dirname "$0")/.."
kernel=${1:-.build-kernels/amd64/vmlinuz}
seconds=${2:-60}
work=$(mktemp -d)
socket=$work/io.patchsim
trap 'kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; rm -rf "$work"' EXIT
.build/release/patchsimd --kernel "$kernel" --socket "$socket" --cpus 4 >"$work/log" 2>&1 &
daemon=$!
for _ in $(seq 100); do [ -S "$socket" ] && break; sleep 0.1; done
ctl() { .build/release/patchsimctl --socket "$socket" "$@"; }
end=$((SECONDS + seconds))
cycles=0
while [ $SECONDS -lt $end ]; do
    ctl ftrace enable '*' >/dev/null
    ctl ftrace disable '*' >/dev/null
    cycles=$((cycles + 1))
done
echo "$cycles cycles in $seconds s"
ctl status | grep -E 'INT3|Patching|Retired|Exactness|Violations'
ctl cpus
ctl verdict

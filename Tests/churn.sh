#!/bin/bash
# Switches the function tracer on and off over every function for a minute while the CPUs run, on Debian's kernel or the
# one that is named, and tells how many INT3 traps were taken, where and by whom. While the tracer is on, each call that a
# trap emulated is looked up in the trace buffer; what is not there yet, because its task was preempted or its entry was
# overwritten, is counted as missing.
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
emulated=0
found=0
while [ $SECONDS -lt $end ]; do
    ctl ftrace enable '*' >/dev/null || break
    ctl pause >/dev/null
    ctl events --count 4096 --kinds update-began,int3-emulated >"$work/events"
    ctl fs read /sys/kernel/tracing/trace >"$work/trace"
    ctl resume >/dev/null
    # Only calls of the newest update: what stands behind its beginning.
    read -r all there < <(awk '
        FNR == NR { if (/update-began/) delete sites
                    else if (/emulated e8 /) { sub(/.* at /, ""); sub(/\+.*/, ""); sites[$0] }
                    next }
        { traced[$(NF - 1)] }
        END { for (s in sites) { all++; if (s in traced) there++ }; print all + 0, there + 0 }
    ' "$work/events" "$work/trace")
    emulated=$((emulated + all))
    found=$((found + there))
    ctl ftrace disable '*' >/dev/null || break
    cycles=$((cycles + 1))
done
echo "$cycles cycles in $seconds s"
echo "functions whose emulated call was looked up: $emulated; in the trace buffer: $found"
ctl status | grep -E 'INT3|Patching|Retired|Exactness|Violations'
ctl cpus
ctl verdict

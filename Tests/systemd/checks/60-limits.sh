# shellcheck shell=bash
# What the unit limits, and what happens there.

# Descriptors: twenty are left for connections, and more than that many clients come.
fresh
override <<'EOF'
[Service]
LimitNOFILE=40
EOF
started
before=$(property MainPID)
mark
mkfifo "$scratch/flood"
python3 client.py flood 100 <"$scratch/flood" >"$scratch/flooded" 2>&1 &
flooder=$!
exec 8>"$scratch/flood"
check "out of descriptors it says so in the journal" eventually has 'No connection can be accepted|Too many open files' \
    entries --output cat
check "out of descriptors it lives" is "$(property MainPID) $(systemctl is-active $unit)" "$before active"
exec 8>&-
wait "$flooder"
check "it answers again when the clients have left" has 'State: +running' ctl status
check "it was no restart" is "$(property MainPID) $(property NRestarts)" "$before 0"

# Memory. cgroup2's controller is the unit's own limit; where a machine has none, the older hierarchy does the same. The limit
# is 64 MB above what the daemon uses, and clients who read large files make it use more. Where neither is to be had, as in most
# containers, its address space is limited, and the runtime ends it.
fresh
override <<EOF
[Service]
ExecStart=
ExecStart=/usr/bin/patchsimd --kernel $kernel
EOF
started
if grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
    limited="MemoryMax= of the unit"
    systemctl set-property --runtime "$unit" MemorySwapMax=0 "MemoryMax=$(($(property MemoryCurrent) + 67108864))"
elif [ -d /run/sandbox/memory ]; then
    limited="a cgroup of the older kind"
    echo 67108864 >/run/sandbox/memory/memory.limit_in_bytes
    property MainPID >/run/sandbox/memory/cgroup.procs
else
    limited="its address space"
    prlimit --pid "$(property MainPID)" --as=$((($(sed -n 's/^VmSize:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$(property MainPID)/status") + 65536) * 1024))
fi
before=$(property MainPID)
mark
python3 client.py readers 60 /proc/kallsyms </dev/null >"$scratch/readers" 2>&1
check "at the limit of its memory ($limited) it is killed, and started again" eventually restarted
check "systemd says that it was killed" has 'code=(killed|dumped)|oom-kill' entries --output cat
check "the restarted daemon answers" has 'State: +running' ctl status
fresh

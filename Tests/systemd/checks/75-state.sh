# shellcheck shell=bash
# What outlives the daemon, and what becomes of it on bad days.
traced() { ctl functions 'vfs_*' | sort; }
findings() { ctl findings list; }
store=/var/lib/patchsim/findings.db

fresh
started
ctl ftrace enable 'vfs_r*' >/dev/null
ctl fs mkdir /sys/kernel/tracing/instances/kept >/dev/null
traced >"$scratch/traced"
before=$(property MainPID)
systemctl kill --signal KILL "$unit"
eventually restarted
check "what is traced is still traced after SIGKILL" diff "$scratch/traced" <(traced)
check "a trace instance is still there after SIGKILL" ctl fs ls /sys/kernel/tracing/instances/kept
check "the journal tells how much was done again" has '[1-9][0-9]* of [1-9][0-9]* changes of the run before were done again' \
    entries --output cat
override <<'EOF'
[Service]
WatchdogSec=2s
EOF
systemctl restart "$unit"
before=$(property MainPID)
kill -STOP "$before"
eventually restarted
check "what is traced is still traced after the watchdog ended the daemon" diff "$scratch/traced" <(traced)
systemctl stop "$unit" 2>/dev/null
started
check "what is traced is still traced after a stop and a start" diff "$scratch/traced" <(traced)

systemctl stop patchsimd.socket "$unit"
tar -C /var/lib -czf "$scratch/state.tar.gz" patchsim
rm -r /var/lib/patchsim
started
check "without its state it begins with nothing traced" has 'Tracer: +nop, 0 sites' ctl status
systemctl stop patchsimd.socket "$unit"
rm -r /var/lib/patchsim
tar -C /var/lib -xzf "$scratch/state.tar.gz"
started
check "with the state restored from a backup the same is traced again" diff "$scratch/traced" <(traced)

check "a second daemon on the same state is refused, with the process of the first" \
    has "in use by another patchsimd, process $(property MainPID)" \
    patchsimd --no-config --socket /tmp/second --state-directory /var/lib/patchsim
check "its status says that the place is taken" is \
    "$(patchsimd --no-config --socket /tmp/second --state-directory /var/lib/patchsim 2>/dev/null; echo $?)" 69
check "the first goes on" has 'State: +running' ctl status

# A finding.
fresh
override <<'EOF'
[Service]
ExecStart=
ExecStart=/usr/bin/patchsimd --driver deterministic --ablate lookup
EOF
started
while ctl ftrace enable '*' && ctl ftrace disable '*'; do :; done >/dev/null 2>&1
check "a violation is a finding" eventually has '^ *[0-9]+ .*I[1-9]' findings
findings >"$scratch/findings"
before=$(property MainPID)
systemctl kill --signal KILL "$unit"
eventually restarted
check "the finding is still there after SIGKILL" diff "$scratch/findings" <(findings)

# A full disk.
full() {
    systemctl stop patchsimd.socket "$unit" 2>/dev/null
    rm -rf "$overrides"
    systemctl daemon-reload
    rm -rf /var/lib/patchsim && install -d -m 700 -o patchsim -g patchsim /var/lib/patchsim
    mount -t tmpfs -o "size=1m,mode=700,uid=$(id -u patchsim),gid=$(id -g patchsim)" small /var/lib/patchsim
}
refused() { fails ctl ftrace enable 'do_*'; }
fresh
full
started
ctl ftrace enable 'vfs_r*' >/dev/null
dd if=/dev/zero of=/var/lib/patchsim/fill bs=4k >/dev/null 2>&1
before=$(property MainPID)
mark
check "with a full disk a change is refused sooner or later, and not forgotten" eventually refused
check "the refusal says why" has 'survive a restart|full' ctl ftrace enable 'do_*'
check "with a full disk everything can be looked at" has 'State: +running' ctl status
traced >"$scratch/traced"
rm /var/lib/patchsim/fill
check "when there is room again changes are made again" ctl ftrace enable 'vfs_w*'
check "all that is no restart" is "$(property MainPID)" "$before"

# A state directory that can't be written.
traced >"$scratch/traced"
systemctl stop patchsimd.socket "$unit"
mount -o remount,ro /var/lib/patchsim
mark
started
check "with a read-only state directory it starts" has 'State: +running' ctl status
check "with a read-only state directory the journal says so" has "state directory can't be used" entries --output cat
check "with a read-only state directory changes are refused" refused
# The unit's own view of the directory was made read-only with it, and lasts as long as the process.
mount -o remount,rw /var/lib/patchsim
systemctl restart "$unit"
check "when it can be written again and the daemon is restarted, changes are made again" ctl ftrace enable 'vfs_r*'
check "and what was there before the restart is there again" diff "$scratch/traced" <(traced)
systemctl stop patchsimd.socket "$unit"
umount /var/lib/patchsim

# A damaged store, and one of a newer version.
fresh
started
ctl ftrace enable 'vfs_r*' >/dev/null
systemctl stop "$unit" 2>/dev/null
dd if=/dev/urandom of="$store" bs=512 count=4 conv=notrunc 2>/dev/null
mark
check "with a damaged store it starts" started
check "the journal says that the store was set aside, and where" has 'is damaged .*renamed to /var/lib/patchsim/findings.db.damaged-' \
    entries --output cat
check "the damaged store is still there" bash -c 'ls /var/lib/patchsim/findings.db.damaged-*'
check "a new store keeps what is changed now" ctl ftrace enable 'vfs_w*'

fresh
started
ctl ftrace enable 'vfs_r*' >/dev/null
systemctl stop "$unit" 2>/dev/null
python3 -c 'import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute("PRAGMA user_version = 999"); db.commit(); db.close()' "$store"
cp "$store" "$scratch/newer"
mark
check "with the store of a newer version it starts" started
check "the journal names both versions" has 'of version 999, and this program knows [0-9]+' entries --output cat
systemctl stop "$unit" 2>/dev/null
check "the newer store is left as it was" cmp "$store" "$scratch/newer"
fresh

# shellcheck shell=bash
# Status, pauses, and a daemon that is stuck.
fresh
override <<'EOF'
[Service]
WatchdogSec=2s
EOF
started
check "the watchdog is on" is "$(property WatchdogUSec)" 2s
ctl ftrace enable 'vfs_*' >/dev/null
check "the status tells of traced sites" eventually has 'Status: "Running builtin on 4 CPUs, [0-9]+ sites traced by function' \
    systemctl status --no-pager "$unit"
ctl pause >/dev/null
check "the status tells who paused the machine" eventually has 'Status: "Paused by uid 0: ' systemctl status --no-pager "$unit"
paused=$(property MainPID)
# Twice the time within which a daemon that isn't fed is ended.
sleep 4
check "a paused machine is no dead daemon" is "$(property MainPID) $(property NRestarts)" "$paused 0"
ctl resume >/dev/null
check "the status tells that it runs again" eventually has 'Status: "Running' systemctl status --no-pager "$unit"

before=$(property MainPID)
mark
kill -STOP "$before"
check "a process that stands still is ended by the watchdog and started again" eventually restarted
check "systemd says why" has 'Watchdog timeout \(limit 2s\)' entries --output cat
check "it was aborted, so that a core dump would show where it stood" has 'killed.*(ABRT|status=6)' entries --output cat
check "the daemon answers after it" has 'State: +running' ctl status

# One thread stands still, in the middle of a turn: the driver of all CPUs, which has no speed to keep and never rests.
fresh
override <<'EOF'
[Service]
WatchdogSec=2s
ExecStart=
ExecStart=/usr/bin/patchsimd --driver deterministic --speed 10000000000
EOF
started
before=$(property MainPID)
mark
python3 freeze.py "$before" >"$scratch/frozen" &
freezer=$!
check "a driver that is stuck while everything else goes on is found by the watchdog" eventually restarted
check "the journal says what did not answer" has 'A driver has not answered the watchdog' entries --output cat
wait "$freezer"

fresh
override <<'EOF'
[Service]
ExecStart=
ExecStart=/usr/bin/patchsimd --driver deterministic --ablate lookup
EOF
started
while ctl ftrace enable '*' && ctl ftrace disable '*'; do :; done >/dev/null 2>&1
check "the status tells of a violation" eventually has 'Status: "Stopped by a violation' systemctl status --no-pager "$unit"
check "a violation is no failure of the daemon" is "$(property ActiveState) $(property NRestarts)" "active 0"
fresh

# shellcheck shell=bash
# The wall clock jumps, for the daemon alone.
fresh
mkdir -p /run/clock
jump() { python3 -c 'import struct, sys; sys.stdout.buffer.write(struct.pack("q", int(sys.argv[1])))' "$1" 1<>/run/clock/offset; }
year=31557600
jump $((10 * year))
override <<'EOF'
[Service]
WatchdogSec=2s
Environment=LD_PRELOAD=/run/built/clock.so
ExecPaths=/run/built/clock.so
EOF
started
before=$(property MainPID)
since() { python3 client.py call io.patchsim.Service.Ping | python3 -c 'import json, sys; print(json.load(sys.stdin)["startedAt"])'; }
check "the daemon lives in another year than the machine" test "$(since)" -gt $(($(date +%s) + 9 * year))
ctl events --follow >"$scratch/followed" 2>&1 &
follower=$!
for to in $((-20 * year)) $((60 * year)) 0; do
    jump "$to"
    ctl ftrace enable 'vfs_*' >/dev/null && ctl ftrace disable 'vfs_*' >/dev/null
    # Longer than the watchdog waits.
    sleep 2.5
    check "after its clock jumped to $((to / year)) years from now it works, and its watchdog is fed" \
        is "$(property MainPID) $(property NRestarts) $(ctl status | grep -c running)" "$before 0 1"
done
followed() { [ "$(grep -c 'update [0-9]* finished' "$scratch/followed")" = 6 ]; }
check "whoever followed its events has missed none of the updates" eventually followed
kill "$follower"
wait "$follower" 2>/dev/null
began=$(now)
systemctl stop "$unit" 2>/dev/null
check "it stops in time after that" test $((($(now) - began) / 1000000)) -lt 2000
fresh

# shellcheck shell=bash
# A Debian kernel, clients at work, and the end of it.
fresh
override <<EOF
[Service]
ExecStart=
ExecStart=/usr/bin/patchsimd --kernel $kernel --cpus 4
EOF
is_loading() { has "Loading kernel $kernel" property StatusText; }
systemctl start --no-block "$unit"
check "while the image is loaded the status says so" eventually is_loading
check "the start is finished when the image is loaded" systemctl start "$unit"
mark
check "it is the kernel that was configured" has 'Banner: +Linux version 6\.1\.[0-9]+' ctl status
check "with a Debian kernel it stays below a gigabyte" test \
    "$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$(property MainPID)/status")" -lt 1048576

# Tracing is switched on and off, eight streams are followed, sixteen more are not read.
(while ctl ftrace enable '*' && ctl ftrace disable '*'; do :; done) >/dev/null 2>&1 &
switcher=$!
for _ in 1 2 3 4 5 6 7 8; do (ctl events --follow >/dev/null 2>&1 &); done
mkfifo "$scratch/hold"
python3 client.py streams 16 io.patchsim.Events.Subscribe '{"from": 1}' <"$scratch/hold" >"$scratch/streams" 2>&1 &
streamer=$!
exec 7>"$scratch/hold"
eventually grep -q open "$scratch/streams"
traced() { ctl --json status | python3 -c 'import json, sys; sys.exit(json.load(sys.stdin)["state"]["pokes"] < 5000)'; }
check "tracing is switched on and off all the while" eventually traced
began=$(now)
systemctl stop patchsimd.socket "$unit"
took=$((($(now) - began) / 1000000))
check "under that load it stops within two seconds ($took ms)" test "$took" -lt 2000
check "the stop under load is a success" is "$(property Result) $(property ExecMainStatus)" "success 0"
check "no client is left waiting" eventually bash -c "! kill -0 $switcher 2>/dev/null"
exec 7>&-
wait "$streamer" "$switcher" 2>/dev/null
fresh

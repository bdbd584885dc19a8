# shellcheck shell=bash
# From the first client to the clean stop.
fresh
systemctl start patchsimd.socket
check "the socket is there before the daemon, and open to everybody" bash -c "
    [ \"\$(stat -c %a $socket)\" = 666 ] && [ \"\$(stat -c %a /run/patchsim)\" = 755 ]"
check "no daemon runs while nobody asks" is "$(systemctl is-active $unit)" inactive
check "the first client's call starts it and is answered" has 'State: +running' ctl status
check "systemd was told that it is ready" eventually systemctl is-active "$unit"
check "systemctl status says what it does" has 'Status: "Running builtin on 4 CPUs' systemctl status --no-pager $unit
check "it runs as the user patchsim" is "$(stat -c %U "/proc/$(property MainPID)")" patchsim
check "it has no capability, and can get none" bash -c "
    grep -q 'CapPrm:.0000000000000000' /proc/$(property MainPID)/status &&
    grep -q 'NoNewPrivs:.1' /proc/$(property MainPID)/status"
check "its state directory is nobody else's" is "$(stat -c '%U %a' /var/lib/patchsim)" "patchsim 700"
check "nothing that the sandboxing forbids is tried at start" hasnt 'not permitted|Failed|denied' entries
before=$(property MainPID)
systemctl restart "$unit"
check "restarting makes another process" fails is "$(property MainPID)" "$before"
systemctl stop "$unit" 2>/dev/null
check "a stop is a success" is "$(property Result)" success
check "it says that it stopped, and by what" has 'Stopped by SIGTERM' entries --output cat
check "the socket outlives the daemon" test -S "$socket"
check "the next client starts it again" has 'State: +running' ctl status
systemctl stop patchsimd.socket "$unit"
check "stopping the socket removes it" test ! -e "$socket"
started
check "starting the service brings the socket" test -S "$socket" -a "$(systemctl is-active patchsimd.socket)" = active
check "a daemon that was started directly is asked like one that a client started" has 'State: +running' ctl status

fresh
started
before=$(property MainPID)
systemctl kill --signal KILL "$unit"
check "after SIGKILL it is started again" eventually restarted
check "systemd has counted one restart" is "$(property NRestarts)" 1
check "the restarted daemon answers" has 'State: +running' ctl status

fresh
override <<'EOF'
[Service]
ExecStart=
ExecStart=/usr/bin/patchsimd --kernel /nonexistent/vmlinuz
EOF
check "systemctl start fails where the daemon can't start" fails started
check "the journal names the file and the reason" has '/nonexistent/vmlinuz: .*No such file' entries --output cat
check "after five failed starts it is not started again" eventually bash -c "
    [ \"\$(systemctl show --property NRestarts --value $unit)\" -ge 4 ] && [ \"\$(systemctl is-active $unit)\" = failed ]"
rm -r "$overrides"
systemctl daemon-reload
systemctl reset-failed patchsimd.socket "$unit"
check "reset-failed and a good configuration start it again" started

# A stop while an image is being loaded.
fresh
override <<EOF
[Service]
ExecStart=
ExecStart=/usr/bin/patchsimd --kernel $kernel
EOF
systemctl start --no-block "$unit"
eventually has 'Loading kernel' property StatusText
began=$(now)
systemctl stop "$unit" 2>/dev/null
took=$((($(now) - began) / 1000000))
check "a start that goes on is stopped within two seconds ($took ms)" test "$took" -lt 2000
check "that stop is a success" is "$(property Result)" success
check "the journal says that it came before the start was over" has 'Stopped by SIGTERM before it was ready' entries --output cat

# Without systemd, without root, in a container.
fresh
id alice >/dev/null 2>&1 || useradd --create-home alice
as_alice=(setpriv --reuid alice --regid alice --init-groups env -i PATH=/usr/bin:/bin HOME=/home/alice)
"${as_alice[@]}" mkdir -p /home/alice/run
"${as_alice[@]}" XDG_RUNTIME_DIR=/home/alice/run patchsimd --no-config >"$scratch/own" 2>&1 &
own=$!
answers() { "${as_alice[@]}" XDG_RUNTIME_DIR=/home/alice/run patchsimctl "$@"; }
check "a user runs a daemon of her own" eventually has 'State: +running' answers --socket /home/alice/run/patchsim/io.patchsim status
check "she may change it" answers --socket /home/alice/run/patchsim/io.patchsim ftrace enable 'vfs_*'
kill "$own"
wait "$own"
check "it stops cleanly" is "$?" 0
check "with no daemon anywhere the client brings one" has 'State: +running' "${as_alice[@]}" patchsimctl status
unshare --pid --fork --mount-proc patchsimd --no-config --socket /run/contained >"$scratch/contained" 2>&1 &
container=$!
check "as the first process of a container it works" eventually has 'State: +running' patchsimctl --socket /run/contained status
kill "$(cat "/proc/$container/task/$container/children")"
wait "$container"
check "as the first process of a container it stops when it is told to" is "$? $(grep -c 'Stopped by SIGTERM' "$scratch/contained")" "0 1"

# An image that can't be read for longer than a start may take: a pipe that nobody writes to.
fresh
mkfifo -m 644 /run/slow
override <<'EOF'
[Service]
TimeoutStartSec=2s
Restart=no
ExecStart=
ExecStart=/usr/bin/patchsimd --kernel /run/slow
EOF
systemctl start --no-block "$unit"
sleep 4
check "a start that takes longer than it may goes on while the daemon asks for more time" is "$(property ActiveState)" activating
timeout 30 bash -c ': >/run/slow'
ended() { [ "$(property ActiveState)" = failed ]; }
check "its end is the daemon's own, not a timeout" eventually ended
check "and it says what was wrong with the image" is "$(property Result) $(property ExecMainStatus)" "exit-code 66"
fresh

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

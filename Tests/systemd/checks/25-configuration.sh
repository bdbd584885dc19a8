# shellcheck shell=bash
# What an administrator writes.
fresh
dropins=/etc/patchsim/patchsimd.toml.d
rm -f "$dropins"/*
check "the shipped configuration is right" patchsimd --check-config
echo 'cpus = 2' >"$dropins/10-test.toml"
check "the daemon tells where a value comes from" has "^cpus = 2 +# $dropins/10-test.toml:1$" patchsimd --print-config
started
check "the service follows a drop-in" has 'CPUs, tasks: +2,' ctl status

printf 'cpus = 2\n[limits]\nconections_max = 3\n' >"$dropins/10-test.toml"
check "a mistake is told with its file, its line and the nearest key" \
    has "$dropins/10-test.toml:3:.*did you mean limits.connections_max" patchsimd --check-config
systemctl stop "$unit" 2>/dev/null
mark
check "the service does not start with a mistake in its configuration" fails started
check "the journal has the mistake" has "$dropins/10-test.toml:3:.*connections_max" entries --output cat
check "its status is the one of sysexits for configuration" is "$(property ExecMainStatus)" 78
rm "$dropins/10-test.toml"
fresh

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

# Reload: what is configured is in force when systemctl returns, not some time later.
configured() {
    python3 client.py call io.patchsim.Service.GetConfiguration | python3 -c '
import json, sys
print(next(entry["value"] for entry in json.load(sys.stdin)["entries"] if entry["key"] == sys.argv[1]))' "$1"
}
fresh
started
before=$(property MainPID)
printf '[limits]\nconnections_max = 77\n' >"$dropins/10-test.toml"
mark
check "systemctl reload succeeds" systemctl reload "$unit"
check "when it returns the new configuration is followed" is "$(configured limits.connections_max)" 77
check "the daemon is the same one, and active" is "$(property MainPID) $(property ActiveState)" "$before active"
check "the journal tells what has changed" has 'limits.connections_max' entries --output cat
printf 'cpus = 3\n[limits]\nconnections_max = 77\n' >"$dropins/10-test.toml"
check "a change that waits for a restart is no failure" systemctl reload "$unit"
check "and it waits" is "$(configured cpus)" 4
printf '[limits]\nconnections_max = "many"\n' >"$dropins/10-test.toml"
mark
check "systemctl reload fails with a mistake in the configuration" fails systemctl reload "$unit"
check "the old configuration stays in force" is "$(configured limits.connections_max) $(property MainPID) $(property ActiveState)" \
    "77 $before active"
check "the journal has the mistake with its place" has "$dropins/10-test.toml:2:" entries --output cat
rm "$dropins/10-test.toml"
systemctl kill --signal HUP "$unit"
reloaded() { is "$(configured limits.connections_max)" 128; }
check "SIGHUP reloads as well" eventually reloaded
fresh

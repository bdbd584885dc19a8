# shellcheck shell=bash
# What the journal gets.
fresh
started
ctl ftrace enable 'vfs_*' >/dev/null
# field MESSAGE_ID NAME: a field of the newest entry of a kind.
field() {
    journalctl --sync
    journalctl --quiet --no-pager --unit "$unit" --output json --lines 1 "MESSAGE_ID=$1" |
        python3 -c 'import json, sys; print(json.loads(sys.stdin.readline()).get(sys.argv[1], "(no such field)"))' "$2"
}
start_id=ba9d006ffd854689927ed42e9210e57a change_id=290ae0008fb1444fb97f9f5ca53fd1f8
check "the entry of the start has its fields in JSON" is "$(field $start_id PATCHSIM_KERNEL)" builtin
check "its identifier is the program's name" is "$(field $start_id SYSLOG_IDENTIFIER)" patchsimd
check "its priority is notice" is "$(field $start_id PRIORITY)" 5
check "an entry knows the place in the source" has '^[A-Za-z]+/[A-Za-z+]+\.swift$' field $start_id CODE_FILE
check "the entry of a change names the user" is "$(field $change_id PATCHSIM_CLIENT_UID)" 0
update_id=c8458d7341f549ce996379fdd2f6126e
check "an update of text has its sites, batches, rounds, traps and duration as fields" bash -c "
    for name in PATCHSIM_SITES PATCHSIM_BATCHES PATCHSIM_SYNCS PATCHSIM_TRAPS PATCHSIM_DURATION PATCHSIM_DESIGN; do
        journalctl --quiet --no-pager --unit $unit --output json MESSAGE_ID=$update_id | tail -n 1 | grep -q \"\\\"\$name\\\":\" ||
            { echo \"no \$name\"; exit 1; }
    done"
explained() { journalctl --quiet --no-pager --unit "$unit" --catalog "MESSAGE_ID=$1"; }
check "journalctl -x explains the start" has 'Subject: .' explained "$start_id"
check "the explanation has values of the entry in it" hasnt '@[A-Z_]+@' explained "$start_id"
check "every kind of entry is in the catalog" is "$(journalctl --no-pager --list-catalog | grep -c 'patchsim')" \
    "$(grep -c '^Defined-By: patchsim' /usr/lib/systemd/catalog/patchsim.catalog)"
check "the simulated kernel's log is a stream of its own" has '.' journalctl --quiet --no-pager --identifier patchsim-kernel
check "a field of an entry finds it" has 'vfs_\*' journalctl --quiet --no-pager --unit "$unit" PATCHSIM_CLIENT_UID=0

# journald is away for a while.
journald=(systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service)
before=$(property MainPID)
systemctl stop "${journald[@]}" 2>/dev/null
check "without journald changes are carried out" ctl ftrace enable 'do_*'
check "without journald it answers" has 'State: +running' ctl status
systemctl start "${journald[@]}"
told() { has 'do_\*' journalctl --quiet --no-pager --unit "$unit" "MESSAGE_ID=$change_id"; }
check "when journald is back it gets what happened meanwhile" eventually told
check "the daemon is the same one" is "$(property MainPID)" "$before"

# And it is not there at all.
check "where no journal listens entries go to stderr with their priority" bash -c "
    timeout 60 unshare --mount bash -c '
        mount -t tmpfs none /run/systemd/journal
        patchsimd --no-config --log-target journal --socket /tmp/alone 2>&1 & daemon=\$!
        until patchsimctl --socket /tmp/alone status >/dev/null 2>&1; do sleep 0.05; done
        kill \$daemon; wait \$daemon' | tee $scratch/alone | grep -q '^<5>patchsimd '"

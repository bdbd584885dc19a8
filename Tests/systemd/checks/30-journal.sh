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

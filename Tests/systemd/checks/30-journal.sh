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
start_id=5f0c8a7d6b1e4a0f9d2c3b4a5e6f7081 change_id=3c9e1f7a5d2b4e68a0c4f6b8d1e3a582
check "the entry of the start has its fields in JSON" is "$(field $start_id PATCHSIM_KERNEL)" builtin
check "its identifier is the program's name" is "$(field $start_id SYSLOG_IDENTIFIER)" patchsimd
check "its priority is notice" is "$(field $start_id PRIORITY)" 5
check "an entry knows the place in the source" has '^[A-Za-z]+/[A-Za-z+]+\.swift$' field $start_id CODE_FILE
check "the entry of a change names the user" is "$(field $change_id PATCHSIM_PEER_UID)" 0

# shellcheck shell=bash
# What patchsimd writes to a real journald, and what comes back. Runs inside of sandbox.sh:
#
#     Tests/journal/sandbox.sh source Tests/journal/checks.sh FOLDER-OF-THE-PROGRAMS
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "$1" && pwd)
socket=/run/patchsim-test.sock
checks=0
failures=0

# check CLAIM COMMAND...
check() {
    local claim=$1
    shift
    checks=$((checks + 1))
    if "$@" >/run/check.out 2>&1; then
        echo "ok $checks - $claim"
    else
        failures=$((failures + 1))
        echo "not ok $checks - $claim"
        sed 's/^/    /' /run/check.out
    fi
}

ctl() { "$bin/patchsimctl" --socket "$socket" "$@"; }
journal() { "$bin/patchsimctl" journal "$@"; }
# entries KIND: all entries of a kind as journalctl has them, a JSON object a line.
entries() {
    journalctl --sync
    journalctl --quiet --no-pager --all --output json "MESSAGE_ID=$(id_of "$1")"
}
# The id that the catalog's own comment-free list gives for a subject.
id_of() { /usr/bin/python3 "$here/journal.py" id "$1"; }
# has KIND CONDITION: whether an entry of this kind fulfils a Python expression over its fields `e`.
has() { entries "$1" | /usr/bin/python3 "$here/journal.py" any "$2"; }
is() { [ "$1" = "$2" ] || { echo "is: $1"; echo "expected: $2"; return 1; }; }
contains() { grep -F -- "$1"; }
holds() { "${@:2}" | contains "$1" >/dev/null; }
# Waits until a command succeeds, a minute at most.
until_true() {
    local end=$((SECONDS + 60))
    while [ "$SECONDS" -lt "$end" ]; do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.05
    done
    "$@"
}

start_daemon() {
    "$bin/patchsimd" --socket "$socket" --cpus 2 --log-target journal "$@" 2>/run/daemon.err &
    daemon=$!
    until_true ctl status
}
stop_daemon() {
    kill "$daemon"
    wait "$daemon" || true
}

cp "$here/../../systemd/patchsim.catalog" /usr/lib/systemd/catalog/
check "journalctl takes the catalog" journalctl --update-catalog

# --- kinds and fields
start_daemon --seed 11
ctl ftrace enable 'vfs_*' >/dev/null
ctl fs write --append /sys/kernel/tracing/set_ftrace_filter $'ksys_read\nksys_write' >/dev/null || true
ctl pause >/dev/null
ctl resume >/dev/null
ctl fs write /proc/kallsyms x 2>/dev/null || true
check "the start has its fields" has started \
    'e["PATCHSIM_KERNEL"] == "builtin" and e["PATCHSIM_SEED"] == "11" and e["PRIORITY"] == "5" and e["SYSLOG_IDENTIFIER"] == "patchsimd"'
check "an entry knows its place in the source" has started \
    'e["CODE_FILE"].endswith(".swift") and int(e["CODE_LINE"]) > 0 and e["CODE_FUNC"]'
check "the image has an entry" has image-loaded '"symbols" in e["MESSAGE"]'
check "a patch operation has sites, batches, syncs, traps, design and duration" has text-updated \
    'int(e["PATCHSIM_SITES"]) > 0 and int(e["PATCHSIM_SYNCS"]) >= 3 * int(e["PATCHSIM_BATCHES"]) > 0 and int(e["PATCHSIM_TRAPS"]) >= 0 and e["PATCHSIM_DESIGN"] == "text_poke_bp" and int(e["PATCHSIM_DURATION"]) > 0'
check "a change of the tracer names the client" has tracer-changed \
    'e["PATCHSIM_ACTION"] == "enable tracing of vfs_*" and e["PATCHSIM_CLIENT_UID"] == "0" and int(e["PATCHSIM_CLIENT_PID"]) > 0'
check "a value of several lines is stored whole" has tracer-changed 'e.get("PATCHSIM_TEXT") == "ksys_read\nksys_write\n"'
check "pause and resume are changes of the machine" has machine-changed 'e["PATCHSIM_ACTION"] == "resume"'
check "a refusal has its reason and the error's name" has refused \
    'e["PATCHSIM_PATH"] == "/proc/kallsyms" and e["PATCHSIM_ERROR"].startswith("io.patchsim.") and e["PATCHSIM_REASON"]'
check "the kernel's log is a stream of its own" sh -c \
    'journalctl -q -o json SYSLOG_IDENTIFIER=patchsim-kernel | /usr/bin/python3 '"$here"'/journal.py any "\"Linux version\" in e[\"MESSAGE\"] and e[\"PRIORITY\"] == \"5\" and e[\"PATCHSIM_TIME\"] == \"0\""'
check "no line of it is taken for the real kernel's" sh -c '! journalctl -q -k | grep -q .'

# --- kept while journald is away
stop_journald
check "without journald the daemon answers" ctl status
for glob in 'do_*' 'sys_*' 'ksys_*'; do ctl ftrace enable "$glob" >/dev/null 2>&1 || true; done
start_journald
check "what was written meanwhile is there when it is back" until_true has tracer-changed \
    'e["PATCHSIM_ACTION"] == "enable tracing of do_*" and int(e["PATCHSIM_WRITTEN"]) <= int(e["__REALTIME_TIMESTAMP"])'
check "journald's stop and start lose nothing" sh -c '! grep -q lost /run/daemon.err'
kill -STOP "$journald_pid"
for _ in {1..30}; do ctl pause >/dev/null; ctl resume >/dev/null; done
check "a journald that hangs doesn't hang the daemon" ctl status
kill -CONT "$journald_pid"
check "and gets every entry in the end" until_true sh -c \
    '[ "$(journalctl -q -o cat MESSAGE_ID='"$(id_of machine-changed)"' | grep -c "^resume")" = 31 ]'

# --- a flood; how many pass depends on how long it takes, their sum does not
before=$(entries refused | wc -l)
/usr/bin/python3 "$here/journal.py" flood "$socket" 300
stop_daemon
check "a flood of refusals leaves few entries, and others that say how many were left out" sh -c \
    'journalctl -q -o json SYSLOG_IDENTIFIER=patchsimd | /usr/bin/python3 '"$here"'/journal.py flooded '$((300 + before))
check "such an entry names kind and user" has entries-suppressed \
    'e["PATCHSIM_KIND"] == "refused" and int(e["PATCHSIM_COUNT"]) > 0 and e["PATCHSIM_CLIENT_UID"] == "0" and "similar entries suppressed" in e["MESSAGE"]'
check "the stop has an entry" has stopped 'e["PATCHSIM_REASON"] == "SIGTERM"'
check "all entries of a run name it" sh -c \
    '[ "$(journalctl -q -o json | /usr/bin/python3 '"$here"'/journal.py runs)" = 1 ]'

# --- a violation, with a schedule that no datagram holds
start_daemon --driver deterministic --ablate sync3 --seed 3
for _ in 1 2 3 4 5 6; do /usr/bin/python3 "$here/journal.py" large "$socket"; done
# A step of the protocol is missing: sooner or later the world stops, and changes are refused.
for _ in {1..50}; do
    ctl ftrace enable '*' >/dev/null 2>&1 || break
    ctl ftrace disable '*' >/dev/null 2>&1 || break
done
check "a violation has invariant, CPU, address, symbol, design and a schedule of any length" until_true has violation \
    'e["PATCHSIM_INVARIANT"][0] == "I" and e["PATCHSIM_ADDRESS"].startswith("0x") and "+0x" in e["PATCHSIM_SYMBOL"] and int(e["PATCHSIM_CPU"]) < 2 and e["PATCHSIM_DESIGN"] == "text_poke_bp without sync3" and e["PATCHSIM_SCHEDULE"].startswith("patchsim1 ") and len(e["PATCHSIM_SCHEDULE"]) > 262144 and e["PRIORITY"] == "2"'
stop_daemon

# --- every entry has the fields of its kind
check "every entry has the fields that its kind promises" sh -c \
    'journalctl -q -o json --all SYSLOG_IDENTIFIER=patchsimd | /usr/bin/python3 '"$here"'/journal.py fields "$1"' - "$here/../../Sources/PatchsimInterface/MessageID.swift"

# --- the catalog
check "journalctl -x explains with the entry's fields put in" holds "Text is patched by" \
    journalctl -q -x --no-pager "MESSAGE_ID=$(id_of started)"
check "no field of the catalog stays unfilled" sh -c '! journalctl -q -x --no-pager SYSLOG_IDENTIFIER=patchsimd | grep "@PATCHSIM_"'
check "patchsimctl journal -x explains as well" holds "-- Subject: Kernel text was patched while it ran" journal -x
mv /var/lib/systemd/catalog/database /run/database
check "it says where the catalog has no text" holds "journalctl --update-catalog" journal -x --lines 1
mv /run/database /var/lib/systemd/catalog/database

# --- patchsimctl journal
run=$(entries started | head -n1 | /usr/bin/python3 "$here/journal.py" field PATCHSIM_RUN)
check "it shows time, priority, kind and message" sh -c "'$bin/patchsimctl' journal | grep -E '^20[0-9-]+ [0-9:.]+ info    text-updated       Text update 1: '"
check "and the fields that matter" holds "    client-uid=0" journal --lines 500
check "--violations shows the violation with its replay line, and nothing else" sh -c \
    "'$bin/patchsimctl' journal --violations | grep -v '^ ' | grep -c '' | grep -qx 1 && '$bin/patchsimctl' journal --violations | grep -q '^    replay: patchsim1 '"
check "--lines shows the newest" sh -c "'$bin/patchsimctl' journal --lines 1 | grep -q ' notice  stopped            Stopped by SIGTERM' && [ \"\$('$bin/patchsimctl' journal --lines 1 | wc -l)\" = 1 ]"
check "--kernel shows the simulated kernel's log" sh -c "'$bin/patchsimctl' journal --kernel | grep -qE 'notice  \[    0.000000\] Linux version'"
check "--run takes a run's beginning" sh -c "'$bin/patchsimctl' journal --run '${run:0:6}' | grep -q 'seed=11' && ! '$bin/patchsimctl' journal --run '${run:0:6}' | grep -q 'seed=3'"
check "--run latest is the newest run" sh -c "'$bin/patchsimctl' journal --run latest | grep -q 'seed=3' && ! '$bin/patchsimctl' journal --run latest | grep -q 'seed=11'"
check "--since and --until are bounds" sh -c \
    "'$bin/patchsimctl' journal --since -1h --until now --lines 1 | grep -q . || exit 1; '$bin/patchsimctl' journal --until -1h 2>&1 | grep -q 'no such entries'"
check "--json has every field, as journalctl's" is \
    "$(journal --json --violations | /usr/bin/python3 "$here/journal.py" field PATCHSIM_SCHEDULE | md5sum)" \
    "$(entries violation | head -n1 | /usr/bin/python3 "$here/journal.py" field PATCHSIM_SCHEDULE | md5sum)"
check "--directory reads other journals" holds "Stopped by SIGTERM" journal --directory "$(echo /run/log/journal/*)"
status=0
message=$(journal --since soon 2>&1) || status=$?
check "a time that is none is refused with examples, status 64" is "$status ${message%%:*}" "64 patchsimctl"
status=0
mkdir /run/empty
message=$(journal --directory /run/empty 2>&1) || status=$?
check "where there is no journal it says so, status 66" is "$status $message" \
    "66 patchsimctl: journal: there is no journal in /run/empty; is systemd-journald running?"
if [ "$(cat /proc/self/uid_map | awk '{ print $3; exit }')" -gt 1 ]; then
    # The programs may stand where only this user gets to; so do the runtime libraries.
    mkdir /run/nobody
    cp "$bin/patchsimctl" /run/nobody
    ldd "$bin/patchsimctl" | awk '$3 ~ /swift/ { print $3 }' | xargs -r cp -t /run/nobody
    outsider() {
        setpriv --reuid=65534 --regid=65534 --clear-groups -- \
            env LD_LIBRARY_PATH=/run/nobody /run/nobody/patchsimctl journal
    }
    status=0
    message=$(outsider 2>&1) || status=$?
    check "who may not read it is told which groups may, status 77" is "$status ${message#*can\'t be read: }" \
        "77 members of the groups systemd-journal and adm may, and root"
else
    echo "# not checked without root: what a user is told who may not read the journal"
fi

# --- a start that fails
"$bin/patchsimd" --socket "/etc/passwd" --log-target journal 2>/dev/null || true
check "a start that fails says why" has start-failed 'e["PATCHSIM_REASON"].startswith("/etc/passwd: ")'

# --- following
start_daemon --seed 21
journal --follow --run latest >/run/followed 2>&1 &
follower=$!
until_true grep -q "seed=21" /run/followed
ctl ftrace enable vfs_read >/dev/null
check "--follow shows entries as they come" until_true grep -q "enable tracing of vfs_read" /run/followed
kill "$follower"
wait "$follower" 2>/dev/null || true
# Nothing is written any more: only the closed pipe can end these two.
journal --follow 2>/dev/null | head -n 1 >/dev/null &
check "journal --follow ends with its reader, without a further entry" timeout 20 tail --pid=$! -f /dev/null
ctl ftrace disable '*' >/dev/null
ctl pause >/dev/null
ctl events --follow --count 1 2>/dev/null | head -n 1 >/dev/null &
check "events --follow ends with its reader, without a further event" timeout 20 tail --pid=$! -f /dev/null
stop_daemon

# --- no journald at all
stop_journald
start_daemon --seed 31
check "where no journal listens the entries are on stderr, with priorities" grep -q '^<5>patchsimd ' /run/daemon.err
check "and that there is none comes first" sh -c 'head -n 1 /run/daemon.err | grep -q "^<4>No journal listens"'
stop_daemon
check "the kernel's lines name their stream there" grep -q '^<5>patchsim-kernel: Linux version' /run/daemon.err

echo "$checks checks, $failures failed"
[ "$failures" -eq 0 ]

#!/bin/bash
# Measures io.patchsim.Machine.GetState beside redis: the same client, 50 connections on a Unix socket, 1 and 16 calls in
# flight on each, in rounds that alternate; the machine runs all the time. Prints every figure, and the ratios with minimum,
# median and maximum.
#
#     run.sh PATCHSIMD [KERNEL]        ROUNDS (7) and SECONDS a measurement (2) come from the environment
set -euo pipefail
cd "$(dirname "$0")"
patchsimd=$(realpath "$OLDPWD/${1:?the path of patchsimd}" 2>/dev/null || realpath "$1")
kernel=${2:-builtin}
rounds=${ROUNDS:-7}
seconds=${SECONDS_EACH:-2}
connections=50

if ! command -v redis-server >/dev/null; then
    echo "Installing redis-server, which this benchmark compares with" >&2
    apt-get install -q -y --no-install-recommends redis-server >&2
fi
place=$(mktemp -d)
servers=()
end() {
    for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
    wait
    rm -rf "$place"
}
trap end EXIT

${CC:-clang} -O2 -Wall -Wextra -Werror -o "$place/socketload" socketload.c
redis-server --port 0 --unixsocket "$place/redis" --save "" --appendonly no --dir "$place" >"$place/redis.log" &
servers+=($!)
"$patchsimd" --kernel "$kernel" --no-config --state-directory=none --socket "$place/patchsim" 2>"$place/patchsimd.log" &
servers+=($!)
for socket in redis patchsim; do
    for _ in $(seq 300); do
        [ -S "$place/$socket" ] && break
        sleep 0.1
    done
    [ -S "$place/$socket" ] || { echo "no $socket listens" >&2; cat "$place"/*.log >&2; exit 1; }
done
# The daemon answers when its kernel is loaded; redis' value is as long as a reply.
bytes=$("$place/socketload" varlink "$place/patchsim" 1 1 0.5 | sed 's/.*, \([0-9]*\) bytes a reply.*/\1/')

redis-server --version
echo "kernel $kernel, $connections connections, replies of $bytes bytes, $rounds rounds of $seconds s"
for depth in 1 16; do
    : >"$place/ratios"
    for round in $(seq "$rounds"); do
        redis=$("$place/socketload" resp "$place/redis" $connections $depth "$seconds" "$bytes")
        own=$("$place/socketload" varlink "$place/patchsim" $connections $depth "$seconds")
        echo "in flight $depth, round $round: redis    $redis"
        echo "in flight $depth, round $round: GetState $own"
        awk "BEGIN { printf \"%.3f\\n\", ${own%% *} / ${redis%% *} }" >>"$place/ratios"
    done
    sort -n "$place/ratios" | awk -v depth=$depth '{ ratio[NR] = $1 } END {
        middle = NR % 2 ? ratio[(NR + 1) / 2] : (ratio[NR / 2] + ratio[NR / 2 + 1]) / 2
        printf "in flight %d: GetState beside redis: minimum %s, median %.3f, maximum %s\n", depth, ratio[1], middle, ratio[NR]
    }'
done

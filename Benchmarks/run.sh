#!/bin/sh
# Measures the interpreter beside Unicorn 2.1.4 (PyPI) in one run. ROUNDS in the environment, 7 by default.
set -eu
cd "$(dirname "$0")"
guest/build.sh
venv=.build/venv
if ! [ -e "$venv/bin/python" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" --quiet --disable-pip-version-check install 'unicorn==2.1.4'
fi
library=$(find "$venv" -name 'libunicorn.so*' | head -1)
swift build -c release --product InterpreterBenchmark
.build/release/InterpreterBenchmark .build/guest/guest.bin .build/guest/guest.sym "$library" "${ROUNDS:-7}"

#!/bin/sh
# Makes .build-venv with PyPI's varlink client and Unicorn, peers that nobody of this project wrote. Prints the
# interpreter's path.
set -eu
cd "$(dirname "$0")/../.."
venv=.build-venv
if ! "$venv/bin/python" -c 'import unicorn, varlink' 2>/dev/null; then
    rm -rf "$venv"
    python3 -m venv "$venv" >&2 || { echo "python3 -m venv does not work: apt install python3-venv" >&2; exit 1; }
    "$venv/bin/pip" --quiet --disable-pip-version-check install 'varlink==31.0.0' 'unicorn==2.1.4' >&2 ||
        { echo "pip can't install varlink and unicorn: is there a network?" >&2; exit 1; }
fi
echo "$PWD/$venv/bin/python"

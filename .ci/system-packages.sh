#!/bin/bash
# Installs the Debian packages that the build and the tests need, or says which are missing.
set -euo pipefail

packages=(
    pkg-config
    libzydis-dev   # CZydis: decoder and formatter
    libarchive-dev # CArchive: decompression of kernel images
    libsqlite3-dev # GRDB: the store of findings
    libsystemd-dev # CSystemd: journal, readiness, descriptors
    binutils       # a second opinion on encodings and on the built-in kernel's code, in the tests
    python3-venv   # a Varlink client and Unicorn, which nobody of this project wrote, in the tests
    systemd        # systemd-socket-activate and a whole systemd in a sandbox, in the tests
    passwd         # useradd, in that sandbox
)

missing=()
for package in "${packages[@]}"; do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
        missing+=("$package")
    fi
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

if [ "$(id -u)" -eq 0 ]; then
    as_root=()
elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    echo "These packages are missing, and installing them needs root:" >&2
    echo "    sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
echo "Installing ${missing[*]}"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"

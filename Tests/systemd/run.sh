#!/bin/bash
# Installs patchsim into an empty tree, checks what `make install` and `make uninstall` do, and then runs Tests/systemd/checks
# with the installed files in a real systemd. Programs must have been built. Arguments name single files of checks/.
#
# Output is TAP: a line for each claim. The sandbox's journal stays in .build/systemd/journal.txt.
set -euo pipefail
cd "$(dirname "$0")/../.."

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || {
        echo "Tests/systemd needs root: it boots a systemd in namespaces of its own. Run it with sudo, or in CI as root." >&2
        exit 1
    }
    as_root=(sudo -n)
fi
work=$PWD/.build/systemd
tree=$work/tree
rm -rf "$work"
mkdir -p "$work"
count=0 failures=0
check() {
    count=$((count + 1))
    local claim=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        echo "ok $count - $claim"
    else
        echo "not ok $count - $claim"
        sed 's/^/#   /' "$work/output"
        failures=$((failures + 1))
    fi
}
# What is built is installed as it is.
place() {
    make --silent install SWIFT=true "$@" >"$work/make.log" 2>&1 || { cat "$work/make.log" >&2; exit 1; }
}
files() { (cd "$1" && find . ! -type d | sort); }

echo "# make install"
place PREFIX=/usr/local DESTDIR="$work/local"
check "units of another prefix name its programs" grep -q '^ExecStart=/usr/local/bin/patchsimd$' \
    "$work/local/usr/local/lib/systemd/system/patchsimd.service"
check "nothing is placed outside of the prefix but configuration" test -z \
    "$(files "$work/local" | grep -v -e '^\./usr/local/' -e '^\./etc/patchsim/')"
mkdir -p "$work/local/etc/patchsim" "$work/local/var/lib/patchsim"
echo '# mine' >"$work/local/etc/patchsim/patchsimd.toml"
echo 'state' >"$work/local/var/lib/patchsim/state"
place PREFIX=/usr/local DESTDIR="$work/local"
check "installing again leaves the administrator's configuration alone" grep -qx '# mine' \
    "$work/local/etc/patchsim/patchsimd.toml"
make --silent uninstall PREFIX=/usr/local DESTDIR="$work/local"
check "make uninstall leaves nothing but configuration and state" diff <(files "$work/local") \
    <(printf './etc/patchsim/patchsimd.toml\n./var/lib/patchsim/state\n')
place PREFIX=/usr DESTDIR="$tree"
check "everybody may read what is installed" test -z "$(find "$tree" ! -perm -o=r)"

toolchain=$(readlink -f "$(command -v swift || echo /usr/bin/swift)")
# The compiler that comes with Swift.
mkdir -p "$work/built"
clang -shared -fPIC -O1 -Wall -Werror -o "$work/built/clock.so" Tests/systemd/clock.c
options=(--lay "$tree" --hide "$PWD" --give "$PWD/Tests/systemd:/run/checks" --give "$work/built:/run/built"
    --journal "$work/journal.txt" --seconds 1200)
# A toolchain in a folder of its own is hidden, so that nothing of it can be used.
case $toolchain in
/usr/bin/* | /bin/*) ;;
*) options+=(--hide "${toolchain%/usr/bin/*}") ;;
esac
image=$(readlink -f .build-kernels/amd64/vmlinuz || true)
if [ ! -s "$image" ]; then
    echo "not ok - there is no kernel to load: run Tests/fetch-kernels.sh" && exit 1
fi
options+=(--give "$image:/boot/vmlinuz-test")
status=0
"${as_root[@]}" Tests/systemd/sandbox.sh "${options[@]}" /bin/bash /run/checks/checks.sh "$count" "$@" || status=$?
case $status in
0) ;;
124) echo "not ok - the checks in the sandbox did not end in time" ;;
125) echo "not ok - the sandbox could not be made" ;;
esac
[ "$failures" -eq 0 ] && exit "$status"
exit 1

#!/bin/sh
# Fetches the two Debian kernels that the tests read, into .build-kernels/ at the project's root:
#
#   .build-kernels/amd64/vmlinuz   what linux-image-cloud-amd64 depends on
#   .build-kernels/i386/vmlinuz    what linux-image-686 depends on
#
# Nothing is installed and nothing outside that folder is changed: apt works on a private state, so that neither root nor
# i386 as a foreign architecture is needed. Does nothing where the kernels are already there. Packages come from the
# archives that this machine's apt is set up for: Debian 12's.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
kernels=$root/.build-kernels

# fetch ARCHITECTURE METAPACKAGE
fetch() {
    folder=$kernels/$1
    if [ -s "$folder/vmlinuz" ]; then
        echo "$folder/vmlinuz -> $(readlink "$folder/vmlinuz")"
        return
    fi
    state=$folder/apt
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    set -- "$1" "$2" \
        -o APT::Architecture="$1" -o APT::Architectures="$1" \
        -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status=/dev/null \
        -o Dir::Cache="$state/cache" \
        -o Dir::Etc::preferencesparts=/dev/null -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=1
    architecture=$1
    metapackage=$2
    shift 2
    # One of the two archives suffices; a mirror in the middle of its update must not stop the other.
    apt-get -qq "$@" update || echo "fetch-kernels.sh: apt-get update failed for a part of the archive, going on" >&2
    package=$(apt-cache "$@" depends --no-recommends --no-suggests "$metapackage" \
        | sed -n 's/^ *Depends: *\(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
    if [ -z "$package" ]; then
        echo "fetch-kernels.sh: $metapackage ($architecture) depends on no kernel image" >&2
        exit 1
    fi
    (cd "$folder" && apt-get -qq "$@" download "$package")
    rm -rf "$folder/unpacked"
    dpkg -x "$folder/$package"_*.deb "$folder/unpacked"
    image=$(cd "$folder" && ls unpacked/boot/vmlinuz-* | head -n 1)
    ln -s "$image" "$folder/vmlinuz.new"
    mv -T "$folder/vmlinuz.new" "$folder/vmlinuz"
    # The package's modules, 100 MB, and apt's lists are of no further use.
    rm -rf "$folder/unpacked/lib" "$folder/unpacked/usr" "$state" "$folder/$package"_*.deb
    echo "$folder/vmlinuz -> $image"
}

# Both, or the one that is named.
for wanted in ${*:-amd64 i386}; do
    case $wanted in
    amd64) fetch amd64 linux-image-cloud-amd64 ;;
    i386) fetch i386 linux-image-686 ;;
    *)
        echo "fetch-kernels.sh: $wanted: is neither amd64 nor i386" >&2
        exit 64
        ;;
    esac
done

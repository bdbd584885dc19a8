#!/bin/sh
# Writes Sources/PatchsimService/Embedded from docs/varlink and Sources/Configuration/Embedded from Config, so that the
# binary needs no files. Tests fail when the two differ.
set -eu
cd "$(dirname "$0")/.."
out=Sources/PatchsimService/Embedded
mkdir -p "$out"
rm -f "$out"/*.swift

# $1: file, $2: what the constant extends, $3: the constant's declaration
embed() {
    printf '// Written by Tests/embed.sh from %s; edit that.\n\n' "$1"
    printf '%s {\n    %s = #"""\n' "$2" "$3"
    sed 's/^\(.\)/        \1/' "$1"
    printf '%s\n}\n' '        """# + "\n"'
}

{
    printf '// Written by Tests/embed.sh; edit that.\n\n'
    printf '/// Files of this project that the daemon answers with.\npublic enum EmbeddedTexts {\n'
    printf '    /// Interface descriptions by interface.\n    public static let interfaces: [String: String] = [\n'
    for file in docs/varlink/*.varlink; do
        name=$(basename "$file" .varlink)
        printf '        "%s": described%s,\n' "$name" "${name##*.}"
    done
    printf '    ]\n}\n'
} >"$out/EmbeddedTexts.swift"
for file in docs/varlink/*.varlink; do
    name=$(basename "$file" .varlink)
    name=${name##*.}
    embed "$file" 'extension EmbeddedTexts' "static let described$name" >"$out/EmbeddedTexts+$name.swift"
done

out=Sources/Configuration/Embedded
mkdir -p "$out"
embed Config/workload.toml '/// Files of Config that the daemon falls back to.
public enum ShippedFiles' 'public static let workload' >"$out/ShippedFiles.swift"

#!/bin/sh
# Writes Sources/PatchsimService/Embedded from docs/varlink and Config, so that the binary needs no files.
# A test of ServiceTests fails when the two differ.
set -eu
cd "$(dirname "$0")/.."
out=Sources/PatchsimService/Embedded
mkdir -p "$out"
rm -f "$out"/*.swift

# $1: file, $2: name of the constant
embed() {
    printf '// Written by Tests/embed.sh from %s; edit that.\n\n' "$1"
    printf 'extension EmbeddedTexts {\n    static let %s = #"""\n' "$2"
    sed 's/^\(.\)/        \1/' "$1"
    printf '%s\n}\n' '        """# + "\n"'
}

{
    printf '// Written by Tests/embed.sh; edit that.\n\n'
    printf '/// Files of this project that the daemon answers with or falls back to.\npublic enum EmbeddedTexts {\n'
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
    embed "$file" "described$name" >"$out/EmbeddedTexts+$name.swift"
done
embed Config/workload.toml workload >"$out/EmbeddedTexts+Workload.swift"

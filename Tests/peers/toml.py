#!/usr/bin/env python3
"""Reads the TOML texts of a file, each behind its length in a line, with Python's tomllib, and prints what it makes of each:
`!` if it refuses it, else the tree in one line, with everything in a form that leaves nothing to interpretation."""
import struct
import sys
import tomllib


def shown(value):
    if isinstance(value, bool):
        return "b1" if value else "b0"
    if isinstance(value, int):
        return f"i{value}"
    if isinstance(value, float):
        return "fnan" if value != value else "f" + struct.pack(">d", value).hex()
    if isinstance(value, str):
        return "s" + value.encode().hex()
    if isinstance(value, list):
        return "[" + ",".join(map(shown, value)) + "]"
    if isinstance(value, dict):
        members = sorted((key.encode().hex(), shown(inner)) for key, inner in value.items())
        return "{" + ",".join(f"{key}={inner}" for key, inner in members) + "}"
    return "d"


def main():
    data = open(sys.argv[1], "rb").read()
    place = 0
    while place < len(data):
        end = data.index(b"\n", place)
        length = int(data[place:end])
        text = data[end + 1 : end + 1 + length]
        place = end + 1 + length
        try:
            print(shown(tomllib.loads(text.decode())))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
            print("!")


main()

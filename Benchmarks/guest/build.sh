#!/bin/sh
# Builds the guest: guest.bin, the text for address 0x100000, and guest.sym, the addresses of its functions.
set -eu
cd "$(dirname "$0")"
out=../.build/guest
mkdir -p "$out"
cc -O2 -ffreestanding -fno-pic -fno-pie -mno-sse -mno-red-zone -fno-jump-tables -fno-stack-protector -fno-asynchronous-unwind-tables \
    -fcf-protection=none -fno-toplevel-reorder -fno-tree-loop-distribute-patterns -c guest.c -o "$out/guest.o"
ld -nostdlib -static -Ttext=0x100000 -e _start "$out/guest.o" -o "$out/guest.elf"
objcopy -O binary -j .text "$out/guest.elf" "$out/guest.bin"
nm "$out/guest.elf" >"$out/guest.sym"

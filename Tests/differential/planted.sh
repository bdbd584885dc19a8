#!/bin/sh
# patchsimctl with a fault: where RAX is 0 afterwards, CF is what it shouldn't be. The differential test must notice.
program=$1
shift
"$program" "$@" | sed -E '/"rax":"0x0"/ s/("rflags":"0x[0-9a-f]*)2"/\13"/'

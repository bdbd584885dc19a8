#!/usr/bin/env python3
"""Stops one thread of a process with ptrace, the one that has used most processor time in the last moment, and holds it until
the process is gone. The other threads go on."""
import ctypes
import os
import sys
import time

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_ulong, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def used(pid):
    times = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        times[int(thread)] = int(fields[11]) + int(fields[12])
    return times


pid = int(sys.argv[1])
before = used(pid)
time.sleep(0.5)
after = used(pid)
busiest = max(after, key=lambda thread: after[thread] - before.get(thread, 0))
ptrace(PTRACE_SEIZE, busiest)
ptrace(PTRACE_INTERRUPT, busiest)
print(busiest, flush=True)
while True:
    try:
        waited, status = os.waitpid(busiest, 0x40000000)  # __WALL
    except ChildProcessError:
        break
    if os.WIFEXITED(status) or os.WIFSIGNALED(status):
        break

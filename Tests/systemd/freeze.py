#!/usr/bin/env python3
"""Stops the one thread of a process that does most of its work, in the middle of that work, and holds it until the process is
gone. The other threads go on. `freeze.py PID`"""
import ctypes
import os
import sys
import time

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_ulong, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def used(pid):
    """Nanoseconds of processor time of each thread."""
    times = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                times[int(thread)] = int(file.read().split()[0])
        except OSError:
            pass
    return times


def work(pid, seconds):
    """What each thread used in that time."""
    before = used(pid)
    time.sleep(seconds)
    return {thread: time - before.get(thread, 0) for thread, time in used(pid).items()}


def freeze(pid):
    while True:
        threads = work(pid, 0.2)
        busiest = max(threads, key=threads.get)
        ptrace(PTRACE_SEIZE, busiest)
        ptrace(PTRACE_INTERRUPT, busiest)
        os.waitpid(busiest, WALL)
        # If another thread took the work over, this one was stopped between two pieces of it.
        if sum(work(pid, 0.2).values()) < max(threads[busiest] / 10, 2_000_000):
            return busiest
        ptrace(PTRACE_DETACH, busiest)


frozen = freeze(int(sys.argv[1]))
print(frozen, flush=True)
while True:
    try:
        _, status = os.waitpid(frozen, WALL)
    except ChildProcessError:
        break
    if os.WIFEXITED(status) or os.WIFSIGNALED(status):
        break

#!/usr/bin/env python3
"""Kills the daemon again and again while a client changes the machine, and looks after each kill whether everything that was
acknowledged is still there.

    kills.py COUNT [SEED]

The client switches the tracing of single functions on and off and makes and removes trace instances. What was under way when
the daemon died may have happened or not; everything before it must have. Prints what was lost; status 1 then."""
import os
import random
import signal
import sys
import threading
import time

from client import Connection

GROUP = "/sys/fs/cgroup/system.slice/patchsimd.service/cgroup.procs"
INSTANCES = "/sys/kernel/tracing/instances"
# A kill comes while one of the first changes is under way, so much later than it was asked for at most.
CHANGES_MAX = 12
SECONDS_MAX = 0.02


class Died(Exception):
    pass


class Client:
    def __init__(self):
        self.connection = Connection()

    def call(self, method, **parameters):
        """The reply's parameters; an error is one too, with its name as `error`."""
        try:
            reply = self.connection.call(method, parameters)
        except OSError:
            reply = None
        if reply is None:
            raise Died()
        return reply.get("parameters", {}) | ({"error": reply["error"]} if "error" in reply else {})

    def functions(self):
        traced = {}
        self.connection.send("io.patchsim.Text.ListFunctions", {"glob": "vfs_*"}, more=True)
        while True:
            reply = self.connection.reply()
            if reply is None:
                raise Died()
            for function in reply["parameters"]["functions"]:
                if function["traceable"]:
                    traced[function["name"]] = function["enabled"]
            if not reply.get("continues"):
                return traced

    def instances(self):
        reply = self.call("io.patchsim.Files.List", path=INSTANCES)
        return {entry["name"] for entry in reply["entries"]}


def daemon():
    """The daemon's process; systemd starts it again after each kill."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with open(GROUP) as file:
                pids = file.read().split()
        except FileNotFoundError:
            pids = []
        if pids:
            return int(pids[0])
        time.sleep(0.002)
    sys.exit("the daemon was not started again")


class Run:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.traced = {}
        self.instances = set()
        # What was asked when the daemon died: ("trace" or "instance", name, wanted).
        self.pending = None
        self.acknowledged = 0
        self.lost = []

    def connect(self):
        """A client of a daemon that is there; the last one may be dying."""
        for _ in range(20):
            try:
                client = Client()
                client.call("io.patchsim.Service.Ping")
                return client
            except (Died, OSError):
                time.sleep(0.05)
        sys.exit("the daemon does not answer")

    def verify(self, client):
        traced, instances = client.functions(), client.instances()
        kind, name, wanted = self.pending or (None, None, None)
        for function, is_traced in traced.items():
            if kind == "trace" and name == function:
                continue
            if self.traced.get(function, False) != is_traced:
                self.lost.append(f"{function}: traced {self.traced.get(function, False)} was acknowledged, is {is_traced}")
        for instance in instances ^ self.instances:
            if not (kind == "instance" and name == instance):
                self.lost.append(f"instance {instance}: {instance in self.instances} was acknowledged")
        self.traced, self.instances, self.pending = traced, instances, None

    def change(self, client):
        if self.random.random() < 0.75:
            name = self.random.choice(sorted(self.traced))
            wanted = not self.traced[name]
            self.pending = ("trace", name, wanted)
            reply = client.call("io.patchsim.Ftrace." + ("Enable" if wanted else "Disable"), glob=name)
        else:
            name = f"i{self.random.randrange(6)}"
            wanted = name not in self.instances
            self.pending = ("instance", name, wanted)
            method = "MakeDirectory" if wanted else "RemoveDirectory"
            reply = client.call("io.patchsim.Files." + method, path=f"{INSTANCES}/{name}")
        if "error" in reply:
            sys.exit(f"{self.pending} was refused: {reply}")
        if self.pending[0] == "trace":
            self.traced[name] = wanted
        elif wanted:
            self.instances.add(name)
        else:
            self.instances.discard(name)
        self.pending = None
        self.acknowledged += 1

    def cycle(self):
        client = self.connect()
        self.verify(client)
        last = self.random.randint(1, CHANGES_MAX)
        delay = self.random.random() * SECONDS_MAX
        pid = daemon()

        def kill():
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        try:
            for number in range(1, 1000):
                if number == last:
                    killer.start()
                self.change(client)
        except Died:
            pass
        killer.join()


def main():
    count = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    run = Run(seed)
    began = time.monotonic()
    for _ in range(count):
        run.cycle()
    run.verify(run.connect())
    print(f"{count} kills, {run.acknowledged} changes acknowledged, {len(run.lost)} lost, seed {seed},"
          f" {time.monotonic() - began:.1f} s")
    for line in run.lost[:20]:
        print(line)
    sys.exit(1 if run.lost else 0)


main()

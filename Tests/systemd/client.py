#!/usr/bin/env python3
"""A Varlink client for the checks that no command of patchsimctl does: many connections, records of what was acknowledged,
streams that nobody reads. It uses nothing but the standard library.

    client.py call METHOD [JSON]            prints the reply; status 1 with an error's name on an error
    client.py flood COUNT                   opens COUNT connections, keeps them, says "open N" and waits for a line on stdin
    client.py streams COUNT METHOD [JSON]   the same, each connection with a call for `more` whose replies nobody reads
    client.py readers COUNT PATH            the same, each connection in the middle of reading a kernel file
"""
import json
import socket
import sys

PATH = "/run/patchsim/io.patchsim"


class Connection:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(PATH)
        self.received = b""

    def send(self, method, parameters=None, more=False):
        call = {"method": method, "parameters": parameters or {}}
        if more:
            call["more"] = True
        self.socket.sendall(json.dumps(call).encode() + b"\0")

    def reply(self):
        """The next reply; None where the daemon ended the connection."""
        while b"\0" not in self.received:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.received += data
        frame, self.received = self.received.split(b"\0", 1)
        return json.loads(frame)

    def call(self, method, parameters=None):
        self.send(method, parameters)
        return self.reply()


def parameters(arguments):
    return json.loads(arguments[0]) if arguments else {}


def call(method, *rest):
    reply = Connection().call(method, parameters(rest))
    if reply is None:
        sys.exit("the daemon ended the connection")
    if "error" in reply:
        sys.exit(reply["error"] + " " + json.dumps(reply.get("parameters", {})))
    print(json.dumps(reply.get("parameters", {})))


def hold(connections):
    print("open", len(connections), flush=True)
    sys.stdin.readline()


def flood(count):
    connections = []
    for _ in range(int(count)):
        try:
            connections.append(Connection())
        except OSError:
            break
    hold(connections)


def streams(count, method, *rest):
    connections = []
    for _ in range(int(count)):
        connection = Connection()
        connection.send(method, parameters(rest), more=True)
        connections.append(connection)
    hold(connections)


def readers(count, path):
    connections = []
    for _ in range(int(count)):
        connection = Connection()
        # The daemon keeps the file as it was for whoever reads on.
        if connection.call("io.patchsim.Files.Read", {"path": path, "offset": 0, "count": 1}) is None:
            sys.exit("the daemon ended the connection")
        connections.append(connection)
    hold(connections)


if __name__ == "__main__":
    commands = {"call": call, "flood": flood, "streams": streams, "readers": readers}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])

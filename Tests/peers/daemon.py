#!/usr/bin/env python3
"""A daemon for one call: checks how it was started and refuses the call with its own arguments as the reason."""

import os
import socket
import sys

problem = None
if os.environ.get("LISTEN_PID") != str(os.getpid()):
    problem = "LISTEN_PID is not this process"
elif os.environ.get("LISTEN_FDS") != "1":
    problem = "LISTEN_FDS is not 1"
listening = socket.socket(fileno=3)
listening.setblocking(True)
connection, _ = listening.accept()
connection.setblocking(True)
while b"\0" not in connection.recv(65536):
    pass
message = problem or " ".join(sys.argv[1:])
reply = '{"error":"io.patchsim.test.Arguments","parameters":{"message":"%s"}}' % message
connection.sendall(reply.encode() + b"\0")
connection.recv(1)

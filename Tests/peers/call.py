#!/usr/bin/env python3
"""Makes one Varlink call: call.py SOCKET METHOD [PARAMETERS]. Prints the reply as it came, one line."""
import json
import socket
import sys

path, method = sys.argv[1:3]
parameters = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
peer = socket.socket(socket.AF_UNIX)
peer.connect(path)
peer.sendall(json.dumps({"method": method, "parameters": parameters}).encode() + b"\0")
reply = b""
while not reply.endswith(b"\0"):
    got = peer.recv(65536)
    if not got:
        break
    reply += got
print(reply[:-1].decode())

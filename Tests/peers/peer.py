"""Talks to patchsimd with PyPI's varlink client and prints what it got as one line of JSON."""

import json
import sys

import varlink

address = "unix:" + sys.argv[1]
seen = {}
with varlink.Client(address) as client:
    with client.open("org.varlink.service") as service:
        seen["info"] = service.GetInfo()
        seen["description"] = service.GetInterfaceDescription("io.patchsim.Machine")["description"]
    with client.open("io.patchsim.Machine") as machine:
        seen["state"] = machine.GetState()["state"]
        seen["methods"] = sorted(
            name for name in client.get_interface("io.patchsim.Machine").members
        )
        try:
            machine.Step(cpu=9, count=1)
        except varlink.VarlinkError as error:
            seen["error"] = error.error()
            seen["parameters"] = error.parameters()
    with client.open("io.patchsim.Text") as text:
        seen["stream"] = [
            len(reply["functions"]) for reply in text.ListFunctions(_more=True)
        ]
print(json.dumps(seen, sort_keys=True))

"""What the checks of the journal need besides a shell: journal entries as JSON, and calls that patchsimctl doesn't make."""

import json
import os
import re
import socket
import sys

CODE = os.path.join(os.path.dirname(__file__), "../../Sources/PatchsimInterface/MessageID.swift")


def kinds():
    """Kinds by the code: name -> (id, fields)."""
    text = open(CODE, encoding="utf-8").read()
    names = dict(re.findall(r'case (\w+) = "([0-9a-f]{32})"', text))
    fields = dict(re.findall(r'case (\w+) = "(PATCHSIM_\w+)"', text))
    promised = {}
    for cases, list_ in re.findall(r"case ((?:\.\w+(?:, )?)+): \[([^\]]*)\]", text):
        for case in re.findall(r"\w+", cases):
            promised[case] = [fields[field] for field in re.findall(r"\w+", list_)] + ["PATCHSIM_RUN"]
    dashed = lambda name: re.sub(r"[A-Z]", lambda letter: "-" + letter.group().lower(), name)
    return {dashed(name): (id_, promised.get(name, [])) for name, id_ in names.items()}


def entries():
    for line in sys.stdin:
        yield json.loads(line)


def call(path, calls):
    """Sends calls and reads as many replies."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        for method, parameters in calls:
            peer.sendall(json.dumps({"method": method, "parameters": parameters}).encode() + b"\0")
            reply = b""
            while not reply.endswith(b"\0"):
                chunk = peer.recv(1 << 16)
                if not chunk:
                    sys.exit("the daemon closed the connection")
                reply += chunk
            yield json.loads(reply[:-1])


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "id":
        print(kinds()[arguments[0]][0])
    elif command == "any":
        condition = compile(arguments[0], "condition", "eval")
        seen = 0
        for entry in entries():
            seen += 1
            try:
                if eval(condition, {"e": entry}):
                    return
            except (KeyError, ValueError) as error:
                print("without", error, file=sys.stderr)
            print({k: v[:200] for k, v in entry.items() if isinstance(v, str) and k[0] != "_"})
        sys.exit(f"none of {seen} entries")
    elif command == "field":
        print(json.loads(sys.stdin.readline())[arguments[0]])
    elif command == "runs":
        own = [e for e in entries() if e.get("SYSLOG_IDENTIFIER") in ("patchsimd", "patchsim-kernel")]
        print(len({e.get("PATCHSIM_RUN") for e in own}))
    elif command == "fields":
        by_id = {id_: (name, fields) for name, (id_, fields) in kinds().items()}
        wrong = 0
        for entry in entries():
            name, promised = by_id[entry["MESSAGE_ID"]]
            for field in promised:
                if field not in entry:
                    wrong += 1
                    print(f"{name} lacks {field}: {entry['MESSAGE']}")
        sys.exit(1 if wrong else 0)
    elif command == "flood":
        refused = ("io.patchsim.Files.Write", {"path": "/proc/kallsyms", "text": "x"})
        replies = list(call(arguments[0], [refused] * int(arguments[1])))
        assert all("error" in reply for reply in replies)
    elif command == "flooded":
        refused, suppressed = kinds()["refused"][0], kinds()["entries-suppressed"][0]
        own = list(entries())
        written = sum(entry["MESSAGE_ID"] == refused for entry in own)
        left_out = sum(int(entry["PATCHSIM_COUNT"]) for entry in own if entry["MESSAGE_ID"] == suppressed)
        print(written, "written,", left_out, "left out")
        sys.exit(0 if written + left_out == int(arguments[0]) and written < left_out else 1)
    elif command == "large":
        filter_ = {"path": "/sys/kernel/tracing/set_ftrace_filter", "text": "vfs_read\n" * 5000}
        replies = list(call(arguments[0], [("io.patchsim.Files.Write", filter_)]))
        assert "error" not in replies[0], replies[0]


main()

#!/usr/bin/env -S python3 -SI
"""Every hook command: hands its arguments to the emulator's socket and prints the answer."""

import json
import os
import socket
import sys


def main():
    arguments = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
    stdin = sys.stdin.read() if "--file" in arguments and "-" in arguments else ""
    files = {}
    for argument in arguments:
        if "#file=" in argument:
            path = argument.split("#file=", 1)[1]
            with open(path, encoding="utf-8") as file:
                files[path] = file.read()
    question = {
        "context": os.environ["JUJU_CONTEXT_ID"],
        "arguments": arguments,
        "stdin": stdin,
        "files": files,
    }
    with socket.socket(socket.AF_UNIX) as agent:
        agent.connect(os.environ["JUJU_AGENT_SOCKET_ADDRESS"].lstrip("@"))
        agent.sendall(json.dumps(question).encode())
        agent.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: agent.recv(65536), b""))
    reply = json.loads(answer)
    sys.stdout.write(reply["out"])
    sys.stderr.write(reply["err"])
    return reply["status"]


if __name__ == "__main__":
    sys.exit(main())

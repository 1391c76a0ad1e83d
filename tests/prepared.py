"""Processes that start at once: each is forked from one that has imported the package, which takes a process 9 s.

Such a process is as real as another: it has its own memory, working directory, environment, output and exit code. Only
the imports are those of its parent. Tests of imports and of the `gan` script itself start it anew, by
`run_support.start`.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from gan.base.imports import cheap_imports

MODULES = ("gan.runs.training", "gan.runs.evaluate", "gan.runs.checkpoint", "gan.measure.measurement")
# Hands code, arguments, folder, environment and output over to the server, passes signals on to the process that comes
# of it, and ends with its exit code.
CLIENT = """
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
place = {"argv": sys.argv[2:], "folder": os.getcwd(), "environment": dict(os.environ)}
socket.send_fds(server, [json.dumps(place).encode() + b"\\n"], [0, 1, 2])
answers = server.makefile()
worker = int(answers.readline())
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: os.kill(worker, number))
sys.exit(int(answers.readline() or 70))
"""
_server: tuple[subprocess.Popen, str] | None = None


def command(code: str, *argv: str) -> list[str]:
    """Return the command that runs Python code, which finds `argv` in `sys.argv`, in a prepared process."""
    global _server
    if _server is None or _server[0].poll() is not None:
        address = str(Path(tempfile.mkdtemp()) / "socket")
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        started = subprocess.Popen([sys.executable, __file__, address], stdout=subprocess.PIPE, env=environment)
        assert started.stdout is not None
        assert started.stdout.readline() == b"ready\n", "the server of prepared processes did not start"
        atexit.register(started.kill)
        _server = started, address
    return [sys.executable, "-I", "-S", "-c", CLIENT, _server[1], code, *argv]


def serve(address: str) -> dict[str, Any]:
    """Fork a keeper for each request, and a process from it. Only such a process returns, with what it is to do."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    os.write(1, b"ready\n")
    while True:
        client, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            return _received(client)
        client.close()


def _received(client: socket.socket) -> dict[str, Any]:
    text, descriptors, _, _ = socket.recv_fds(client, 1 << 20, 3)
    while not text.endswith(b"\n"):
        text += client.recv(1 << 20)
    if worker := os.fork():  # the keeper waits and tells the client how the process ended
        client.sendall(f"{worker}\n".encode())
        _, status = os.waitpid(worker, 0)
        client.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    client.close()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    return json.loads(text)


def main() -> None:
    """Import, serve, and in a forked process run the code of a request."""
    with cheap_imports():
        for module in MODULES:
            __import__(module)
        from lightning_fabric.utilities.rank_zero import rank_zero_only
    request = serve(sys.argv[1])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    rank_zero_only.rank = int(os.environ.get("RANK", 0))  # Lightning read the environment when it was imported
    code, *sys.argv[:] = request["argv"]
    sys.path[:1] = filter(None, request["environment"].get("PYTHONPATH", "").split(os.pathsep))
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})  # a test's own code


if __name__ == "__main__":
    main()

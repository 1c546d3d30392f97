"""Users of one port, in a process of their own with the right of way.

Real users have machines of their own: what they wait for is the server, not their own turn.
Asks from ``begin`` to the end of standard input; prints the seconds of each answer as JSON, with
null for a request that had none.
"""

import contextlib
import http.client
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Generator

RATE = 100.0  # requests a second
CLIENTS = 4


@contextlib.contextmanager
def asking(port: int, took: list[float | None]) -> Generator[None]:
    """Have users ask for as long as the block runs; what they saw is added to ``took``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.soak.users", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    process.stdout.readline()  # they have begun
    try:
        yield
    finally:
        said, _ = process.communicate()
        took += json.loads(said)


@contextlib.contextmanager
def giving_way() -> Generator[None]:
    """Have this process, and what it starts meanwhile, run only where nobody else wants to."""
    _schedule(os.SCHED_IDLE)
    _weigh_session(19)
    try:
        yield
    finally:
        _weigh_session(0)
        _schedule(os.SCHED_OTHER)


def _weigh_session(nice: int) -> None:
    """Say what this session is worth beside others: below that, Linux compares within one only."""
    with contextlib.suppress(OSError):  # where sessions do not count; one change in 100 ms
        time.sleep(0.2)
        pathlib.Path("/proc/self/autogroup").write_text(str(nice))


def _schedule(policy: int) -> None:
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.sched_setscheduler(int(thread), policy, os.sched_param(0))


def _ask(port: int, done: threading.Event, took: list[float | None]) -> None:
    while not done.wait(CLIENTS / RATE):
        begun = time.monotonic()
        there = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(there):
            try:
                there.request("GET", "/")
                is_good = there.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                is_good = False
        took.append(time.monotonic() - begun if is_good else None)


def main(port: int) -> None:
    """Ask until standard input ends."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    _weigh_session(-10)
    done, took = threading.Event(), list[float | None]()
    threads = [threading.Thread(target=_ask, args=(port, done, took)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    print("begun", flush=True)
    sys.stdin.read()
    done.set()
    for thread in threads:
        thread.join()
    print(json.dumps(took))


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""A reverse proxy that follows Docker's events, as those in front of docker-rollout do.

Containers with a label get traffic while they run and are healthy. HAProxy carries it, told by
its runtime API, so that a change by itself costs nobody an answer: what fails is a matter of
order and time between the proxy and whoever stops containers.
"""

import dataclasses
import pathlib
import shutil
import subprocess
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from build_hook import errors
from build_hook.deploy import clients, engine
from build_hook.proxy import runtime

SLOTS = 6
EVENTS = ("start", "die", "health_status")

CONFIG = """\
global
    stats socket {folder}/haproxy.sock mode 600 level admin
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend service
    bind 127.0.0.1:{published}
    default_backend service
backend service
    balance roundrobin
    {retries}
{servers}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Manner:
    """How a proxy goes about it: seconds between two changes, what follows on a failure."""

    throttle: float
    tries_again: bool


# providersThrottleDuration is 2 s and no retry middleware is there unless somebody adds one.
TRAEFIK = Manner(throttle=2.0, tries_again=False)
# docker-gen reloads at once; proxy_next_upstream of nginx is "error timeout".
NGINX_PROXY = Manner(throttle=0.0, tries_again=True)


def haproxy() -> str:
    """The program; what lacks it was refused when the stage was set up."""
    found = shutil.which("haproxy", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
    return found or "haproxy"


def config(folder: pathlib.Path, published: int, target: int, manner: Manner) -> str:
    """HAProxy's file: slots that containers come and go in."""
    again = ("retries 3", "option redispatch 1", "retry-on conn-failure empty-response")
    servers = "\n".join(f"    server s{n} 127.0.0.1:{target} disabled" for n in range(SLOTS))
    return CONFIG.format(
        folder=folder,
        published=published,
        retries="\n    ".join(again if manner.tries_again else ("retries 0",)),
        servers=servers,
    )


def takers(containers: Sequence[Mapping[str, Any]]) -> set[str]:
    """Addresses of running containers (rows of the engine's list) that may get traffic."""
    good = (row for row in containers if "health: starting" not in row["Status"])
    good = (row for row in good if "(unhealthy)" not in row["Status"])
    networks = (row["NetworkSettings"]["Networks"].values() for row in good)
    return {network["IPAddress"] for of in networks for network in of if network["IPAddress"]}


def change(slots: list[str], wanted: Collection[str]) -> list[str]:
    """Fill the slots with these addresses; what HAProxy is told, those that come first."""
    gone = [index for index, address in enumerate(slots) if address and address not in wanted]
    come: list[str] = []
    for address in sorted(set(wanted) - set(slots)):
        index = slots.index("")
        slots[index] = address
        come += [
            f"set server service/s{index} addr {address}",
            f"set server service/s{index} state ready",
        ]
    for index in gone:
        slots[index] = ""
    return come + [f"set server service/s{index} state maint" for index in gone]


class Follower:
    """The proxy of one service, from ``with`` to its end."""

    def __init__(
        self, folder: pathlib.Path, docker: engine.Engine, label: str, manner: Manner
    ) -> None:
        self._folder = folder
        self._docker = docker
        self._label = label
        self._manner = manner
        self._slots = [""] * SLOTS
        self._runtime = runtime.Runtime(folder)
        self._changed = threading.Event()
        self._done = threading.Event()

    def serve(self, published: int, target: int) -> "Follower":
        """Write the file that it starts with."""
        self._folder.mkdir()
        text = config(self._folder, published, target, self._manner)
        (self._folder / "haproxy.cfg").write_text(text, encoding="ascii")
        return self

    def __enter__(self) -> "Follower":
        events = (f"--filter=event={event}" for event in EVENTS)
        self._processes = [
            subprocess.Popen([haproxy(), "-db", "-q", "-f", str(self._folder / "haproxy.cfg")]),
            subprocess.Popen(
                [clients.find().argv[0], "events", f"--filter=label={self._label}", *events],
                stdout=subprocess.PIPE,
            ),
        ]
        deadline = time.monotonic() + 5
        while not self._runtime.is_up():
            if time.monotonic() > deadline:
                raise errors.ProxyError("The baseline's proxy does not answer")
            time.sleep(0.02)
        self._listener = threading.Thread(target=self._listen)
        self._follower = threading.Thread(target=self._follow)
        self._listener.start()
        self._follower.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._changed.set()
        self._follower.join()  # before the proxy that it tells
        for one in self._processes:
            one.terminate()
        self._listener.join()
        for one in self._processes:
            one.communicate()

    def _listen(self) -> None:
        stream = self._processes[1].stdout
        for _ in stream or ():
            self._changed.set()

    def _follow(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            if self._done.is_set():
                return
            running = self._docker.api.containers(filters={"label": self._label})
            self._runtime.command(*change(self._slots, takers(running)))
            self._done.wait(self._manner.throttle)

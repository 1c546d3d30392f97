"""What can go wrong with a deploy, as things to do to a project that serves.

The tests go through the table; ``python -m tests.soak.faults`` writes it down with the answers.
"""

import contextlib
import dataclasses
import socket
from collections.abc import Callable, Generator, Mapping

from build_hook.demo import product
from tests.functional import host as hosts

Inject = Callable[[hosts.Project], contextlib.AbstractContextManager[None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One fault; ``says`` has to match what the user is told, ``card`` has to be on its card.

    ``differs`` are files and settings that the card has to name as changed.
    """

    name: str
    inject: Inject
    says: str
    card: Mapping[str, object] = dataclasses.field(default_factory=dict)
    differs: tuple[str, ...] = ()


def files(**changed: str | None) -> Inject:
    """Push a commit with these files; ``__`` in a name is a dot."""

    @contextlib.contextmanager
    def inject(made: hosts.Project) -> Generator[None]:
        kept = {name: made.read(name) for name in changed}
        made.push(**changed)
        try:
            yield
        finally:
            made.push(**kept)

    return inject


def link(name: str, to: str, **settings: object) -> Inject:
    """Push a symbolic link."""

    @contextlib.contextmanager
    def inject(made: hosts.Project) -> Generator[None]:
        path = made.copy.folder / name
        kept = made.read(name)
        path.unlink(missing_ok=True)
        path.symlink_to(to)
        try:
            with registered(**settings)(made):
                made.push()
                yield
        finally:
            made.push(**{name: kept})

    return inject


def registered(**settings: object) -> Inject:
    """Change the project in the registry; the next deploy sees it."""

    @contextlib.contextmanager
    def inject(made: hosts.Project) -> Generator[None]:
        before = made.host.entry(made.name)
        made.host.register(made, **settings)
        try:
            yield
        finally:
            made.host.replace(before)

    return inject


@contextlib.contextmanager
def stranger(made: hosts.Project) -> Generator[None]:
    """Another program listens on a port that the project is to publish as well."""
    with socket.create_server(("127.0.0.1", product.free_port())) as taken:
        port = {"target": 8000, "published": taken.getsockname()[1]}
        ports = [{"target": 8000, "published": made.port}, port]
        with registered(ports=ports)(made):
            yield


FROM = "ARG BASE\nFROM ${BASE}\nCOPY serve.sh /\nCOPY version.txt /www/index.html\n"
START = 'CMD ["/bin/sh", "/serve.sh"]\n'
BAD_HEALTH = 'HEALTHCHECK --interval=1s --timeout=1s --retries=1 CMD ["/bin/sh", "-c", "exit 1"]\n'
FAULTS = (
    Fault(
        "repository that is not there",
        registered(repository="http://127.0.0.1:9/none.git"),
        r"^fetching: git could not fetch refs/heads/main of http://127\.0\.0\.1:9/none\.git: .+"
        r"Check the repository's address and that this machine may read it$",
        {"phase": "fetching", "next": "build-hook deploy errors"},
        ("repository",),
    ),
    Fault(
        "ref that is not there",
        registered(ref="refs/heads/none"),
        r"^fetching: .*find remote ref refs/heads/none.*Check the repository's address",
        {"phase": "fetching", "next": "build-hook deploy errors"},
        ("ref",),
    ),
    Fault(
        "Dockerfile with a command that fails",
        files(Dockerfile=FROM + 'RUN ["/bin/sh", "-c", "echo no luck; exit 3"]\n'),
        r"^building: The build failed: .*exit code: 3.*\. Read the log, fix, push$",
        {"phase": "building", "exit_code": 3},
        ("Dockerfile", "version.txt"),
    ),
    Fault(
        "Dockerfile that is none",
        files(Dockerfile="FORM nothing\n"),
        r"^building: The build failed: .*FORM.*\. Read the log, fix, push$",
    ),
    Fault(
        "no Dockerfile",
        files(Dockerfile=None),
        r"^building: The repository has no 'Dockerfile'\. Commit it, or correct the project's "
        r"dockerfile$",
        {"phase": "building", "exit_code": None, "next": "build-hook deploy errors"},
        ("Dockerfile",),
    ),
    Fault(
        "Dockerfile elsewhere",
        registered(build={"dockerfile": "docker/none"}),
        r"^building: The repository has no 'docker/none'\. Commit it, or correct",
        {"phase": "building", "next": "build-hook deploy errors"},
        ("build.dockerfile",),
    ),
    Fault(
        "base image that is not there",
        files(Dockerfile="FROM build-hook.invalid/none:1\n"),
        r"^building: The registry did not give out build-hook\.invalid/none:1: .*\. "
        r"It is tried again by itself",
    ),
    Fault(
        "context that leads out",
        link("outside", "/etc", build={"context": "outside"}),
        r"^building: The context 'outside' leads out of the repository\. Use a path inside it$",
    ),
    Fault(
        "Dockerfile that leads out",
        link("Dockerfile", "../../../../etc/hostname"),
        r"^building: The dockerfile 'Dockerfile' leads out of the repository\. Use a path",
    ),
    Fault(
        "build that takes too long",
        files(Dockerfile=FROM + 'RUN ["/bin/sleep", "60"]\n'),
        r"^building: The build took longer than 3 s and was stopped\. Make it faster, or raise "
        r"build\.timeout$",
    ),
    Fault(
        "port taken by a stranger",
        stranger,
        r"^queued: Port \d+ is used by another program\. Stop what uses it, or publish another "
        r"port; then: build-hook deploy$",
        {"phase": "queued", "next": "build-hook deploy errors"},
        ("ports",),
    ),
    Fault(
        "command that is not in the image",
        registered(command=["/bin/none"]),
        r"^starting: The engine could not start the container of build \d+: .*/bin/none.*Correct "
        r"the project's run settings",
        {"phase": "starting", "next": "build-hook deploy errors"},
        ("command",),
    ),
    Fault(
        "volume that cannot be mounted",
        registered(volumes=["/proc/none:/data"]),
        r"^starting: The engine could not start the container of build \d+: .*/proc/none.*Correct "
        r"the project's run settings",
    ),
    Fault(
        "container that ends at once",
        files(serve__sh="#!/bin/sh\nexit 7\n"),
        r"^gating: The container died with exit status 7\. Read its last lines in the log, fix, "
        r"push$",
        {"phase": "gating", "exit_code": 7, "out_of_memory": False},
        ("serve.sh",),
    ),
    Fault(
        "application that does not listen",
        files(serve__sh="#!/bin/sh\nexec sleep 1000\n"),
        r"^gating: The container was not ready after 3 s: port 8000 .*raise health\.timeout if",
        {"phase": "gating", "exit_code": None},
        ("serve.sh",),
    ),
    Fault(
        "health path that is not found",
        registered(health={"path": "/none"}),
        r"^gating: The container was not ready after 3 s: GET /none answers 404\. Read",
        {"phase": "gating"},
        ("health.path",),
    ),
    Fault(
        "HEALTHCHECK that fails",
        files(Dockerfile=FROM + BAD_HEALTH + START),
        r"^gating: The image's HEALTHCHECK says unhealthy",
    ),
)

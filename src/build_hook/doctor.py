"""What this machine needs, and whether it has it."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator

from build_hook import certificate, errors, registry, secret_files, settings
from build_hook.deploy import (
    capabilities,
    ceilings,
    clients,
    engine,
    guard,
    images,
    lock,
    precedence,
)
from build_hook.deploy.repository import git_release, lfs
from build_hook.proxy import kernel, process, runtime

# Its loop takes a second, and minutes at most where the engine is slow to answer.
SILENT = 300.0


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, whether it is well, and what was seen or is to do."""

    subject: str
    ok: bool
    detail: str


def examine(with_settings: settings.Settings) -> Iterator[Finding]:
    """Run every check, in the order in which they matter."""
    yield _finding("registry", lambda: _registry(with_settings))
    yield _finding("warnings", lambda: _warnings(with_settings))
    yield _finding("git", git_release.check)
    yield _finding("repositories", lambda: _logins(with_settings))
    yield _finding("Docker engine", lambda: _engine(with_settings))
    yield _finding("image builder", lambda: " ".join(clients.find().argv))
    yield _finding("build limits", lambda: _build_limits(with_settings))
    yield _finding("engine's weight", precedence.of_engine)
    yield _finding("disk", lambda: _disk(with_settings))
    yield _finding("HAProxy", lambda: process.command(with_settings)[0])
    yield _finding("UDP ports", lambda: _datagrams(with_settings))
    yield _finding("proxy runs", lambda: _proxy(with_settings))
    yield _finding("worker runs", lambda: _worker(with_settings))
    for name in _certificates(with_settings):
        yield _finding(f"certificate {name}", lambda name=name: _certificate(with_settings, name))


def _warnings(with_settings: settings.Settings) -> str:
    """What the operator has allowed, by project; allowed is not wrong."""
    entries = registry.load(with_settings.registry).projects
    return "; ".join(f"{e.name} {warning}" for e in entries for warning in e.warnings) or "none"


def _finding(subject: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, check())
    except errors.BuildHookError as error:
        return Finding(subject, False, str(error))


def _registry(with_settings: settings.Settings) -> str:
    return f"{len(registry.load(with_settings.registry).projects)} projects"


def _logins(with_settings: settings.Settings) -> str:
    """Whether every secret that a repository is read with is there."""
    entries = registry.load(with_settings.registry).projects
    for entry in entries:
        for name in filter(None, (entry.deploy_key, entry.access_token)):
            secret_files.require(with_settings.secrets, name, f"login of {entry.name}")
    if any(entry.speaks_ssh for entry in entries) and not shutil.which("ssh"):
        raise errors.CheckoutError("ssh is not installed", "apt-get install openssh-client")
    if any(entry.lfs for entry in entries):
        lfs.require()
    count = sum(bool(entry.deploy_key or entry.access_token) for entry in entries)
    return f"{count} projects have a login of their own"


def _engine(with_settings: settings.Settings) -> str:
    docker = engine.Engine(with_settings.docker_host, with_settings.instance)
    docker.ping()
    return f"answers at {with_settings.docker_host}"


def _build_limits(with_settings: settings.Settings) -> str:
    if with_settings.build_limits == "off":
        return "turned off"
    docker = engine.Engine(with_settings.docker_host, with_settings.instance)
    guard.Guard(with_settings, docker).require()
    require_own_account(with_settings.run / "worker.lock")
    most = ceilings.of_settings(with_settings)
    return (
        f"builds take {most.cpus:g} processors, {most.memory // 2**20} MiB and {most.pids} "
        "processes at most"
    )


def require_own_account(file: pathlib.Path) -> None:
    """Make sure that what holds for us holds for the worker: it may run as somebody else.

    Raises:
        LimitError: if it does.
    """
    try:
        process = file.read_text(encoding="ascii").strip() or "none"
        worker = pathlib.Path("/proc", process).stat().st_uid
    except OSError:
        return  # none runs, which is told below
    if worker not in (0, os.geteuid()) and not capabilities.may_limit(process):
        raise errors.LimitError(
            f"The worker runs as user {worker}, who may not set limits: builds have none",
            "Run it as root, or give it CAP_DAC_OVERRIDE and CAP_KILL (docs/adr/0028)",
        )


def _disk(with_settings: settings.Settings) -> str:
    docker = engine.Engine(with_settings.docker_host, with_settings.instance)
    images.require_space(with_settings.state, with_settings.min_free_mb)
    images.require_space(docker.data_root(), with_settings.min_free_mb)
    return f"more than {with_settings.min_free_mb} MiB are free"


def _certificates(with_settings: settings.Settings) -> list[str]:
    """The names that are mentioned, as far as the registry can be read."""
    own = {with_settings.tls_certificate} if with_settings.tls_port else set[str]()
    try:
        projects = registry.load(with_settings.registry).projects
    except errors.RegistryError:
        return sorted(own)
    return sorted(own | {name for of in projects for name in of.certificates})


def _certificate(with_settings: settings.Settings, name: str) -> str:
    found = certificate.read(with_settings.certificates / f"{name}.pem", name)
    warning = found.warning(name)
    if warning is not None:
        raise errors.CertificateError(warning)
    return f"{', '.join(found.names)}; good until {found.last_day}"


def _datagrams(with_settings: settings.Settings) -> str:
    known = registry.load(with_settings.registry).projects
    if not any(of.datagram_ports for of in known):
        return "no project has any"
    return kernel.check(with_settings)


def _proxy(with_settings: settings.Settings) -> str:
    return f"process {runtime.Runtime(with_settings.run).process_id()}"


def _worker(with_settings: settings.Settings) -> str:
    with (with_settings.run / "worker.lock").open("a") as file:
        silence = lock.silence(file) if lock.is_held(file) else None
    if silence is None:
        raise errors.SettingsError(
            "No worker runs on this state folder", "Start it: build-hook serve"
        )
    if silence > SILENT:
        raise errors.SettingsError(
            f"The worker has its lock, and gave no sign of life for {silence:.0f} s",
            "Read what it said last and kill it: build-hook serve starts another, which goes on",
        )
    return "it has its lock"

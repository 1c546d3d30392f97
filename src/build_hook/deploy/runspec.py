"""From a project's run settings to what the engine's API wants."""

import pathlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import docker.types

from build_hook import errors, service

_SECCOMP = re.compile(r"seccomp[=:](/.+)")
_SECOND = 1_000_000_000  # the engine counts in nanoseconds


def container(of: service.Service, given: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of ``create_container`` but for the host's share."""
    return {
        "entrypoint": _list(of.entrypoint),
        "command": _list(of.command),
        "environment": dict(given),
        "hostname": of.hostname,
        "user": of.user,
        "working_dir": of.working_dir,
        "stop_signal": of.stop_signal,
        "healthcheck": _healthcheck(of.healthcheck),
    }


def host(
    of: service.Service,
    network: str,
    logs: docker.types.LogConfig | None,
    files: Iterable[tuple[pathlib.Path, str]] = (),
) -> dict[str, Any]:
    """The arguments of ``create_host_config``; ``files`` are mounted, to be read only.

    Raises:
        ContainerError: if a profile of ``security_opt`` cannot be read.
    """
    limits = of.deploy.resources.limits
    return {
        "network_mode": network,
        "binds": list(of.volumes),
        "mounts": [
            docker.types.Mount(target, str(file), type="bind", read_only=True)
            for file, target in files
        ],
        "tmpfs": dict(_split(text) for text in of.tmpfs),
        "extra_hosts": of.extra_hosts,
        "dns": list(of.dns),
        "init": of.init,
        "read_only": of.read_only,
        "privileged": of.privileged,
        "cap_add": list(of.cap_add),
        "cap_drop": list(of.cap_drop),
        "group_add": list(of.group_add),
        "devices": list(of.devices),
        "security_opt": [_security(text) for text in of.security_opt],
        "sysctls": of.sysctls,
        "ulimits": _ulimits(of),
        "shm_size": of.shm_size,
        "restart_policy": {"Name": "no"},  # a candidate that dies stays dead, see restart
        "nano_cpus": round(limits.cpus * 1e9) if limits.cpus else None,
        "mem_limit": limits.memory,
        "pids_limit": limits.pids,
        "log_config": logs,
    }


def _ulimits(of: service.Service) -> list[docker.types.Ulimit]:
    return [
        docker.types.Ulimit(name=name, soft=limit.soft, hard=limit.hard)
        for name, limit in of.ulimits.items()
    ]


def restart(of: service.Service) -> dict[str, Any]:
    """The restart policy of a version that serves."""
    policy, _, most = of.restart.partition(":")
    return {"Name": policy, "MaximumRetryCount": int(most or 0)}


def environment(of: service.Service, secrets: pathlib.Path) -> dict[str, str]:
    """The variables that the operator gives, those of ``env_file`` from that folder.

    Raises:
        ContainerError: if a file of ``env_file`` is missing, or others may read it.
    """
    return {**_from_files(of.env_file, secrets), **of.environment}


def secret(secrets: pathlib.Path, name: str) -> bytes:
    """What a secret holds.

    Raises:
        ContainerError: if it cannot be read, or others may read it.
    """
    path = secrets / name
    try:
        if path.stat().st_mode & 0o077:
            raise errors.ContainerError(
                f"Others may read the secret {name}", f"chmod 600 {path}, then: build-hook deploy"
            )
        return path.read_bytes()
    except OSError as error:
        raise errors.ContainerError(
            f"The secret {name} of env_file or secrets cannot be read: {error.strerror}",
            f"Write it to {path}, of mode 0600, then: build-hook deploy",
        ) from error


def _split(text: str) -> tuple[str, str]:
    path, _, options = text.partition(":")
    return path, options


def _security(text: str) -> str:
    """An option as the engine takes it: of a seccomp profile the content, not the file."""
    found = _SECCOMP.fullmatch(text)
    if found is None:
        return text
    try:
        return f"seccomp={pathlib.Path(found[1]).read_text(encoding='utf-8')}"
    except (OSError, ValueError) as error:
        raise errors.ContainerError(
            f"The profile of security_opt cannot be read: {error}", "Correct its path"
        ) from error


def _list(given: tuple[str, ...] | None) -> list[str] | None:
    return None if given is None else list(given)


def _healthcheck(given: service.Healthcheck | None) -> dict[str, Any] | None:
    if given is None:
        return None
    return {
        "test": list(given.test),
        "interval": round(given.interval * _SECOND),
        "timeout": round(given.timeout * _SECOND),
        "retries": given.retries,
        "start_period": round(given.start_period * _SECOND),
    }


def _from_files(names: tuple[str, ...], secrets: pathlib.Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        for line in secret(secrets, name).decode(errors="replace").splitlines():
            key, equals, value = line.strip().partition("=")
            if equals and not key.startswith("#"):
                found[key] = value
    return found

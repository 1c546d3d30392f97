"""Where containers log to: the engine's own files, or the machine's journal."""

import pathlib

import docker.types

from build_hook import settings

JOURNAL = pathlib.Path("/run/systemd/journal/socket")
# Rotated by the engine: a chatty container must not fill the disk.
_ENGINE = docker.types.LogConfig(type="local", config={"max-size": "10m", "max-file": "3"})
_JOURNAL = docker.types.LogConfig(type="journald")


def config(with_settings: settings.Settings) -> docker.types.LogConfig:
    """What new containers are given; those that run keep what they have."""
    wish = with_settings.container_logs
    if wish == "auto":
        is_shipped = bool(with_settings.loki_urls) and JOURNAL.exists()
        wish = "journal" if is_shipped else "engine"
    return _JOURNAL if wish == "journal" else _ENGINE

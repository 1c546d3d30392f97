"""``serve``, and the three processes that it keeps alive."""

import logging
import os
from typing import Any

import click

from build_hook import errors, settings
from build_hook.cli import options


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port of web; 0 takes a free one.")
@options.with_settings
def serve(with_settings: settings.Settings, port: int | None) -> None:
    """Run proxy, worker and web on this machine until stopped."""
    from build_hook import supervise

    changed: dict[str, Any] = {} if port is None else {"port": port}
    supervise.serve(with_settings.model_copy(update=changed))


@click.command()
@click.option("--fd", type=int, help="Number of a listening socket that was inherited.")
@options.with_settings
def web(with_settings: settings.Settings, fd: int | None) -> None:
    """Take deliveries: verify, store, answer."""
    from build_hook.web import server

    server.run(with_settings, fd)


@click.command()
@options.with_settings
def worker(with_settings: settings.Settings) -> None:
    """Build and replace."""
    from build_hook.deploy import capabilities
    from build_hook.deploy import worker as engine

    capabilities.keep_to_ourselves()  # before there is any other thread
    logging.basicConfig(level=logging.INFO, format="worker: %(message)s")
    engine.Worker(with_settings).run()


@click.command()
@options.with_settings
def proxy(with_settings: settings.Settings) -> None:
    """Run HAProxy, which owns the published ports."""
    from build_hook.proxy import process

    command = process.command(with_settings)
    os.execv(command[0], command)  # noqa: S606 - a fixed program, no shell


@click.command()
@options.with_settings
def ship(with_settings: settings.Settings) -> None:
    """Push logs of the processes, the builds and the containers to Loki."""
    from build_hook.shipping import shipper

    if not with_settings.loki_urls:
        raise errors.SettingsError("Nobody wants logs", "Set loki_urls: docs/how-to/ship-logs.md")
    logging.basicConfig(level=logging.INFO, format="ship: %(message)s")
    shipper.Shipper(with_settings).run()

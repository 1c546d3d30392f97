"""``doctor`` and ``gc``: the machine's health, and making room."""

import dataclasses
import sys

import click

from build_hook import registry, settings
from build_hook.cli import options
from build_hook.deploy import engine, images
from build_hook.store import builds


@click.command()
@options.as_json
@options.with_settings
def doctor(with_settings: settings.Settings, as_json: bool) -> None:
    """Check all that a deploy needs; exit status 1 if something is missing."""
    from build_hook import doctor as practice

    findings = list(practice.examine(with_settings))
    if as_json:
        options.print_json({"findings": [dataclasses.asdict(f) for f in findings]})
    else:
        options.print_table(
            ("", "check", "finding"),
            [("ok" if f.ok else "FAIL", f.subject, f.detail) for f in findings],
        )
    sys.exit(0 if all(f.ok for f in findings) else 1)


@click.command()
@options.as_json
@options.with_settings
def gc(with_settings: settings.Settings, as_json: bool) -> None:
    """Remove images, records and logs of ours that no roll-back needs."""
    from build_hook.deploy import collect

    shelf = images.Images(engine.Engine(with_settings.docker_host, with_settings.instance))
    store = builds.Builds(with_settings.database)
    names = [p.name for p in registry.load(with_settings.registry).projects]
    done = [collect.tidy(name, with_settings, store, shelf) for name in names]
    total = {"images": sum(d.images for d in done), "builds": sum(d.builds for d in done)}
    if as_json:
        options.print_json(total)
    else:
        click.echo(f"removed {total['images']} images and {total['builds']} records")

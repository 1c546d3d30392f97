"""``doctor`` and ``gc``: the machine's health, and making room."""

import dataclasses
import sys

import click

from build_hook import registry, settings
from build_hook.cli import options
from build_hook.deploy import engine
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


_BOUNDS = (
    "keep_images", "keep_builds", "keep_logs_days", "keep_logs_mb", "build_log_mb",
    "build_cache_mb", "disk_high_percent", "min_free_mb",
)  # fmt: skip


@click.command()
@options.as_json
@options.with_settings
def gc(with_settings: settings.Settings, as_json: bool) -> None:
    """Remove what no bound allows: images, records, logs; build cache if it is ours to cut."""
    from build_hook.deploy import upkeep

    docker = engine.Engine(with_settings.docker_host, with_settings.instance)
    of = upkeep.Upkeep(with_settings, docker, builds.Builds(with_settings.database))
    names = [p.name for p in registry.load(with_settings.registry).projects]
    freed = of.bound(names) + of.relieve(names)
    used = round(of.used_percent(), 1)
    if as_json:
        bounds = {name: getattr(with_settings, name) for name in _BOUNDS}
        options.print_json(
            {**dataclasses.asdict(freed), "disk_used_percent": used, "bounds": bounds}
        )
    else:
        click.echo(
            f"removed {freed.images} images, {freed.builds} records, {freed.logs} logs and "
            f"{freed.cache_bytes // 2**20} MiB of build cache; the disk is {used:g} % full"
        )

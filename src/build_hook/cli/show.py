"""``show``: the whole record of one build, with the card of one that failed."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import click

from build_hook import card, makeup, settings
from build_hook.cli import builds, options
from build_hook.deploy import cost, sightings
from build_hook.store import builds as store
from build_hook.store import history

_COLUMN = 12


@click.command()
@click.argument("what", metavar="BUILD|PROJECT")
@options.as_json
@options.with_settings
def show(with_settings: settings.Settings, what: str, as_json: bool) -> None:
    """Tell all of a build, or of a project's newest: phases, cost, settings, why it failed."""
    known = store.Builds(with_settings.database)
    found = history.read(known, builds.find(known, what).id)
    services = makeup.of_build(found.build, known, sightings.read(with_settings.run))
    if as_json:
        rows = [one.row for one in services]
        options.print_json(as_object(found) | {"services": rows})
    else:
        click.echo("\n".join([*_lines(found), *map(_service, services)]))


def as_object(found: history.Record) -> dict[str, Any]:
    """The record as ``--json`` prints it."""
    return {
        **builds.row(found.build),
        "container": found.build.container,
        "source": found.build.source,
        "phases": [dataclasses.asdict(one) for one in found.phases],
        "settings": found.settings,
        "card": found.card and found.card.model_dump(mode="json"),
    }


def _lines(found: history.Record) -> Iterator[str]:
    build = found.build
    yield _row("build", f"{build.id} of {build.project}, {build.phase}")
    if build.reason and found.card is None:
        yield _row("why", build.reason)
    yield _row("commit", f"{build.commit or '-'} {build.message or ''}".rstrip())
    yield _row("asked for", f"{options.moment(build.created)} by {build.cause}, {build.ref}")
    yield _row("image", build.image or "-")
    for one in found.phases:
        took = "" if one.seconds is None else f"{one.seconds:10.2f} s"
        yield _row("", f"{options.moment(one.at)}  {one.phase:<12}{took}".rstrip())
    if build.requests is not None or build.longest_gap_ms is not None:
        spent = cost.told(build.requests, build.failed, build.longest_gap_ms)
        yield _row("cutover", spent)
    if found.settings is not None:
        yield _row("settings", json.dumps(found.settings))
    if found.card is not None:
        yield from _card(found.card)


def _service(of: makeup.Service) -> str:
    made = "" if of.build is None else f"build {of.build}, {(of.commit or '-')[:10]}, "
    where = ", ".join(one.id[:12] for one in of.containers)
    return _row("service", f"{of.name}: {made}{of.condition} {where}".rstrip())


def _card(of: card.Card) -> Iterator[str]:
    yield ""
    yield _row("failed", f"{of.phase}: {of.reason.removeprefix(f'{of.phase}: ')}")
    if of.exit_code is not None:
        yield _row("exit status", str(of.exit_code))
    if of.out_of_memory:
        yield _row("memory", "killed for it (OOM): it wanted more than its limit")
    if of.restarts:
        yield _row("restarts", str(of.restarts))
    for name, lines in (("log", of.log), ("container", of.container)):
        for number, line in enumerate(lines):
            yield _row("" if number else name, line)
    if of.difference is not None:
        yield from _difference(of.difference)
    yield _row("next", of.next)


def _difference(of: card.Difference) -> Iterator[str]:
    yield _row("last good", f"build {of.build}")
    if of.before != of.after:
        yield _row("commits", f"{(of.before or '-')[:10]}..{(of.after or '-')[:10]}")
    for number, name in enumerate(of.files or ()):
        yield _row("" if number else "files", name)
    if of.more_files:
        yield _row("", f"and {of.more_files} more")
    for change in of.settings:
        yield _row("setting", f"{change.name}: {change.before} -> {change.after}")


def _row(name: str, text: str) -> str:
    return f"{name:<{_COLUMN}}{text}"

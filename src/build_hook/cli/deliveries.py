"""``deliveries`` and ``replay``: what git hosts sent, and judging it again."""

import dataclasses
import json

import click

from build_hook import registry, settings, wake
from build_hook.cli import options
from build_hook.judging import matching
from build_hook.store import archive, session
from build_hook.web import replay as again


@click.command()
@click.argument("project", required=False)
@click.option("--show", type=int, metavar="ID", help="One delivery, with headers and body.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@options.as_json
@options.with_settings
def deliveries(
    with_settings: settings.Settings,
    project: str | None,
    show: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the newest deliveries that were accepted, and what they meant."""
    stored = archive.Archive(session.Session(with_settings.database))
    if show is not None:
        _show(stored.get(show), stored.body(show), as_json)
        return
    found = stored.recent(project, limit)
    if as_json:
        options.print_json({"deliveries": [dataclasses.asdict(one) for one in found]})
        return
    options.print_table(
        ("delivery", "received", "provider", "event", "verdict", "builds"),
        [
            (
                one.id,
                options.moment(one.received),
                one.provider,
                ascii(one.event)[1:-1],
                _verdict(one),
                " ".join(str(build.id) for build in one.builds) or "-",
            )
            for one in found
        ],
    )


@click.command()
@click.argument("delivery", type=int)
@options.as_json
@options.with_settings
def replay(with_settings: settings.Settings, delivery: int, as_json: bool) -> None:
    """Judge a delivery again by today's registry, and queue what it asks for.

    Who sent it was proved when it came; the signature is not asked for again.
    """
    index = matching.Index(registry.load(with_settings.registry).projects)
    stored = archive.Archive(session.Session(with_settings.database))
    found = again.replay(stored, index, delivery, actor="command line")
    wake.send(with_settings.run)
    if as_json:
        options.print_json(dataclasses.asdict(found))
        return
    for reason in found.reasons:
        click.echo(_plain(reason))
    for build in found.builds:
        click.echo(f"build {build.id} is queued; follow it: build-hook logs -f {build.id}")


def _show(one: archive.Kept, body: bytes, as_json: bool) -> None:
    if as_json:
        text = body.decode(errors="replace")
        options.print_json({**dataclasses.asdict(one), "body": text})
        return
    click.echo(f"delivery  {one.id} of {options.moment(one.received)} from {one.remote}")
    click.echo(f"provider  {one.provider}, {_plain(one.event)}, id {_plain(one.delivery_id)}")
    click.echo(f"verified  {_proof(one)}")
    for match in one.matches:
        click.echo(f"project   {match['project']}: {match['action']}, {_plain(match['reason'])}")
    for build in one.builds:
        click.echo(f"build     {build.id} of {build.project}")
    for event in one.replays:
        click.echo(f"replayed  {options.moment(event.at)} by {event.actor}")
    click.echo()
    for name, value in one.headers.items():
        click.echo(f"{_plain(name)}: {_plain(value)}")
    click.echo(f"\n{_readable(body)}")


def _verdict(one: archive.Kept) -> str:
    said = ", ".join(f"{match['project']}: {match['action']}" for match in one.matches)
    return f"{said or 'no project'}{'' if one.verified else ', UNSIGNED'}"


def _proof(one: archive.Kept) -> str:
    return (
        f"yes, by secret {one.secret}" if one.verified else "no, the project takes unsigned ones"
    )


def _readable(body: bytes) -> str:
    """JSON laid out; anything else as it is, but nothing that a terminal could act on."""
    try:
        return json.dumps(json.loads(body), indent=2)
    except (ValueError, RecursionError):
        return _plain(body.decode(errors="replace"))


def _plain(text: object) -> str:
    return ascii(str(text))[1:-1]

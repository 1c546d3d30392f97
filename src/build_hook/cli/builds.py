"""``deploy``, ``rollback``, ``cancel``, ``builds`` and ``logs``."""

import pathlib
import time
from typing import Any

import click

from build_hook import errors, holds, orders, project, registry, settings
from build_hook.cli import options
from build_hook.deploy import buildlog, progress
from build_hook.store import builds as store
from build_hook.store import cards

_FOLLOW_EVERY = 0.2


@click.command()
@click.argument("name", metavar="PROJECT")
@click.option("--ref", help="Another branch, tag or commit than the tracked ref.")
@click.option("--force", is_flag=True, help="Though the project is paused or frozen.")
@click.option("--fresh", is_flag=True, help="On the newest base image, and without the cache.")
@click.option("--wait", is_flag=True, help="Follow the log until the build has ended.")
@options.as_json
@options.with_settings
def deploy(
    with_settings: settings.Settings,
    name: str,
    ref: str | None,
    force: bool,
    fresh: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Build the head of the tracked ref and put it live, whether it has changed or not."""
    of = _registered(with_settings, name)
    known = store.Builds(with_settings.database)
    try:
        held = holds.now(with_settings, known)
        asked = orders.Orders(known, with_settings.run, held.why)
        build = asked.deploy(of, ref, force=force, fresh=fresh)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--ref") from error
    _tell(with_settings, known, build, wait, as_json)


@click.command()
@click.argument("name", metavar="PROJECT")
@click.option("--to", "to", type=int, help="Build to go back to; default: the one before.")
@click.option("--wait", is_flag=True, help="Follow the log until the roll-back has ended.")
@options.as_json
@options.with_settings
def rollback(
    with_settings: settings.Settings, name: str, to: int | None, wait: bool, as_json: bool
) -> None:
    """Put an earlier build live again: same image and settings, nothing is built."""
    of = _registered(with_settings, name)
    known = store.Builds(with_settings.database)
    build = orders.Orders(known, with_settings.run).roll_back(of, to)
    _tell(with_settings, known, build, wait, as_json)


@click.command()
@click.argument("build", type=int)
@options.as_json
@options.with_settings
def cancel(with_settings: settings.Settings, build: int, as_json: bool) -> None:
    """Stop a build; one that is watched gives the traffic back."""
    found = orders.Orders(store.Builds(with_settings.database), with_settings.run).cancel(build)
    if as_json:
        options.print_json(row(found))
    else:
        click.echo(f"build {build} is being cancelled")


@click.command()
@click.argument("name", metavar="PROJECT", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@options.as_json
@options.with_settings
def builds(with_settings: settings.Settings, name: str | None, limit: int, as_json: bool) -> None:
    """List the newest builds."""
    known = store.Builds(with_settings.database)
    found = known.recent(name, limit)
    if as_json:
        rows = [
            {
                **row(b),
                "progress": _progress(with_settings, b),
                "phases": [{"phase": p, "at": at} for p, at in known.phases(b.id)],
            }
            for b in found
        ]
        options.print_json({"builds": rows})
        return
    options.print_table(
        ("build", "project", "commit", "cause", "phase", "took", "failed", "gap", "why"),
        [
            (
                b.id,
                b.project,
                (b.commit or "-").removeprefix("sha256:")[:10],
                b.cause,
                b.phase,
                _took(b),
                "-" if b.failed is None else f"{b.failed} of {b.requests}",
                "-" if b.longest_gap_ms is None else f"{b.longest_gap_ms} ms",
                b.reason or _progress(with_settings, b) or "",
            )
            for b in found
        ],
    )


@click.command()
@click.argument("what", metavar="BUILD|PROJECT")
@click.option("--follow", "-f", is_flag=True, help="Go on until the build has ended.")
@options.as_json
@options.with_settings
def logs(with_settings: settings.Settings, what: str, follow: bool, as_json: bool) -> None:
    """Print the log of a build, or of a project's newest build."""
    known = store.Builds(with_settings.database)
    build = find(known, what)
    if as_json:
        file = buildlog.path(with_settings.logs, build.id)
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        why = cards.find(known.session, build.id)
        shown = why and why.model_dump(mode="json")
        options.print_json({**row(build), "card": shown, "log": text.splitlines()})
        return
    _print_log(with_settings, known, build.id, follow)


def _progress(with_settings: settings.Settings, build: store.Build) -> str | None:
    if build.phase is not store.Phase.BUILDING:
        return None
    step = progress.of_log(buildlog.path(with_settings.logs, build.id))
    return step and str(step)


def find(known: store.Builds, what: str) -> store.Build:
    """The build of that number, or the newest one of that project.

    Raises:
        StoreError: if there is none.
    """
    if what.isdigit():
        return known.get(int(what))
    newest = known.recent(what, 1)
    if not newest:
        raise errors.StoreError(f"{what} has no builds", f"Ask for one: build-hook deploy {what}")
    return newest[0]


def _tell(
    with_settings: settings.Settings,
    known: store.Builds,
    build: store.Build,
    wait: bool,
    as_json: bool,
) -> None:
    if wait:
        _print_log(with_settings, known, build.id, follow=True, quiet=as_json)
        build = known.get(build.id)
    if as_json:
        options.print_json(row(build))
    elif wait:
        click.echo(
            f"build {build.id} is {build.phase}{f': {build.reason}' if build.reason else ''}"
        )
    else:
        click.echo(f"build {build.id} is queued; follow it: build-hook logs -f {build.id}")
    if wait and build.phase is not store.Phase.LIVE:
        raise SystemExit(1)


def _registered(with_settings: settings.Settings, name: str) -> project.Project:
    found = registry.load(with_settings.registry).find(name)
    if found is None:
        raise errors.RegistryError(f"There is no project {name}", "List them: build-hook projects")
    return found


def _print_log(
    with_settings: settings.Settings,
    known: store.Builds,
    build: int,
    follow: bool,
    quiet: bool = False,
) -> None:
    file = buildlog.path(with_settings.logs, build)
    printed = 0
    while True:
        ended = known.get(build).finished is not None
        printed = _print_rest(file, printed, quiet)
        if ended or not follow:
            return
        time.sleep(_FOLLOW_EVERY)


def _print_rest(file: pathlib.Path, printed: int, quiet: bool) -> int:
    if not file.exists():
        return printed
    with file.open("rb") as log:
        log.seek(printed)
        rest = log.read()
    if not quiet:
        click.echo(rest.decode(errors="replace"), nl=False)
    return printed + len(rest)


def row(build: store.Build) -> dict[str, Any]:
    """What ``--json`` tells of a build."""
    return {
        "id": build.id,
        "project": build.project,
        "commit": build.commit,
        "message": build.message,
        "ref": build.ref,
        "cause": build.cause,
        "phase": build.phase,
        "reason": build.reason,
        "created": build.created,
        "finished": build.finished,
        "image": build.image,
        "image_digest": build.image_digest,
        "requests": build.requests,
        "failed": build.failed,
        "longest_gap_ms": build.longest_gap_ms,
    }


def _took(build: store.Build) -> str:
    return f"{(build.finished or time.time()) - build.created:.1f} s"

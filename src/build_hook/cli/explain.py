"""``explain``: what a delivery says and what would follow, without acting."""

import json
import pathlib
import time
from typing import Any, BinaryIO, cast

import click

from build_hook import registry, secret_files, settings
from build_hook.cli import options
from build_hook.judging import explain as explanation
from build_hook.judging import matching
from build_hook.store import archive, session

_FILE = click.Path(path_type=pathlib.Path, exists=True, dir_okay=False)


@click.command()
@click.argument("delivery", required=False, type=int)
@click.option("--headers", type=_FILE, help="JSON object of header name to value.")
@click.option("--body", type=click.File("rb"), help="Body, byte for byte.")
@click.option(
    "--registry",
    "registry_file",
    type=_FILE,
    help="Registry to match against, with its folder of secrets beside it; "
    "the state folder's by default.",
)
@click.option("--secret", help="Secret to verify with, in place of the projects' own.")
@click.option("--at", type=float, metavar="SECONDS", help="Time of arrival, default: now.")
@options.as_json
@click.pass_context
def explain(
    context: click.Context,
    delivery: int | None,
    headers: pathlib.Path | None,
    body: BinaryIO | None,
    registry_file: pathlib.Path | None,
    secret: str | None,
    at: float | None,
    as_json: bool,
) -> None:
    """Say what a delivery means: who sent it, what moved, which project would be built.

    DELIVERY is the number of one that was stored, as build-hook deliveries lists it.
    """
    if (delivery is None) == (headers is None or body is None):
        raise click.UsageError("Give --headers and --body, or the number of a stored delivery")
    state = context.find_root().obj
    path = registry_file or settings.state_folder(state) / "registry.json"
    index = matching.Index(registry.load(path).projects)
    if headers is not None and body is not None:
        found = explanation.look(
            _headers(headers),
            body.read(),
            index,
            secret_files.SecretFiles(path.parent / "secrets").read,
            given=secret.encode("utf-8", "surrogateescape") if secret is not None else None,
            now=time.time() if at is None else at,
        )
    else:
        stored = archive.Archive(session.Session(settings.load(state).database))
        number = cast("int", delivery)
        found = explanation.recall(stored.get(number), stored.body(number), index)
    if as_json:
        options.print_json(found)
    else:
        click.echo("\n".join(_lines(found)))


def _headers(path: pathlib.Path) -> dict[str, str]:
    """The headers by lower-case name; a value that is a list is joined, as HTTP does."""
    try:
        given: object = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise click.BadParameter(f"{path} is not JSON", param_hint="--headers") from error
    if not isinstance(given, dict):
        raise click.BadParameter(f"{path} is not a JSON object", param_hint="--headers")
    items = cast("dict[str, object]", given).items()
    return {name.lower(): _text(value) for name, value in items if value is not None}


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(part) for part in cast("list[object]", value))
    return str(value)


def _lines(found: dict[str, Any]) -> list[str]:
    """The object as text for a person."""
    proof = {True: "yes", False: "NO", None: "no secret is known"}[found["verified"]]
    lines = [
        found["summary"],
        f"event       {found['event']} of {found['provider']}, which is a {found['kind']}",
        f"repository  {found['repository'] or '-'}",
        f"verified    {proof}",
    ]
    lines += [f"change      {_moved(change)}" for change in found["changes"]]
    lines += [
        f"project     {match['project']}: {match['action']}, {match['reason']}"
        for match in found["matches"]
    ]
    return lines if found["matches"] else [*lines, "project     none has this repository"]


def _moved(change: dict[str, Any]) -> str:
    what = "deleted" if change["deleted"] else "created" if change["created"] else "moved"
    message = str(change["head_message"] or "").partition("\n")[0]
    return f"{change['ref']} {what} to {change['after'] or '-'} {message!a}"

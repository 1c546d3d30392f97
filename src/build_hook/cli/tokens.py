"""``token``: who may call the API."""

import dataclasses
import time

import click

from build_hook import settings
from build_hook.cli import options
from build_hook.store import session, tokens

_DAY = 86_400


@click.group()
def token() -> None:
    """Make, list and revoke tokens of the API."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice([str(scope) for scope in tokens.Scope]),
    required=True,
    help="What it opens; deploy opens what read does, admin everything.",
)
@click.option("--expires", type=click.FloatRange(0, min_open=True), metavar="DAYS")
@options.as_json
@options.with_settings
def create(
    with_settings: settings.Settings, name: str, scope: str, expires: float | None, as_json: bool
) -> None:
    """Make a token and print it, this once: only its hash is kept."""
    until = time.time() + expires * _DAY if expires is not None else None
    made, secret = _tokens(with_settings).create(name, tokens.Scope(scope), until)
    if as_json:
        options.print_json({**dataclasses.asdict(made), "token": secret})
        return
    click.echo(secret)
    click.echo("Keep it: it is not shown again. Send it as Authorization: Bearer …", err=True)


@token.command("list")
@options.as_json
@options.with_settings
def list_(with_settings: settings.Settings, as_json: bool) -> None:
    """List the tokens; what they say is not kept."""
    found = _tokens(with_settings).all()
    if as_json:
        options.print_json({"tokens": [dataclasses.asdict(one) for one in found]})
        return
    options.print_table(
        ("token", "scope", "created", "expires", "last used"),
        [
            (
                one.name,
                one.scope,
                options.moment(one.created),
                _expiry(one),
                options.moment(one.last_used),
            )
            for one in found
        ],
    )


@token.command()
@click.argument("name")
@options.as_json
@options.with_settings
def revoke(with_settings: settings.Settings, name: str, as_json: bool) -> None:
    """End a token at once."""
    _tokens(with_settings).revoke(name)
    if as_json:
        options.print_json({"token": name, "revoked": True})
    else:
        click.echo(f"{name} opens nothing any more")


def _tokens(with_settings: settings.Settings) -> tokens.Tokens:
    return tokens.Tokens(session.Session(with_settings.database))


def _expiry(one: tokens.Token) -> str:
    if one.expires is not None and one.expires <= time.time():
        return "has expired"
    return options.moment(one.expires)

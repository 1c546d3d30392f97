"""``certificate``: what published ports show in TLS."""

import pathlib
import re
from typing import Any

import click

from build_hook import certificate as pem
from build_hook import errors, registry, secret_files, settings, values
from build_hook.cli import options

_FILE = click.Path(path_type=pathlib.Path, exists=True, dir_okay=False)


@click.group()
def certificate() -> None:
    """Add, list and remove certificates of published ports."""


@certificate.command()
@click.argument("name")
@click.option("--file", "file", type=_FILE, required=True, help="PEM: certificate, then chain.")
@click.option("--key", type=_FILE, help="PEM of the key, where it is not in the same file.")
@options.as_json
@options.with_settings
def add(
    with_settings: settings.Settings,
    name: str,
    file: pathlib.Path,
    key: pathlib.Path | None,
    as_json: bool,
) -> None:
    """Add a certificate, or put a renewed one in the place of the old; no request fails."""
    path = _path(with_settings, name)
    content = file.read_bytes()
    if key is not None:
        content = content.rstrip(b"\n") + b"\n" + key.read_bytes()
    with_settings.certificates.mkdir(mode=0o700, exist_ok=True)
    draft = path.with_name(f".{name}.new")
    try:
        secret_files.write(draft, content)
        found = pem.read(draft, name)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    if as_json:
        options.print_json(_row(name, found, _users(with_settings)))
        return
    click.echo(f"{name} is for {', '.join(found.names)} and good until {found.last_day}")
    if name not in _users(with_settings):
        click.echo(f'To use it: "certificates": ["{name}"] at a published port in the registry')


@certificate.command("list")
@options.as_json
@options.with_settings
def list_(with_settings: settings.Settings, as_json: bool) -> None:
    """List the certificates, what they are for and who uses them."""
    users = _users(with_settings)
    names = users.keys() | {path.stem for path in with_settings.certificates.glob("[!.]*.pem")}
    rows = [_look(with_settings, name, users) for name in sorted(names)]
    if as_json:
        options.print_json({"certificates": rows})
        return
    options.print_table(
        ("certificate", "for", "good until", "used by", "note"),
        [
            (
                row["name"],
                ", ".join(row["hosts"]) or "-",
                options.moment(row["expires"]),
                ", ".join(row["projects"]) or "-",
                row["problem"] or "",
            )
            for row in rows
        ],
    )


@certificate.command()
@click.argument("name")
@options.as_json
@options.with_settings
def remove(with_settings: settings.Settings, name: str, as_json: bool) -> None:
    """Remove a certificate that no project uses."""
    path = _path(with_settings, name)
    users = _users(with_settings).get(name)
    if users:
        raise errors.CertificateError(
            f"The certificate {name} is used by {', '.join(users)}",
            "Take it out of the certificates of their ports first",
        )
    if not path.exists():
        raise errors.CertificateError(
            f"There is no certificate {name}", "List them: build-hook certificate list"
        )
    path.unlink()
    if as_json:
        options.print_json({"certificate": name, "removed": True})
    else:
        click.echo(f"{name} is removed")


def _path(with_settings: settings.Settings, name: str) -> pathlib.Path:
    if not re.fullmatch(values.SECRET_NAME, name):
        raise errors.CertificateError(
            f"{name!r} is not a name for a certificate", "Use a-z, 0-9, dots and dashes"
        )
    return with_settings.certificates / f"{name}.pem"


def _users(with_settings: settings.Settings) -> dict[str, list[str]]:
    """The projects that use each certificate."""
    found: dict[str, list[str]] = {}
    for of in registry.load(with_settings.registry).projects:
        for name in of.certificates:
            found.setdefault(name, []).append(of.name)
    return found


def _look(
    with_settings: settings.Settings, name: str, users: dict[str, list[str]]
) -> dict[str, Any]:
    try:
        found = pem.read(_path(with_settings, name), name)
    except errors.CertificateError as error:
        return {**_row(name, None, users), "problem": str(error)}
    return _row(name, found, users)


def _row(name: str, found: pem.Certificate | None, users: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "name": name,
        "hosts": list(found.names) if found else [],
        "expires": found.expires if found else None,
        "projects": users.get(name, []),
        "problem": found.warning(name) if found else None,
    }

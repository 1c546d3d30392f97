"""``host-key``: which SSH servers are believed to be the ones that their names say."""

import click

from build_hook import errors, settings
from build_hook.cli import options
from build_hook.deploy.repository import host_keys


@click.group("host-key")
def host_key() -> None:
    """Keys of SSH servers that repositories are read from."""


@host_key.command()
@click.argument("host", metavar="HOST[:PORT]")
@click.option(
    "--fingerprint",
    metavar="SHA256:…",
    help="As the host publishes it: only a key that has it is accepted, nothing is asked.",
)
@options.as_json
@options.with_settings
def add(
    with_settings: settings.Settings, host: str, fingerprint: str | None, as_json: bool
) -> None:
    """Ask a server for its keys, and accept them once they were compared."""
    shown = host_keys.scan(host)
    if fingerprint is not None:
        keys = [key for key in shown if key.fingerprint == fingerprint]
        if not keys:
            raise errors.CheckoutError(
                f"{host} shows no key with {fingerprint}, but "
                + ", ".join(key.fingerprint for key in shown),
                "Do not accept it before you know why",
            )
    else:
        keys = shown
        for key in keys:
            click.echo(f"{key.fingerprint}  {key.kind}", err=True)
        click.confirm(
            f"Does {host} publish these fingerprints, on a page that you trust?",
            abort=True,
            err=True,
        )
    host_keys.accept(with_settings.known_hosts, keys)
    _print(keys, as_json)


@host_key.command("list")
@options.as_json
@options.with_settings
def list_(with_settings: settings.Settings, as_json: bool) -> None:
    """Print the keys that are believed, those that came with the product last."""
    accepted = host_keys.read(with_settings.known_hosts)
    _print([*accepted, *host_keys.read(host_keys.SHIPPED)], as_json)


@host_key.command()
@click.argument("host", metavar="HOST[:PORT]")
@options.as_json
@options.with_settings
def remove(with_settings: settings.Settings, host: str, as_json: bool) -> None:
    """Forget the keys of a server that were accepted."""
    count = host_keys.forget(with_settings.known_hosts, host)
    if not count:
        raise errors.CheckoutError(
            f"No key of {host} was accepted here", "List them: build-hook host-key list"
        )
    if as_json:
        options.print_json({"host": host, "removed": count})
    else:
        click.echo(f"{count} keys of {host} are forgotten")


def _print(keys: list[host_keys.HostKey], as_json: bool) -> None:
    if as_json:
        rows = [{"host": k.names, "kind": k.kind, "fingerprint": k.fingerprint} for k in keys]
        options.print_json({"keys": rows})
        return
    options.print_table(
        ("host", "kind", "fingerprint"), [(k.names, k.kind, k.fingerprint) for k in keys]
    )

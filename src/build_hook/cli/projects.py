"""``add`` and ``remove``: the registry on one machine without Juju."""

import contextlib
import pathlib
import secrets
import typing
from typing import Any

import click
import pydantic

from build_hook import composed, errors, part, project, registry, settings
from build_hook.cli import entry, options
from build_hook.store import builds


@click.command()
@click.argument("name")
@click.option("--repository", help="Clone URL.")
@click.option(
    "--image", metavar="REF", help="Image to pull in place of building one, such as ghcr.io/a/b:1."
)
@click.option(
    "--registry-login",
    type=click.Path(path_type=pathlib.Path, exists=True, dir_okay=False),
    help="File with USER:PASSWORD for the image's registry.",
)
@click.option("--ref", default="main", show_default=True, help="Branch or full ref to follow.")
@click.option(
    "--publish",
    multiple=True,
    metavar="[SERVICE=]PORT:TARGET[/tcp|/udp]",
    help="Published port and the container's; /tcp where it does not speak HTTP, /udp for UDP.",
)
@click.option(
    "--host", multiple=True, metavar="NAME", help="Host name on ports that projects share."
)
@click.option("--certificate", multiple=True, metavar="NAME", help="Certificate: ports speak TLS.")
@click.option(
    "--redirect-from", type=int, metavar="PORT", help="Plain HTTP port that leads to the TLS port."
)
@click.option(
    "--health",
    multiple=True,
    metavar="[SERVICE=]PATH",
    help="Path that answers 2xx when a version is ready.",
)
@click.option("--context", default=".", show_default=True, help="Folder that is built.")
@click.option("--dockerfile", default="Dockerfile", show_default=True)
@click.option(
    "--script",
    metavar="PATH",
    help="Script of the repository that builds and starts it, as in 2015: build.sh.",
)
@click.option(
    "--compose", is_flag=True, help="The repository has a compose file: several containers."
)
@click.option("--compose-file", metavar="PATH", help="Where it is, if not in the root.")
@click.option("--profile", multiple=True, metavar="NAME", help="Profile whose services run too.")
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice(typing.get_args(composed.Allowed)),
    help="What the compose file may ask for that is else only the operator's.",
)
@click.option("--build-arg", multiple=True, metavar="KEY=VALUE")
@click.option("--env", "-e", multiple=True, metavar="KEY=VALUE", help="Environment to run with.")
@click.option(
    "--secret",
    multiple=True,
    metavar="NAME[:TARGET]",
    help="File in the folder secrets that the container finds in /run/secrets, or at TARGET.",
)
@click.option("--volume", "-v", multiple=True, metavar="SOURCE:TARGET[:ro]")
@click.option(
    "--secret-file",
    type=click.Path(path_type=pathlib.Path, exists=True, dir_okay=False),
    help="File with the webhook secret; one is made where none is given.",
)
@click.option(
    "--match",
    type=click.Choice(("full-name", "short-name")),
    default="full-name",
    show_default=True,
    help="What of a delivery's repository must be the same; short-name is the way of 2015.",
)
@click.option(
    "--deploy-key-file",
    type=click.Path(path_type=pathlib.Path, exists=True, dir_okay=False),
    help="File with the private SSH key that reads the repository; it is copied.",
)
@click.option(
    "--access-token-file",
    type=click.Path(path_type=pathlib.Path, exists=True, dir_okay=False),
    help="File with the token that reads the repository over https; it is copied.",
)
@click.option("--access-user", metavar="NAME", help="User that goes with the token.")
@click.option("--submodules", is_flag=True, help="Bring the repository's submodules as well.")
@click.option("--lfs", is_flag=True, help="Bring the files that Git LFS keeps.")
@options.as_json
@options.with_settings
def add(with_settings: settings.Settings, as_json: bool, **given: Any) -> None:
    """Register a project, or change one; it is built or pulled at once."""
    name = str(given["name"])
    if bool(given["repository"]) == bool(given["image"]):
        raise click.UsageError("Give either --repository or --image.")
    if given["script"] and entry.is_composed(given):
        raise click.UsageError("Give either --script or --compose.")
    secret = _keep_secret(with_settings, name, given["secret_file"])
    login = given["registry_login"]
    if login is not None:
        given["registry_login"] = _write_secret(with_settings, f"{name}.registry", login).name
    logins = {
        field: _keep_secret(with_settings, f"{name}.{suffix}", given[f"{field}_file"]).name
        for field, suffix in (("deploy_key", "deploy-key"), ("access_token", "access-token"))
        if given[f"{field}_file"]
    }
    try:
        new = entry.of({**given, **logins}, secret.name)
        others = registry.load(with_settings.registry).projects
        content = registry.Registry(
            projects=(*(p for p in others if p.name != name), new),
        )
    except pydantic.ValidationError as error:
        message, _ = settings.explain(error, f"project {name}")
        raise errors.RegistryError(message, "See: build-hook add --help") from error
    registry.save(with_settings.registry, content)
    webhook = f"{_base_url(with_settings)}/hooks/{name}"
    if as_json:
        options.print_json({"project": name, "webhook": webhook, "secret_file": str(secret)})
        return
    _show_webhook(new, webhook, secret)


def _show_webhook(of: project.Project, url: str, secret: pathlib.Path) -> None:
    """Tell what to enter at the git host or the registry."""
    if of.image is None:
        click.echo(f"{of.name} is registered. At your git host, add a push webhook:")
        click.echo(f"  URL           {url}")
        click.echo("  content type  application/json")
        click.echo(f"  secret        the content of {secret}")
        return
    click.echo(
        f"{of.name} is registered. At your registry, add a webhook for pushes of the image:"
    )
    click.echo(f"  URL                   {url}")
    click.echo(f"  header Authorization  Bearer and the content of {secret}")


@click.command()
@click.argument("name")
@click.option("--keep", is_flag=True, help="Have what serves go on serving, unchanged.")
@options.as_json
@options.with_settings
def remove(with_settings: settings.Settings, name: str, keep: bool, as_json: bool) -> None:
    """Unregister a project; its containers and images are removed, volumes are kept."""
    current = registry.load(with_settings.registry)
    found = current.find(name)
    if found is None:
        raise errors.RegistryError(f"There is no project {name}", "List them: build-hook projects")
    if keep:
        _require_serving(with_settings, found)
    left = [found.model_copy(update={"kept": True})] if keep else []
    rest = tuple(p for p in current.projects if p.name != name)
    registry.save(with_settings.registry, registry.Registry(projects=(*rest, *left)))
    if as_json:
        options.print_json({"project": name, "removed": True, "kept": keep})
    else:
        serves = "; what serves is kept" if keep else ""
        click.echo(f"{name} is no longer registered{serves}")


def _require_serving(with_settings: settings.Settings, of: project.Project) -> None:
    with contextlib.closing(builds.Builds(with_settings.database)) as store:
        served = {part.root(unit) for unit in store.serving()}
    if of.name not in served:
        raise errors.RegistryError(
            f"Nothing serves of {of.name} that could be kept",
            f"Without --keep: build-hook remove {of.name}",
        )


def _keep_secret(
    with_settings: settings.Settings, name: str, given: pathlib.Path | None
) -> pathlib.Path:
    """The file that holds a project's secret; an existing one is kept unless one is given."""
    if pydantic.TypeAdapter(str).validate_python(name) != pathlib.PurePath(name).name:
        raise errors.RegistryError(f"{name!r} is not a project name", "Use a-z, 0-9 and dashes")
    file = with_settings.secrets / name
    if given or not file.exists():
        return _write_secret(with_settings, name, given)
    return file


def _write_secret(
    with_settings: settings.Settings, name: str, given: pathlib.Path | None
) -> pathlib.Path:
    """Write the content of a file, or a value of chance, into the file of a secret."""
    file = with_settings.secrets / name
    value = given.read_text(encoding="utf-8").strip() if given else secrets.token_hex(32)
    draft = file.with_name(f".{name}.new")
    draft.touch(mode=0o600)
    draft.write_text(f"{value}\n", encoding="utf-8")
    draft.replace(file)
    return file


def _base_url(with_settings: settings.Settings) -> str:
    return with_settings.public_url or f"http://ADDRESS-OF-THIS-MACHINE:{with_settings.port}"

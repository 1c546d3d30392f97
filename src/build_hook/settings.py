"""Settings: where the state lives and how the processes behave.

The only place that reads the environment. A value comes from, strongest first: a
``BUILD_HOOK_<NAME>`` variable, ``settings.toml`` in the state folder, the default.
"""

import contextlib
import os
import pathlib
import secrets
import tomllib
from collections.abc import Mapping
from typing import Annotated, Literal

import pydantic

from build_hook import addresses, errors, folders, values, windows, zones

PREFIX = "BUILD_HOOK_"
# sun_path holds 108 bytes; the longest socket name below the state folder needs 26 of them.
LONGEST_STATE_PATH = 80


def _split(given: object) -> object:
    if not isinstance(given, str):
        return given
    return [part.strip() for part in given.split(",") if part.strip()]


class Settings(folders.Folders):
    """Everything an operator can set, frozen."""

    listen: str = pydantic.Field(default="0.0.0.0", description="address of web")  # noqa: S104
    port: Annotated[int, pydantic.Field(ge=0, le=65535)] = pydantic.Field(
        default=8080, description="port of web; 0 takes a free one"
    )
    publish_address: str = pydantic.Field(
        default="0.0.0.0",  # noqa: S104
        description="address that the proxy binds published ports on; `::` includes IPv4",
    )
    public_url: str | None = pydantic.Field(
        default=None, description="how others reach web, for the links it gives out"
    )
    tls_port: Annotated[int, pydantic.Field(ge=0, le=65535)] = pydantic.Field(
        default=0,
        description="port at which the proxy publishes web with TLS, beside port; 0: not at all",
    )
    tls_certificate: values.SecretName = pydantic.Field(
        default="web", description="name of the certificate (build-hook certificate) of tls_port"
    )
    docker_host: str = pydantic.Field(
        default="unix:///var/run/docker.sock", description="where the Docker engine listens"
    )
    concurrency: Annotated[int, pydantic.Field(ge=1, le=64)] = pydantic.Field(
        default=2, description="deploys side by side, each of another project"
    )
    min_free_mb: Annotated[int, pydantic.Field(ge=0)] = pydantic.Field(
        default=1024, description="free space below which no build starts, in MiB"
    )
    keep_images: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(
        default=5, description="images kept per project for roll-backs"
    )
    keep_builds: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(
        default=200, description="finished builds remembered per project, with their logs"
    )
    build_log_mb: Annotated[float, pydantic.Field(gt=0)] = pydantic.Field(
        default=10, description="most of a build's log that is kept, in MiB"
    )
    keep_logs_days: Annotated[float, pydantic.Field(gt=0)] = pydantic.Field(
        default=90, description="days that logs of builds are kept, if their records are"
    )
    keep_logs_mb: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(
        default=1024, description="most that all logs may hold, in MiB; the oldest go first"
    )
    disk_high_percent: Annotated[float, pydantic.Field(gt=0, le=100)] = pydantic.Field(
        default=90,
        description="use of the disk above which images go that neither serve nor served last",
    )
    build_cache_mb: Annotated[int, pydantic.Field(ge=0)] = pydantic.Field(
        default=0,
        description="size that the build cache of the engine is cut down to, in MiB, whoever "
        "made it; 0 leaves it alone",
    )
    build_limits: Literal["try", "required", "off"] = pydantic.Field(
        default="try",
        description="limits of builds: try holds them where this machine lets it and says so "
        "where not, required refuses to build there",
    )
    build_cpus: Annotated[float, pydantic.Field(ge=0)] = pydantic.Field(
        default=0, description="processors for all builds together; 0 is half of the machine's"
    )
    build_memory_mb: Annotated[int, pydantic.Field(ge=0)] = pydantic.Field(
        default=0, description="memory for all builds, in MiB; 0 is half of the machine's"
    )
    build_pids: Annotated[int, pydantic.Field(ge=0)] = pydantic.Field(
        default=0,
        description="processes and threads of all builds together; 0 is 512 for each processor",
    )
    build_context_mb: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(
        default=1024, description="most that the files of a commit may hold, in MiB"
    )
    reconcile_interval: Annotated[float, pydantic.Field(ge=1)] = pydantic.Field(
        default=300, description="seconds between two looks at the repositories"
    )
    max_body_mb: Annotated[float, pydantic.Field(gt=0)] = pydantic.Field(
        default=25, description="largest delivery accepted, in MiB"
    )
    web_workers: Annotated[int, pydantic.Field(ge=0, le=16)] = pydantic.Field(
        default=0, description="processes of web; 0 takes one for each processor, at most two"
    )
    keep_deliveries_days: Annotated[float, pydantic.Field(gt=0)] = pydantic.Field(
        default=30, description="days that deliveries are kept, to look at and to replay"
    )
    keep_deliveries_mb: Annotated[float, pydantic.Field(gt=0)] = pydantic.Field(
        default=512, description="most that kept deliveries may hold, in MiB; the oldest go first"
    )
    trusted_proxies: Annotated[
        tuple[Annotated[str, pydantic.AfterValidator(addresses.check)], ...],
        pydantic.BeforeValidator(_split),
    ] = pydantic.Field(
        default=(),
        description="networks whose X-Forwarded-For is believed; in a variable with commas",
    )

    freeze: Annotated[
        tuple[Annotated[str, pydantic.AfterValidator(windows.check)], ...],
        pydantic.BeforeValidator(_split),
    ] = pydantic.Field(
        default=(),
        description="windows in which pushes of all projects wait, such as Fri 16:00 - Mon 07:00; "
        "in a variable with commas",
    )
    loki_urls: Annotated[
        tuple[Annotated[str, pydantic.Field(pattern=r"^https?://[^\s/?#@]+/")], ...],
        pydantic.BeforeValidator(_split),
    ] = pydantic.Field(
        default=(),
        description="where logs are pushed to, such as http://loki.example:3100/loki/api/v1/push; "
        "in a variable with commas",
    )
    loki_labels: Annotated[values.Pairs, pydantic.BeforeValidator(_split)] = pydantic.Field(
        default_factory=dict,
        description="labels of every line that is pushed; in a variable NAME=value with commas",
    )
    container_logs: Literal["auto", "engine", "journal"] = pydantic.Field(
        default="auto",
        description="where new containers log to: engine, its own files, or journal, the "
        "machine's; auto is journal where logs are pushed and systemd runs",
    )
    script_helper: pathlib.Path | None = pydantic.Field(
        default=None,
        description="where the build-hook.py of 2015 is put for projects' own scripts, such as "
        "/home/ubuntu/hooked/build-hook.py; one that was there is kept beside it",
    )
    time_zone: Annotated[str, pydantic.AfterValidator(zones.check)] = pydantic.Field(
        default="UTC", description="zone of freeze and rebuild, such as Europe/Berlin"
    )

    @pydantic.model_validator(mode="after")
    def _has_a_way_to_web(self) -> "Settings":
        if self.tls_port and self.port in (0, self.tls_port):
            raise ValueError("tls_port needs a port of its own, and port must not be 0")
        return self


def load(state: pathlib.Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of one state folder, and create what is missing below it.

    Raises:
        SettingsError: if a value is wrong or the folder cannot be used.
    """
    folder = state_folder(state, environ)
    given: dict[str, object] = {**_from_file(folder / "settings.toml"), **_from(environ)}
    try:
        settings = Settings.model_validate({**given, "state": folder})
    except pydantic.ValidationError as error:
        raise errors.SettingsError(*explain(error, "settings")) from error
    _prepare(settings)
    return settings


def state_folder(
    state: pathlib.Path | None = None, environ: Mapping[str, str] = os.environ
) -> pathlib.Path:
    """Where the state belongs, whether or not it is there."""
    return (state or pathlib.Path(environ.get(f"{PREFIX}STATE", _default_state()))).absolute()


def explain(error: pydantic.ValidationError, what: str) -> tuple[str, str]:
    """One line per fault, as (message, hint)."""
    faults = "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or what}: "
        f"{fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors()
    )
    return (
        f"The {what} cannot be used: {faults}",
        f"Correct the {what}, it is read again by itself",
    )


def _default_state() -> str:
    if os.geteuid() == 0:
        return "/var/lib/build-hook"
    return str(pathlib.Path.home() / ".local/state/build-hook")


def _from_file(path: pathlib.Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise errors.SettingsError(
            f"{path} cannot be read: {error}", "Correct the file"
        ) from error


def _from(environ: Mapping[str, str]) -> dict[str, object]:
    names = Settings.model_fields.keys() - {"state"}
    return {n: environ[PREFIX + n.upper()] for n in names if PREFIX + n.upper() in environ}


def _prepare(settings: Settings) -> None:
    if len(str(settings.state)) > LONGEST_STATE_PATH:
        raise errors.SettingsError(
            f"The state folder's path is longer than {LONGEST_STATE_PATH} characters",
            "Choose a shorter one: Unix sockets below it have no room for more",
        )
    try:
        for folder in (settings.secrets, settings.repositories, settings.checkouts):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (settings.logs, settings.run):
            folder.mkdir(mode=0o750, exist_ok=True)
        _name_instance(settings.state / "instance")
    except OSError as error:
        raise errors.SettingsError(
            f"The state folder {settings.state} cannot be used: {error.strerror}",
            "Run as its owner, or choose another folder with --state or BUILD_HOOK_STATE",
        ) from error


def _name_instance(path: pathlib.Path) -> None:
    if path.exists():
        return
    draft = path.with_name(f".instance.{os.getpid()}")
    draft.write_text(f"{secrets.token_hex(4)}\n", encoding="ascii")
    with contextlib.suppress(FileExistsError):  # another process named it first
        os.link(draft, path)
    draft.unlink()

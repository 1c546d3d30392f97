"""HAProxy's configuration as a file: what listens, every backend, and which slot of it is live."""

import dataclasses
import functools
import grp
import importlib.resources
import os
import pathlib
import re
from collections.abc import Callable, Sequence

import jinja2

from build_hook import project, settings
from build_hook.proxy import frontends

# Two versions at a time, one more that long sessions still hold, one to spare.
SLOTS = 4
# Bounds HAProxy's memory where the machine's own limit is very high; two files a connection.
FILE_LIMIT = 20_000
# An address that nothing listens on, for slots that have no container.
NOWHERE = "127.0.0.1"
_USER = "haproxy"
_FRONTEND = re.compile(r"^frontend port\.(\d+) .*\n(?:    .*\n)*", re.MULTILINE)
_TEMPLATES = importlib.resources.files("build_hook") / "templates"


@dataclasses.dataclass(frozen=True, slots=True)
class Slot:
    """One server line of a backend: a place for one container of the version in slot ``index``."""

    index: int
    name: str
    address: str
    port: int
    is_live: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Listener:
    """A published port of a project, with its slots: a backend of HAProxy."""

    name: str
    project: str
    mode: str
    published: int
    target: int
    holds: bool
    slots: tuple[Slot, ...]

    @property
    def is_balanced(self) -> bool:
        """Whether a version may have several containers."""
        return len(self.slots) > SLOTS


def slot_name(index: int, replica: int = 0) -> str:
    """The name of a server line."""
    return f"s{index}.{replica}" if replica else f"s{index}"


def slot_index(name: str) -> int:
    """The slot that a server line belongs to."""
    return int(name.removeprefix("s").partition(".")[0])


def listeners(
    of: project.Project, live: int | None, addresses: Sequence[str] = (), *, holds: bool = False
) -> list[Listener]:
    """The listeners of a project whose live version is in slot ``live`` at these addresses.

    An empty address is that of a container that does not run. ``holds`` if requests can be
    told to wait; those of a project that is recreated always can.
    """
    width = max(len(addresses), of.deploy.replicas)
    places = [*addresses, *[""] * (width - len(addresses))]
    return [
        Listener(
            name=frontends.backend_name(of, port),
            project=of.name,
            mode=port.app_protocol,
            published=port.published,
            target=port.target,
            holds=holds or of.stops_first,
            slots=tuple(
                Slot(
                    index=index,
                    name=slot_name(index, replica),
                    address=address if index == live and address else NOWHERE,
                    port=port.target if index == live and address else 1,
                    is_live=index == live and bool(address),
                )
                for index in range(SLOTS)
                for replica, address in enumerate(places)
            ),
        )
        for port in of.stream_ports
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """All that HAProxy is to do."""

    fronts: Sequence[frontends.Frontend] = ()
    redirects: Sequence[int] = ()
    listeners: Sequence[Listener] = ()
    web: str | None = None
    held: Sequence[str] = ()

    @property
    def shape(self) -> object:
        """What only a reload can change."""
        backends = {
            (item.name, item.mode, item.target, item.holds, len(item.slots))
            for item in self.listeners
        }
        return tuple(self.fronts), tuple(self.redirects), frozenset(backends), self.web


def folder(with_settings: settings.Settings) -> pathlib.Path:
    """Where the files are that the configuration refers to."""
    path = with_settings.run / "frontends"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def holds_file(with_settings: settings.Settings) -> pathlib.Path:
    """Where HAProxy's workers read at their start which backends hold their requests."""
    return with_settings.run / "holds"


def render(with_settings: settings.Settings, plan: Plan) -> str:
    """The configuration file's text."""
    user = _user()
    return _template().render(
        frontends=plan.fronts,
        redirects=plan.redirects,
        listeners=plan.listeners,
        web=plan.web,
        folder=folder(with_settings),
        bind=functools.partial(_bind, with_settings.publish_address),
        socket=with_settings.run / "haproxy.sock",
        idle_socket=with_settings.run / "haproxy-idle.sock",
        file_limit=FILE_LIMIT,
        user=user,
        group=user,
        holds=holds_file(with_settings),
        lua=_TEMPLATES,
    )


def without(text: str, is_lost: Callable[[int], bool]) -> tuple[str, list[int]]:
    """A configuration without the published ports that are lost, and which those are."""
    lost: list[int] = []

    def keep(found: re.Match[str]) -> str:
        if not is_lost(int(found[1])):
            return found[0]
        lost.append(int(found[1]))
        return ""

    return _FRONTEND.sub(keep, text), lost


def write(path: pathlib.Path, text: str) -> bool:
    """Replace the file if it would say something else; returns whether it was written."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    draft = path.with_suffix(".new")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o640)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return True


def _bind(address: str, port: int) -> str:
    """Where to listen, as HAProxy has it; on ``::`` IPv4 is served too."""
    if ":" not in address:
        return f"{address}:{port}"
    return f"[{address}]:{port}{' v4v6' if address == '::' else ''}"


def _user() -> str | None:
    """The user that HAProxy becomes once it has its ports, where we may choose."""
    try:
        grp.getgrnam(_USER)
    except KeyError:
        return None
    return _USER if os.geteuid() == 0 else None


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("build_hook"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - not HTML; every value comes from validated models
    )
    return environment.get_template("haproxy.cfg.j2")

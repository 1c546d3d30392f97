"""What listens on the published ports, and which project a request there is for.

Host names are looked up in a map file, certificates in a list file. Both are named by what they
say, so that HAProxy's configuration never means another file than it was written with.
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterable

from build_hook import project, service
from build_hook.proxy import entrance

# A file, and what tells its contents from other ones.
File = tuple[pathlib.Path, str]
# HAProxy's expressions for the name that a client asked for.
_ASKED = {
    ("http", False): "req.hdr(host),host_only,lower,rtrim(.)",
    ("http", True): "req.hdr(host),host_only,lower,rtrim(.)",
    ("tcp", False): "req.ssl_sni,lower",
    ("tcp", True): "ssl_fc_sni,lower",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Frontend:
    """One published port; ``routes`` are host names and backends, ``default`` that for others."""

    published: int
    mode: str
    routes: tuple[tuple[str, str], ...] = ()
    default: str | None = None
    certificates: tuple[File, ...] = ()

    @property
    def name(self) -> str:
        """Its name in HAProxy; no project's backend has a dot."""
        return f"port.{self.published}"

    @property
    def asked(self) -> str:
        """The expression for the host name that a client asks for."""
        return _ASKED[self.mode, bool(self.certificates)]

    @property
    def waits_for_name(self) -> bool:
        """Whether the name stands in the first bytes of a connection that is passed on whole."""
        return self.mode == "tcp" and bool(self.routes) and not self.certificates

    @property
    def hosts_file(self) -> str:
        """The name of its map of host names."""
        return f"{self.published}-{_digest(repr(self.routes))}.map"

    @property
    def certificates_file(self) -> str:
        """The name of its list of certificates; the first is for clients that name no host."""
        return f"{self.published}-{_digest(repr(self.certificates))}.list"

    @property
    def files(self) -> dict[str, str]:
        """What these files say, by name."""
        found: dict[str, str] = {}
        if self.routes:
            found[self.hosts_file] = "".join(f"{host} {to}\n" for host, to in self.routes)
        if self.certificates:
            found[self.certificates_file] = "".join(f"{path}\n" for path, _ in self.certificates)
        return found


def backend_name(of: project.Project, port: service.Port) -> str:
    """The name of what serves a project's port."""
    return f"{of.name}-{port.published}"


def project_of(backend: str) -> str:
    """The project that a backend's name says."""
    return backend.rpartition("-")[0]


def redirect_name(published: int) -> str:
    """The name of the backend that sends requests on to a port with TLS."""
    return f"redirect.{published}"


class Builder:
    """Collects the ports of projects until they make frontends."""

    def __init__(self) -> None:
        self._ports: dict[int, Frontend] = {}
        self.redirects: set[int] = set()

    def add(self, of: project.Project, port: service.Port, files: Iterable[File]) -> None:
        """Take a project's port, and the files of its certificates."""
        self._join(port.published, port.app_protocol, backend_name(of, port), port.hosts, files)
        if port.redirect_from is not None:
            self.redirects.add(port.published)
            self._join(port.redirect_from, "http", redirect_name(port.published), port.hosts, ())

    def add_web(self, port: service.Port, files: Iterable[File]) -> None:
        """Take web's own port."""
        self._join(port.published, port.app_protocol, entrance.BACKEND, port.hosts, files)

    def frontends(self) -> list[Frontend]:
        """What was collected, by port."""
        return [self._ports[published] for published in sorted(self._ports)]

    def _join(
        self,
        published: int,
        mode: str,
        backend: str,
        hosts: tuple[str, ...],
        files: Iterable[File],
    ) -> None:
        known = self._ports.get(published) or Frontend(published, mode)
        self._ports[published] = dataclasses.replace(
            known,
            routes=(*known.routes, *((host, backend) for host in hosts)),
            default=known.default if hosts else backend,
            certificates=tuple(dict.fromkeys((*known.certificates, *files))),
        )


def write(folder: pathlib.Path, frontends: Iterable[Frontend]) -> None:
    """Write the files that the configuration refers to."""
    for frontend in frontends:
        for name, text in frontend.files.items():
            if not (folder / name).exists():
                draft = folder / f".{name}"
                draft.write_text(text, encoding="utf-8")
                draft.replace(folder / name)


def forget(folder: pathlib.Path, but: Iterable[Frontend]) -> None:
    """Remove the files that no configuration refers to any more."""
    wanted = {name for frontend in but for name in frontend.files}
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]

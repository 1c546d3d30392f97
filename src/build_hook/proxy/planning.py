"""From projects to what HAProxy is to do: what of them can be published, and what cannot."""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence

from build_hook import claims, errors, project, service, settings
from build_hook.proxy import certificates, entrance, frontends, places, rendering


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """A project's port as it can be published (None: not at all), and what is wrong with it."""

    place: places.Place
    port: service.Port | None
    problem: errors.ProxyError | None = None
    warning: str | None = None


class Planner:
    """Knows what the registry says today, which certificates are good, which ports are lost."""

    def __init__(
        self, of_certificates: certificates.Certificates, of_settings: settings.Settings
    ) -> None:
        self._certificates = of_certificates
        self._web = entrance.port(of_settings)
        self._web_address = entrance.address(of_settings)
        self._registered: dict[str, project.Project] = {}
        self.strangers: set[int] = set()

    def know(self, projects: Sequence[project.Project]) -> None:
        """Take the host names and certificates that projects have from now on."""
        self._registered = {of.name: of for of in projects}

    def refresh(self, of: Collection[places.Place]) -> bool:
        """Look at the certificates again; True if others are in force."""
        named = [port for place in of for port in self._routed(place)]
        named += [port for registered in self._registered.values() for port in registered.ports]
        named += [self._web] if self._web else []
        return self._certificates.refresh({name for p in named for name in p.certificates})

    def ports(self, of: Iterable[places.Place]) -> set[int]:
        """The published ports of all of them."""
        own = {self._web.published} if self._web else set[int]()
        return own | {n for place in of for port in self._routed(place) for n in port.listens_on}

    def plan(self, of: Iterable[places.Place]) -> rendering.Plan:
        """What HAProxy is to do; a port that cannot be published is left out."""
        ordered = sorted(of, key=lambda place: place.project.name)
        builder = frontends.Builder()
        for verdict in self._judge(ordered):
            if verdict.port is not None:
                files = tuple(self._files(verdict.port))
                builder.add(verdict.place.project, verdict.port, files)
        shows_web = self._web is not None and self._lack(self._web) is None
        if self._web is not None and shows_web:
            builder.add_web(self._web, self._files(self._web))
        return rendering.Plan(
            tuple(builder.frontends()),
            tuple(sorted(builder.redirects)),
            tuple(listener for place in ordered for listener in place.listeners),
            self._web_address if shows_web else None,
            tuple(line for place in ordered for line in place.held),
        )

    @property
    def problem_of_web(self) -> str | None:
        """What is wrong with web's own port, or soon will be; None if it has none."""
        if self._web is None:
            return None
        if self._web.published in self.strangers:
            hint = "Stop what uses it, or set another tls_port"
            return str(errors.PortTakenError(_used(self._web.published), hint))
        return str(self._lack(self._web) or self._warning(self._web) or "") or None

    def problems(self, of: Iterable[places.Place]) -> dict[str, str]:
        """Projects that are not published as they should be, and why."""
        found: dict[str, str] = {}
        for verdict in self._judge(of):
            text = str(verdict.problem or verdict.warning or "")
            name = verdict.place.project.name
            if text and (name not in found or verdict.port is None):
                found[name] = text
        return found

    def require(self, wanted: project.Project, of: Collection[places.Place]) -> None:
        """Make sure that all ports of a project can be published.

        Raises:
            PortTakenError: if a stranger or another project holds one.
            CertificateError: if a port has no certificate.
        """
        others = [place for place in of if place.project.name != wanted.name]
        for verdict in self._judge([*others, places.Place(wanted)]):
            if verdict.place.project is wanted and verdict.problem is not None:
                raise verdict.problem

    # Private

    def _routed(self, place: places.Place) -> list[service.Port]:
        """A version's ports, with the host names and certificates of today."""
        registered = self._registered.get(place.project.name)
        today = {port.published: port for port in registered.stream_ports} if registered else {}
        return [port.routed_as(today.get(port.published)) for port in place.project.stream_ports]

    def _judge(self, of: Iterable[places.Place]) -> Iterator[Verdict]:
        board = claims.Claims()
        if self._web is not None:
            board.add(entrance.NAME, self._web)
        for place in sorted(of, key=lambda place: not place.serves):  # who serves stays
            for port in self._routed(place):
                problem = self._lack(port)
                if problem is None and (said := board.add(place.project.name, port)):
                    problem = errors.PortTakenError(said)
                if problem is not None:
                    yield Verdict(place, None, problem)
                elif port.redirect_from in self.strangers:
                    alone = port.model_copy(update={"redirect_from": None})
                    yield Verdict(place, alone, _taken(port.redirect_from))
                else:
                    yield Verdict(place, port, warning=self._warning(port))

    def _lack(self, port: service.Port) -> errors.ProxyError | None:
        """Why a port cannot be published by itself, whoever else is there."""
        if port.published in self.strangers:
            return _taken(port.published)
        if port.certificates and not any(map(self._certificates.digest, port.certificates)):
            return errors.CertificateError(
                self._certificates.problem(port.certificates[0])
                or f"The certificate {port.certificates[0]} was not looked at yet"
            )
        return None

    def _warning(self, port: service.Port) -> str | None:
        for name in port.certificates:
            if (said := self._certificates.problem(name)) is not None:
                return said
        bare = set(port.hosts) if port.certificates else set[str]()
        for name in port.certificates:
            bare &= self._certificates.uncovered(name, bare)
        if not bare:
            return None
        return (
            f"{min(bare)} is in none of the certificates {', '.join(port.certificates)}: "
            "clients refuse it. Add one that names it"
        )

    def _files(self, port: service.Port) -> Iterator[frontends.File]:
        for name in port.certificates:
            if (digest := self._certificates.digest(name)) is not None:
                yield self._certificates.file(name), digest


def write(with_settings: settings.Settings, plan: rendering.Plan) -> bool:
    """Write the plan's files, HAProxy's configuration last; returns whether that is another.

    Raises:
        ProxyError: if the disk is full, or refuses; HAProxy is configured as before.
    """
    try:
        frontends.write(rendering.folder(with_settings), plan.fronts)
        held = "".join(f"{line}\n" for line in plan.held)
        rendering.write(rendering.holds_file(with_settings), held)
        text = rendering.render(with_settings, plan)
        return rendering.write(with_settings.run / "haproxy.cfg", text)
    except OSError as error:
        raise errors.ProxyError(
            f"The proxy's configuration cannot be written: {error.strerror}. "
            "What served before is served on",
            "Make room on the disk of the state folder; then: build-hook deploy",
        ) from error


def forget(with_settings: settings.Settings, plan: rendering.Plan) -> None:
    """Remove the files of plans that are not in force any more."""
    frontends.forget(rendering.folder(with_settings), plan.fronts)


def _used(port: int) -> str:
    return f"Port {port} is used by another program"


def _taken(port: int) -> errors.PortTakenError:
    return errors.PortTakenError(
        _used(port),
        "Stop what uses it, or publish another port; then: build-hook deploy",
    )

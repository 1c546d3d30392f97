"""Who answers where: published ports, and the host names by which projects share one."""

import dataclasses
from collections.abc import Iterator

from build_hook import project, service


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """What one project wants of a published port; ``host`` None is all that nobody else has."""

    project: str
    published: int
    host: str | None
    speaks: str


class Claims:
    """Claims that go together, in the order in which they were made."""

    def __init__(self) -> None:
        self._owners: dict[tuple[int, str | None], str] = {}
        self._first: dict[int, Claim] = {}

    def add(self, of: str, *ports: service.Port) -> str | None:
        """Take all that a project's ports claim, or nothing and say why that cannot be."""
        wanted = [claim for port in ports for claim in _claims(of, port)]
        for claim in wanted:
            problem = self._problem(claim)
            if problem is not None:
                return problem
        for claim in wanted:
            self._owners[claim.published, claim.host] = of
            self._first.setdefault(claim.published, claim)
        return None

    def _problem(self, claim: Claim) -> str | None:
        first = self._first.get(claim.published)
        if first is not None and first.speaks != claim.speaks:
            return (
                f"{first.project} and {claim.project} share port {claim.published}, one speaks "
                f"{first.speaks}, the other {claim.speaks}: publish one of them on another port"
            )
        owner = self._owners.get((claim.published, claim.host))
        if owner is None:
            return None
        if claim.host is not None:
            return (
                f"{owner} and {claim.project} both claim {claim.host} on port "
                f"{claim.published}: take it out of the hosts of one of them"
            )
        return (
            f"{owner} and {claim.project} both publish port {claim.published} without hosts: "
            "give all but one of them host names, or another port"
        )


def conflict(projects: tuple[project.Project, ...]) -> str | None:
    """The first claim that two projects cannot both have."""
    board = Claims()
    problems = (board.add(of.name, port) for of in projects for port in of.stream_ports)
    return next((problem for problem in problems if problem), None) or _shared_udp(projects)


def _shared_udp(projects: tuple[project.Project, ...]) -> str | None:
    owners: dict[int, str] = {}
    for of in projects:
        for port in of.datagram_ports:
            owner = owners.setdefault(port.published, of.name)
            if owner != of.name:
                return (
                    f"{owner} and {of.name} both publish UDP port {port.published}: "
                    "give one of them another port"
                )
    return None


def _claims(of: str, port: service.Port) -> Iterator[Claim]:
    for host in port.hosts or (None,):
        yield Claim(of, port.published, host, _speech(port))
        if port.redirect_from is not None:
            yield Claim(of, port.redirect_from, host, "HTTP")


def _speech(port: service.Port) -> str:
    return port.app_protocol.upper() + (" with TLS" if port.certificates else "")

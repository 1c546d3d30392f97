"""Our table in the kernel's packet filter, as text for nft: which UDP port leads where.

The kernel remembers flows, and leaves each with the container that it began with. It remembers
them by zone: what comes to a port is looked up in the zone of that port, and answers in none. So
a port with another zone has new flows only, from one datagram to the next, while what the old
container still answers finds its way back to who asked.

Where several replicas serve, a new flow goes to one of them by its sender's address and port: who
comes again comes to the same one.
"""

import dataclasses
import ipaddress
import pathlib
import re
import socket
import struct
from collections.abc import Collection, Iterable

ROUTES = pathlib.Path("/proc/net/route")
# ip-sysctl.rst of the kernel: packets to 127.0.0.1 may leave for this interface, once rewritten
LOCALNET = "/proc/sys/net/ipv4/conf/{bridge}/route_localnet"
_ZONE = re.compile(r"(\d+) : (\d+)")
_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - to compare with
# before Docker's own rules (-100); the kernel finds out at -200 what a packet belongs to
_CHAINS = {
    "choose": "filter hook prerouting priority -300",
    "choose_local": "filter hook output priority -300",
    "arriving": "nat hook prerouting priority -110",
    "local": "nat hook output priority -110",
    "returning": "nat hook postrouting priority 90",
    "guard": "filter hook prerouting priority -150",
    "nobody": "filter hook input priority 0",
}


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Way:
    """A published UDP port, and the container's address and port that new flows lead to.

    Several of one published port share its flows.
    """

    published: int
    address: str
    target: int
    zone: int


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Bridge:
    """The interface and the network behind which containers are."""

    name: str
    network: str


@dataclasses.dataclass(frozen=True, slots=True)
class Left:
    """Where a container that takes no new datagrams is; it is forgotten after so many seconds."""

    address: str
    target: int
    seconds: int


def table(instance: str) -> str:
    """The name of the table of one instance."""
    return f"build_hook_{instance}"


def bridges(addresses: Iterable[str], routes: str | None = None) -> list[Bridge]:
    """The interfaces that lead to these addresses, by the kernel's routes."""
    rows = (ROUTES.read_text(encoding="ascii") if routes is None else routes).splitlines()[1:]
    known = [_route(row.split()) for row in rows]
    found: set[Bridge] = set()
    for address in map(ipaddress.ip_address, addresses):
        fitting = [route for route in known if address in route[1] and route[1].prefixlen]
        if fitting:
            name, network = max(fitting, key=lambda route: route[1].prefixlen)
            found.add(Bridge(name, str(network)))
    return sorted(found)


def zones(listing: str) -> dict[int, int]:
    """The zone of each port, from what ``nft list map`` shows."""
    return {int(port): int(zone) for port, zone in _ZONE.findall(listing)}


def script(
    of: str,
    listen: str,
    published: Collection[int],
    ways: Collection[Way],
    behind: Collection[Bridge],
    left: Collection[Left] = (),
) -> str:
    """What makes the table of that name say this, all of it in one transaction."""
    kinds = {
        "map ways": "type inet_service : ipv4_addr . inet_service ;",
        "map zones": "typeof udp dport : ct zone ;",
        "set published": "type inet_service ;",
        "set targets": "type ipv4_addr . inet_service ;",
    }
    lines = [f"add table ip {of}"]
    for kind, types in kinds.items():
        what, name = kind.split()
        lines += [f"add {what} ip {of} {name} {{ {types} }}", f"flush {what} ip {of} {name}"]
    lines.append(f"add set ip {of} leaving {{ type ipv4_addr . inet_service ; flags timeout ; }}")
    for name, hook in _CHAINS.items():
        lines += [f"add chain ip {of} {name} {{ type {hook} ; }}", f"flush chain ip {of} {name}"]
    lines += [f"add rule ip {of} {rule}" for rule in _rules(listen, ways, behind)]
    lines += [f"add element ip {of} {element}" for element in _elements(published, ways, left)]
    for way in ways:  # no longer on the way out, if it was: nft has no "delete if it is there"
        element = f"ip {of} leaving {{ {way.address} . {way.target} }}"
        lines += [f"add element {element}", f"delete element {element}"]
    return "\n".join(lines) + "\n"


def _rules(listen: str, ways: Collection[Way], behind: Collection[Bridge]) -> list[str]:
    here = "fib daddr type local" if listen in _EVERY_ADDRESS else f"ip daddr {listen}"
    target = "ip daddr . udp dport @targets"
    rules = [
        f"choose {here} ct original zone set udp dport map @zones",
        f"choose_local {here} ct original zone set udp dport map @zones",
        *(f"{chain} {here} {way}" for chain in ("arriving", "local") for way in _shared(ways)),
        f"arriving {here} dnat ip to udp dport map @ways",
        f"local {here} dnat ip to udp dport map @ways",
        # answers find back to 127.0.0.1, and to a container on the same bridge, through us
        f"returning ip saddr 127.0.0.0/8 {target} masquerade",
        # what a version that is left begins by itself would draw the other end to it
        "guard ip saddr . udp sport @leaving ct state new drop",
        # a port without a live version answers as any port does that nobody listens on
        f"nobody {here} ct direction original udp dport @published reject",
    ]
    for bridge in behind:
        rules += [
            f"returning ip saddr {bridge.network} {target} ct status dnat masquerade",
            # route_localnet must not open the host's own loopback to containers
            f'guard iifname "{bridge.name}" ip daddr 127.0.0.0/8 drop',
        ]
    return rules


def _shared(ways: Collection[Way]) -> list[str]:
    """The rules by which the flows of a port are shared between several ways."""
    rules: list[str] = []
    for published, several in _by_port(ways).items():
        if len(several) > 1:
            turns = ", ".join(f"{n} : {w.address} . {w.target}" for n, w in enumerate(several))
            hashed = f"jhash ip saddr . udp sport mod {len(several)} seed 1"
            rules.append(f"udp dport {published} dnat ip to {hashed} map {{ {turns} }}")
    return rules


def _by_port(ways: Collection[Way]) -> dict[int, list[Way]]:
    of: dict[int, list[Way]] = {}
    for way in sorted(ways):
        of.setdefault(way.published, []).append(way)
    return of


def _elements(
    published: Collection[int], ways: Collection[Way], left: Collection[Left]
) -> list[str]:
    elements = [f"published {{ {port} }}" for port in sorted(published)]
    first = [several[0] for several in _by_port(ways).values()]
    elements += [f"ways {{ {w.published} : {w.address} . {w.target} }}" for w in first]
    elements += [f"zones {{ {w.published} : {w.zone} }}" for w in first]
    elements += [f"targets {{ {w.address} . {w.target} }}" for w in sorted(ways)]
    elements += [f"leaving {{ {x.address} . {x.target} timeout {x.seconds}s }}" for x in left]
    return elements


def _route(fields: list[str]) -> tuple[str, ipaddress.IPv4Network]:
    """A row of /proc/net/route: numbers are as the processor has them."""
    network, mask = (socket.inet_ntoa(struct.pack("=L", int(fields[n], 16))) for n in (1, 7))
    return fields[0], ipaddress.IPv4Network(f"{network}/{mask}")

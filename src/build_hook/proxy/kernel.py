"""The kernel's packet filter, by the programs nft, conntrack and iptables: UDP passes there."""

import contextlib
import ipaddress
import pathlib
import shutil
import time
from collections.abc import Collection

from build_hook import errors, settings
from build_hook.deploy import process
from build_hook.proxy import firewall, netfilter

PACKAGES = {"nft": "nftables", "conntrack": "conntrack"}
_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_TIMEOUT = 20.0
_LOOK_EVERY = 10.0


class Kernel:
    """Our table, and our rule among Docker's; both outlive this process."""

    def __init__(self, with_settings: settings.Settings) -> None:
        self._instance = with_settings.instance
        self._listen = with_settings.publish_address
        self._file = with_settings.run / "udp.nft"
        self._table = netfilter.table(self._instance)
        self._ways: tuple[netfilter.Way, ...] = ()
        self._listed: str | None = None  # how nft shows what was applied last
        self._is_clean = False
        self._looked = 0.0

    def apply(
        self,
        published: Collection[int],
        ways: Collection[netfilter.Way],
        left: Collection[netfilter.Left] = (),
    ) -> None:
        """Pass datagrams on as the ways say, from one moment to the next.

        Raises:
            DatagramsError: if the kernel does not take it; it does as before then.
        """
        self._is_clean = False
        behind = netfilter.bridges(way.address for way in ways)
        self._write(netfilter.script(self._table, self._listen, published, ways, behind, left))
        for bridge in behind:
            _open_loopback(bridge)
        firewall.stand_open(_iptables, self._instance, [bridge.name for bridge in behind])
        run("nft", "-f", str(self._file))
        self._ways = tuple(ways)
        self._listed = self._listing()

    def withdraw(self) -> None:
        """Leave nothing of ours there, and look only once whether there is something."""
        if self._is_clean:
            return
        self._ways, self._listed, self._is_clean = (), None, True
        with contextlib.suppress(errors.DatagramsError):
            run("nft", "delete", "table", "ip", self._table)
        firewall.stand_open(_iptables, self._instance, ())
        self._file.unlink(missing_ok=True)

    def is_changed(self) -> bool:
        """Look, now and then, whether somebody else emptied the packet filter."""
        if self._listed is None or time.monotonic() - self._looked < _LOOK_EVERY:
            return False
        self._looked = time.monotonic()
        behind = netfilter.bridges(way.address for way in self._ways)
        firewall.stand_open(_iptables, self._instance, [bridge.name for bridge in behind])
        return self._listing() != self._listed

    def zones(self) -> dict[int, int]:
        """The zone of each port that is passed on now."""
        return netfilter.zones(self._show("zones"))

    def _write(self, script: str) -> None:
        try:
            self._file.write_text(script, encoding="ascii")
        except OSError as error:
            raise errors.DatagramsError(
                f"The rules for UDP ports cannot be written: {error.strerror}",
                "Make room on the disk of the state folder; then: build-hook deploy",
            ) from error

    def _listing(self) -> str:
        return self._show("ways")

    def _show(self, name: str) -> str:
        try:
            return run("nft", "list", "map", "ip", self._table, name)
        except errors.DatagramsError:
            return ""


def check(with_settings: settings.Settings) -> str:
    """The programs that pass datagrams on, where this machine has them and lets us use them.

    Raises:
        DatagramsError: if a program or a right is missing, or there is no IPv4 address.
    """
    if not _is_ipv4(with_settings.publish_address):
        raise errors.DatagramsError(
            "UDP ports are published on IPv4 addresses only", "Set publish_address to one"
        )
    found = [_program(name) for name in PACKAGES]
    run("nft", "list", "tables")
    run("conntrack", "-C")
    return ", ".join(found)


def forget(address: str, port: int) -> None:
    """Forget what a container has begun by itself from the port that it serves at."""
    _drop("--orig-src", address, "--orig-port-src", str(port))


def release(address: str, port: int) -> None:
    """Forget the flows that lead to a container: what comes next is led to another one."""
    _drop("--reply-src", address, "--reply-port-src", str(port))


def run(name: str, *arguments: str) -> str:
    """Run one of the programs.

    Raises:
        DatagramsError: if it is not there, or fails.
    """
    try:
        return process.run((_program(name), *arguments), timeout=_TIMEOUT, keep=None)
    except process.ProcessError as error:
        said = next((line for line in error.tail if line.strip()), str(error))
        raise errors.DatagramsError(
            f"{name} {arguments[0]} failed: {said}",
            "UDP ports need root, or the capability CAP_NET_ADMIN",
        ) from error


def _drop(*flows: str) -> None:
    with contextlib.suppress(errors.DatagramsError):  # it also fails where there is no such flow
        run("conntrack", "-D", "-p", "udp", *flows)


def _iptables(*arguments: str) -> str:
    """Docker's own firewall program; silent where there is none, or no such chain."""
    try:
        return run("iptables", "-w", *arguments)
    except errors.DatagramsError:
        return ""


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise errors.DatagramsError(
            f"UDP ports need the program {name}",
            f"apt-get install {PACKAGES.get(name, name)}; then: build-hook deploy",
        )
    return found


def _open_loopback(bridge: netfilter.Bridge) -> None:
    """Let 127.0.0.1 of this host reach published ports too; other addresses need nothing."""
    file = pathlib.Path(netfilter.LOCALNET.format(bridge=bridge.name))
    with contextlib.suppress(OSError):  # without the right to, all but 127.0.0.1 is reached
        if file.read_text(encoding="ascii").strip() != "1":
            file.write_text("1\n", encoding="ascii")


def _is_ipv4(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.version == 4 or found.is_unspecified

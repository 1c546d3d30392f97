"""UDP: a push moves every client, and next to nothing is lost on the way."""

import contextlib
import socket
import statistics
import subprocess
import time

import pytest

from build_hook import labels
from build_hook.demo import product
from build_hook.proxy import firewall, kernel, netfilter
from build_hook.store import builds
from tests import datagrams
from tests.functional import host as hosts

PHASE = builds.Phase
DEAF = "import time\ntime.sleep(600)\n"
ASK = """import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(5)
client.connect((sys.argv[1], int(sys.argv[2])))
client.send(b"0")
print(client.recv(100).decode())
"""
DIES = "import os, threading\nthreading.Timer(2, lambda: os._exit(7)).start()\n"


@pytest.fixture(scope="module")
def open_host(base):
    """A host that publishes on all its addresses."""
    knobs = {"publish_address": "0.0.0.0", "reconcile_interval": 3600, "min_free_mb": 10}
    with hosts.serving(base, **knobs) as made:
        yield made


def speaker(host, name, kinds=("udp",), **of):
    """A project that publishes its port 7000 in these ways, all on one number."""
    number = product.free_port()
    ports = [hosts.port(number, 7000, kind) for kind in kinds]
    return hosts.everything(host, name, ports=ports, port=number, **of)


def ask(port: int, address: str = "127.0.0.1", patience: float = 2) -> str | None:
    """The version that answers a datagram; None if nobody does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(patience)
        client.connect((address, port))
        with contextlib.suppress(OSError):
            client.send(b"0")
            return client.recv(100).decode().rpartition(" ")[0]
    return None


def ways(host) -> str:
    """Our map, as nft lists it; empty without one."""
    table = netfilter.table(host.settings.instance)
    done = subprocess.run(
        ["nft", "list", "map", "ip", table, "ways"], capture_output=True, text=True, check=False
    )
    return done.stdout


def rules_of_ours(host) -> int:
    """How many of our rules stand among Docker's."""
    done = subprocess.run(
        ["iptables", "-w", "-S", firewall.CHAIN], capture_output=True, text=True, check=True
    )
    return done.stdout.count(firewall.comment(host.settings.instance))


def test_datagrams_and_streams_of_one_port_number_move_together(open_host):
    voice = speaker(open_host, "voice", ("tcp", "udp"), watch=1.5)
    voice.live()
    lost: list[int] = []

    with datagrams.sending(voice.port, clients=6) as senders:
        hosts.wait_for(lambda: senders.answers(voice.version), "the first answer")
        for _ in range(5):
            begun = time.monotonic()
            voice.live()
            seen = hosts.wait_for(lambda: senders.answers(voice.version), "the new version")
            time.sleep(datagrams.LATE)
            lost += senders.lost(begun, time.monotonic() - datagrams.LATE)
            assert seen
        ended = time.monotonic()
        senders.stop()

    late = {sent.version for sent in senders.sent(ended - 0.5, ended)}
    assert late == {voice.version}
    assert len(senders.sent()) > 6 * 50 * 5
    assert statistics.median(lost) == 0
    assert max(lost) <= 2
    with socket.create_connection(("127.0.0.1", voice.port), 5) as connection:
        connection.sendall(b"x\n")
        assert connection.makefile().readline() == f"{voice.version} x\n"


# Says which container answers, too.
NAMED = (
    (hosts.EVERY / "app.py")
    .read_text("utf-8")
    .replace(
        ".strip()\n", '.strip() + "@" + pathlib.Path("/etc/hostname").read_text().strip()\n', 1
    )
)


class Crowd:
    """Senders that keep their sockets, and who answers each of them."""

    def __init__(self, port: int, count: int = 24) -> None:
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        for each in self.sockets:
            each.settimeout(0.5)
            each.connect(("127.0.0.1", port))

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.sockets:
            each.close()

    def ask(self) -> list[str]:
        """Who answers, in the order of the senders; "" for nobody."""
        return [self._one(each) for each in self.sockets]

    def _one(self, each: socket.socket) -> str:
        with contextlib.suppress(OSError):
            each.send(b"0")
            return each.recv(100).decode().rpartition(" ")[0]
        return ""


def test_replicas_share_the_senders_and_each_keeps_its_own(open_host):
    files = {file.name: file.read_text("utf-8") for file in hosts.EVERY.iterdir()}
    echo = speaker(open_host, "shared", deploy={"replicas": 2}, files=files | {"app.py": NAMED})
    echo.live()
    one, two = (f"{echo.version}@{box.id[:12]}" for box in echo.serving().every)
    with Crowd(echo.port) as crowd:
        before = crowd.ask()
        assert set(before) == {one, two}
        assert crowd.ask() == before

        dead = echo.serving().every[1].id
        open_host.engine.api.kill(dead)
        open_host.until(lambda: set(crowd.ask()) == {one}, "the senders of the dead one", 30)
        open_host.engine.api.restart(dead, timeout=0)
        open_host.until(lambda: answering(echo.port) == {one, two}, "both", 30)
        stayed = [now for was, now in zip(before, crowd.ask(), strict=True) if was == one]
        assert set(stayed) == {one}

        with datagrams.sending(echo.port, clients=8) as senders:
            echo.live()
            new = {f"{echo.version}@{box.id[:12]}" for box in echo.serving().every}
            open_host.until(lambda: set(crowd.ask()) == new, "the new version", 30)
            senders.stop()
    assert len(new) == 2
    assert max(senders.lost()) <= 2


def answering(port: int) -> set[str]:
    """Who answers senders that nobody has seen before."""
    with Crowd(port) as crowd:
        return set(crowd.ask())


def test_worker_that_is_killed_is_not_missed(open_host):
    echo = speaker(open_host, "outlives")
    echo.live()
    before = ways(open_host)

    with datagrams.sending(echo.port, clients=4) as senders:
        hosts.wait_for(lambda: senders.answers(echo.version), "the first answer")
        open_host.restart("worker")
        assert ways(open_host) == before
        echo.live()
        hosts.wait_for(lambda: senders.answers(echo.version), "the new version")
        senders.stop()

    assert max(senders.lost()) <= 2


def test_packet_filter_that_somebody_empties_is_filled_again(open_host):
    echo = speaker(open_host, "emptied")
    echo.live()
    listed = ways(open_host)

    kernel.run("nft", "delete", "table", "ip", netfilter.table(open_host.settings.instance))
    for rule in firewall.rules(open_host.settings.instance, bridge(open_host)):
        kernel.run("iptables", "-w", "-D", firewall.CHAIN, *rule)
    assert ask(echo.port, patience=0.3) is None

    open_host.until(lambda: ways(open_host) == listed, "our table", 20)
    open_host.until(lambda: ask(echo.port) == echo.version, "an answer")
    assert rules_of_ours(open_host) == 2
    open_host.until(lambda: "somebody emptied the packet filter" in open_host.log(), "a word")


def bridge(host) -> str:
    """The interface of the instance's network."""
    network = host.engine.api.inspect_network(labels.network_name(host.settings.instance))
    return f"br-{network['Id'][:12]}"


def test_other_containers_and_other_addresses_reach_it(open_host, base):
    echo = speaker(open_host, "from-elsewhere")
    echo.live()
    docker0 = open_host.engine.api.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    network = labels.network_name(open_host.settings.instance)
    ours = open_host.engine.api.inspect_network(network)["IPAM"]["Config"][0]["Gateway"]
    addresses = ("127.0.0.1", docker0, ours)

    assert {ask(echo.port, address) for address in addresses} == {echo.version}
    # docker0 is another bridge: Docker's firewall drops what it did not publish itself
    volumes = [f"--volume={volume}" for volume in hosts.lent_python()]
    for bridged in ("bridge", network):
        done = subprocess.run(
            ["/usr/bin/docker", "run", "--rm", f"--network={bridged}", *volumes, base,
             *hosts.PYTHON, "-c", ASK, docker0, str(echo.port)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stdout.strip() == f"{echo.version} 0", (bridged, done)


def test_only_the_published_address_answers_and_loopback_stays_closed_to_containers(host):
    echo = speaker(host, "one-address")
    echo.live()

    assert ask(echo.port) == echo.version
    assert ask(echo.port, "127.0.0.2", 0.3) is None
    chains = kernel.run("nft", "list", "table", "ip",
                        netfilter.table(host.settings.instance))  # fmt: skip
    assert f'iifname "{bridge(host)}" ip daddr 127.0.0.0/8 drop' in chains
    host.unregister(echo.name)
    host.until(lambda: not ways(host) and not rules_of_ours(host), "our table to go")


def test_project_that_goes_takes_its_port_along_and_the_last_one_the_table(base):
    with hosts.serving(base, reconcile_interval=3600, min_free_mb=10) as host:
        stranger = f"bystander_{host.settings.instance}"
        kernel.run("nft", "add", "table", "ip", stranger)
        try:
            kernel.run("nft", "add", "chain", "ip", stranger, "untouched")
            others = kernel.run("nft", "list", "table", "ip", stranger)
            first, second = speaker(host, "first"), speaker(host, "second")
            first.live()
            second.live()
            assert str(first.port) in ways(host)

            host.unregister(first.name)
            host.until(lambda: str(first.port) not in ways(host), "its port to go")
            assert ask(second.port) == second.version
            host.unregister(second.name)
            host.until(lambda: not ways(host) and not rules_of_ours(host), "our table to go")
            assert kernel.run("nft", "list", "table", "ip", stranger) == others
        finally:
            kernel.run("nft", "delete", "table", "ip", stranger)


def test_port_of_a_stranger_is_left_to_him(open_host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        number = stranger.getsockname()[1]
        late = hosts.everything(
            open_host, "late", ports=[hosts.port(number, 7000, "udp")], port=number
        )
        failed = late.fails()
        assert f"UDP port {number} is used by another program" in (failed.reason or "")
        assert str(number) not in ways(open_host)

    late.live()
    assert ask(late.port) == late.version
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as another,
        pytest.raises(OSError, match="in use"),
    ):
        another.bind(("127.0.0.1", number))


def test_nobody_is_sent_to_a_version_that_does_not_listen_yet(open_host):
    echo = speaker(open_host, "deaf")
    echo.live()
    good, version = echo.read("app.py"), echo.version

    build = echo.deploy(app__py=DEAF)

    assert build.phase is PHASE.FAILED
    assert "nobody listens on UDP port 7000" in (build.reason or "")
    assert ask(echo.port) == version
    open_host.register(echo, environment={"START_DELAY": "1.5"})
    with datagrams.sending(echo.port, clients=4) as senders:
        echo.live(app__py=good)
        hosts.wait_for(lambda: senders.answers(echo.version), "the new version")
        senders.stop()
    assert max(senders.lost()) <= 2


def test_version_that_dies_while_it_is_watched_gives_the_datagrams_back(open_host):
    echo = speaker(open_host, "dies")
    echo.live()
    echo.watched(6)
    version = echo.version

    build = echo.deploy(app__py=DIES + (echo.read("app.py") or ""))

    assert build.phase is PHASE.ROLLED_BACK
    assert ask(echo.port) == version


def test_a_project_with_udp_only_has_no_account(open_host):
    echo = speaker(open_host, "no-account")

    build = echo.live()

    assert (build.requests, build.failed, build.longest_gap_ms) == (None, None, None)
    assert echo.shown()["ports"] == [echo.port]

"""What we tell the kernel, without a kernel."""

import pytest

from build_hook import errors, project, settings
from build_hook.proxy import firewall, kernel, netfilter, ports

# /proc/net/route of a machine with little-endian words: the default, docker0, a bridge of ours
ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
br-12\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""
WAY = netfilter.Way(64738, "172.18.0.3", 7000, 5)
BRIDGE = netfilter.Bridge("br-12", "172.18.0.0/16")


def script(listen="0.0.0.0", published=(64738,), ways=(WAY,), behind=(BRIDGE,), left=()):
    return netfilter.script("build_hook_x", listen, published, ways, behind, left)


def test_bridge_is_found_by_the_narrowest_route():
    assert netfilter.bridges(["172.18.0.3", "172.18.0.4"], ROUTES) == [BRIDGE]


def test_address_that_only_the_default_route_leads_to_has_no_bridge():
    assert netfilter.bridges(["10.1.2.3"], ROUTES) == []


def test_port_has_a_way_and_a_zone():
    lines = script().splitlines()

    assert "add element ip build_hook_x ways { 64738 : 172.18.0.3 . 7000 }" in lines
    assert "add element ip build_hook_x zones { 64738 : 5 }" in lines


def test_flows_of_a_port_are_shared_between_replicas():
    ways = [netfilter.Way(53, f"172.18.0.{n}", 7000, 5) for n in (4, 3)]
    text = script(ways=[*ways, WAY])

    for chain in ("arriving", "local"):
        assert (
            f"add rule ip build_hook_x {chain} fib daddr type local udp dport 53 dnat ip to "
            "jhash ip saddr . udp sport mod 2 seed 1 "
            "map { 0 : 172.18.0.3 . 7000, 1 : 172.18.0.4 . 7000 }"
        ) in text.splitlines()
        assert text.index("dnat ip to jhash") < text.index("dnat ip to udp dport map @ways")
    assert text.count("zones { 53 : 5 }") == 1
    assert text.count("ways { 53 : ") == 1
    for way in (*ways, WAY):
        assert f"targets {{ {way.address} . 7000 }}" in text
    assert "udp dport 64738 dnat" not in text


def test_zones_are_read_back_as_nft_lists_them():
    listing = (
        "table ip build_hook_12345678 {\n\tmap zones {\n\t\ttypeof udp dport : ct zone\n"
        "\t\telements = { 53 : 7,\n\t\t\t     64738 : 65535 }\n\t}\n}\n"
    )

    assert netfilter.zones(listing) == {53: 7, 64738: 65535}


@pytest.mark.parametrize(
    ("listen", "here"),
    [("0.0.0.0", "fib daddr type local"), ("::", "fib daddr type local"),
     ("127.0.0.1", "ip daddr 127.0.0.1")],
)  # fmt: skip
def test_publish_address_says_what_is_ours(listen, here):
    text = script(listen)

    for rule in ("arriving", "local", "choose", "choose_local", "nobody"):
        assert f"add rule ip build_hook_x {rule} {here} " in text


def test_everything_is_flushed_before_it_is_said_anew_but_what_is_left_times_out():
    lines = script(left=[netfilter.Left("172.18.0.2", 7000, 90)]).splitlines()

    for name in ("ways", "zones"):
        flush = lines.index(f"flush map ip build_hook_x {name}")
        first = next(
            n for n, line in enumerate(lines) if f"element ip build_hook_x {name}" in line
        )
        assert flush < first
    assert "flush set ip build_hook_x leaving" not in lines
    assert "add element ip build_hook_x leaving { 172.18.0.2 . 7000 timeout 90s }" in lines


def test_container_that_serves_again_is_not_left_any_more():
    lines = script().splitlines()

    assert lines[-1] == "delete element ip build_hook_x leaving { 172.18.0.3 . 7000 }"


def test_firewall_opens_what_is_missing_and_closes_what_is_not_wanted():
    ran: list[tuple[str, ...]] = []
    listing = (
        "-N DOCKER-USER\n"
        "-A DOCKER-USER -o br-old -p udp -m conntrack --ctstate DNAT --ctdir ORIGINAL"
        " -m comment --comment build-hook-x -j ACCEPT\n"
        "-A DOCKER-USER -o br-12 -p udp -m conntrack --ctstate DNAT --ctdir ORIGINAL"
        " -m comment --comment build-hook-x -j ACCEPT\n"
        "-A DOCKER-USER -i br-old -m comment --comment build-hook-other -j ACCEPT\n"
        "-A DOCKER-USER -j RETURN\n"
    )

    def iptables(*arguments):
        ran.append(arguments)
        return listing

    firewall.stand_open(iptables, "x", ["br-12"])

    changes = sorted(words[:4] for words in ran if words[0] != "-S")
    assert changes == [("-D", "DOCKER-USER", "-o", "br-old"), ("-I", "DOCKER-USER", "-i", "br-12")]


def test_machine_without_the_programs_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "_PATH", str(tmp_path))
    of = settings.load(tmp_path / "state", {})

    with pytest.raises(errors.DatagramsError, match="apt-get install nftables"):
        kernel.check(of)


@pytest.mark.parametrize("address", ["::1", "localhost"])
def test_udp_needs_an_address_of_ipv4(tmp_path, address):
    of = settings.load(tmp_path / "state", {"BUILD_HOOK_PUBLISH_ADDRESS": address})

    with pytest.raises(errors.DatagramsError, match="IPv4"):
        kernel.check(of)


def test_held_port_is_nobody_elses_until_it_is_let_go():
    one, other = ports.Held("127.0.0.1"), ports.Held("127.0.0.1")
    number = 28_741

    assert one.take(number)
    assert one.take(number)
    assert not other.take(number)
    one.keep([])
    assert other.take(number)
    other.keep([])


def udp(**of):
    port = {"target": 53, "published": 53, "protocol": "udp", **of}
    given = {"name": "x", "repository": "https://git.invalid/x.git", "ports": [port]}
    return project.Project.model_validate(given)


def test_one_number_may_be_published_for_both():
    of = udp().model_dump()
    tcp = {"target": 53, "published": 53, "app_protocol": "tcp"}

    both = project.Project.model_validate({**of, "ports": [*of["ports"], tcp]})

    assert [port.protocol for port in both.stream_ports] == ["tcp"]
    assert [port.protocol for port in both.datagram_ports] == ["udp"]


def test_datagrams_name_no_host():
    with pytest.raises(ValueError, match="datagrams name nobody"):
        udp(hosts=["a.example.org"])

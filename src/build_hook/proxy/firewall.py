"""Docker's firewall drops what it did not publish itself: the rules that let ours through.

They stand in DOCKER-USER, the chain that Docker keeps for the rules of others, and carry a
comment with our instance. Where that chain is not, Docker does not filter by iptables.
"""

import shlex
from collections.abc import Callable, Collection

CHAIN = "DOCKER-USER"

Iptables = Callable[..., str]


def rules(instance: str, bridge: str) -> list[list[str]]:
    """What lets redirected datagrams reach the containers behind a bridge, and the answers back.

    Answers need theirs where the other end is a container too, on another bridge.
    """
    ways = (("-o", bridge, "ORIGINAL"), ("-i", bridge, "REPLY"))
    return [
        [
            flag, name, "-p", "udp", "-m", "conntrack", "--ctstate", "DNAT", "--ctdir", direction,
            "-m", "comment", "--comment", comment(instance), "-j", "ACCEPT",
        ]
        for flag, name, direction in ways
    ]  # fmt: skip


def comment(instance: str) -> str:
    """What our rules are found by."""
    return f"build-hook-{instance}"


def stand_open(iptables: Iptables, instance: str, bridges: Collection[str]) -> None:
    """Have the rules for these bridges, and no others of ours."""
    have = {
        (words[0], words[1]): words for words in _rules(iptables) if comment(instance) in words
    }
    want = {(words[0], words[1]): words for name in bridges for words in rules(instance, name)}
    for which in have.keys() - want.keys():
        iptables("-D", CHAIN, *have[which])
    for which in want.keys() - have.keys():
        iptables("-I", CHAIN, *want[which])


def _rules(iptables: Iptables) -> list[list[str]]:
    rows = (shlex.split(row) for row in iptables("-S", CHAIN).splitlines())
    return [row[2:] for row in rows if row[:2] == ["-A", CHAIN]]

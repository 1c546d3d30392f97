"""The words of a ``docker run``: read, and said again as a version of ours."""

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from build_hook import labels as names

# All other options take a value. https://docs.docker.com/reference/cli/docker/container/run/
_SWITCHES = frozenset(
    {
        "detach", "disable-content-trust", "help", "init", "interactive", "no-healthcheck",
        "oom-kill-disable", "privileged", "publish-all", "quiet", "read-only", "rm", "sig-proxy",
        "tty", "use-api-socket",
    }
)  # fmt: skip
_SHORT = {
    "a": "attach", "c": "cpu-shares", "d": "detach", "e": "env", "h": "hostname",
    "i": "interactive", "l": "label", "m": "memory", "p": "publish", "P": "publish-all",
    "q": "quiet", "t": "tty", "u": "user", "v": "volume", "w": "workdir",
}  # fmt: skip
_SAME = {"net": "network", "net-alias": "network-alias"}
# Ours to say: what a version is called, where it is reached, when it is restarted, that it stays.
_OURS = frozenset({"detach", "detach-keys", "name", "network", "restart", "rm", "sig-proxy"})
_PORT = re.compile(r"(?:(.*):)?(\d+(?:-\d+)?):(\d+(?:-\d+)?)(?:/(tcp|udp|sctp))?")
_ANYWHERE = ("", "0.0.0.0", "[::]", "::", None)  # noqa: S104 - what people write
_FILES = ("env-file", "label-file")
_UNSHARABLE = ("link", "ip", "ip6", "mac-address", "cidfile")


class UnreadableError(Exception):
    """The words are no ``docker run`` that we know."""


@dataclasses.dataclass(frozen=True, slots=True)
class Published:
    """A port that the script publishes, and that the proxy takes over; TCP or UDP."""

    published: int
    target: int
    protocol: str = "tcp"


@dataclasses.dataclass(frozen=True, slots=True)
class RunLine:
    """One ``docker run``: options by their long names, in order; a switch has the value None."""

    options: tuple[tuple[str, str | None], ...]
    image: str
    command: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Whether a switch is on."""
        return any(n == name and value in (None, "true") for n, value in self.options)

    def last(self, name: str) -> str | None:
        """The value that counts where an option is said once."""
        return next((value for n, value in reversed(self.options) if n == name), None)

    @property
    def ports(self) -> tuple[Published, ...]:
        """The ports that the proxy takes over; docker ignores -p without a network of its own."""
        if self.is_on_host:
            return ()
        return tuple(p for spec in self._specs() for p in _taken(spec) or ())

    @property
    def restart(self) -> str:
        """When the engine restarts it."""
        return self.last("restart") or "no"

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks that it joins."""
        named = [value for name, value in self.options if name == "network" and value]
        return tuple(n for n in named if n not in ("bridge", "default"))

    @property
    def is_on_host(self) -> bool:
        """Whether it has no network of its own."""
        return any(n == "host" or n.startswith("container:") for n in self.networks)

    @property
    def why_alone(self) -> str | None:
        """Why two of it cannot run at once; None if they can."""
        if self.is_on_host:
            return (
                f"it uses --network {self.networks[0]}: its ports are not the proxy's, and nobody "
                "answers there meanwhile"
            )
        for name in _UNSHARABLE:
            if self.last(name) is not None:
                return f"it uses --{name}"
        for spec in self._specs():
            if _taken(spec) is None and _PORT.fullmatch(spec):
                return f"it publishes {spec}, which the proxy does not take over"
        return None

    @property
    def files(self) -> tuple[str, ...]:
        """The files whose lines it takes, in order: what they hold may change with each commit."""
        return tuple(value for name, value in self.options if name in _FILES and value)

    def reading(self, kept: Mapping[int, str]) -> "RunLine":
        """The same, with files read elsewhere, by their numbers in ``files``."""
        number = itertools.count()
        return dataclasses.replace(
            self,
            options=tuple(
                (name, kept.get(next(number), value) if name in _FILES and value else value)
                for name, value in self.options
            ),
        )

    def create(
        self, *, image: str | None = None, container: str, network: str, labels: Mapping[str, str]
    ) -> list[str]:
        """The words of the ``docker create`` that makes a version of it.

        Named, labelled and restarted as ours, on our network, its ports left to the proxy;
        all else as it was said.
        """
        words = ["--name", container, "--restart", "no"]
        words += ["--network", self.networks[0] if self.is_on_host else network]
        if (name := self.last("name")) and not self.is_on_host:
            words += ["--network-alias", name]
        ours = {**labels, names.ROLE: names.CANDIDATE}
        words += [word for key, value in ours.items() for word in ("--label", f"{key}={value}")]
        for option, value in self.options:
            is_taken = option == "publish" and _taken(value or "") is not None
            if option not in _OURS and not is_taken:
                words.append(f"--{option}" if value is None else f"--{option}={value}")
        return [*words, "--", image or self.image, *self.command]

    def _specs(self) -> Iterator[str]:
        return (value for name, value in self.options if name == "publish" and value)


def parse(argv: Sequence[str]) -> RunLine:
    """Read what follows ``docker run``.

    Raises:
        UnreadableError: if an option has no value, or there is no image.
    """
    options: list[tuple[str, str | None]] = []
    rest = list(argv)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        options += _long(word, rest) if word.startswith("--") else _short(word, rest)
    if not rest:
        raise UnreadableError("docker run names no image")
    return RunLine(tuple(options), rest[0], tuple(rest[1:]))


def _long(word: str, rest: list[str]) -> list[tuple[str, str | None]]:
    name, equals, value = word[2:].partition("=")
    name = _SAME.get(name, name)
    if name in _SWITCHES:
        return [(name, value if equals else None)]
    return [(name, value if equals else _next(word, rest))]


def _short(word: str, rest: list[str]) -> list[tuple[str, str | None]]:
    """Read ``-d``, ``-dit``, ``-p80:80``, ``-p=80:80`` and ``-dp 80:80``."""
    found: list[tuple[str, str | None]] = []
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        name = _SHORT.get(letter)
        if name is None:
            raise UnreadableError(f"docker run has no option -{letter}")
        if name not in _SWITCHES:
            return [*found, (name, letters.removeprefix("=") or _next(word, rest))]
        found.append((name, None))
    return found


def _next(word: str, rest: list[str]) -> str:
    if not rest:
        raise UnreadableError(f"{word} has no value")
    return rest.pop(0)


def _taken(spec: str) -> list[Published] | None:
    """The ports of one ``-p`` that the proxy can take over; None if it cannot."""
    found = _PORT.fullmatch(spec)
    if found is None or found[4] == "sctp" or found[1] not in _ANYWHERE:
        return None
    published, target = _range(found[2]), _range(found[3])
    if len(published) != len(target):
        return None
    return [Published(*pair, found[4] or "tcp") for pair in zip(published, target, strict=True)]


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)

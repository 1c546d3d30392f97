"""``docker`` for a project's scripts: passes on what it is told, but for what makes a version."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence

from build_hook.shim import runline, spool

_TAKE_AWAY = frozenset({"kill", "rm", "stop"})
_ABOUT_CONTAINERS = frozenset(
    {
        "attach", "commit", "cp", "diff", "exec", "export", "inspect", "logs", "pause", "port",
        "restart", "start", "stats", "top", "unpause", "update", "wait",
    }
)  # fmt: skip
_WITH_VALUE = frozenset({"-t", "--time", "--timeout", "-s", "--signal"})
_NO_PROXY = re.compile(r"(--build-arg=)?(NO_PROXY|no_proxy)=")
_SHORTEST_ID = 12


class Shim:
    """One call of ``docker``."""

    def __init__(self, of: spool.Spool) -> None:
        self._spool = of
        self._context = of.context()

    def call(self, argv: Sequence[str]) -> int:
        """Do what is asked; the exit status."""
        what, rest = _command(argv)
        if what == "build":
            return self._build(argv, rest)
        if what == "run":
            return self._run(argv, rest)
        if what in _TAKE_AWAY:
            return self._take_away(argv, rest)
        if what in _ABOUT_CONTAINERS:
            return self._pass([self._as_it_is_now(word) for word in argv])
        return self._pass(argv)

    # Private

    def _build(self, argv: Sequence[str], rest: Sequence[str]) -> int:
        """Build as told, with labels by which the image is found again, and within limits."""
        context = self._context
        head = list(argv[: len(argv) - len(rest)])
        ours = [f"--label={key}={value}" for key, value in context.labels.items()]
        ours += [f"--build-arg={name}={context.no_proxy}" for name in ("NO_PROXY", "no_proxy")]
        mark = context.no_proxy.rpartition(",")[2]
        said = [f"{word},{mark}" if _NO_PROXY.match(word) else word for word in rest]
        status = self._pass([*head, *ours, f"--tag={context.image_tag}", *said])
        if status != 0:
            self._spool.tell_problem(f"docker build failed with exit status {status}")
        return status

    def _run(self, argv: Sequence[str], rest: Sequence[str]) -> int:
        try:
            line = runline.parse(rest)
        except runline.UnreadableError as error:
            _say(f"{error}: passed on as it is")
            return self._pass(argv)
        if not line.has("detach") or not self._is_version(line):
            return self._pass(argv)
        if self._spool.started() is not None:
            _say("a second version in one build: it is started as it is, and is not watched")
            return self._pass(argv)
        return self._start(line, tuple(rest))

    def _start(self, line: runline.RunLine, said: tuple[str, ...]) -> int:
        """Make the container; where it must not run beside the old one, the worker starts it."""
        context = self._context
        for number, file in enumerate(line.files):
            if not self._spool.keep(number, file):
                _say(f"{file} is no file that can be kept: a roll-back reads it as it is then")
        words = line.create(
            container=context.container, network=context.network, labels=context.labels
        )
        made = subprocess.run(
            (context.docker, "create", *words), stdout=subprocess.PIPE, text=True, check=False
        )
        if made.returncode != 0:
            self._spool.tell_problem("docker run failed, see above")
            return made.returncode
        container = made.stdout.strip()
        is_alone = context.alone or line.why_alone is not None
        commands: list[tuple[str, ...]] = []
        if not line.is_on_host:
            commands += [("network", "connect", name, container) for name in line.networks]
        if not is_alone:
            commands.append(("start", container))
        for command in commands:
            if status := self._pass(command, stdout=subprocess.DEVNULL):
                self._spool.tell_problem(f"docker {command[0]} failed, see above")
                self._pass(("rm", "--force", "--volumes", container), stdout=subprocess.DEVNULL)
                return status
        name, folder = line.last("name"), os.getcwd()
        self._spool.tell_started(spool.Started(container, said, name, folder))
        _say(f"{line.image} is a version of {context.project}; {_about_ports(line)}")
        if is_alone:
            _say("it starts once the version before it has stopped")
        print(container)
        return 0

    def _is_version(self, line: runline.RunLine) -> bool:
        """Whether this is what the project serves: it has ports, or was built just now."""
        if line.ports or line.why_alone is not None:
            return True
        asked = subprocess.run(
            (self._context.docker, "image", "inspect", "--format", "{{json .Config.Labels}}",
             "--", line.image),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return all(value in asked.stdout for value in self._context.labels.values())

    def _take_away(self, argv: Sequence[str], rest: Sequence[str]) -> int:
        """Leave the version that serves where it is: it goes once the new one has its traffic."""
        keep: list[str] = []
        spared: list[str] = []
        others = 0
        words = iter(rest)
        for word in words:
            if word in _WITH_VALUE:
                keep += [word, next(words, "")]
            elif self._is_serving(word):
                spared.append(word)
            else:
                others += not word.startswith("-")
                keep.append(self._as_it_is_now(word))
        for word in spared:
            _say(f"{word} serves: it is stopped when the new version has its traffic")
            print(word)
        if spared and not others:
            return 0
        return self._pass([*argv[: len(argv) - len(rest)], *keep])

    def _is_serving(self, word: str) -> bool:
        serving, known_as = self._context.serving, self._context.known_as
        started = self._spool.started()
        if serving is None or (started is not None and started.known_as == word):
            return False
        is_id = len(word) >= _SHORTEST_ID and serving.startswith(word)
        return is_id or (known_as is not None and word == known_as)

    def _as_it_is_now(self, word: str) -> str:
        """A container's name in the scripts, as the engine knows it; other words as they are."""
        started = self._spool.started()
        name, colon, path = word.partition(":")  # docker cp NAME:PATH
        if started is not None and started.known_as == name:
            return f"{started.container}{colon}{path}"
        if self._context.known_as == name and self._context.serving:
            return f"{self._context.serving}{colon}{path}"
        return word

    def _pass(self, argv: Sequence[str], *, stdout: int | None = None) -> int:
        return subprocess.run((self._context.docker, *argv), stdout=stdout, check=False).returncode


def _command(argv: Sequence[str]) -> tuple[str, Sequence[str]]:
    """What is asked, and the words behind it: ``docker run`` is ``docker container run``."""
    words = list(argv)
    if words[:1] in (["container"], ["image"], ["buildx"], ["builder"]):
        words = words[1:]
    return (words[0], words[1:]) if words else ("", ())


def _about_ports(line: runline.RunLine) -> str:
    if line.is_on_host:
        return (
            f"with --network {line.networks[0]} its ports are its own: while versions change "
            "nobody answers there. For deploys that nobody notices say -p PORT:TARGET in its place"
        )
    ports = ", ".join(str(port.published) for port in line.ports)
    return f"the proxy has its ports {ports}"


def _say(text: str) -> None:
    print(f"build-hook: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Stand in for ``docker``; outside a build there is nothing to stand in for."""
    of = spool.of_this_build()
    try:
        if of is None:
            raise FileNotFoundError
        shim = Shim(of)
    except OSError:
        _say("the build that this script belongs to is over: nothing is done")
        return 1
    return shim.call(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

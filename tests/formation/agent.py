"""The agent's side of the hook commands: a socket, and one transaction per running hook."""

import collections
import dataclasses
import pathlib
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from tests.formation import charmfile, commands, entities

JUJUC = pathlib.Path(__file__).with_name("jujuc.pl")


@dataclasses.dataclass(eq=False)
class Context:
    """What a running hook has written so far; it takes effect if the hook succeeds."""

    unit: entities.Unit
    event: entities.Event
    ports: set[str]
    kept: dict[str, str]
    commands: int = 0
    bags: dict[tuple[int, str], dict[str, str]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(dict)
    )
    # Secrets that it has made, and new contents of others: known to it alone so far.
    created: dict[str, entities.Secret] = dataclasses.field(default_factory=dict)
    contents: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    after: list[Callable[[], None]] = dataclasses.field(default_factory=list)

    @property
    def app(self) -> entities.Application:
        """The application of the running unit."""
        return self.unit.app

    @property
    def is_leader(self) -> bool:
        """Whether the running unit leads."""
        return self.app.leader == self.unit.name


class Agent:
    """Answers hook commands from one folder, which machines see too."""

    def __init__(self, folder: pathlib.Path, model: Any) -> None:
        self.folder = folder
        self.contexts: dict[str, Context] = {}
        # What machines want units to be told: the unit, and the event.
        self.asked: collections.deque[tuple[str, str]] = collections.deque()
        self._commands = commands.Commands(model)
        tools = folder / "tools"
        tools.mkdir(parents=True)
        (tools / "jujuc").write_bytes(JUJUC.read_bytes())
        (tools / "jujuc").chmod(0o755)
        for name in (*commands.NAMES, "juju-exec"):
            (tools / name).symlink_to("jujuc")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(folder / "agent.sock"))
        (folder / "agent.sock").chmod(0o777)
        self._socket.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                question = b"".join(iter(lambda c=client: c.recv(65536), b""))
                status, out, err = self._answer(list(texts(question)))
                printed = out.encode()
                client.sendall(f"{status}\n{len(printed)}\n".encode() + printed + err.encode())

    def _answer(self, question: list[str]) -> tuple[int, str, str]:
        number, count, *rest = question
        (name, *arguments), (stdin, *files) = rest[: int(count)], rest[int(count) :]
        try:
            if name == "juju-exec":
                return 0, self._execute(*arguments), ""
            context = self.contexts[number]
            context.commands += 1
            contents = dict(zip(files[::2], files[1::2], strict=True))
            return 0, self._commands.run(context, name, arguments, stdin, contents), ""
        except charmfile.RefusedError as error:
            return 1, "", f"ERROR {error}\n"
        except Exception:
            return 2, "", f"emulator: {traceback.format_exc()}"

    def _execute(self, unit: str, command: str) -> str:
        """Have a unit told something by its own machine, in its turn."""
        variable, _, path = command.split()[0].partition("=")
        if variable != "JUJU_DISPATCH_PATH" or not path.startswith("hooks/"):
            raise charmfile.RefusedError(f"{command!r} is not emulated")
        self.asked.append((unit, path.removeprefix("hooks/")))
        return ""


def texts(netstrings: bytes) -> Iterator[str]:
    """The texts of a question, each with its length before it."""
    while netstrings:
        length, _, rest = netstrings.partition(b":")
        yield rest[: int(length)].decode()
        netstrings = rest[int(length) + 1 :]

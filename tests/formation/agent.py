"""The agent's side of the hook commands: a socket, and one transaction per running hook."""

import collections
import dataclasses
import json
import pathlib
import socket
import threading
import traceback
from collections.abc import Callable
from typing import Any

from tests.formation import charmfile, commands, entities

JUJUC = pathlib.Path(__file__).with_name("jujuc.py")


@dataclasses.dataclass(eq=False)
class Context:
    """What a running hook has written so far; it takes effect if the hook succeeds."""

    unit: entities.Unit
    event: entities.Event
    ports: set[str]
    kept: dict[str, str]
    bags: dict[tuple[int, str], dict[str, str]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(dict)
    )
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
        self._commands = commands.Commands(model)
        tools = folder / "tools"
        tools.mkdir(parents=True)
        (tools / "jujuc").write_bytes(JUJUC.read_bytes())
        (tools / "jujuc").chmod(0o755)
        for name in commands.NAMES:
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
                question = json.loads(b"".join(iter(lambda c=client: c.recv(65536), b"")))
                client.sendall(json.dumps(self._answer(question)).encode())

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        context = self.contexts[question["context"]]
        name, *arguments = question["arguments"]
        try:
            out = self._commands.run(
                context, name, arguments, question["stdin"], question["files"]
            )
        except charmfile.RefusedError as error:
            return {"status": 1, "out": "", "err": f"ERROR {error}\n"}
        except Exception:
            return {"status": 2, "out": "", "err": f"emulator: {traceback.format_exc()}"}
        return {"status": 0, "out": out, "err": ""}

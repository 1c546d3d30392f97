"""The logs of builds as a source of lines: every file of the folder, from where it was left."""

import pathlib
import time
from collections.abc import Mapping

from build_hook.shipping import line

_CHUNK = 256 * 1024


class BuildLogs:
    """Follows the files of the folder ``logs``; ``sent`` are bytes by name of the file."""

    def __init__(self, folder: pathlib.Path, sent: Mapping[str, int] | None) -> None:
        self._folder = folder
        # What was there before anybody shipped is not news.
        self.sent = dict(sent) if sent is not None else self._sizes()

    def take(self) -> list[line.Line]:
        """The lines that have come since; of each file so many that others have their turn."""
        sizes = self._sizes()
        self.sent = {name: at for name, at in self.sent.items() if name in sizes}
        found: list[line.Line] = []
        for name, size in sorted(sizes.items(), key=lambda each: int(each[0])):
            if size > self.sent.get(name, 0):
                found += self._read(name)
        return found

    def _read(self, name: str) -> list[line.Line]:
        """Whole lines only: the rest of the last one comes with the next look."""
        begin = self.sent.get(name, 0)
        with (self._folder / f"{name}.log").open("rb") as file:
            file.seek(begin)
            chunk = file.read(_CHUNK)
        whole = chunk[: chunk.rfind(b"\n") + 1] or (chunk if len(chunk) == _CHUNK else b"")
        self.sent[name] = begin + len(whole)
        now = time.time_ns()
        return [
            line.Line(now + n, f"build {name}: {text}", line.labels(source="build"))
            for n, text in enumerate(whole.decode(errors="replace").splitlines())
        ]

    def _sizes(self) -> dict[str, int]:
        files = (path for path in self._folder.glob("*.log") if path.stem.isdigit())
        return {path.stem: path.stat().st_size for path in files}

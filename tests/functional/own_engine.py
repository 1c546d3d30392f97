"""A Docker engine for one test, beside the machine's own, which nobody may stop."""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import time
from collections.abc import Generator

PATIENCE = 60.0


class OwnEngine:
    """A ``dockerd`` with everything of its own below one folder."""

    def __init__(self, folder: pathlib.Path, number: int, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._number = number
        self._process: subprocess.Popen[bytes] | None = None
        self.host = f"unix://{folder}/docker.sock"

    def start(self) -> None:
        if self._process is not None:
            return
        program = shutil.which("dockerd")
        assert program, "dockerd is not installed"
        with (self._folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    f"--data-root={self._folder}/data",
                    f"--exec-root={self._folder}/exec",
                    f"--pidfile={self._folder}/pid",
                    f"--host={self.host}",
                    # Neither "none" nor an address pool: with either dockerd removes docker0,
                    # which belongs to the machine's own engine (with a pool at its restart).
                    f"--bridge={self._bridge()}",
                    "--iptables=false",
                    "--ip-masq=false",
                    "--ip-forward=false",
                    "--userland-proxy=false",
                    *self._options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def _bridge(self) -> str:
        """A default bridge of its own; made once, removed by ``remove_bridge``."""
        name = f"bh-own-{self._number}"
        if not pathlib.Path(f"/sys/class/net/{name}").exists():
            for arguments in (
                ("link", "add", name, "type", "bridge"),
                ("addr", "add", f"10.{self._number}.255.1/24", "dev", name),
                ("link", "set", name, "up"),
            ):
                subprocess.run(["ip", *arguments], check=True, timeout=10)
        return name

    def remove_bridge(self) -> None:
        subprocess.run(
            ["ip", "link", "del", f"bh-own-{self._number}"], check=False, capture_output=True
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process = None

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            words = (self._folder / "dockerd.log").read_text(errors="replace")[-2000:]
            assert self._process.poll() is None, words
            assert time.monotonic() < deadline, words
            time.sleep(0.1)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(f"{self._folder}/docker.sock")
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(100)
        return False


@contextlib.contextmanager
def running(folder: pathlib.Path, number: int = 213, *options: str) -> Generator[OwnEngine]:
    """An engine that runs until the end of the block, with its containers."""
    engine = OwnEngine(folder, number, *options)
    try:
        engine.start()
        yield engine
    finally:
        engine.stop()
        engine.remove_bridge()
        subprocess.run(["umount", "-R", f"{folder}/data"], capture_output=True, check=False)

"""The product under show: ``build-hook serve`` as a process of its own."""

import contextlib
import http.client
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time

from build_hook import errors, settings

READY_WITHIN = 30.0
STOP_WITHIN = 20.0


class Product:
    """``serve`` on one state folder, from ``with`` to its end."""

    def __init__(self, config: settings.Settings, log: pathlib.Path) -> None:
        self._config = config
        self._log = log

    def __enter__(self) -> "Product":
        state = str(self._config.state)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "build_hook", "--state", state, "serve"],
                env=environment(self._config),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which ends the product in order
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_WITHIN)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Where web listens."""
        return f"http://127.0.0.1:{self._config.port}"

    def wait_until_ready(self) -> None:
        """Wait for web to answer.

        Raises:
            BuildHookError: if the product ends, or takes too long.
        """
        deadline = time.monotonic() + READY_WITHIN
        while not _is_healthy(self._config.port):
            self.check()
            if time.monotonic() > deadline:
                raise errors.BuildHookError(
                    f"build-hook serve was not ready within {READY_WITHIN:g} s", self.last_words()
                )
            time.sleep(0.05)

    def check(self) -> None:
        """Make sure that it runs.

        Raises:
            BuildHookError: if it has ended.
        """
        if self._process.poll() is not None:
            raise errors.BuildHookError(
                f"build-hook serve ended with status {self._process.returncode}", self.last_words()
            )

    def last_words(self) -> str:
        """The end of its log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(["Its last lines:", *lines[-15:]])


def free_port() -> int:
    """A port that nothing listens on, below those that outgoing connections are given."""
    while True:
        port = random.randint(20_000, 32_000)  # noqa: S311 - no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def environment(config: settings.Settings) -> dict[str, str]:
    """The user's environment, without settings of another instance and past any proxy."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(settings.PREFIX)}
    given = {
        name: str(getattr(config, name))
        for name in ("listen", "port", "publish_address", "docker_host")
    }
    ours = {f"{settings.PREFIX}{name.upper()}": value for name, value in given.items()}
    return {**kept, **ours, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()

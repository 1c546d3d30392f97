"""Load from wrk: the same delivery again and again, each with an id of its own."""

import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

_LUA = """
local file = io.open("{folder}/body", "rb"); local body = file:read("*a"); file:close()
local headers = {{ {headers} }}
local count = 0
request = function()
  count = count + 1
  headers["X-GitHub-Delivery"] = "{run}-" .. count
  return wrk.format("POST", "{path}", headers, body)
end
done = function(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format('\\n{mark}{{"rate": %f, "p50": %f, "p99": %f, "bad": %d}}\\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, errors.status + broken))
end
"""
_MARK = "figures: "


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """Requests a second, times in milliseconds, and how many were refused or broke.

    Where somebody measured it, ``cpu`` is the processor time in milliseconds that a request took
    the receiver, and ``done`` how many a second were dealt with, the work after the answer
    included.
    """

    rate: float
    p50: float
    p99: float
    bad: int
    cpu: float = 0.0
    done: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """What is sent."""

    path: str
    headers: Mapping[str, str]
    body: bytes


def require() -> None:
    """End with a clear message where wrk is missing."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing. Install it: apt-get install wrk")


def load(
    port: int, delivery: Delivery, *, senders: int, seconds: float, keep_alive: bool
) -> Figures:
    """Send without pause for so long."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "body").write_bytes(delivery.body)
        (folder / "push.lua").write_text(_script(folder, delivery, keep_alive=keep_alive))
        done = subprocess.run(
            ["wrk", "-t1", f"-c{senders}", f"-d{seconds:g}s", "--timeout", "10s",
             "-s", str(folder / "push.lua"), f"http://127.0.0.1:{port}/"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    line = next(line for line in done.stdout.splitlines() if line.startswith(_MARK))
    return Figures(**json.loads(line.removeprefix(_MARK)))


def _script(folder: pathlib.Path, delivery: Delivery, *, keep_alive: bool) -> str:
    headers = dict(delivery.headers) | ({} if keep_alive else {"Connection": "close"})
    lines = ", ".join(f'["{name}"] = "{value}"' for name, value in headers.items())
    run = time.time_ns()
    return _LUA.format(folder=folder, headers=lines, run=run, path=delivery.path, mark=_MARK)

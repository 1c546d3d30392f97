"""How many pushes a second web takes when senders do not pause, beside a bare application.

python -m benchmarks.web_saturation [--json] [--senders 64] [--seconds 5] [--rounds 5]

The bare one runs Falcon under the same gunicorn and only answers 202; ours verifies, stores and
fsyncs. Rounds take turns, so that both meet the same machine. The load comes from wrk.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from benchmarks import signed_push, table, web_stage

PROJECT = web_stage.name(0)
_LUA = """
local file = io.open("{body}", "rb"); local body = file:read("*a"); file:close()
local headers = {{
  ["Content-Type"] = "application/json", ["X-GitHub-Event"] = "push",
  ["X-Hub-Signature-256"] = "{signature}" }}
local count = 0
request = function()
  count = count + 1
  headers["X-GitHub-Delivery"] = "{run}-" .. count
  return wrk.format("POST", "/hooks/{project}", headers, body)
end
"""


def script(folder: pathlib.Path) -> pathlib.Path:
    """A wrk script that sends one push with ever new delivery ids."""
    payload = signed_push.body(repository=f"octocat/{PROJECT}")
    (folder / "body").write_bytes(payload)
    signature = signed_push.headers(payload, "")["X-Hub-Signature-256"]
    path = folder / "push.lua"
    path.write_text(
        _LUA.format(body=folder / "body", signature=signature, run=time.time_ns(), project=PROJECT)
    )
    return path


def load(port: int, senders: int, seconds: float) -> float:
    """Requests a second that were accepted."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["wrk", "-t1", f"-c{senders}", f"-d{seconds:g}s", "-s",
             str(script(pathlib.Path(folder))), f"http://127.0.0.1:{port}/"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"not all pushes were accepted:\n{done.stdout}")
    found = re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


def measure(senders: int, seconds: float, rounds: int) -> tuple[list[float], list[float]]:
    """Interleaved rounds: ours and bare."""
    ours: list[float] = []
    bare: list[float] = []
    with (
        web_stage.server(web_stage.OURS) as (our_port, _, _),
        web_stage.server(web_stage.BARE) as (bare_port, _, _),
    ):
        load(our_port, senders, 1)
        load(bare_port, senders, 1)
        for _ in range(rounds):
            ours.append(load(our_port, senders, seconds))
            bare.append(load(bare_port, senders, seconds))
    return ours, bare


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Saturated pushes a second, beside bare Falcon")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--senders", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing. Install it: apt-get install wrk")
    ours, bare = measure(options.senders, options.seconds, options.rounds)
    ratios = [mine / other for mine, other in zip(ours, bare, strict=True)]
    if options.json:
        figures = {"ours": ours, "bare": bare, "ratio": ratios}
        table.show_json({name: table.summary(values) for name, values in figures.items()})
        return
    table.show(
        f"Signed 8 KB pushes, {options.senders} senders without pause, {options.rounds} rounds",
        ["", "requests/s"],
        [
            ["web, stored and fsynced", table.spread(ours)],
            ["bare Falcon, only 202", table.spread(bare)],
            ["ratio of paired rounds", table.spread(ratios, 3)],
        ],
    )


if __name__ == "__main__":
    main()

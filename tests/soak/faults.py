"""Injects every fault of ``tests/functional/faults.py`` and writes down what the user is told.

``python -m tests.soak.faults --write docs/faults.md``
"""

import argparse
import pathlib
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

from build_hook.demo import traffic
from tests.functional import faults
from tests.functional import host as hosts

KNOBS: dict[str, Any] = {"reconcile_interval": 3600, "min_free_mb": 10}
HEAD = ("fault", "ended", "what the user is told", "serving container", "requests", "failed")


def trial() -> Iterator[tuple[tuple[str, ...], bool]]:
    """A row for each fault, and whether all was as it should be."""
    with hosts.base_image() as base, hosts.serving(base, **KNOBS) as host:
        web = host.add("web", build={"timeout": 3}, health={"timeout": 3, "path": "/"})
        web.live()
        host.fire = lambda moved: None
        for fault in faults.FAULTS:
            yield inject(host, web, fault)


def inject(
    host: hosts.Host, web: hosts.Project, fault: faults.Fault
) -> tuple[tuple[str, ...], bool]:
    serving = web.serving()
    with traffic.Traffic({"web": web.url}) as load:
        assert load.wait_for("web", web.get(), 10)
        with fault.inject(web):
            build = web.fails()
            same = web.serving() == serving
            load.stop()
    web.settle()
    seen, reason = load.window(), build.reason or ""
    cells = (
        fault.name, build.phase, tidy(reason, host), "the same" if same else "ANOTHER",
        str(seen.requests), str(seen.failed),
    )  # fmt: skip
    return cells, bool(same and not seen.failed and re.search(fault.says, reason))


def tidy(reason: str, host: hosts.Host) -> str:
    """Without what differs from run to run and from machine to machine."""
    reason = reason.replace(host.settings.instance, "INSTANCE").replace("|", r"\|")
    reason = re.sub(r"lookup (\S+) on \S+:", r"lookup \1:", reason)
    return re.sub(r"\b[0-9a-f]{40,64}\b", "…", reason)


def page(rows: list[tuple[str, ...]]) -> str:
    lines = [
        "# Injected faults",
        "",
        "Made by `python -m tests.soak.faults --write docs/faults.md` on "
        f"{time.strftime('%d %B %Y', time.gmtime())}.",
        "",
        "A version serves under steady load; then each fault is injected and a deploy asked for.",
        "The serving container is compared by its id, start time and state.",
        "",
        "| " + " | ".join(HEAD) + " |",
        "| " + " | ".join("---" for _ in HEAD) + " |",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        "Faults of the registry file, of the engine (stopped, restarted in the middle of a",
        "deploy), of the disk and of killed processes are in `tests/functional/test_errors.py`,",
        "`test_engine_down.py`, `test_knobs.py` and `test_kill.py`; the counts of kills are in",
        "[evidence/kill.md](evidence/kill.md).",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.faults", description=__doc__)
    parser.add_argument("--write", type=pathlib.Path)
    chosen = parser.parse_args()
    rows: list[tuple[str, ...]] = []
    good = True
    for row, is_good in trial():
        print("ok  " if is_good else "BAD ", *row, sep=" | ", flush=True)
        rows.append(row)
        good &= is_good
    if chosen.write:
        chosen.write.write_text(page(rows), encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

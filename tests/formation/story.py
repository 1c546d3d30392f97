"""The formation, from the bundle of the article to a removed build hook, on real machines.

``python -m tests.formation.story`` wants packed charms in dist/, root, and a Docker engine; it
prints what it proves, step by step with times, and ends with status 1 at the first thing that is
not so. `./dev formation` packs first.
"""

import argparse
import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

from tests.formation import (
    bare_machine,
    chapter_departure,
    chapter_deployment,
    chapter_neighbours,
    chapter_operation,
    chapter_settings,
    containers,
    githost,
    hook_times,
    logsink,
    machine_image,
    model,
    stage,
)
from tools import interpreter, pack

NETWORK = "build-hook-formation"
STOP_AFTER = int(os.environ.get("FORMATION_STEPS", "0"))  # for people who work on the first ones
CHAPTERS = {
    "deployment": chapter_deployment.STEPS,
    "settings": chapter_settings.STEPS,
    "neighbours": chapter_neighbours.STEPS,
    "operation": chapter_operation.STEPS,
    "departure": chapter_departure.STEPS,
}


def main() -> int:
    """Tell the story; 1 if a part of it is not true."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that machines are removed
    folder = pathlib.Path(tempfile.mkdtemp(prefix="formation-"))
    started, untrue = time.monotonic(), 0
    try:
        with contextlib.ExitStack() as stack:
            on = _stage(stack, folder, asked)
            steps = [step for name in asked.chapters for step in CHAPTERS[name]]
            for step in steps[:STOP_AFTER] if STOP_AFTER else [*steps, hooks_in_time]:
                untrue += not say(step, on)
                if untrue and not asked.go_on:
                    break
    finally:
        print(f"{time.monotonic() - started:.0f} s in all, load {os.getloadavg()[0]:.0f}")
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if untrue else 0


def say(step: Callable[[stage.Stage], str], on: stage.Stage) -> bool:
    """Do one step and print what it was, how long it took and what came out; False if untrue."""
    started, told = time.monotonic(), len(on.model.times)
    what = (step.__doc__ or "").strip()
    try:
        result, is_true = step(on), True
    except (stage.UntrueError, model.HookFailedError, RuntimeError, OSError) as error:
        result, is_true = f"NOT SO: {error}", False
    print(f"{time.monotonic() - started:6.1f} s  {what}  {result}", flush=True)
    if is_true:
        on.model.times[told:] = hook_times.beside(on.model.times[told:], on.start_of_python())
    return is_true


def hooks_in_time(on: stage.Stage) -> str:
    """No kind of hook takes longer than it may."""
    slow = hook_times.slow(on.model.times)
    stage.expect(not slow, f"too long: {slow}")
    return f"{hook_times.MOST} s of processor time, more where Python is slow to start"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev formation", description=__doc__)
    parser.add_argument(
        "--chapters", nargs="+", choices=CHAPTERS, default=list(CHAPTERS),
        help="some only; all of them need the deployment",
    )  # fmt: skip
    parser.add_argument(
        "--go-on", action="store_true", help="say what is not so, and go on with the next step"
    )
    parser.add_argument("--keep", action="store_true", help="keep the machines to look at")
    parser.add_argument(
        "--bare", action="store_true", help="machines without packages: the charms install all"
    )
    return parser.parse_args()


def _stage(
    stack: contextlib.ExitStack, folder: pathlib.Path, asked: argparse.Namespace
) -> stage.Stage:
    """Set everything up that the story needs, and have it taken down in the end."""
    stack.enter_context(turn())
    python = interpreter.wanted(pack.SHOP / "python") or interpreter.own()
    packages = () if asked.bare else machine_image.OF_CHARMS
    image = machine_image.ensure(folder, python, packages)
    gateway = stack.enter_context(containers.network(NETWORK))
    git = stack.enter_context(githost.GitHost(folder / "git", gateway))
    sink = stack.enter_context(logsink.LogSink(gateway))

    def make(number: str, agent: pathlib.Path) -> containers.Container:
        name = f"{NETWORK}-{number}"
        machine = containers.start(number, name, NETWORK, agent, image)
        if not asked.keep:
            stack.callback(containers.docker, "rm", "--force", "--volumes", name)
        if asked.bare:
            bare_machine.tell_of_packages(machine)
        return machine

    formation = model.Model(folder, make)
    stack.callback(formation.agent.close)
    stack.callback(lambda: print(hook_times.report(formation.times)))
    return stage.Stage(formation, git, sink, folder)


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """One formation at a time: each begins with the removal of what another one left."""
    path = pathlib.Path(tempfile.gettempdir(), f"{NETWORK}.lock")
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())

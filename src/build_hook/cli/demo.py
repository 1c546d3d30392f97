"""``build-hook demo``."""

import contextlib
import signal
import sys
from collections.abc import Generator

import click
import rich.console

from build_hook.cli import options
from build_hook.demo import progress, script, show, stage

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WIDTH = 100  # of the table in a file


@click.command()
@options.as_json
def demo(as_json: bool) -> None:
    """Watch five pushes go live under load, one of them broken, on this machine.

    Makes a git server, two projects and steady load of its own, and removes it all.
    """
    console = rich.console.Console(stderr=as_json)
    if not console.is_terminal:
        console.width = WIDTH
    shown = progress.Progress(console, len(script.CHANGES))
    with _interruptible(), shown.showing(), stage.set_up(shown.step) as on:
        try:
            found = show.Show(on, shown).run()
        finally:
            _listen_no_more()
    if as_json:
        options.print_json(found.as_dict())
    else:
        console.print(found.table())
        for remark in found.remarks():
            console.print(remark, markup=False, highlight=False)
    for fault in found.faults:
        click.echo(f"build-hook: {fault}", err=True)
    sys.exit(0 if found.ok else 1)


@contextlib.contextmanager
def _interruptible() -> Generator[None]:
    """Clear up when asked to stop; asked again, go on clearing up."""

    def stop(number: int, _: object) -> None:
        _listen_no_more()
        sys.exit(128 + number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen_no_more() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)

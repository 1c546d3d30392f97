"""The one place that starts programs: argv lists, a deadline, a way to stop, no orphans."""

import collections
import collections.abc
import contextlib
import os
import pathlib
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

# A program that runs for us gives way to what serves, and dies with the thread that started it,
# kill -9 of ours included.
_LEASH = ("nice", "-n", "5", "setpriv", "--pdeathsig", "KILL", "--")
TAIL = 40
_PATIENCE = 5.0


class ProcessError(Exception):
    """A program failed, or was stopped at its deadline (``code`` None).

    Args:
        argv: the program and its arguments.
        code: its exit status, negative for a signal.
        tail: the last lines that it printed.
    """

    def __init__(self, argv: Sequence[str], code: int | None, tail: Sequence[str]) -> None:
        how = "ran into its time limit" if code is None else f"exit status {code}"
        super().__init__(f"{argv[0]}: {how}")
        self.code = code
        self.tail = tuple(tail)

    @property
    def last_line(self) -> str:
        """The last thing it said that is not blank."""
        return next((line for line in reversed(self.tail) if line.strip()), "")


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    cwd: pathlib.Path | None = None,
    env: Mapping[str, str] | None = None,
    inherit: bool = True,
    keep: int | None = TAIL,
    on_line: Callable[[str], None] = lambda line: None,
    check_stop: Callable[[], None] = lambda: None,
    read: Callable[[str], Iterable[str]] = lambda line: (line,),
) -> str:
    """Run a program to its end and return what it printed last (stdout and stderr together).

    Args:
        argv: the program and its arguments.
        timeout: seconds after which it is interrupted, then killed.
        cwd: folder to run in.
        env: variables to add to or replace in ours.
        inherit: whether it gets ours at all.
        keep: how many of the last lines are returned, None for all.
        on_line: is given each line as it comes.
        check_stop: is called now and then; what it raises stops the program and goes through.
        read: what each line means, as lines; these count for all else.

    Raises:
        ProcessError: if it fails or runs out of time.
    """
    tail: collections.deque[str] = collections.deque(maxlen=keep)

    def take(raw: str) -> None:
        for line in read(raw):
            tail.append(line)
            on_line(line)

    variables = {**(os.environ if inherit else {}), **(env or {})}
    code = _follow(_start(argv, cwd, variables), time.monotonic() + timeout, take, check_stop)
    if code != 0:
        raise ProcessError(argv, code, tail)
    return "\n".join(tail)


def _start(
    argv: Sequence[str], cwd: pathlib.Path | None, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*_LEASH, *argv],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _follow(
    process: subprocess.Popen[bytes],
    deadline: float,
    take: Callable[[str], None],
    check_stop: Callable[[], None],
) -> int | None:
    """The exit status of a program that is read to its end; None if it ran out of time."""
    with process:
        try:
            for line in _lines(process, deadline, check_stop):
                take(line)
            return process.wait(timeout=max(0.0, deadline - time.monotonic()) + _PATIENCE)
        except (TimeoutError, subprocess.TimeoutExpired):
            _end(process)
            return None
        except BaseException:
            _end(process)
            raise


def _lines(
    process: subprocess.Popen[bytes], deadline: float, check_stop: Callable[[], None]
) -> collections.abc.Generator[str]:
    assert process.stdout is not None  # noqa: S101 - asked for with PIPE
    handle = process.stdout.fileno()
    rest = b""
    while True:
        check_stop()
        if time.monotonic() > deadline:
            raise TimeoutError
        if not select.select([handle], [], [], 0.2)[0]:
            continue
        chunk = os.read(handle, 65_536)
        if not chunk:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
        if len(rest) > 65_536:  # a line without an end must not fill the memory
            yield rest.decode(errors="replace")
            rest = b""
    if rest:
        yield rest.decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

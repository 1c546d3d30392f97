import os
import pathlib
import signal
import sys
import time

import pytest

from build_hook.deploy import process


def python(code, **options):
    return process.run((sys.executable, "-c", code), **{"timeout": 20, **options})


class StoppedError(Exception):
    """Somebody wants the program to end."""


def test_both_outputs_come_line_by_line():
    lines = []

    said = python("import os; os.write(1, b'one\\ntw'); os.write(2, b'o\\nthree')",
                  on_line=lines.append)  # fmt: skip

    assert lines == ["one", "two", "three"]
    assert said == "one\ntwo\nthree"


def test_failure_carries_status_and_last_lines():
    with pytest.raises(process.ProcessError, match="exit status 3") as caught:
        python("print('no luck\\n  '); raise SystemExit(3)")

    assert caught.value.code == 3
    assert caught.value.last_line == "no luck"


def test_only_the_end_of_a_long_output_is_kept():
    said = python("for n in range(1000): print(n)")

    assert said.splitlines() == [str(n) for n in range(1000 - process.TAIL, 1000)]


def test_program_is_ended_at_its_deadline(tmp_path):
    mark = tmp_path / "pid"
    code = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    begun = time.monotonic()

    with pytest.raises(process.ProcessError, match="time limit") as caught:
        python(code, timeout=1.0)

    assert caught.value.code is None
    assert time.monotonic() - begun < 8
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_stop_ends_the_program_and_goes_through(tmp_path):
    mark = tmp_path / "pid"
    code = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"

    def check():
        if mark.exists() and mark.read_text():
            raise StoppedError

    with pytest.raises(StoppedError):
        python(code, check_stop=check)

    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_program_that_ignores_the_interrupt_is_killed(monkeypatch):
    monkeypatch.setattr(process, "_PATIENCE", 0.3)
    code = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"

    with pytest.raises(process.ProcessError, match="time limit"):
        python(code, timeout=1.0)


def test_program_dies_with_the_process_that_started_it(tmp_path):
    mark = tmp_path / "pid"
    inner = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    source = pathlib.Path(process.__file__).parents[1]
    outer = (
        f"import sys; sys.path.insert(0, {str(source)!r}); from build_hook.deploy import process; "
        f"process.run((sys.executable, '-c', {inner!r}), timeout=60)"
    )
    pid = os.spawnv(os.P_NOWAIT, sys.executable, (sys.executable, "-c", outer))
    deadline = time.monotonic() + 10
    while not (mark.exists() and mark.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)

    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    while (
        pathlib.Path(f"/proc/{mark.read_text()}/cmdline").exists()
        and pathlib.Path(f"/proc/{mark.read_text()}/cmdline").read_bytes()
    ):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_variables_and_folder_are_handed_over(tmp_path):
    said = python("import os; print(os.environ['GIVEN'], os.getcwd())",
                  env={"GIVEN": "yes"}, cwd=tmp_path)  # fmt: skip

    assert said == f"yes {tmp_path}"


def test_nothing_is_read_from_a_terminal():
    assert python("print(repr(input()) if False else open(0).read() == '')") == "True"


def test_line_without_an_end_does_not_fill_the_memory():
    lines = []

    python("print('x' * 300_000, end='')", on_line=lines.append)

    assert sum(map(len, lines)) == 300_000
    assert max(map(len, lines)) < 200_000


def test_program_gives_way_to_what_serves():
    assert int(python("import os; print(os.nice(0))")) == min(19, os.nice(0) + 5)

import os
import pathlib
import subprocess
import time

import pytest

from build_hook import doctor, errors, settings
from build_hook.deploy import capabilities, lock


def test_worker_of_another_account_is_told(tmp_path, monkeypatch):
    file = tmp_path / "worker.lock"
    with subprocess.Popen(["sleep", "60"]) as process:
        file.write_text(f"{process.pid}\n", encoding="ascii")
        try:
            doctor.require_own_account(file)
            found = os.stat_result((0,) * 4 + (4242, 0, 0, 0, 0, 0))
            monkeypatch.setattr(pathlib.Path, "stat", lambda self: found)
            monkeypatch.setattr(capabilities, "may_limit", lambda _: False)
            with pytest.raises(errors.LimitError, match="runs as user 4242, who may not set"):
                doctor.require_own_account(file)
            monkeypatch.setattr(capabilities, "may_limit", lambda _: True)
            doctor.require_own_account(file)
        finally:
            process.kill()


def test_worker_that_does_not_run_is_left_to_its_own_check(tmp_path):
    doctor.require_own_account(tmp_path / "worker.lock")


def test_the_lock_names_its_worker_whoever_else_tries(tmp_path):
    options = settings.load(tmp_path / "state", {})
    with lock.take(options):
        with pytest.raises(errors.SettingsError, match="Another worker runs"):
            lock.take(options)

        assert (options.run / "worker.lock").read_text(encoding="ascii") == f"{os.getpid()}\n"


def test_worker_that_does_not_run_is_told(tmp_path):
    options = settings.load(tmp_path / "state", {})

    with pytest.raises(errors.SettingsError, match="No worker runs"):
        doctor._worker(options)


def test_worker_that_hangs_is_told(tmp_path):
    options = settings.load(tmp_path / "state", {})
    with lock.take(options) as held:
        doctor._worker(options)
        before = time.time() - doctor.SILENT - 10
        os.utime(options.run / "worker.lock", (before, before))

        with pytest.raises(errors.SettingsError, match="gave no sign of life for 31"):
            doctor._worker(options)

        lock.beat(held)
        assert doctor._worker(options) == "it has its lock"

"""A server that runs keeps its deliveries within their bounds."""

import os
import subprocess
import sys
import time

import pytest

from build_hook import settings
from build_hook.store import archive, deliveries, session
from tests.functional import webserver

DAY = 86_400


@pytest.fixture
def stored(tmp_path):
    """Three deliveries: of ten days ago, of two days ago, of now."""
    options = settings.load(tmp_path / "s", {})
    of = session.Session(options.database)
    for number, age in enumerate((10, 2, 0)):
        row = deliveries.Delivery(
            received=time.time() - age * DAY,
            provider="github",
            delivery_id=f"d-{number}",
            event="push",
            remote=None,
            headers="{}",
            body=b"{}",
            verdict='{"verified": true, "secret": "shop", "matches": []}',
        )
        with of.transaction() as connection:
            deliveries.add(connection, row)
    yield archive.Archive(of)
    of.close()


def test_worker_forgets_what_is_too_old(tmp_path, stored):
    state = str(tmp_path / "s")
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "build_hook", "--state", state, "serve", "--port", "0"],
            env={**os.environ, "BUILD_HOOK_KEEP_DELIVERIES_DAYS": "5"},
            stdout=log,
            stderr=log,
        )
    try:
        webserver.until(lambda: len(stored.recent()) < 3, 30)
    finally:
        process.terminate()
        process.wait(20)

    assert [one.id for one in stored.recent()] == [3, 2]
    assert "age or room: 1\n" in (tmp_path / "serve.log").read_text()

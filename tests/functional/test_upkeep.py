"""Disk, logs and cache within their bounds; the cache on an engine of our own."""

import os
import pathlib
import tempfile
import time

import pytest

from build_hook.store import builds
from tests.functional import host as hosts
from tests.functional import own_engine

PHASE = builds.Phase


def test_full_disk_takes_images_that_neither_serve_nor_served_last(base):
    with hosts.serving(base, min_free_mb=10, keep_images=5) as host:
        web = host.add("crowded")
        made = [web.live().id for _ in range(4)]
        assert {image.build for image in host.images.all(web.name)} == set(made)
        file = host.settings.state / "settings.toml"
        file.write_text("min_free_mb = 10\ndisk_high_percent = 0.01\n", encoding="utf-8")

        host.restart("worker")

        def is_relieved():
            return [image.build for image in host.images.all(web.name)] == made[-2:]

        host.until(is_relieved, "old images to go")
        assert web.get() == web.version
        host.run("rollback", web.name)
        host.until(lambda: web.get() != web.version, "the version before")


def test_gc_shows_every_bound_and_removes_old_logs(base):
    with hosts.serving(base, min_free_mb=10, keep_logs_days=2) as host:
        web = host.add("wordy")
        first, second = web.live(), web.live()
        old = time.time() - 3 * 86_400
        os.utime(host.settings.logs / f"{first.id}.log", (old, old))

        said = host.run("gc")

        assert (said["logs"], said["cache_bytes"]) == (1, 0)
        assert not (host.settings.logs / f"{first.id}.log").exists()
        assert (host.settings.logs / f"{second.id}.log").exists()
        assert said["bounds"] == {
            "keep_images": 5,
            "keep_builds": 200,
            "keep_logs_days": 2,
            "keep_logs_mb": 1024,
            "build_log_mb": 10,
            "build_cache_mb": 0,
            "disk_high_percent": 90,
            "min_free_mb": 10,
        }
        assert 0 < said["disk_used_percent"] < 100


@pytest.fixture
def own():
    with tempfile.TemporaryDirectory(prefix="bh-", dir="/tmp", ignore_cleanup_errors=True) as name:
        made = own_engine.OwnEngine(pathlib.Path(name), 77)
        made.start()
        try:
            yield made
        finally:
            made.stop()
            made.remove_bridge()


def test_cache_is_cut_down_on_request(own):
    knobs = {"min_free_mb": 10, "docker_host": own.host, "keep_images": 1}
    with hosts.base_image(own.host) as base, hosts.serving(base, **knobs) as host:
        web = host.add("cached")
        dockerfile = web.read("Dockerfile")
        for number in range(5):
            large = f"RUN dd if=/dev/urandom of=/large bs=1048576 count=3; : {number}"
            web.live(Dockerfile=f"{dockerfile}{large}\n")
        left_alone = host.run("gc")
        held = size(host)
        file = host.settings.state / "settings.toml"
        file.write_text(f"{file.read_text()}build_cache_mb = 4\n", encoding="utf-8")

        freed = host.run("gc")["cache_bytes"]

        assert left_alone["cache_bytes"] == 0
        assert held > 8 * 2**20
        assert freed > 3 * 2**20
        assert size(host) <= 4 * 2**20
        assert web.get() == web.version


def size(host):
    records = host.engine.api.df()["BuildCache"] or []
    return sum(record["Size"] for record in records if not record["Shared"])

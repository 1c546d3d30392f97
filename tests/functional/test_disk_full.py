"""Disks that are really full: the state folder's, and the engine's."""

import contextlib
import os
import subprocess

import pytest

from build_hook.store import builds
from tests.functional import host as hosts
from tests.functional import own_engine

PHASE = builds.Phase
MEGABYTE = 2**20


@contextlib.contextmanager
def small_disk(folder, megabytes):
    """A disk of so many MiB, mounted there."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


@pytest.fixture
def cramped(base):
    """A host whose state folder has 24 MiB."""
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(hosts.serving(base, start=False, min_free_mb=1))
        kept = {p.name: p.read_bytes() for p in host.settings.state.iterdir() if p.is_file()}
        host.store.close()
        stack.enter_context(small_disk(host.settings.state, 24))
        for name, content in kept.items():
            (host.settings.state / name).write_bytes(content)
        host.reload()
        with host.product:
            host.product.wait_until_ready()
            yield host


def push_large(made, megabytes):
    """Push something that does not shrink."""
    (made.copy.folder / "large.bin").write_bytes(os.urandom(megabytes * MEGABYTE))
    return made.push()


def test_full_state_folder_is_named_and_nothing_moves(cramped):
    web = cramped.add("web")
    web.live()
    serving, answer = web.serving(), web.get()

    build = web.ended(push_large(web, 30), 60)

    assert build.phase is PHASE.FAILED
    assert build.retry
    assert build.reason
    assert (
        "the disk of the state folder is full. Make room, then: build-hook deploy" in build.reason
    )
    assert (web.serving(), web.get()) == (serving, answer)
    (web.copy.folder / "large.bin").unlink()
    assert web.live()


def test_full_disk_of_the_engine_is_named_and_nothing_moves():
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(hosts.folder())
        (place / "data").mkdir()
        stack.enter_context(small_disk(place / "data", 64))
        engine = stack.enter_context(own_engine.running(place, 215))
        base = stack.enter_context(hosts.base_image(engine.host))
        host = stack.enter_context(
            hosts.serving(base, docker_host=engine.host, min_free_mb=1, reconcile_interval=3600)
        )
        web = host.add("web")
        web.live()
        serving, answer = web.serving(), web.get()
        dockerfile = web.read("Dockerfile")
        assert dockerfile
        (web.copy.folder / "Dockerfile").write_text(dockerfile + "COPY large.bin /\n")

        build = web.ended(push_large(web, 60), 60)

        assert build.phase is PHASE.FAILED
        assert build.reason
        assert build.reason.startswith("building: The disk ran full during the build. Make room")
        assert (web.serving(), web.get()) == (serving, answer)

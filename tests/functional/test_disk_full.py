"""Disks that are really full: the state folder's, and the engine's."""

import contextlib
import json
import os

import pytest

from build_hook import errors
from build_hook.demo import product
from build_hook.proxy import places
from build_hook.store import builds
from tests.functional import certificates, own_engine
from tests.functional import host as hosts
from tests.functional import stage as stages

PHASE = builds.Phase
MEGABYTE = 2**20


@pytest.fixture
def cramped(base):
    """A host whose state folder has 24 MiB."""
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(hosts.serving(base, start=False, min_free_mb=1))
        kept = {p.name: p.read_bytes() for p in host.settings.state.iterdir() if p.is_file()}
        host.store.close()
        stack.enter_context(hosts.small_disk(host.settings.state, 24))
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
        stack.enter_context(hosts.small_disk(place / "data", 64))
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


@pytest.fixture
def stage():
    """A proxy whose state folder has one MiB."""
    with stages.running(1) as made:
        yield made


@contextlib.contextmanager
def filled(folder):
    """Nothing more fits on the disk of a folder."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    try:
        yield
    finally:
        filler.unlink()


def at(stage, port):
    """The address that answers."""
    return json.loads(stage.ask(port, "any")[1])["address"]


def test_a_switch_that_cannot_be_written_is_none_and_says_what_to_do(stage):
    port = product.free_port()
    stage.add("shop", {"published": port})
    target = places.Target(stage.projects["shop"], ("127.0.1.9",))

    with filled(stage.settings.run):
        with pytest.raises(errors.ProxyError, match=r"No space left.*Make room on the disk"):
            stage.front.switch(target)
        assert stage.front.addresses("shop") == (stage.addresses["shop"],)
        assert at(stage, port) == stage.addresses["shop"]

    stage.front.switch(target)
    assert at(stage, port) == "127.0.1.9"


def test_a_project_that_came_while_the_disk_was_full_is_published_later(stage):
    port = product.free_port()
    with filled(stage.settings.run), pytest.raises(errors.ProxyError):
        stage.add("shop", {"published": port})

    stage.front.look()

    assert stage.who(port, "any") == "503"


def test_a_certificate_that_cannot_be_copied_is_taken_over_later(stage):
    port = product.free_port()
    stage.certificate("shop", certificates.make("shop.example.org"))
    stage.add("shop", {"published": port, "certificates": ["shop"], "hosts": ["shop.example.org"]})
    before, renewed = stage.shown(port, "shop.example.org"), certificates.make("shop.example.org")
    draft = stage.settings.certificates / ".draft"
    draft.write_bytes(renewed)
    draft.replace(stage.settings.certificates / "shop.pem")

    with filled(stage.settings.run):
        stage.front.look()
        assert "No space left" in stage.front.problems["shop"]
        assert stage.shown(port, "shop.example.org") == before

    stage.front.look()
    assert stage.front.problems == {}
    assert stage.shown(port, "shop.example.org") == certificates.parts(renewed)[0]

"""The baselines of the bench do what they stand for, on a real engine."""

import contextlib
import http.client
import shutil

import pytest

from benchmarks import command, follower, recreated, rollout
from build_hook.demo import baseimage, leftovers, product
from build_hook.deploy import engine
from tests.functional import host as hosts

TARGET = 8000


@pytest.fixture
def images(base, tmp_path):
    """What baselines build with, and the first version of an application."""
    own = engine.Engine("unix:///var/run/docker.sock", f"test-{product.free_port()}")
    shutil.copytree(baseimage.APPS / "web", tmp_path / "app")
    (tmp_path / "app" / "version.txt").write_text("one\n")
    try:
        yield command.Images(own.instance, base)
    finally:
        leftovers.remove(own)


def answer(port):
    there = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(there), contextlib.suppress(OSError):
        there.request("GET", "/")
        return there.getresponse().read().decode().strip()
    return None


def running(way):
    return command.docker("ps", "-q", f"--filter=label={way.images.label}").split()


def test_compose_up_replaces_the_container_on_the_same_port(images, tmp_path):
    way = recreated.Recreated(images, f"bh-{images.instance}", TARGET, product.free_port())
    way.cycle(tmp_path / "app")
    hosts.wait_for(lambda: answer(way.published) == "one", "the first version")
    (tmp_path / "app" / "version.txt").write_text("two\n")

    way.cycle(tmp_path / "app")

    hosts.wait_for(lambda: answer(way.published) == "two", "the second version")
    assert len(running(way)) == 1


def test_rollout_leaves_the_new_container_behind_the_proxy(images, tmp_path):
    way = rollout.Rollout(images, f"bh-{images.instance}", TARGET, product.free_port())
    own = engine.Engine("unix:///var/run/docker.sock", images.instance)
    proxy = follower.Follower(tmp_path / "proxy", own, way.label, follower.NGINX_PROXY)
    with proxy.serve(way.published, TARGET):
        way.cycle(tmp_path / "app")
        hosts.wait_for(lambda: answer(way.published) == "one", "the first version")
        (first,) = running(way)
        (tmp_path / "app" / "version.txt").write_text("two\n")

        way.cycle(tmp_path / "app")

        hosts.wait_for(lambda: answer(way.published) == "two", "the second version")
        (second,) = running(way)
        assert second != first


def test_command_that_fails_says_why(images):
    with pytest.raises(command.CommandError, match="nothing-of-this-name"):
        command.docker("start", "nothing-of-this-name")

import contextlib
import shutil

import docker
import docker.errors
import pytest

from benchmarks import original
from build_hook.demo import baseimage, leftovers, product
from build_hook.deploy import engine

HOST = "unix:///var/run/docker.sock"


@pytest.fixture
def hook(tmp_path):
    """The original with the first version of a project running."""
    own = engine.Engine(HOST, f"test-{product.free_port()}")
    (tmp_path / "base").mkdir()
    with contextlib.closing(docker.DockerClient(base_url=HOST)) as client:
        made = original.Original(
            client=client,
            tag=f"build-hook-benchmark/{own.instance}",
            target=8000,
            published=product.free_port(),
            args={"BASE": baseimage.build(own, tmp_path / "base")},
            labels={baseimage.LABEL: own.instance},
        )
        shutil.copytree(baseimage.APPS / "web", tmp_path / "app")
        (tmp_path / "app" / "version.txt").write_text("one\n")
        try:
            made.cycle(tmp_path / "app")
            yield made
        finally:
            leftovers.remove(own)


def test_container_is_replaced_by_one_of_the_new_image(hook, tmp_path):
    first = hook.running()
    (tmp_path / "app" / "version.txt").write_text("two\n")

    hook.cycle(tmp_path / "app")

    first.reload()
    assert first.status == "exited"
    assert hook.running().id != first.id


def test_build_that_fails_leaves_the_old_container(hook, tmp_path):
    first = hook.running()
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\nCOPY missing /\n")

    with pytest.raises(docker.errors.BuildError):
        hook.cycle(tmp_path / "app")

    first.reload()
    assert first.status == "running"

"""Images: built by BuildKit through the Docker command line, tagged and labelled."""

import contextlib
import dataclasses
import functools
import http
import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping

import docker.errors

from build_hook import errors, labels, project
from build_hook.deploy import checkout, engine, process, pulled

# What builders print when the disk is full; the exit status says nothing of it.
_NO_SPACE = re.compile(r"no space left on device", re.IGNORECASE)
_NO_ENGINE = re.compile(
    r"cannot connect to the docker daemon|error during connect|rpc error: code = (unavailable|"
    r"canceled)|error reading from server: eof|transport is closing",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Client:
    """A ``docker`` command that can build with BuildKit."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What to build: a checked-out commit of a project, as which build."""

    project: project.Project
    build: int
    commit: str
    folder: pathlib.Path


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """An image of ours: what a build made, or pulled."""

    id: str
    project: str
    build: int
    is_pulled: bool = False


@functools.cache
def client() -> Client:
    """Find a ``docker`` that can build: with buildx, or one that has BuildKit built in.

    Clients from 23.0 on build with the buildx plugin or not at all; older ones need
    ``DOCKER_BUILDKIT=1``. Several may be on the PATH.

    Raises:
        ImageError: if there is none.
    """
    for folder in os.get_exec_path():
        docker = os.path.join(folder, "docker")
        if not os.access(docker, os.X_OK):
            continue
        if _succeeds(docker, "buildx", "version"):
            return Client((docker, "buildx", "build", "--load"), {})
        if _major_version(docker) < 23:
            return Client((docker, "build"), {"DOCKER_BUILDKIT": "1"})
    raise errors.ImageError(
        "No docker command on this machine can build with BuildKit",
        "Install the package docker-buildx (Ubuntu), docker-buildx-plugin (upstream) or "
        "docker.io (Debian 12)",
    )


def build(
    order: Order,
    *,
    instance: str,
    docker_host: str,
    log: Callable[[str], None],
    check_stop: Callable[[], None],
) -> str:
    """Build the image of a commit and return its id.

    Raises:
        CheckoutError: if the context or the Dockerfile is not in the repository.
        DiskFullError: if the disk ran full.
        EngineDownError: if the engine went away.
        ImageError: if the build failed, with its last lines in the log.
    """
    how = order.project.build
    context = checkout.inside(order.folder, how.context, "context")
    dockerfile = checkout.inside(context, how.dockerfile, "dockerfile")
    id_file = order.folder.with_suffix(".iid")
    try:
        process.run(
            (*client().argv, *_options(order, instance, dockerfile, id_file), str(context)),
            env={**client().env, "DOCKER_HOST": docker_host},
            timeout=how.timeout,
            on_line=log,
            check_stop=check_stop,
        )
        return id_file.read_text(encoding="ascii").strip()
    except process.ProcessError as error:
        raise _reason(error, how) from error
    finally:
        id_file.unlink(missing_ok=True)


class Images:
    """The images of one instance."""

    def __init__(self, docker_engine: engine.Engine) -> None:
        self._engine = docker_engine
        self._pulled = pulled.Pulled(docker_engine)

    def all(self, of: str | None = None) -> list[Image]:
        """All images of this instance, or of one of its projects, oldest build first."""
        with self._engine.speaking("list images"):
            found = self._engine.api.images(filters=self._engine.ours(of))
        named = [(entry["Id"], entry["Labels"]) for entry in found]
        images = [Image(i, n[labels.PROJECT], int(n[labels.BUILD])) for i, n in named]
        images += [Image(p.id, p.project, p.build, is_pulled=True) for p in self._pulled.all(of)]
        return sorted(images, key=lambda image: image.build)

    def exists(self, image: str) -> bool:
        """Whether the engine has an image of that id."""
        with self._engine.speaking("look at an image"):
            try:
                self._engine.api.inspect_image(image)
            except docker.errors.NotFound:
                return False
        return True

    def remove(self, image: Image) -> bool:
        """Remove an image with its tags; False if a container still needs it."""
        if image.is_pulled:
            return self._pulled.remove(pulled.Tagged(image.id, image.project, image.build))
        with self._engine.speaking("remove an image"):
            try:
                self._engine.api.remove_image(image.id, force=True)
            except docker.errors.NotFound:
                return True
            except docker.errors.APIError as error:
                if error.status_code == http.HTTPStatus.CONFLICT:
                    return False
                raise
        return True


def require_space(folder: pathlib.Path, megabytes: int) -> None:
    """Refuse to build where less than this is free.

    Raises:
        DiskFullError: if there is less.
    """
    with contextlib.suppress(FileNotFoundError):  # a remote engine's folder is not ours to see
        free = shutil.disk_usage(folder).free // 2**20
        if free < megabytes:
            raise errors.DiskFullError(
                f"Only {free} MiB are free in {folder}, a build needs {megabytes}",
                "Make room (build-hook gc removes what no roll-back needs), then: "
                "build-hook deploy; or lower min_free_mb",
            )


def _options(
    order: Order, instance: str, dockerfile: pathlib.Path, id_file: pathlib.Path
) -> list[str]:
    how = order.project.build
    named = labels.of_build(instance, order.project.name, order.build, order.commit)
    return [
        "--progress=plain",
        f"--iidfile={id_file}",
        f"--file={dockerfile}",
        f"--tag={labels.image_tag(instance, order.project.name, order.build)}",
        *(f"--label={key}={value}" for key, value in named.items()),
        *(f"--build-arg={key}={value}" for key, value in how.args.items()),
        *((f"--target={how.target}",) if how.target else ()),
    ]


def _reason(error: process.ProcessError, how: project.Build) -> errors.BuildHookError:
    text = "\n".join(error.tail)
    if _NO_SPACE.search(text):
        return errors.DiskFullError(
            "The disk ran full during the build", "Make room, then: build-hook deploy"
        )
    if _NO_ENGINE.search(text):
        return errors.EngineDownError("The Docker engine went away during the build")
    if error.code is None:
        return errors.ImageError(
            f"The build took longer than {how.timeout:g} s and was stopped",
            "Make it faster, or raise build.timeout",
        )
    return errors.ImageError(f"The build failed: {error.last_line}", "Read the log, fix, push")


def _succeeds(*argv: str) -> bool:
    return subprocess.run(argv, capture_output=True, check=False, timeout=20).returncode == 0


def _major_version(docker: str) -> int:
    done = subprocess.run(
        (docker, "--version"), capture_output=True, check=False, text=True, timeout=20
    )
    found = re.search(r"version (\d+)\.", done.stdout)
    return int(found[1]) if found else 999

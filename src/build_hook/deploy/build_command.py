"""The command line of one build: from a project's build keys to arguments of ``docker``."""

import dataclasses
import os
import pathlib
import stat
from collections.abc import Iterator, Mapping

from build_hook import errors, labels, project, recipe
from build_hook.deploy import checkout, clients, docker_config, intake

_ATTESTATIONS = (0, 10)
_HEEDS_LIMITS = (23, 0)
# Predefined arguments reach every step, and are no part of its cache key.
_NO_PROXY = ("NO_PROXY", "no_proxy")
FRESH = "BUILD_HOOK_FRESH"


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What to build: a checked-out commit of a project, as which build.

    ``fresh`` asks for newer base images, and for a new run of what comes after
    ``ARG BUILD_HOOK_FRESH``; cache mounts are kept.
    """

    project: project.Project
    build: int
    commit: str
    folder: pathlib.Path
    fresh: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where it is built: by whom, for which instance, with which secrets at hand."""

    client: clients.Client
    engine: clients.Version
    instance: str
    secrets: pathlib.Path
    keeps_platforms: bool = False

    def require_platforms(self, how: recipe.Build) -> None:
        """Make sure that an image for several platforms can be built and kept here.

        Raises:
            ImageError: if it cannot.
        """
        if len(how.platforms) < 2:
            return
        self.client.require_buildx("platforms with more than one")
        if not self.keeps_platforms:
            raise errors.ImageError(
                f"build.platforms names {' and '.join(how.platforms)}, but the engine's image "
                "store keeps an image for one",
                'Turn containerd\'s on ("features": {"containerd-snapshotter": true} in '
                "daemon.json), or name one platform",
            )

    def require_engine(self, what: str) -> None:
        """Make sure that a key of a build is heeded: older engines are silent and ignore it.

        Raises:
            ImageError: if it is not.
        """
        if self.engine < _HEEDS_LIMITS:
            raise errors.ImageError(
                f"build.{what} needs a Docker engine from 23.0 on, here is "
                f"{self.engine[0]}.{self.engine[1]}",
                f"Upgrade the engine, or take build.{what} out of the project",
            )


def compose(order: Order, place: Place, id_file: pathlib.Path) -> tuple[str, ...]:
    """The whole command.

    Raises:
        CheckoutError: if a path is not in the repository.
        ImageError: if a key cannot be honoured here, or a secret is missing.
    """
    how = order.project.build
    context = checkout.inside(order.folder, how.context, "context")
    dockerfile = checkout.inside(context, how.dockerfile, "dockerfile")
    intake.require_known_builder(dockerfile)
    place.require_platforms(how)
    return (
        *place.client.argv,
        f"--progress={'rawjson' if place.client.speaks_json else 'plain'}",
        f"--iidfile={id_file}",
        f"--file={dockerfile}",
        f"--tag={labels.image_tag(place.instance, order.project.name, order.build)}",
        *_labels(order, place),
        *_arguments(order, place),
        *_plain(how, fresh=order.fresh),
        *_process_limits(how, place),
        *_cache(how, place.client),
        *_confided(how, place.secrets),
        *_contexts(how, place.client, order.folder),
        *_attestations(how, place.client),
        "--",
        str(context),
    )


def exceptions(mark: str, *given: str) -> str:
    """NO_PROXY of a build's steps: the first that says something, or this machine's; the mark."""
    known = next(filter(None, (*given, _no_proxy(os.environ))), "")
    return f"{known},{mark}" if known else mark


def _labels(order: Order, place: Place) -> Iterator[str]:
    named = labels.of_image(place.instance, order.project.name, order.build, order.commit)
    for key, value in {**order.project.build.labels, **named}.items():
        yield f"--label={key}={value}"


def _arguments(order: Order, place: Place) -> Iterator[str]:
    given = dict(order.project.build.args)
    unproxied = [given.pop(name, "") for name in _NO_PROXY]
    mark = labels.step_mark(place.instance, order.project.name)
    given |= dict.fromkeys(_NO_PROXY, exceptions(mark, *unproxied))
    if order.fresh:
        given[FRESH] = str(order.build)
    for key, value in given.items():
        yield f"--build-arg={key}={value}"


def _plain(how: recipe.Build, *, fresh: bool) -> Iterator[str]:
    flags = {"--no-cache": how.no_cache, "--pull": how.pull or fresh}
    yield from (flag for flag, wanted in flags.items() if wanted)
    if how.target:
        yield f"--target={how.target}"
    yield from (f"--platform={platform}" for platform in how.platforms)
    if how.network != "default":
        yield f"--network={how.network}"
    yield from (f"--add-host={host}:{address}" for host, address in how.extra_hosts.items())


def _process_limits(how: recipe.Build, place: Place) -> Iterator[str]:
    if how.shm_size:
        place.require_engine("shm_size")
        yield f"--shm-size={how.shm_size}"
    for name, limit in how.ulimits.items():
        place.require_engine("ulimits")
        yield f"--ulimit={name}={limit.soft}:{limit.hard}"


def _cache(how: recipe.Build, client: clients.Client) -> Iterator[str]:
    """Without buildx the engine reads images with inline cache, and writes that only."""
    if client.buildx is not None:
        yield from (f"--cache-from={source}" for source in how.cache_from)
        yield from (f"--cache-to={target}" for target in how.cache_to)
        return
    for source in how.cache_from:
        options = _csv(source)
        if options.get("type", "registry") != "registry" or "ref" not in options:
            client.require_buildx("cache_from")
        yield f"--cache-from={options['ref']}"
    for target in how.cache_to:
        if _csv(target) != {"type": "inline"}:
            client.require_buildx("cache_to")
        yield "--build-arg=BUILDKIT_INLINE_CACHE=1"


def _confided(how: recipe.Build, folder: pathlib.Path) -> Iterator[str]:
    for secret in how.secrets:
        yield f"--secret=id={secret.id},src={_file(folder, secret.source)}"
    for name, source in how.ssh.items():
        yield f"--ssh={name}={_file(folder, source)}"


def _contexts(how: recipe.Build, client: clients.Client, folder: pathlib.Path) -> Iterator[str]:
    for name, where in how.additional_contexts.items():
        client.require_buildx("additional_contexts")
        if "://" not in where:
            where = str(checkout.inside(folder, where, "additional context"))
        yield f"--build-context={name}={where}"


def _attestations(how: recipe.Build, client: clients.Client) -> Iterator[str]:
    """Off unless asked for: newer clients add provenance, and with it change what is stored."""
    if how.provenance not in (None, "false"):
        client.require_buildx("provenance", _ATTESTATIONS)
    if how.sbom:
        client.require_buildx("sbom", _ATTESTATIONS)
        yield "--sbom=true"
    if client.buildx is not None and client.buildx >= _ATTESTATIONS:
        yield f"--provenance={how.provenance or 'false'}"


def _file(folder: pathlib.Path, name: str) -> pathlib.Path:
    path = folder / name
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise errors.ImageError(
            f"The build needs the secret {name!r}, which is not there",
            f"Write it to {path}, mode 0600, then: build-hook deploy",
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise errors.ImageError(
            f"Others may read the secret {name!r}", f"chmod 600 {path}, then: build-hook deploy"
        )
    return path


def _csv(text: str) -> dict[str, str]:
    """``type=registry,ref=…`` as pairs; a plain image is its ``ref``."""
    if "=" not in text:
        return {"ref": text}
    parts = (part.partition("=") for part in text.split(","))
    return {key: value for key, _, value in parts}


def _no_proxy(environ: Mapping[str, str]) -> str:
    """What the docker command would hand over of its own accord: its configuration's noProxy."""
    try:
        known = docker_config.read(docker_config.folder(environ))
        return str(known["proxies"]["default"]["noProxy"])
    except (LookupError, TypeError):
        return ""

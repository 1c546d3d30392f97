"""An image that somebody else built: its tag is followed, its digest is deployed."""

from collections.abc import Sequence

from build_hook import errors, project, reference, settings
from build_hook.deploy import engine, images, job, manifests, pulled
from build_hook.deploy.sources import base

_DIGESTS, _TAGS = "refs/digests/", "refs/tags/"


class Image:
    """Asks the registry for a digest, and has the engine pull it."""

    def __init__(self, with_settings: settings.Settings, docker_engine: engine.Engine) -> None:
        self._settings = with_settings
        self._engine = docker_engine
        self._registries = manifests.Registries(docker_engine)
        self._pulled = pulled.Pulled(docker_engine)

    def heads(self, group: Sequence[project.Project]) -> dict[str, str]:
        """The digests that the tags of projects stand for, by project."""
        asked: dict[tuple[str, str | None], str | None] = {}
        for of in group:
            key = (of.ref, of.registry_login)
            if key not in asked:
                asked[key] = self._digest(of, of.ref)
        found = {of.name: asked[of.ref, of.registry_login] for of in group}
        return {name: digest for name, digest in found.items() if digest is not None}

    def find(self, of: job.Job) -> base.Found:
        """Ask which digest the build's tag stands for now."""
        name = f"{_image(of.project).name}:{of.build.ref.removeprefix(_TAGS)}"
        digest = self._digest(of.project, of.build.ref)
        if digest is None:
            raise errors.PullError(
                f"There is no {name} in its registry", "Push it, or correct the project's image"
            )
        return base.Found(digest, name)

    def has_changed(self, of: job.Job, live: str) -> bool:
        """Another digest is another image."""
        return True

    def make(self, of: job.Job) -> base.Made:
        """Pull what was found."""
        images.require_space(self._engine.data_root(), self._settings.min_free_mb)
        name = _image(of.project).name
        image = self._pulled.pull(
            pulled.Pull(name, of.commit, of.project.name, of.build.id, of.project.build.timeout),
            manifests.login(self._settings.secrets, of.project.registry_login),
            of.log,
            of.check_stop,
        )
        return base.Made(image)

    def keep(self, of: job.Job) -> None:
        """Nothing: a digest is compared with itself."""

    def _digest(self, of: project.Project, ref: str) -> str | None:
        if ref.startswith(_DIGESTS):
            return ref.removeprefix(_DIGESTS).replace("/", ":")
        who = manifests.login(self._settings.secrets, of.registry_login)
        return self._registries.digest(_image(of), ref.removeprefix(_TAGS), who)


def _image(of: project.Project) -> reference.Reference:
    found = of.pulls
    assert found is not None  # noqa: S101 - that is how the source was chosen
    return found

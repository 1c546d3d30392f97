"""The image of a service that names one instead of being built: pulled, and known as ours."""

from typing import Any, cast

import docker.auth
import docker.errors

from build_hook import errors, part, reference, settings
from build_hook.deploy import engine, images, job, manifests, pulled
from build_hook.store import builds, parts


class ServiceImages:
    """Pulls by digest, so that no name of an image that is here leads elsewhere afterwards."""

    def __init__(self, with_settings: settings.Settings, docker_engine: engine.Engine) -> None:
        self._secrets = with_settings.secrets
        self._registries = manifests.Registries(docker_engine)
        self._pulled = pulled.Pulled(docker_engine)
        self._images = images.Images(docker_engine)
        self._store = builds.Builds(with_settings.database)

    def bring(self, of: job.Job, one: part.Part) -> str:
        """The newest image of a service's name; where none can be had, the one before.

        Raises:
            ImageError: if there is none.
        """
        try:
            return self._newest(of, one)
        except errors.PullError as error:
            of.log(f"{one.reference} could not be pulled: {error}")
        found = self._known(of, one)
        if found is None:
            raise errors.ImageError(
                f"There is no image {one.reference} to be had",
                "Correct its name in the compose file, or give the login of its registry in "
                "build.registry_logins",
            )
        self._pulled.keep(found, one.name, of.build.id)
        return found

    # Private

    def _newest(self, of: job.Job, one: part.Part) -> str:
        try:
            asked = reference.parse(one.reference or "")
        except ValueError as error:
            raise errors.PullError(f"The image {one.reference} {error}") from error
        known = manifests.logins(self._secrets, of.project.build.registry_logins)
        who = known.get(asked.host) or _login(asked.host)
        wanted = pulled.Pull(
            asked.name,
            asked.digest or self._digest(of, asked, who),
            one.name,
            of.build.id,
            of.project.build.timeout,
            as_user=True,
        )
        return self._pulled.pull(wanted, who, of.log, of.check_stop)

    def _digest(self, of: job.Job, asked: reference.Reference, who: manifests.Login | None) -> str:
        """What the tag stands for; the tag itself where only the engine can ask, by a mirror."""
        of.check_stop()
        try:
            found = self._registries.digest(asked, asked.tag, who)
        except errors.PullError as error:
            of.log(f"leaving it to the engine: {error.message}")
            return asked.tag
        if found is None:
            raise errors.PullError(f"There is no {asked} in its registry")
        return found

    def _known(self, of: job.Job, one: part.Part) -> str | None:
        """What the service has, or else what somebody has brought under that name.

        By its full name: a short one might be the beginning of another image's id.
        """
        row = self._store.serving().get(of.project.name)
        for piece in parts.read(self._store.session, row.build) if row else ():
            is_same = (piece.part.name, piece.part.reference) == (one.name, one.reference)
            if is_same and self._images.exists(piece.image):
                return piece.image
        try:
            return self._pulled.find(str(reference.parse(one.reference or "")))
        except ValueError:
            return None


def _login(host: str) -> manifests.Login | None:
    """The login that the docker command has for a registry, if it is a name and a password.

    Raises:
        PullError: if the program that keeps its logins does not work.
    """
    known: Any = cast("Any", docker.auth).load_config()
    asked = None if host == reference.HUB else host
    try:
        found: dict[str, str] = known.resolve_authconfig(asked) or {}
    except docker.errors.DockerException as error:
        raise errors.PullError(
            f"The docker command's login for {host} cannot be read: {error}",
            "Mend its credential helper, or name a login in build.registry_logins",
        ) from error
    name, password = found.get("username"), found.get("password")
    return manifests.Login(name, password) if name and password else None

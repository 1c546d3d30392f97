"""The labels that our containers, images and networks carry, and the names made of them.

Objects are found by these labels alone, never by port or name (docs/adr). ``ROLE`` is the role
at creation: Docker cannot change a label later, the role of the moment is in the store.
"""

PREFIX = "io.build-hook."
INSTANCE = f"{PREFIX}instance"
PROJECT = f"{PREFIX}project"
BUILD = f"{PREFIX}build"
COMMIT = f"{PREFIX}commit"
ROLE = f"{PREFIX}role"

CANDIDATE = "candidate"


def of_build(instance: str, project: str, build: int, commit: str) -> dict[str, str]:
    """The labels of a build's image."""
    return {INSTANCE: instance, PROJECT: project, BUILD: str(build), COMMIT: commit}


def container_name(instance: str, project: str, build: int) -> str:
    """The name of a build's container; never used twice."""
    return f"{project}-{build}-{instance}"


def image_tag(instance: str, project: str, build: int) -> str:
    """The tag of a build's image."""
    return f"build-hook-{instance}/{project}:{build}"


def network_name(instance: str) -> str:
    """The name of the bridge network that containers run on."""
    return f"build-hook-{instance}"


def not_ours(given: dict[str, str]) -> dict[str, str]:
    """The labels that somebody wants to add.

    Raises:
        ValueError: if one of them would pass for ours.
    """
    if any(key.startswith(PREFIX) for key in given):
        raise ValueError(f"labels that begin with {PREFIX} are build-hook's own")
    return given

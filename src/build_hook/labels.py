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
SERVICE = f"{PREFIX}service"
REPLICA = f"{PREFIX}replica"

CANDIDATE = "candidate"


def of_unit(instance: str, unit: str) -> dict[str, str]:
    """The labels of all that belongs to a project, or to PROJECT.SERVICE of one."""
    project, _, service = unit.partition(".")
    return {INSTANCE: instance, PROJECT: project, **({SERVICE: service} if service else {})}


def unit_of(named: dict[str, str]) -> str:
    """The project, or PROJECT.SERVICE, that something with these labels belongs to."""
    service = named.get(SERVICE)
    return named.get(PROJECT, "") + (f".{service}" if service else "")


def of_build(instance: str, project: str, build: int, commit: str) -> dict[str, str]:
    """The labels of a build's container."""
    return {**of_unit(instance, project), BUILD: str(build), COMMIT: commit}


def of_image(instance: str, project: str, build: int, commit: str) -> dict[str, str]:
    """The labels of a build's image.

    That of a service tells no build: where nothing of it has changed it is the same image, and
    its container runs on.
    """
    if "." in project:
        return of_unit(instance, project)
    return of_build(instance, project, build, commit)


def container_name(instance: str, project: str, build: int, replica: int = 1) -> str:
    """The name of a build's container, or of a further replica; never used twice at a time."""
    return f"{project}-{build}-{instance}" + (f"-{replica}" if replica > 1 else "")


def live_name(instance: str, unit: str, side: str) -> str:
    """One of the two names by which the others of a project find a service (``a`` or ``b``)."""
    return f"{unit}-{side}-{instance}"


def image_tag(instance: str, project: str, build: int) -> str:
    """The tag of a build's image."""
    return f"build-hook-{instance}/{project}:{build}"


def network_name(instance: str, project: str | None = None) -> str:
    """The name of the bridge network that containers run on, or of one project's own."""
    return f"build-hook-{instance}" + (f"-{project}" if project else "")


def step_mark(instance: str, unit: str) -> str:
    """What tells the steps of a build from those of everybody else's: a host name of no host.

    One of a project is built at a time. ``.invalid`` is never a host (RFC 6761).
    """
    return f"{unit}.{instance}.build-hook.invalid"


def not_ours(given: dict[str, str]) -> dict[str, str]:
    """The labels that somebody wants to add.

    Raises:
        ValueError: if one of them would pass for ours.
    """
    if any(key.startswith(PREFIX) for key in given):
        raise ValueError(f"labels that begin with {PREFIX} are build-hook's own")
    return given

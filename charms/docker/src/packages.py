"""The engine's packages: the distribution's or upstream's, in a version that is held."""

import dataclasses
import pathlib
import platform
import time
import urllib.request

import engine_host

SOURCE = pathlib.Path("/etc/apt/sources.list.d/docker-upstream.sources")
KEY = pathlib.Path("/etc/apt/keyrings/docker-upstream.asc")
KEY_SECONDS = 30
# Whoever ends apt in the middle of its work leaves half an engine: it may take what it takes.
APT_SECONDS = 3600
PATIENCE, PAUSE = 600.0, 5.0
_OPTIONS = ("-q", "-y", "-oDPkg::Lock::Timeout=600")


@dataclasses.dataclass(frozen=True)
class Family:
    """Packages that belong together; those of a version have the engine's."""

    engine: str
    of_the_version: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    compose: tuple[str, ...] = ()

    @property
    def held(self) -> tuple[str, ...]:
        """What is pinned and held."""
        return (self.engine, *self.of_the_version)


# BuildKit is a package of its own where the engine is 23 or newer.
DISTRIBUTION = Family(
    "docker.io", others=("docker-buildx",), compose=("docker-compose-v2", "docker-compose")
)
UPSTREAM = Family(
    "docker-ce", ("docker-ce-cli",), ("containerd.io", "docker-buildx-plugin"),
    ("docker-compose-plugin",),
)  # fmt: skip
FAMILIES = {"distribution": DISTRIBUTION, "upstream": UPSTREAM}


@dataclasses.dataclass(frozen=True)
class Standing:
    """What dpkg knows of a package."""

    is_installed: bool = False
    is_held: bool = False
    version: str = ""


def standing(package: str) -> Standing:
    """What dpkg knows of a package, in one question."""
    form = "--showformat=${db:Status-Want} ${db:Status-Status} ${Version}"
    try:
        want, status, version = engine_host.run(
            "/usr/bin/dpkg-query", "--show", form, package
        ).split(" ", 2)
    except (engine_host.EngineError, ValueError):
        return Standing()
    return Standing(status == "installed", want == "hold", version)


def differs(family: Family, version: str | None) -> bool:
    """Whether other packages have to be installed."""
    found = standing(family.engine)
    return not found.is_installed or version not in (None, found.version)


def install(family: Family, version: str | None) -> None:
    """Install the engine, in a version if one is given."""
    _apt_update()
    if version and not is_offered(f"{family.engine}={version}"):
        raise engine_host.EngineError(
            f"Config version: there is no {family.engine} {version}. Choose one of those that "
            f"`apt-cache madison {family.engine}` lists on the machine"
        )
    pin = f"={version}" if version else ""
    offered = [package for package in family.others if is_offered(package)]
    _apt_install(*(f"{package}{pin}" for package in family.held), *offered)


def ensure_hold(family: Family, *, is_held: bool) -> None:
    """Keep the engine from being upgraded with the rest of the machine, or let it be."""
    for package in family.held:
        if standing(package).is_held != is_held:
            engine_host.run("/usr/bin/apt-mark", "hold" if is_held else "unhold", package)


def ensure_compose(family: Family) -> None:
    """Install Compose if it is missing."""
    if any(standing(package).is_installed for package in family.compose):
        return
    offered = [package for package in family.compose if is_offered(package)]
    if not offered:
        raise engine_host.EngineError(
            "Config compose: there is no package of Compose. Set compose=false"
        )
    _apt_install(offered[0])


def ensure_source(url: str, key: str) -> bool:
    """Have apt know upstream's repository; True if it did not."""
    release = platform.freedesktop_os_release()
    base = f"{url.rstrip('/')}/{release['ID']}"
    text = (
        f"Types: deb\nURIs: {base}\nSuites: {release['VERSION_CODENAME']}\n"
        f"Components: stable\nSigned-By: {KEY}\n"
    )
    if SOURCE.exists() and SOURCE.read_text("utf-8") == text and (not key or _is_key(key)):
        return False
    engine_host.write(KEY, key or _fetched(f"{base}/gpg"))
    engine_host.write(SOURCE, text)
    try:
        _apt_update()
    except engine_host.EngineError as error:
        forget_source()  # with a source that does not work the machine would get no updates
        raise engine_host.EngineError(
            f"Config upstream-url: {base} cannot be used: {error}"
        ) from error
    return True


def forget_source() -> None:
    """Have apt forget upstream's repository."""
    SOURCE.unlink(missing_ok=True)
    KEY.unlink(missing_ok=True)


def is_offered(package: str) -> bool:
    """Whether the machine's sources have the package."""
    try:
        return bool(engine_host.run("/usr/bin/apt-cache", "show", "--no-all-versions", package))
    except engine_host.EngineError:
        return False


def _apt_install(*packages: str) -> None:
    pinned = ("--allow-downgrades", "--allow-change-held-packages")
    _apt_get("install", "--no-install-recommends", *pinned, *packages)


def _apt_update() -> None:
    """Ask the sources; apt does not wait by itself for another that is just doing so."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return _apt_get("update")
        except engine_host.EngineError as error:
            if "Unable to lock" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(PAUSE)


def _apt_get(verb: str, *arguments: str) -> None:
    argv = ("/usr/bin/apt-get", verb, *_OPTIONS, *arguments)
    try:
        engine_host.run(*argv, seconds=APT_SECONDS)
    except engine_host.EngineError as error:
        if "dpkg was interrupted" not in str(error):
            raise
        engine_host.run("/usr/bin/dpkg", "--configure", "-a", seconds=APT_SECONDS)
        engine_host.run(*argv, seconds=APT_SECONDS)


def _is_key(key: str) -> bool:
    return KEY.exists() and KEY.read_text("utf-8").strip() == key.strip()


def _fetched(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=KEY_SECONDS) as answer:  # noqa: S310 - checked
            return answer.read().decode("ascii")
    except (OSError, ValueError) as error:
        raise engine_host.EngineError(
            f"The key of upstream's repository cannot be fetched from {url}: give it in "
            "upstream-key"
        ) from error

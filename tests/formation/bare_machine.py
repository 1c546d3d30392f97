"""A machine with none of what the charms install: it is told how this one comes by packages."""

import io
import pathlib
import subprocess
import tarfile

from tests.formation import containers

_APT = pathlib.Path("/etc/apt")
# Hooks of what is installed here would fail there.
_OURS = ("sources.list", "sources.list.d", "auth.conf", "auth.conf.d", "trusted.gpg.d", "keyrings")
_KEYS = (pathlib.Path("/usr/share/keyrings"), pathlib.Path("/usr/local/share/ca-certificates"))
_CERTIFICATES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
_ASKED = ("Acquire::",)


def tell_of_packages(machine: containers.Container) -> None:
    """Give a machine this one's sources, keys, proxies and names of hosts."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in (*(_APT / name for name in _OURS), *_KEYS, _CERTIFICATES):
            if path.exists():
                tar.add(path, filter=_followed)
        settings = "".join(f"{line}\n" for line in _settings()).encode()
        entry = tarfile.TarInfo("etc/apt/apt.conf.d/99of-the-host")
        entry.size = len(settings)
        tar.addfile(entry, io.BytesIO(settings))
    machine.run("sh", "-c", "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d")
    containers.docker("cp", "-", f"{machine.name}:/", stdin=packed.getvalue())


def _settings() -> list[str]:
    """How packages are fetched here, as lines of apt's configuration."""
    dumped = subprocess.run(
        ["apt-config", "dump"], check=True, capture_output=True, text=True
    ).stdout  # fmt: skip
    return [line for line in dumped.splitlines() if line.startswith(_ASKED)]


def _followed(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    return entry

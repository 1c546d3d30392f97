"""A machine with apt, systemd and an engine in memory; daemon.json is a real file."""

import json
import pathlib

from tests.scenario import charms


class FakeHost:
    """A machine with apt and systemd in memory; daemon.json is a real file."""

    def __init__(self):
        self.changes = []
        self.installed = {"docker.io": "20.10"}
        self.offered = {"docker.io", "docker-buildx", "docker-compose-v2"}
        self.unknown = set()
        self.held = set()
        self.containers = []
        self.running = True
        self.drivers = ["journald", "json-file", "syslog"]
        self.fails = set()
        self.says = {}  # what a command says as it fails, once for each text

    def run(self, *argv, seconds=0):
        engine_host = charms.part("docker", "engine_host")

        name, *rest = (argv[0].rpartition("/")[2], *argv[1:])
        if texts := self.says.get(" ".join([name, *rest[:1]])):
            raise engine_host.EngineError(texts.pop(0))
        if name in self.fails or " ".join([name, *rest[:1]]) in self.fails:
            raise engine_host.EngineError(f"{name} failed")
        return getattr(self, "_" + name.replace("-", "_"))(rest)

    def _apt_get(self, rest):
        if rest[0] == "install":
            packages = [word for word in rest[1:] if not word.startswith("-")]
            self.changes.append(f"install {' '.join(packages)}")
            for each in packages:
                package, _, version = each.partition("=")
                self.installed[package] = version or "newest"
        return ""

    def _dpkg(self, rest):
        self.changes.append(f"dpkg {' '.join(rest)}")
        return ""

    def _apt_mark(self, rest):
        self.changes.append(" ".join(rest))
        (self.held.add if rest[0] == "hold" else self.held.discard)(rest[1])
        return ""

    def _dpkg_query(self, rest):
        engine_host = charms.part("docker", "engine_host")

        if rest[-1] not in self.installed:
            raise engine_host.EngineError("no package")
        want = "hold" if rest[-1] in self.held else "install"
        return f"{want} installed {self.installed[rest[-1]]}"

    def _apt_cache(self, rest):
        engine_host = charms.part("docker", "engine_host")

        name, _, version = rest[-1].partition("=")
        if version in self.unknown:
            return ""  # as apt-cache does it
        if name not in self.offered | {"docker.io", "docker-ce"}:
            raise engine_host.EngineError("no package")
        return f"Package: {rest[-1]}"

    def _build_hook(self, rest):
        return f"answer to {' '.join(rest)}\n"

    def _systemctl(self, rest):
        self.changes.append(" ".join(rest))
        self.running |= rest[0] != "daemon-reload"
        return ""

    def _docker(self, rest):
        if rest[0] == "ps":
            return "".join(f"{name}\n" for name in self.containers)
        if rest[-1] == "{{json .Plugins.Log}}":
            return json.dumps(self.drivers)
        return f"answer to {' '.join(rest[:2])}\n"

    def snapshot(self, folder: pathlib.Path) -> dict[str, tuple[int, int]]:
        """Every file below the folder: inode and time of change."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}

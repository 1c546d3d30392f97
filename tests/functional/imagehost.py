"""A real registry on loopback that notifies us, and projects whose images are pushed to it."""

import contextlib
import dataclasses
import json
import pathlib
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Generator
from typing import Any

from build_hook import project
from build_hook.demo import baseimage, product
from tests.functional import host as hosts

USER, PASSWORD = "tester", "open sesame"
# bcrypt of it, which htpasswd -B makes
_HASH = "$2b$04$v9/fXfjITr0Cu5N49Vjv.OaocdExBcHN3ENZJ3QVK44jzkT0DZdt6"


@dataclasses.dataclass(slots=True)
class Registry:
    """One ``docker-registry``; ``target`` takes its notifications."""

    folder: pathlib.Path
    port: int = dataclasses.field(default_factory=product.free_port)
    target: str | None = None
    secret: bytes = b""
    needs_login: bool = False
    _process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        config = self.folder / "registry.json"  # JSON is YAML
        config.write_text(json.dumps(self._config()), encoding="utf-8")
        log = (self.folder / "registry.log").open("ab")
        program = shutil.which("docker-registry")
        assert program, "install the package docker-registry"
        with log:
            self._process = subprocess.Popen(
                [program, "serve", config], stdout=log, stderr=subprocess.STDOUT
            )
        hosts.wait_for(self._answers, "the registry", 10)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        address = f"http://{self.name}/"
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2):
            return True
        return False

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "version": 0.1,
            "log": {"accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "storage")}},
            "http": {"addr": self.name},
        }
        if self.needs_login:
            users = self.folder / "htpasswd"
            users.write_text(f"{USER}:{_HASH}\n", encoding="utf-8")
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(users)}}
        if self.target is not None:
            config["notifications"] = {
                "endpoints": [
                    {
                        "name": "build-hook",
                        "url": self.target,
                        "headers": {"Authorization": [f"Bearer {self.secret.decode()}"]},
                        "timeout": "5s",
                        "threshold": 3,
                        "backoff": "1s",
                    }
                ]
            }
        return config

    def log(self) -> str:
        return (self.folder / "registry.log").read_text(encoding="utf-8", errors="replace")


@dataclasses.dataclass(slots=True, kw_only=True)
class Shelf:
    """A project whose image somebody builds elsewhere and pushes to a registry."""

    host: hosts.Host
    registry: Registry
    name: str
    port: int = dataclasses.field(default_factory=product.free_port)
    pushes: int = 0

    @property
    def repository(self) -> str:
        return f"{self.registry.name}/team/{self.name}"

    @property
    def version(self) -> str:
        return f"{self.name}-{self.pushes}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def register(self, tag: str = "main", **of: Any) -> None:
        given = {
            "name": self.name,
            "image": f"{self.repository}:{tag}",
            "ports": [{"target": 8000, "published": self.port}],
            **hosts.QUICK,
            **of,
        }
        self.host.replace(project.Project.model_validate(given))

    def push(self, tag: str = "main") -> str:
        """Build a new version, push it, and leave nothing of it here; its digest."""
        self.pushes += 1
        folder = self.registry.folder / self.version
        shutil.copytree(baseimage.APPS / "web", folder)
        (folder / "version.txt").write_text(f"{self.version}\n", encoding="utf-8")
        api, engine = self.host.engine.api, self.host.engine
        name = f"{self.repository}:{tag}"
        made = list(
            api.build(path=str(folder), tag=name, rm=True, forcerm=True, decode=True,
                      buildargs={"BASE": self.host.base},
                      labels={baseimage.LABEL: engine.instance})
        )  # fmt: skip
        assert not [line for line in made if "error" in line], made
        login = {"username": USER, "password": PASSWORD} if self.registry.needs_login else {}
        said = list(api.push(name, auth_config=login, stream=True, decode=True))
        digests = [line["aux"]["Digest"] for line in said if "aux" in line]
        assert digests, said
        api.remove_image(name, force=True)
        return digests[0]

    @property
    def project(self) -> hosts.Project:
        """What any project can be asked."""
        return hosts.Project(self.host, self.name, "http", self.port, None)  # pyright: ignore[reportArgumentType]


@contextlib.contextmanager
def registry(folder: pathlib.Path, **of: Any) -> Generator[Registry]:
    """A registry, to the end of the block."""
    folder.mkdir(exist_ok=True)
    made = Registry(folder, **of)
    made.start()
    try:
        yield made
    finally:
        made.stop()

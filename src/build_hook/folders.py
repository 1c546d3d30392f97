"""What lies where in the state folder."""

import pathlib

import pydantic


class Folders(pydantic.BaseModel):
    """The state folder, and the paths below it."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    state: pathlib.Path = pydantic.Field(description="folder that holds all that must survive")

    @property
    def registry(self) -> pathlib.Path:
        """The registry file."""
        return self.state / "registry.json"

    @property
    def database(self) -> pathlib.Path:
        """Deliveries and builds."""
        return self.state / "build-hook.db"

    @property
    def secrets(self) -> pathlib.Path:
        """One 0600 file per secret."""
        return self.state / "secrets"

    @property
    def confided(self) -> pathlib.Path:
        """What secrets held when builds were deployed: a folder for each."""
        return self.state / "confided"

    @property
    def certificates(self) -> pathlib.Path:
        """One 0600 PEM file per certificate, with its chain and key."""
        return self.state / "certificates"

    @property
    def known_hosts(self) -> pathlib.Path:
        """SSH host keys that were accepted."""
        return self.state / "known_hosts"

    @property
    def repositories(self) -> pathlib.Path:
        """Bare mirrors."""
        return self.state / "repositories"

    @property
    def checkouts(self) -> pathlib.Path:
        """One folder per running build."""
        return self.state / "checkouts"

    @property
    def scripts(self) -> pathlib.Path:
        """Clones that projects' own scripts work in."""
        return self.state / "scripts"

    @property
    def logs(self) -> pathlib.Path:
        """One file per build."""
        return self.state / "logs"

    @property
    def run(self) -> pathlib.Path:
        """Sockets, pid files and the proxy's configuration."""
        return self.state / "run"

    @property
    def instance(self) -> str:
        """What tells this state folder's objects in Docker from those of another one."""
        return (self.state / "instance").read_text(encoding="ascii").strip()

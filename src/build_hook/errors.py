"""What can go wrong, one exception per stage, each with what to do about it."""


class BuildHookError(Exception):
    """Base of every error that is meant for a person.

    Args:
        message: what was attempted and what happened.
        hint: what to do about it, as an imperative sentence; empty if there is nothing to add.
    """

    # Whether the same commit may succeed another time: the world was at fault, not the commit.
    is_passing = False
    # The exit status of the container that failed, where one did.
    exit_code: int | None = None

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message

    def about(self, what: str, kind: "type[BuildHookError]") -> "BuildHookError":
        """The same, said of something, as an error of another stage."""
        said = kind(f"{what}: {self.message}" if what else self.message, self.hint)
        said.exit_code = self.exit_code
        return said


class SettingsError(BuildHookError):
    """The settings file, the environment or the state folder is not usable."""


class RegistryError(BuildHookError):
    """The registry file cannot be read, or says something that cannot be done."""


class StoreError(BuildHookError):
    """The database is damaged, or asks for something that is not there."""


class DamagedStoreError(StoreError):
    """The database file is damaged."""


class ReplayError(BuildHookError):
    """A stored delivery can no longer be understood."""


class CheckoutError(BuildHookError):
    """git could not bring the commit."""

    is_passing = True


class PullError(BuildHookError):
    """A registry did not give an image, or did not say which one it has."""

    is_passing = True


class RepositorySettingsError(BuildHookError):
    """The repository's own settings cannot be read, or ask for what they may not."""


class DiskFullError(BuildHookError):
    """There is not enough room to build safely."""

    is_passing = True


class ComposeError(BuildHookError):
    """The repository's compose file cannot be read, or asks for what only the operator may."""


class ImageError(BuildHookError):
    """The image could not be built."""


class BaseImageError(BuildHookError):
    """A base image could not be fetched: its registry or the way there is at fault."""

    is_passing = True


class LimitError(BuildHookError):
    """A build passed a limit, or limits cannot hold on this machine."""


class ScriptError(BuildHookError):
    """A project's own scripts failed, or started nothing that can be served."""


class EngineDownError(BuildHookError):
    """The Docker engine does not answer; work waits for it."""

    is_passing = True


class ContainerError(BuildHookError):
    """A container could not be created or started."""


class GateError(BuildHookError):
    """The new container did not prove itself."""


class ProxyError(BuildHookError):
    """The proxy did not do as told."""

    is_passing = True


class PortTakenError(ProxyError):
    """A published port belongs to a program that is not ours."""


class CertificateError(ProxyError):
    """A certificate is missing, or clients would not accept it."""


class DatagramsError(ProxyError):
    """The kernel could not be told where UDP goes."""


class WatchError(BuildHookError):
    """The new version failed after it had taken over."""


class TakenBackError(WatchError):
    """Somebody cancelled the new version after it had taken over."""


class HeldError(BuildHookError):
    """The project is paused or frozen."""


class CancelledError(BuildHookError):
    """Somebody cancelled the build."""


class SupersededError(BuildHookError):
    """A newer push took the build's place."""

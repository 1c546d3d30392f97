"""The one place that runs git.

Repositories are strangers: hooks are off, only network protocols are allowed, nothing asks at a
terminal, no filter of the machine's configuration runs on their files.
"""

import collections.abc
import pathlib
import re
from collections.abc import Mapping

from build_hook import errors
from build_hook.deploy import process

_HARDENED = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "protocol.allow=never",
    "-c", "protocol.https.allow=always",
    "-c", "protocol.http.allow=always",
    "-c", "protocol.ssh.allow=always",
    "-c", "protocol.git.allow=always",
    "-c", "http.lowSpeedLimit=1000",
    "-c", "http.lowSpeedTime=30",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    # git-lfs puts its filter into the machine's configuration: it would run for whom nobody asked
    "-c", "filter.lfs.process=",
    "-c", "filter.lfs.smudge=",
    "-c", "filter.lfs.required=false",
)  # fmt: skip
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "LC_ALL": "C.UTF-8"}
TIMEOUT = 60.0
FETCH_TIMEOUT = 600.0
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")

_UNKNOWN_KEY = re.compile(r"No \S+ host key is known for (\S+) and you have requested")
_CHANGED_KEY = re.compile(r"[Hh]ost key for (\S+) has changed and you have requested")

# How servers refuse a commit that no ref points at (git fetch-pack and upload-pack, JGit).
_NOT_ADVERTISED = ("unadvertised object", "not our ref", "want not valid")

Stop = collections.abc.Callable[[], None]


class NotAdvertisedError(errors.CheckoutError):
    """The server gives out what its refs point at, and nothing else."""


def run(
    *arguments: str,
    what: str,
    mirror: pathlib.Path | None = None,
    timeout: float = TIMEOUT,
    env: Mapping[str, str] | None = None,
    keep: int | None = process.TAIL,
    check_stop: Stop = lambda: None,
) -> str:
    """Run git and return what it said; ``what`` completes the sentence "git could not …".

    Args:
        arguments: git's own; values from outside stand behind ``--``.
        what: what is attempted.
        mirror: the bare repository that it is about.
        timeout: seconds.
        env: variables to add, such as those that let it log in.
        keep: how many of the last lines are returned, None for all.
        check_stop: is called now and then; what it raises stops git and goes through.

    Raises:
        CheckoutError: if it fails.
        DiskFullError: if there is no room.
    """
    where = (f"--git-dir={mirror}",) if mirror else ()
    try:
        return process.run(
            ("git", *_HARDENED, *where, *arguments),
            timeout=timeout,
            env={**_QUIET, **(env or {})},
            cwd=pathlib.Path("/"),
            keep=keep,
            check_stop=check_stop,
        )
    except process.ProcessError as error:
        raise _explained(what, error) from error


def redact(text: str) -> str:
    """Take user names and passwords out of URLs."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


def _explained(what: str, error: process.ProcessError) -> errors.BuildHookError:
    said = "\n".join(error.tail)
    if "No space left on device" in said:
        return errors.DiskFullError(
            f"git could not {what}: the disk of the state folder is full",
            "Make room, then: build-hook deploy",
        )
    if found := _UNKNOWN_KEY.search(said):
        return errors.CheckoutError(
            f"git could not {what}: the SSH host key of {found[1]} is not known here",
            "Compare it with what the host publishes and accept it: "
            f"build-hook host-key add {found[1]}",
        )
    if found := _CHANGED_KEY.search(said):
        return errors.CheckoutError(
            f"git could not {what}: {found[1]} shows another SSH host key than before, somebody "
            "may stand in between",
            "Only if the host announces the new key, accept it: "
            f"build-hook host-key add {found[1]}",
        )
    is_refused = any(word in said for word in _NOT_ADVERTISED)
    kind = NotAdvertisedError if is_refused else errors.CheckoutError
    return kind(
        f"git could not {what}: {redact(_said(error))}",
        "Check the repository's address and that this machine may read it",
    )


def _said(error: process.ProcessError) -> str:
    """What git and ssh said, without their advice: ours follows."""
    advice = ("Please make sure you have", "and the repository exists")
    lines = [line.strip(" .\r") for line in error.tail if not line.startswith(advice)]
    return "; ".join([line for line in lines if line][-2:]) or str(error)

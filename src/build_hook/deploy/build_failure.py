"""Why a build failed, told from what the builder said last."""

import re

from build_hook import errors, recipe
from build_hook.deploy import process

# What builders print when the disk is full; the exit status says nothing of it.
_NO_SPACE = re.compile(r"no space left on device", re.IGNORECASE)
_NO_ENGINE = re.compile(
    r"cannot connect to the docker daemon|error during connect|rpc error: code = (unavailable|"
    r"canceled)|error reading from server: eof|transport is closing",
    re.IGNORECASE,
)
# BuildKit's words for an image it could not look up or fetch, whatever the step was.
_FETCHING = re.compile(
    r"failed to (?:resolve source metadata for|solve with frontend dockerfile\.v0: failed to "
    r"create LLB definition:|copy: httpReadSeeker|do request|fetch|authorize|load cache key)"
    r"|load metadata for|pulling from host",
    re.IGNORECASE,
)
# What Go puts before the reason: "dial tcp: lookup ...", "dial tcp 192.0.2.1:443: connect ...".
_DIALLED = re.compile(r": dial tcp[46]?:? ")
# The registry or the way to it; what says "not found" or "denied" is for a person to correct.
_PASSING = re.compile(
    r"connection (?:refused|reset)|no such host|server misbehaving|i/o timeout|tls handshake "
    r"timeout|network is unreachable|no route to host|context deadline exceeded|unexpected eof|"
    r"temporary failure|toomanyrequests|429 too many|50[0234] |unexpected status[^\n]*50[0234]",
    re.IGNORECASE,
)
_KILLED = re.compile(r"exit code: 137\b")
# How an image is called in those words: by its name, or by its address at the registry.
_ADDRESS = re.compile(r"https?://([^/\s\"]+)/v2/([^\s\"]+)/(?:manifests|blobs)/([^\s\":]+)")
_NAME = re.compile(r"metadata for ([^\s]+?)(?::\s|:?$)")


def of(error: process.ProcessError, how: recipe.Build) -> errors.BuildHookError:
    """The error that says it to a person, and whether trying again makes sense."""
    text = "\n".join(error.tail)
    if error.code is None:
        return errors.LimitError(
            f"The build took longer than {how.timeout:g} s and was stopped",
            "Make it faster, or raise build.timeout",
        )
    if _NO_SPACE.search(text):
        return errors.DiskFullError(
            "The disk ran full during the build", "Make room, then: build-hook deploy"
        )
    if unreachable := _unreachable(error):
        return unreachable
    if _NO_ENGINE.search(text):
        return errors.EngineDownError("The Docker engine went away during the build")
    if _KILLED.search(error.last_line):
        return errors.ImageError(
            f"A step was killed: {error.last_line}",
            "Most often it wanted more memory than it may take: see build.limits.memory",
        )
    return errors.ImageError(f"The build failed: {error.last_line}", "Read the log, fix, push")


def _unreachable(error: process.ProcessError) -> errors.BaseImageError | None:
    """A base image that could not be fetched, through no fault of the commit."""
    line = error.last_line
    if not (_FETCHING.search(line) and _PASSING.search(line)):
        return None
    return errors.BaseImageError(
        f"The registry did not give out {_image(line)}: {_DIALLED.split(line)[-1]}",
        "It is tried again by itself; see that this machine reaches the registry",
    )


def _image(line: str) -> str:
    if address := _ADDRESS.search(line):
        return f"{address[1]}/{address[2]}:{address[3]}"
    name = _NAME.search(line)
    return name[1] if name else "a base image"

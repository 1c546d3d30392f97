"""The docker command's configuration for one build: that of the worker, and logins of registries.

A login in a file is in no argument and in no environment; the file is there while the build runs.
"""

import base64
import contextlib
import json
import os
import pathlib
import shutil
from collections.abc import Generator, Mapping
from typing import Any, cast

from build_hook import reference
from build_hook.deploy import manifests

_FILE = "config.json"
# What the docker command calls Docker Hub in there.
_HUB = "https://index.docker.io/v1/"


@contextlib.contextmanager
def with_logins(
    place: pathlib.Path, logins: Mapping[str, manifests.Login], environ: Mapping[str, str]
) -> Generator[dict[str, str]]:
    """The variable that makes the docker command log in so; none where there are no logins."""
    if not logins:
        yield {}
        return
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    try:
        _fill(place, logins, folder(environ))
        yield {"DOCKER_CONFIG": str(place)}
    finally:
        shutil.rmtree(place, ignore_errors=True)


def folder(environ: Mapping[str, str]) -> pathlib.Path:
    """Where the docker command keeps its configuration."""
    own = environ.get("DOCKER_CONFIG")
    return pathlib.Path(own or os.path.join(environ.get("HOME", "/"), ".docker"))


def read(own: pathlib.Path) -> dict[str, Any]:
    """What is in its file; nothing where there is none, or it cannot be read."""
    try:
        found: Any = json.loads((own / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _fill(place: pathlib.Path, logins: Mapping[str, manifests.Login], own: pathlib.Path) -> None:
    """Everything as in the worker's own folder (plugins, contexts), but for these logins."""
    for there in own.iterdir() if own.is_dir() else ():
        if there.name != _FILE:
            (place / there.name).symlink_to(there.resolve())
    known = read(own)
    keys = {_HUB if host == reference.HUB else host: who for host, who in logins.items()}
    # Where a store or helper keeps logins, the file is not looked at unless it is told so by host.
    helpers = {**known.get("credHelpers", {}), **dict.fromkeys(keys, "")}
    auths = {**known.get("auths", {}), **{key: {"auth": _auth(who)} for key, who in keys.items()}}
    handle = os.open(place / _FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({**known, "auths": auths, "credHelpers": helpers}, file)


def _auth(who: manifests.Login) -> str:
    return base64.b64encode(f"{who.username}:{who.password}".encode()).decode("ascii")

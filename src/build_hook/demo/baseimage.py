"""The image below the demo's applications: a static BusyBox from scratch, nothing pulled."""

import pathlib
import shutil
import struct
from typing import Any

from build_hook import errors
from build_hook.deploy import engine

APPS = pathlib.Path(__file__).parent / "apps"
LABEL = "io.build-hook.demo"
APPLETS = ("sh", "httpd", "nc", "sleep", "cat", "dd", "sha256sum")
_INTERPRETER = 3  # type of an ELF program header: the file needs a dynamic linker
_HINT = "Install it: apt-get install busybox-static"


def build(docker: engine.Engine, folder: pathlib.Path) -> str:
    """Build the base image of this instance; its tag.

    Raises:
        ImageError: if there is no BusyBox to put into it, or the engine fails.
    """
    _fill(folder)
    tag = f"build-hook-demo/base:{docker.instance}"
    with docker.speaking("build the base image"):
        answers: list[dict[str, Any]] = list(
            docker.api.build(
                path=str(folder),
                tag=tag,
                labels={LABEL: docker.instance},
                nocache=True,  # steps of another instance's may be removed at any moment
                rm=True,
                forcerm=True,
                decode=True,
            )
        )
    failed = [str(answer["error"]) for answer in answers if "error" in answer]
    if failed:
        raise errors.ImageError(f"The base image could not be built: {failed[0]}")
    return tag


def busybox() -> pathlib.Path:
    """A BusyBox that runs with no libraries.

    Raises:
        ImageError: if this machine has none.
    """
    found = shutil.which("busybox", path="/bin:/usr/bin:/usr/local/bin")
    if found is None:
        raise errors.ImageError("There is no busybox on this machine", _HINT)
    if _is_dynamic(pathlib.Path(found).read_bytes()):
        raise errors.ImageError(f"{found} needs libraries, the demo a static one", _HINT)
    return pathlib.Path(found)


def _fill(folder: pathlib.Path) -> None:
    shutil.copytree(APPS / "base", folder, dirs_exist_ok=True)
    programs = folder / "bin"
    programs.mkdir()
    shutil.copy(busybox(), programs / "busybox")
    for applet in APPLETS:
        (programs / applet).symlink_to("busybox")


def _is_dynamic(content: bytes) -> bool:
    """Read the program headers of an ELF file (see elf(5))."""
    wide = content[4] == 2
    offset = struct.unpack_from("<Q" if wide else "<I", content, 32 if wide else 28)[0]
    size, count = struct.unpack_from("<HH", content, 54 if wide else 42)
    kinds = (struct.unpack_from("<I", content, offset + n * size)[0] for n in range(count))
    return _INTERPRETER in kinds

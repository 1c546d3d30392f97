"""``build-hook.py`` of 2015, at its old path and with its old flags.

Build while the old container runs; if that fails, stop there; else kill the old container and
run the start script, or ``docker run -d TAG`` where there is none. In a build of ours ``docker``
is the stand-in, which spares the old container until the new one has its traffic.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence

from build_hook import labels
from build_hook.shim import spool


def main(argv: Sequence[str] | None = None) -> int:
    """Do as the helper of 2015 did; the exit status."""
    given = _read(argv)
    old = _containers(given.tag)
    if spool.of_this_build() is None and (owner := _owner(old)):
        _say(f"{given.tag} is the project {owner} of a build hook. Use: build-hook deploy {owner}")
        return 1
    # --no-cache, as in 2015: a Dockerfile of then may fetch what changes without saying so
    built = _docker("build", "--no-cache", "--tag", given.tag, given.repo)
    if built != 0:
        _say(f"the build failed with exit status {built}: the old container is left alone")
        return built
    if old and not given.no_kill:
        _docker("kill", *old)
    if given.script is not None:
        return _tell(subprocess.run((given.script,), check=False).returncode, given.script)
    return _docker("run", "-d", given.tag)


def _read(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="build-hook.py", description="Build and cycle.")
    parser.add_argument("-r", "--repo", required=True, help="folder or address to build")
    parser.add_argument("-t", "--tag", required=True, help="tag of the image")
    parser.add_argument("--no-kill", action="store_true", help="leave the old container running")
    parser.add_argument("-s", "--script", help="what starts the new container")
    parser.add_argument("-v", "--verbose", action="store_true", help="as in 2015; the log is full")
    parser.add_argument("--debug", action="store_true", help="as in 2015; the log is full")
    return parser.parse_args(argv)


def _containers(tag: str) -> list[str]:
    """The running containers whose image has the tag now, before it is built anew."""
    wanted = tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest"
    return _ask("ps", "--quiet", "--no-trunc", "--filter", f"ancestor={wanted}").split()


def _owner(containers: Sequence[str]) -> str | None:
    """The project of ours that one of them belongs to."""
    form = f'{{{{index .Config.Labels "{labels.PROJECT}"}}}}'
    names = [_ask("inspect", "--format", form, container).strip() for container in containers]
    return next((name for name in names if name and name != "<no value>"), None)


def _ask(*argv: str) -> str:
    return subprocess.run(("docker", *argv), stdout=subprocess.PIPE, text=True, check=False).stdout


def _docker(*argv: str) -> int:
    return subprocess.run(("docker", *argv), check=False).returncode


def _tell(status: int, script: str) -> int:
    of = spool.of_this_build()
    if status != 0 and of is not None:
        of.tell_problem(f"{script} ended with exit status {status}")
    return status


def _say(text: str) -> None:
    print(f"build-hook.py: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

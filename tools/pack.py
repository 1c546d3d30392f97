"""Packs the charms with charmcraft, then has them analysed, linted and their contents compared.

On Ubuntu of the charms' base, plain ``charmcraft pack`` in a charm's folder does the same. This
tool packs on other systems too, without containers: charmcraft's check that the build host is the
charm's base is overridden then, and it says so. What makes that defensible: the interpreter is of
the base's version, and only wheels are installed, which do not depend on the host. Where no such
interpreter can be had, ``--any-python`` packs for the machine's own: such charms are for a try on
machines like this one, not for the base. With ``--if-changed`` a charm is left as it is while its
sources are those that it was packed of.
"""

import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time

from tools import contents, interpreter, seals

ROOT = pathlib.Path(__file__).parent.parent
SHOP = ROOT / ".state" / "pack"
TREE = SHOP / "tree"
DIST = ROOT / "dist"
CHARMS = {
    "docker-build-hook": ".",
    "dockerfile": "charms/dockerfile",
    "docker": "charms/docker",
}
BASE = 'ID=ubuntu\nVERSION_ID="24.04"\nNAME="Ubuntu"\n'
ANY = "--any-python"
IF_CHANGED = "--if-changed"
SYSTEM_PYTHON = "/usr/bin/python3"
# Rules of charmlint that do not fit: Scenario tests of all charms stand in tests/scenario; an
# option without default leaves a value to the build hook or the engine; the title is
# display-name in metadata.yaml; versions are pinned by hash; there is no address or icon yet.
NOT_ASKED = (
    "TESTING-001", "CONFIG-002", "METADATA-002", "SUPPLYCHAIN-006", "METADATA-005",
    "METADATA-006", "METADATA-007", "STRUCTURE-002", "FEATURES-005",
)  # fmt: skip
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


class PackError(Exception):
    """Packing cannot go on; the text says what to do."""


def main(arguments: list[str]) -> int:
    """Pack the named charms, or all."""
    names = [argument for argument in arguments if argument not in (ANY, IF_CHANGED)]
    try:
        python = choose(any_python=ANY in arguments)
        for name in names or CHARMS:
            make(name, python, unless_current=IF_CHANGED in arguments)
    except PackError as error:
        say(str(error))
        return 1
    return 0


def make(name: str, python: interpreter.Interpreter, *, unless_current: bool) -> None:
    """Pack and check one charm, unless what is there is of the same sources.

    Raises:
        PackError: if there is no such charm, or it has a fault.
    """
    if name not in CHARMS:
        raise PackError(f"There is no charm {name}: choose from {', '.join(CHARMS)}")
    started, files = time.monotonic(), tracked()
    note, packed = SHOP / f"{name}.seal", DIST / f"{name}_{architecture()}.charm"
    of = seals.seal(ROOT, seals.ingredients(CHARMS[name], files), str(python.program))
    if unless_current and seals.is_current(note, packed, of):
        say(f"{packed.relative_to(ROOT)}: its sources have not changed")
        return
    copy_tree(files)
    pack(name, packed, python)
    check(name, packed, files, python)
    seals.put(note, packed, of)
    size, seconds = packed.stat().st_size / 1e6, time.monotonic() - started
    say(f"{packed.relative_to(ROOT)}: {size:.1f} MB, {seconds:.0f} s")


def choose(*, any_python: bool = False) -> interpreter.Interpreter:
    """The interpreter to pack for: the base's, or if that cannot be had and is no matter, ours."""
    python = interpreter.wanted(SHOP / "python")
    if python is None and any_python:
        python = interpreter.own()
        say(f"{interpreter.WANTED} cannot be had here: the charms are packed for {python.name}")
    if python is None:
        raise PackError(
            f"{interpreter.WANTED} is missing, which is what the charms' base has: install it"
        )
    return python


def pack(name: str, packed: pathlib.Path, python: interpreter.Interpreter) -> None:
    """Pack one charm from the copied tree."""
    folder = TREE / CHARMS[name]
    environment = {**os.environ, "PATH": f"{python.folder}:{craft()}:{os.environ['PATH']}"}
    recipe = folder / "charmcraft.yaml"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace(interpreter.WANTED, python.name), encoding="utf-8")
    if not is_base():
        say(f"{name}: this is not the charm's base, charmcraft's check of the host is overridden")
        (SHOP / "host").mkdir(exist_ok=True)
        (SHOP / "host" / "os-release").write_text(BASE, encoding="utf-8")
        environment["UNIXCONFDIR"] = str(SHOP / "host")
    run("charmcraft", "pack", "--destructive-mode", cwd=folder, env=environment)
    (made,) = folder.glob("*.charm")
    DIST.mkdir(exist_ok=True)
    shutil.move(made, packed)


def check(
    name: str, packed: pathlib.Path, files: list[str], python: interpreter.Interpreter
) -> None:
    """Refuse a charm that a linter finds fault with, or that holds too little or too much."""
    environment = {**os.environ, "PATH": f"{craft()}:{os.environ['PATH']}"}
    run("charmcraft", "analyse", str(packed), cwd=SHOP, env=environment)
    folder = "" if CHARMS[name] == "." else f"{CHARMS[name]}/"
    own = [file.removeprefix(folder) for file in files if file.startswith(folder)]
    faults = contents.faults(packed, TREE / folder, own, python.name)
    if faults:
        raise PackError(f"{packed.name}: " + "; ".join(faults))
    if not python.is_wanted:
        say(f"{name}: not linted, charmlint needs {interpreter.WANTED}")
        return
    lint = [str(linter(python) / "charmlint"), "--strict", "--ignore", ",".join(NOT_ASKED)]
    run(*lint, str(TREE / folder), cwd=SHOP, env=dict(os.environ))


def tracked() -> list[str]:
    """The files that git knows."""
    argv = ["git", "ls-files", "-z"]
    listed = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if (ROOT / name).is_file()]


def copy_tree(files: list[str]) -> None:
    """Copy what git knows, so that nothing else can get into a charm."""
    shutil.rmtree(TREE, ignore_errors=True)
    for path in files:
        target = TREE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target)


def craft() -> pathlib.Path:
    """The folder of charmcraft, in an environment of its own."""
    folder = SHOP / "charmcraft"
    if not (folder / "bin" / "charmcraft").exists():
        found = sorted(pathlib.Path("/usr/lib/python3/dist-packages").glob("apt*"))
        modules = [path for path in found if path.suffix in ("", ".so")]
        if not any(path.suffix == ".so" for path in modules):
            raise PackError("charmcraft needs python3-apt: apt-get install python3-apt")
        packages = environment(folder, SYSTEM_PYTHON, "requirements-pack.txt")
        for module in modules:  # is not on any index: the distribution's is linked in
            (packages / module.name).symlink_to(module)
    return folder / "bin"


def linter(python: interpreter.Interpreter) -> pathlib.Path:
    """The folder of charmlint, in an environment of its own."""
    folder = SHOP / "charmlint"
    if not (folder / "bin" / "charmlint").exists():
        environment(folder, str(python.program), "requirements-charmlint.txt")
    return folder / "bin"


def environment(folder: pathlib.Path, python: str, requirements: str) -> pathlib.Path:
    """Make an environment from pinned requirements; returns its folder of packages."""
    say(f"making an environment with tools/{requirements}")
    shutil.rmtree(folder, ignore_errors=True)
    here = dict(os.environ)
    run(python, "-m", "venv", str(folder), cwd=ROOT, env=here)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    run(*pip, "--require-hashes", "-r", f"tools/{requirements}", cwd=ROOT, env=here)
    (packages,) = (folder / "lib").glob("python3*/site-packages")
    return packages


def is_base() -> bool:
    """Whether this is the system that the charms are for."""
    release = platform.freedesktop_os_release()
    return (release.get("ID"), release.get("VERSION_ID")) == ("ubuntu", "24.04")


def architecture() -> str:
    """This machine's architecture, as Juju calls it."""
    return MACHINES.get(platform.machine(), platform.machine())


def run(*argv: str, cwd: pathlib.Path, env: dict[str, str]) -> None:
    """Run a command, silent unless it fails."""
    done = subprocess.run(
        argv, cwd=cwd, env=env, check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise PackError(f"{pathlib.Path(argv[0]).name} {argv[1]} failed, see above")


def say(text: str) -> None:
    """Tell the person at the terminal."""
    print(f"pack: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

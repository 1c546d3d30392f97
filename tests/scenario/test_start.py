"""How the charms are started: a hook is over soon if little is loaded and little is said."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from tests.scenario import charms

LAZY = {
    "removal", "build_hook.deploy.programs", "build_hook.proxy.kernel",
    "build_hook.proxy.netfilter", "build_hook.proxy.firewall", "charmlibs",
}  # fmt: skip
# Of pydantic's models these have no validators before somebody needs them.
DEFERRED = {
    "build_hook.composed": ("Care", "Composed", "Own"),
    "build_hook.deployed": ("Deployed",),
    "build_hook.followed": ("Followed",),
    "build_hook.login": ("Login",),
    "build_hook.part": ("Part",),
    "build_hook.service": ("Service",),
    "charms.docker_build_hook.v0.dockerfile": ("Project", "Report", "Request"),
    "parameters": ("Deploy", "Logs", "Token"),
}


def python(code):
    """What a new Python prints, with the charm's folders on its path."""
    path = os.pathsep.join(str(charms.ROOT / folder) for folder in ("lib", "src"))
    environment = {**os.environ, "PYTHONPATH": path}
    argv = [sys.executable, "-c", code]
    return subprocess.run(
        argv, env=environment, check=True, capture_output=True, text=True
    ).stdout.split()


def test_what_few_events_need_is_not_loaded():
    loaded = python("import sys, charm; print(*sys.modules)")

    assert "build_hook.registry" in loaded
    assert LAZY & set(loaded) == set()


def test_validators_are_made_when_they_are_needed():
    names = [f"{module}.{name}" for module, kinds in DEFERRED.items() for name in kinds]
    asked = ", ".join(f"sys.modules[{m!r}].{n}" for m, kinds in DEFERRED.items() for n in kinds)
    made = python(f"import sys, charm; print(*(kind.__pydantic_complete__ for kind in ({asked})))")

    assert dict(zip(names, made, strict=True)) == dict.fromkeys(names, "False")


def dispatch(charm, folder: pathlib.Path, code: str) -> subprocess.CompletedProcess[str]:
    """Start a charm of this code as Juju would."""
    shutil.copy(charms.FOLDERS[charm] / "dispatch", folder)
    (folder / "src").mkdir()
    (folder / "src" / "charm.py").write_text(code)
    return subprocess.run([folder / "dispatch"], check=False, capture_output=True, text=True)


@pytest.mark.parametrize("charm", charms.FOLDERS)
def test_pydantic_looks_for_no_plugins(charm, tmp_path):
    said = dispatch(charm, tmp_path, "import os; print(os.environ['PYDANTIC_DISABLE_PLUGINS'])")

    assert said.stdout == "__all__\n"


@pytest.mark.parametrize("charm", charms.FOLDERS)
def test_nothing_is_taken_apart_at_the_end(charm):
    folder = charms.FOLDERS[charm]
    path = os.pathsep.join(str(folder / name) for name in ("lib", "src"))
    code = (
        "import gc, ops, runpy, sys; ops.main = lambda kind: print(kind.__name__)\n"
        "runpy.run_path(sys.argv[1], run_name='__main__'); print(gc.get_freeze_count() > 0)"
    )

    said = subprocess.run(
        [sys.executable, "-c", code, str(folder / "src" / "charm.py")],
        env={**os.environ, "PYTHONPATH": path}, check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert said.stdout.endswith("Charm\nTrue\n")


@pytest.mark.parametrize("charm", charms.FOLDERS)
def test_a_charm_that_fails_is_no_success(charm, tmp_path):
    said = dispatch(charm, tmp_path, "raise ValueError('why')")

    assert said.returncode == 1
    assert said.stderr.endswith("ValueError: why\n")

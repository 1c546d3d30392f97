"""What must not stand anywhere in the repository."""

import ast
import re

import pytest

from tests.repo import source

SHELLS = {
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell", "asyncio.subprocess.create_subprocess_shell",
}  # fmt: skip
TAKEN = {"docker", "queue", "secrets", "logging", "git"}

# Home folders, build machines, drive letters; put together so that they do not find themselves.
PRIVATE_PATHS = re.compile(
    "|".join(
        ("/" + "home/(?!ubuntu/)", "/" + "Users/", "/" + "root/", "/" + "work/", r"\b[A-Z]:\\")
    )
)


@pytest.mark.parametrize("name", sorted(source.trees()))
def test_no_shell(name: str):
    for node in ast.walk(source.trees()[name]):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in SHELLS, f"line {node.lineno}"
            for keyword in node.keywords:
                assert keyword.arg != "shell", f"line {node.lineno}"


@pytest.mark.parametrize("name", sorted(source.texts()))
def test_no_path_of_a_developers_machine(name: str):
    assert PRIVATE_PATHS.findall(source.texts()[name]) == []


def test_no_module_hides_one_of_a_library():
    # src precedes site-packages on the path of a charm.
    tops = {path.stem for path in (source.ROOT / "src").iterdir()}

    assert not tops & TAKEN

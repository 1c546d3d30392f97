import pytest

from build_hook import errors
from build_hook.deploy import clients


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Find the client where each folder of the PATH holds a docker that says this."""

    def find(*scripts):
        folders = []
        for number, script in enumerate(scripts):
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "docker").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            (folder / "docker").chmod(0o755)
            folders.append(str(folder))
        monkeypatch.setenv("PATH", ":".join(folders))
        clients.find.cache_clear()
        return clients.find()

    yield find
    clients.find.cache_clear()


OLD = '[ "$1" = --version ] && echo "Docker version 20.10.24+dfsg1, build 297e128"'
NEW_WITHOUT = '[ "$1" = --version ] && echo "Docker version 26.1.5, build a72d7cd"'
BUILDX = 'echo "github.com/docker/buildx v0.13.1 788433953af1"'


def test_buildx_is_taken_with_its_version(found, tmp_path):
    client = found(BUILDX)

    assert client.argv == (str(tmp_path / "0/docker"), "buildx", "build", "--load")
    assert client.buildx == (0, 13)
    assert not client.env


@pytest.mark.parametrize(
    ("version", "help_text", "speaks"),
    [
        ("v0.13.1", "", True),
        ("v0.12.1", 'Set type of progress output ("auto", "plain", "tty")', False),
        ("0.0.0+unknown", '("auto", "none", "plain", "quiet", "rawjson", "tty")', True),
    ],
)
def test_progress_as_json_is_for_who_speaks_it(found, version, help_text, speaks):
    script = (
        f"case $2 in version) echo 'github.com/docker/buildx {version} 7884' ;; "
        f"build) echo '{help_text}' ;; esac"
    )

    assert found(script).speaks_json is speaks


def test_old_command_builds_with_the_engines_buildkit(found, tmp_path):
    client = found(OLD)

    assert client.argv == (str(tmp_path / "0/docker"), "build")
    assert (client.env, client.buildx) == ({"DOCKER_BUILDKIT": "1"}, None)


def test_command_that_cannot_build_is_passed_over(found, tmp_path):
    assert found(NEW_WITHOUT, OLD).argv[0] == str(tmp_path / "1/docker")


def test_none_is_told(found):
    with pytest.raises(errors.ImageError, match=r"can build with BuildKit.*docker-buildx"):
        found(NEW_WITHOUT)

import pytest

from build_hook import errors
from build_hook.deploy import intake


def test_size_counts_all_files_and_follows_no_link(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "below/b").write_bytes(b"x" * 500)
    (tmp_path / "link").symlink_to("/bin/sh")

    assert 1500 < intake.size(tmp_path) < 1600


def test_commit_that_is_too_large_is_refused():
    intake.require_small(2**20, 1)

    with pytest.raises(errors.LimitError, match=r"hold 3 MiB, more than 1.*build_context_mb"):
        intake.require_small(3 * 2**20, 1)


def checked(tmp_path, text):
    file = tmp_path / "Dockerfile"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    intake.require_known_builder(file)


@pytest.mark.parametrize(
    "top",
    [
        "# syntax=evil.example/builder",
        "#syntax = evil.example/builder:1",
        "# SYNTAX=evil.example/builder and more",
        "// syntax=evil.example/builder",
        "#!/bin/sh\n# syntax=evil.example/builder",
        "\ufeff# syntax=evil.example/builder",
        "\ufeff#!/bin/sh\n# syntax=evil.example/builder",
        "# escape=`\r\n# syntax=evil.example/builder",
        "# escape= \n# syntax=evil.example/builder",
        f"# check={'x' * 9000}\n# syntax=evil.example/builder",
        f"# of={'x' * 70_000}\n# older=frontends read on\n# syntax=evil.example/builder",
    ],
)
def test_strange_builder_is_refused(tmp_path, top):
    with pytest.raises(errors.ImageError, match=r"asks for the builder 'evil.example/builder"):
        checked(tmp_path, f"{top}\nFROM scratch\n")


@pytest.mark.parametrize(
    "text",
    [
        '{"syntax": "evil"}',
        '\n {"\\u0073yntax": "evil"}',
        '#!/x\n{"Syntax":"evil", "a":' + "[" * 9000,
    ],
)
def test_json_is_no_dockerfile(tmp_path, text):
    with pytest.raises(errors.ImageError, match="is JSON, for a builder of its own"):
        checked(tmp_path, text)


def test_dockerfile_that_is_not_read_to_its_end_is_refused(tmp_path):
    with pytest.raises(errors.ImageError, match="more than 1 MiB"):
        checked(tmp_path, b"# check=" + "ü".encode() * 2**19 + b"\n# syntax=evil\nFROM a\n")


@pytest.mark.parametrize(
    "text",
    [
        "# syntax=docker/dockerfile\nFROM a\n",
        "# syntax=docker/dockerfile:1.7-labs\nFROM a\n",
        "# escape=`\n# syntax = docker.io/docker/dockerfile:1\nFROM a\n",
        "# syntax=docker/dockerfile@sha256:c0ffee\nFROM a\n",
        "# syntax=\nFROM a\n",
        "",
    ],
)
def test_known_builder_is_taken(tmp_path, text):
    checked(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "# A comment ends the directives.\n# syntax=evil\nFROM a\n",
        "\n# syntax=evil\nFROM a\n",
        'FROM a\n# syntax=evil\nRUN echo \'{"syntax": "evil"}\'\n',
    ],
)
def test_what_builders_take_for_a_comment_is_one(tmp_path, text):
    checked(tmp_path, text)

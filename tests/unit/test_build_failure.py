import pytest

from build_hook import errors, recipe
from build_hook.deploy import build_failure, process

HOW = recipe.Build(timeout=60)


def told(*lines: str, code: int | None = 1):
    return build_failure.of(process.ProcessError(("docker",), code, lines), HOW)


@pytest.mark.parametrize(
    ("line", "image"),
    [
        (
            "failed to solve with frontend dockerfile.v0: failed to create LLB definition: failed "
            'to do request: Head "https://127.0.0.1:5000/v2/a/base/manifests/1": dial tcp '
            "127.0.0.1:5000: connect: connection refused",
            "127.0.0.1:5000/a/base:1",
        ),
        (
            "ERROR: failed to solve: debian:12: failed to resolve source metadata for "
            "docker.io/library/debian:12: failed to do request: Head "
            '"https://registry-1.docker.io/v2/library/debian/manifests/12": dial tcp: lookup '
            "registry-1.docker.io: no such host",
            "registry-1.docker.io/library/debian:12",
        ),
        (
            "ERROR: failed to solve: failed to copy: httpReadSeeker: failed open: unexpected "
            "status code https://quay.io/v2/x/blobs/sha256:1: 503 Service Unavailable",
            "quay.io/x:sha256",
        ),
        (
            "ERROR: failed to solve: a/b: failed to resolve source metadata for "
            "docker.io/a/b:latest: unexpected status from HEAD request: 429 Too Many Requests",
            "docker.io/a/b:latest",
        ),
        (
            "ERROR: failed to solve: failed to resolve source metadata for x:1: "
            "net/http: TLS handshake timeout",
            "x:1",
        ),
    ],
)
def test_registry_at_fault_is_tried_again(line, image):
    error = told("#2 [internal] load metadata for it", line)

    assert isinstance(error, errors.BaseImageError)
    assert error.is_passing
    assert error.message.startswith(f"The registry did not give out {image}: ")
    assert "tried again by itself" in error.hint


def test_registry_that_cannot_be_reached_is_told_without_the_words_of_go_before_it():
    head = (
        "ERROR: failed to solve: failed to resolve source metadata for h:1/x:1: failed to do "
        'request: Head "https://h:1/v2/x/manifests/1": dial tcp'
    )

    for rest in ("lookup h: no such host", "192.0.2.1:1: connect: connection refused"):
        between = ": " if rest.startswith("lookup") else " "
        error = told("#2 [internal] load metadata for it", f"{head}{between}{rest}")
        assert error.message == f"The registry did not give out h:1/x:1: {rest}"


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: failed to solve: nothing: failed to resolve source metadata for "
        "docker.io/library/nothing:latest: pull access denied, repository does not exist",
        "executor failed running [/bin/sh -c apt-get update]: exit code: 100",
        "executor failed running [/bin/sh -c wget http://a]: connection refused",
    ],
)
def test_commit_at_fault_is_not(line):
    error = told(line)

    assert type(error) is errors.ImageError
    assert not error.is_passing


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        ("write /x: no space left on device", errors.DiskFullError, "ran full"),
        ("Cannot connect to the Docker daemon at unix", errors.EngineDownError, "went away"),
        ("executor failed running [x]: exit code: 137", errors.ImageError, "more memory"),
        ("dockerfile parse error line 1", errors.ImageError, "failed: dockerfile parse error"),
    ],
)
def test_kinds_of_failures(line, kind, said):
    error = told(line)

    assert type(error) is kind
    assert said in str(error)


def test_time_limit():
    error = told("#5 still at it", code=None)

    assert isinstance(error, errors.LimitError)
    assert str(error).startswith("The build took longer than 60 s and was stopped.")

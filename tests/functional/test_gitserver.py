import hashlib
import hmac
import json
import queue
import subprocess

import pytest

from build_hook import errors
from build_hook.demo import delivery, git, gitserver, workcopy


@pytest.fixture
def moved():
    return queue.Queue()


@pytest.fixture
def host(tmp_path, moved):
    root = tmp_path / "host"
    root.mkdir()
    with gitserver.GitServer(root, moved.put) as server:
        yield server


@pytest.fixture
def copy(tmp_path, host):
    made = workcopy.WorkCopy(tmp_path / "copy", host.create("web"), host.authorization)
    made.write("version.txt", "one\n")
    return made


def test_push_arrives_and_is_told_once(host, copy, moved):
    commit = copy.commit("First")
    copy.push()

    told = moved.get(timeout=5)

    assert (told.ref, told.before, told.after) == ("refs/heads/main", gitserver.ZERO, commit)
    assert git.run("rev-parse", "main", folder=host.root / "web.git") == commit
    assert moved.empty()


def test_push_of_nothing_new_tells_nothing(copy, moved):
    copy.commit("First")
    copy.push()
    moved.get(timeout=5)

    copy.push()

    with pytest.raises(queue.Empty):
        moved.get(timeout=0.3)


def test_clone_and_fetch_by_commit_need_no_token(tmp_path, host, copy):
    first = copy.commit("First")
    copy.write("version.txt", "two\n")
    second = copy.commit("Second")
    copy.push()

    git.run("clone", "--quiet", f"{host.address}/web.git", str(tmp_path / "clone"))
    git.run("init", "--quiet", str(tmp_path / "other"))
    git.run("fetch", "-q", f"{host.address}/web.git", first, folder=tmp_path / "other")

    assert git.run("rev-parse", "HEAD", folder=tmp_path / "clone") == second
    assert git.run("rev-parse", "FETCH_HEAD", folder=tmp_path / "other") == first


def test_push_larger_than_the_post_buffer_is_sent_in_chunks(host, copy):
    copy.write("random.bin", "".join(hashlib.sha256(bytes([n % 256, n // 256])).hexdigest()
                                     for n in range(60_000)))  # fmt: skip
    commit = copy.commit("Large")

    copy.push()

    assert git.run("rev-parse", "main", folder=host.root / "web.git") == commit


def test_push_without_the_token_is_refused(tmp_path, host):
    host.create("shop")
    stranger = workcopy.WorkCopy(tmp_path / "s", f"{host.address}/shop.git", "Basic eDp5")
    stranger.write("version.txt", "bad\n")
    stranger.commit("Bad")

    with pytest.raises(errors.CheckoutError, match="git push failed"):
        stranger.push()

    assert git.refs(host.root / "shop.git") == {}


@pytest.mark.parametrize("path", ["/other.git", "/../host/web.git", "/"])
def test_path_that_is_no_repository_is_not_found(host, copy, path):
    done = subprocess.run(
        [git.path(), "ls-remote", "--", host.address + path],
        env=git.environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "not found" in done.stderr


def test_delivery_says_what_the_push_did(host, copy, moved):
    copy.commit("First")
    copy.push()
    first = moved.get(timeout=5)
    copy.write("added.txt", "new\n")
    copy.write("version.txt", "two\n")
    second = copy.commit("Second\n\nwith a body")
    copy.push()

    raw = delivery.body(moved.get(timeout=5), host.address)

    told = json.loads(raw)
    assert told["ref"] == "refs/heads/main"
    assert (told["before"], told["after"]) == (first.after, second)
    assert (told["created"], told["deleted"]) == (False, False)
    assert [commit["id"] for commit in told["commits"]] == [second]
    assert told["head_commit"]["message"] == "Second\n\nwith a body"
    assert told["head_commit"]["added"] == ["added.txt"]
    assert told["head_commit"]["modified"] == ["version.txt"]
    assert told["repository"]["full_name"] == "demo/web"
    assert told["repository"]["clone_url"] == f"{host.address}/web.git"
    assert json.loads(delivery.body(first, host.address))["created"] is True


def test_delivery_is_signed_over_its_bytes():
    raw = b'{"ref": "refs/heads/main"}'

    headers = delivery.headers(raw, b"key")

    expected = hmac.new(b"key", raw, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={expected}"
    assert headers["X-GitHub-Event"] == "push"
    assert delivery.headers(raw, b"key")["X-GitHub-Delivery"] != headers["X-GitHub-Delivery"]

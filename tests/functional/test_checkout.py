"""git as the product uses it, against real servers: HTTP, and SSH where keys decide."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest

from build_hook import errors, project
from build_hook.demo import git, gitserver, product, workcopy
from build_hook.deploy import checkout


@pytest.fixture
def forge(tmp_path):
    (tmp_path / "git").mkdir()
    with gitserver.GitServer(tmp_path / "git", lambda moved: None) as server:
        yield server


@pytest.fixture
def copy(tmp_path, forge):
    made = workcopy.WorkCopy(tmp_path / "copy", forge.create("shop"), forge.authorization)
    made.write("Dockerfile", "FROM scratch\n")
    made.commit("First")
    made.push()
    return made


@pytest.fixture
def repositories(tmp_path):
    folders = tmp_path / "repositories", tmp_path / "checkouts"
    for folder in folders:
        folder.mkdir()
    return checkout.Repositories(*folders)


def shop(forge, **of):
    given = {"name": "shop", "repository": f"{forge.address}/shop.git", **of}
    return project.Project.model_validate(given)


def push(copy, name="a.txt", text="x"):
    copy.write(name, text)
    commit = copy.commit(f"Change {name}\n\nand why")
    copy.push()
    return commit


def test_head_is_brought_without_history_and_without_git_folder(forge, copy, repositories):
    push(copy)
    commit = push(copy, "b.txt")
    of = shop(forge)

    assert repositories.fetch(of, of.ref) == commit
    assert repositories.message(of, commit).splitlines()[0] == "Change b.txt"
    with repositories.checkout(of, commit, 1) as folder:
        assert sorted(p.name for p in folder.iterdir()) == ["Dockerfile", "a.txt", "b.txt"]
    assert not folder.exists()


def test_force_pushed_head_is_followed(forge, copy, repositories):
    of = shop(forge)
    first = push(copy)
    push(copy, "b.txt")
    repositories.fetch(of, of.ref)
    git.run("update-ref", "refs/heads/main", first, folder=forge.root / "shop.git")

    assert repositories.fetch(of, of.ref) == first


def test_annotated_tag_stands_for_its_commit(forge, copy, repositories):
    commit = push(copy)
    git.run("tag", "-a", "-m", "x", "v1", commit, folder=forge.root / "shop.git")
    of = shop(forge, ref="refs/tags/v1")

    assert checkout.heads(of.repository, [of.ref]) == {of.ref: commit}
    assert repositories.fetch(of, of.ref) == commit


def test_refs_that_are_not_there_are_left_out(forge, copy):
    commit = push(copy)

    found = checkout.heads(f"{forge.address}/shop.git", ["refs/heads/main", "refs/heads/none"])

    assert found == {"refs/heads/main": commit}


def test_locks_of_a_killed_git_are_in_nobodys_way(forge, copy, repositories, tmp_path):
    of = shop(forge)
    repositories.fetch(of, of.ref)
    mirror = tmp_path / "repositories/shop.git"
    (mirror / "shallow.lock").touch()
    (mirror / "refs/build-hook/head.lock").touch()
    part = mirror / "objects/pack/tmp_pack_x"
    part.touch()
    commit = push(copy)

    assert repositories.fetch(of, of.ref) == commit
    assert not part.exists()


def test_what_crashes_left_is_discarded(repositories, tmp_path):
    (tmp_path / "checkouts/7/deep").mkdir(parents=True)
    (tmp_path / "checkouts/7.index").touch()

    repositories.discard_all()

    assert list((tmp_path / "checkouts").iterdir()) == []


@pytest.mark.parametrize("url", ["file:///etc", "ext::touch /tmp/x", "/etc"])
def test_only_network_protocols_are_spoken(url):
    with pytest.raises(errors.CheckoutError, match=r"not allowed|could not look"):
        checkout.heads(url, ["refs/heads/main"])


def test_password_in_the_address_is_not_shown(forge):
    url = forge.address.replace("http://", "http://user:secret@")

    with pytest.raises(errors.CheckoutError) as caught:
        checkout.heads(f"{url}/none.git", ["refs/heads/main"])

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [("/etc", "leads out"), ("../../x", "leads out"), ("nothing", "has no 'link'")],
)
def test_link_that_leads_out_is_refused(tmp_path, target, message):
    (tmp_path / "link").symlink_to(target)

    with pytest.raises(errors.CheckoutError, match=message):
        checkout.inside(tmp_path, "link", "context")


def test_link_inside_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    assert checkout.inside(tmp_path, "link", "context") == tmp_path / "real"


@contextlib.contextmanager
def sshd(folder: pathlib.Path, root: pathlib.Path):
    """A server on loopback that takes one key and serves repositories only; its port."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    assert program, "openssh-server is not installed: apt-get install openssh-server"
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
    rule = 'restrict,command="git-shell -c \\"$SSH_ORIGINAL_COMMAND\\""'
    key = (folder / "user.pub").read_text(encoding="ascii")
    (folder / "authorized").write_text(f"{rule} {key}", encoding="ascii")
    port = product.free_port()
    config = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": str(folder / "host"),
        "AuthorizedKeysFile": str(folder / "authorized"),
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
    }
    file = folder / "sshd_config"
    file.write_text("".join(f"{k} {v}\n" for k, v in config.items()), encoding="utf-8")
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", str(file)], stderr=log)
    try:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            assert time.monotonic() < deadline, (folder / "sshd.log").read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def ssh(tmp_path, forge, monkeypatch):
    """An SSH server for the same repositories, and a client that has the key.

    The client's own configuration is in a wrapper on the path: it never comes from the product.
    """
    folder = tmp_path / "ssh"
    folder.mkdir()
    with sshd(folder, forge.root) as port:
        known = folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
        real = shutil.which("ssh")
        wrapper = folder / "bin/ssh"
        wrapper.parent.mkdir()
        wrapper.write_text(
            f"#!/bin/sh\nexec {real} -F none -i {folder}/user -o UserKnownHostsFile={known} "
            '-o IdentitiesOnly=yes "$@"\n'
        )
        wrapper.chmod(0o755)
        monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
        user = os.environ.get("USER") or "root"
        yield f"ssh://{user}@127.0.0.1:{port}{forge.root}/shop.git", known


def test_repository_over_ssh(ssh, forge, copy, repositories):
    url, _ = ssh
    commit = push(copy)
    of = shop(forge, repository=url)

    assert checkout.heads(url, [of.ref]) == {of.ref: commit}
    assert repositories.fetch(of, of.ref) == commit


def test_unknown_host_key_is_refused_and_said(ssh, forge, copy, repositories):
    url, known = ssh
    known.write_text("")

    with pytest.raises(errors.CheckoutError) as caught:
        checkout.heads(url, ["refs/heads/main"])

    assert "Host key verification failed" in str(caught.value)
    assert "Check the repository's address and that this machine may read it" in str(caught.value)

"""Private repositories: keys over SSH, tokens over HTTP, and that neither goes anywhere else."""

import json
import os
import pathlib
import tempfile
import threading

import click.testing
import pytest

from build_hook import cli, errors, project, registry, secret_files, settings
from build_hook.deploy import checkout
from build_hook.deploy.repository import access, host_keys
from tests.functional import doorkeeper, sshserver

TOKEN = "tok-3n/w+th=signs"
MAIN = "refs/heads/main"


@pytest.fixture
def ssh(tmp_path, forge):
    with sshserver.serving(tmp_path / "ssh", forge.root) as server:
        yield server


@pytest.fixture
def private(forge):
    """The git server behind a door that opens for one user and token."""
    with doorkeeper.standing(forge.address, login=("build-hook", TOKEN)) as door:
        yield door


def shop(url, **of):
    return project.Project.model_validate({"name": "shop", "repository": url, **of})


def keep(options, name, value):
    secret_files.create(options.secrets, name, value)


def heads(options, of):
    return checkout.Repositories(options).heads(of, [of.ref])


# --- SSH


@pytest.fixture
def keyed(ssh, options):
    """A project with the right key, on a server that is known."""
    keep(options, "shop-key", ssh.key)
    options.known_hosts.write_text(ssh.known_host)
    return shop(ssh.url("shop"), deploy_key="shop-key")


def test_deploy_key_opens_a_repository(keyed, options, repositories, push):
    commit = push()

    assert heads(options, keyed) == {MAIN: commit}
    assert repositories.fetch(keyed, MAIN) == commit


@pytest.mark.parametrize("key", ["none", "stranger"])
def test_without_the_right_key_nothing_opens(key, ssh, keyed, options, push):
    push()
    if key == "stranger":
        keep(options, "other", ssh.stranger())
    of = keyed.model_copy(update={"deploy_key": "other" if key == "stranger" else None})

    with pytest.raises(errors.CheckoutError, match="Permission denied"):
        heads(options, of)


def test_only_the_project_s_key_is_offered(ssh, keyed, options, push, tmp_path, monkeypatch):
    """Keys in the user's own ssh folder stay out of it."""
    push()
    (tmp_path / "shop-key").unlink(missing_ok=True)
    (options.secrets / "shop-key").write_bytes(ssh.stranger())
    agent_socket = tmp_path / "agent"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent_socket))

    with pytest.raises(errors.CheckoutError, match="Permission denied"):
        heads(options, keyed)

    assert ssh.log().count("Failed publickey") <= 1


def test_key_is_not_offered_to_another_host(ssh, keyed, options, push):
    push()
    ways = access.Access(options)

    with ways.towards(keyed, "ssh://git@elsewhere.example/shop.git") as (_, env):
        assert "shop-key" not in env["GIT_SSH_COMMAND"]
    with ways.towards(keyed, f"ssh://git@127.0.0.1:{ssh.port + 1}/shop.git") as (_, env):
        assert "shop-key" not in env["GIT_SSH_COMMAND"]
    with ways.towards(keyed, keyed.repository) as (_, env):
        assert "shop-key" in env["GIT_SSH_COMMAND"]


def test_unknown_host_key_says_what_to_do(ssh, keyed, options):
    options.known_hosts.unlink()

    with pytest.raises(errors.CheckoutError) as caught:
        heads(options, keyed)

    assert f"the SSH host key of [127.0.0.1]:{ssh.port} is not known here" in str(caught.value)
    assert f"build-hook host-key add [127.0.0.1]:{ssh.port}" in str(caught.value)


def test_changed_host_key_warns_of_somebody_in_between(ssh, keyed, options):
    ssh.stranger()
    other = (ssh.folder / "stranger.pub").read_text().split()
    options.known_hosts.write_text(f"[127.0.0.1]:{ssh.port} {other[0]} {other[1]}\n")

    with pytest.raises(errors.CheckoutError, match="shows another SSH host key") as caught:
        heads(options, keyed)

    assert f"build-hook host-key add [127.0.0.1]:{ssh.port}" in caught.value.hint


def test_host_key_of_the_user_s_own_ssh_counts(ssh, keyed, options, push):
    """OpenSSH reads the home folder from the password file, so this is the real one."""
    commit = push()
    options.known_hosts.unlink()
    known = pathlib.Path("~/.ssh/known_hosts").expanduser()
    before = known.read_bytes() if known.exists() else None
    known.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        known.write_bytes((before or b"") + ssh.known_host.encode())
        assert heads(options, keyed) == {MAIN: commit}
    finally:
        known.unlink() if before is None else known.write_bytes(before)


def test_state_folder_with_odd_characters(ssh, push):
    commit = push()
    with tempfile.TemporaryDirectory() as short:  # sockets below a state folder have little room
        options = settings.load(pathlib.Path(short, "my %h state's"), {})
        keep(options, "shop-key", ssh.key)
        options.known_hosts.write_text(ssh.known_host)

        of = shop(ssh.url("shop"), deploy_key="shop-key")

        assert heads(options, of) == {MAIN: commit}


@pytest.mark.parametrize("kind", ["deploy_key", "access_token"])
def test_secret_that_others_can_read_is_refused(kind, options):
    url = {"deploy_key": "ssh://git@127.0.0.1/x", "access_token": "http://127.0.0.1/x"}[kind]
    keep(options, "loose", b"secret")
    (options.secrets / "loose").chmod(0o640)

    with pytest.raises(errors.CheckoutError, match="chmod 600"):
        heads(options, shop(url, **{kind: "loose"}))


@pytest.mark.parametrize("kind", ["deploy_key", "access_token"])
def test_secret_that_is_missing_is_named(kind, options):
    url = {"deploy_key": "ssh://git@127.0.0.1/x", "access_token": "http://127.0.0.1/x"}[kind]

    with pytest.raises(errors.CheckoutError, match="'gone' cannot be read"):
        heads(options, shop(url, **{kind: "gone"}))


# --- HTTP


@pytest.fixture
def tokened(private, options):
    keep(options, "shop-token", TOKEN.encode())
    return shop(f"{private.address}/shop.git", access_token="shop-token")


def test_token_opens_a_repository(tokened, options, repositories, push):
    commit = push()

    assert heads(options, tokened) == {MAIN: commit}
    assert repositories.fetch(tokened, MAIN) == commit


def test_without_the_token_nothing_opens(tokened, options, push):
    push()

    with pytest.raises(errors.CheckoutError, match="could not look"):
        heads(options, tokened.model_copy(update={"access_token": None}))


@pytest.mark.parametrize("where", ["field", "address"])
def test_user_that_goes_with_the_token(where, private, tokened, options, push):
    commit = push()
    private.login = ("robot", TOKEN)
    if where == "field":
        of = tokened.model_copy(update={"access_user": "robot"})
    else:
        address = tokened.repository.replace("http://", "http://robot@")
        of = tokened.model_copy(update={"repository": address})

    assert heads(options, of) == {MAIN: commit}


def test_token_is_in_no_argument_no_environment_and_no_message(
    private, tokened, options, push, monkeypatch
):
    """Looked at from outside, at every program that runs meanwhile."""
    push()
    private.login = ("build-hook", "another")
    seen: list[bytes] = []
    done = threading.Event()

    def watch():
        while not done.is_set():
            for entry in pathlib.Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        seen.append((entry / name).read_bytes())
                    except OSError:
                        continue

    monkeypatch.setenv("GIT_TRACE_CURL", str(options.state / "trace"))
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with pytest.raises(errors.CheckoutError) as caught:
            heads(options, tokened)
    finally:
        done.set()
        watcher.join()

    assert private.logins == {f"build-hook:{TOKEN}"}
    assert any(b"ls-remote" in text for text in seen)
    assert not any(TOKEN.encode() in text for text in seen if b"pytest" not in text)
    assert TOKEN not in str(caught.value)
    assert TOKEN not in (options.state / "trace").read_text()
    assert list(options.checkouts.iterdir()) == []


def test_token_is_stored_by_no_helper_of_the_machine(
    tokened, options, push, tmp_path, monkeypatch
):
    push()
    (tmp_path / "config").write_text(f"[credential]\n\thelper = store --file={tmp_path}/kept\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))

    heads(options, tokened)

    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("asks_first", [True, False])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
def test_token_does_not_follow_a_redirect(host, asks_first, forge, private, tokened, options):
    """To another host, or to another port of the same one."""
    with doorkeeper.standing(forge.address, host, login=("build-hook", "x")) as other:
        private.elsewhere = other.address
        private.login = private.login if asks_first else None

        with pytest.raises(errors.CheckoutError):
            heads(options, tokened)

        assert other.brought
        assert other.logins == set()


def test_redirect_within_the_host_keeps_the_token(private, tokened, options, push):
    """As hosts do it whose addresses end in .git."""
    commit = push()
    private.renamed = ("/old.git", "/shop.git")
    moved = tokened.model_copy(update={"repository": f"{private.address}/old.git"})

    assert heads(options, moved) == {MAIN: commit}
    assert private.logins == {f"build-hook:{TOKEN}"}


def test_no_secret_is_in_the_environment_of_ssh(keyed, options):
    with access.Access(options).towards(keyed, keyed.repository) as (_, env):
        assert "PRIVATE KEY" not in str(env)
        assert os.fspath(options.secrets / "shop-key") in env["GIT_SSH_COMMAND"]


# --- accepting host keys


@pytest.fixture
def host_key(options):
    def run(*arguments, answer=None):
        return click.testing.CliRunner().invoke(
            cli.group, ["--state", str(options.state), "host-key", *arguments], input=answer
        )

    return run


@pytest.fixture
def fingerprint(ssh):
    key = host_keys.HostKey(*ssh.known_host.split())
    return key.fingerprint


def test_accepted_host_is_believed(ssh, keyed, options, host_key, push):
    commit = push()
    options.known_hosts.unlink()

    done = host_key("add", ssh.name, answer="y\n")

    assert done.exit_code == 0
    assert heads(options, keyed) == {MAIN: commit}
    assert host_key("remove", ssh.name).exit_code == 0
    with pytest.raises(errors.CheckoutError, match="is not known here"):
        heads(options, keyed)


def test_host_is_not_accepted_without_a_yes(ssh, keyed, options, host_key, fingerprint):
    options.known_hosts.unlink()

    done = host_key("add", ssh.name, answer="\n")

    assert done.exit_code == 1
    assert fingerprint in done.stderr
    assert not options.known_hosts.exists()


def test_fingerprint_decides_without_a_question(ssh, keyed, options, host_key, fingerprint, push):
    commit = push()
    options.known_hosts.unlink()

    wrong = host_key("add", ssh.name, "--fingerprint", "SHA256:" + "A" * 43)
    assert isinstance(wrong.exception, errors.CheckoutError)
    assert not options.known_hosts.exists()

    right = host_key("add", ssh.name, "--fingerprint", fingerprint, "--json")
    assert [key["fingerprint"] for key in json.loads(right.stdout)["keys"]] == [fingerprint]
    assert heads(options, keyed) == {MAIN: commit}


def test_list_names_what_came_along(host_key):
    listed = json.loads(host_key("list", "--json").stdout)["keys"]

    assert {"github.com,[ssh.github.com]:443", "gitlab.com"} <= {key["host"] for key in listed}


def test_host_that_does_not_answer_is_said(host_key):
    done = host_key("add", "127.0.0.1:1")

    assert "shows no SSH host key" in str(done.exception)


# --- the whole way


def test_private_project_is_registered_and_read(
    ssh, options, host_key, fingerprint, push, tmp_path
):
    commit = push()
    host_key("add", ssh.name, "--fingerprint", fingerprint)
    (tmp_path / "key").write_bytes(ssh.key)
    arguments = ["add", "shop", "--repository", ssh.url("shop")]

    done = click.testing.CliRunner().invoke(
        cli.group,
        ["--state", str(options.state), *arguments, "--deploy-key-file", str(tmp_path / "key")],
        catch_exceptions=False,
    )

    assert done.exit_code == 0, done.output
    (of,) = registry.load(options.registry).projects
    assert (options.secrets / str(of.deploy_key)).stat().st_mode & 0o777 == 0o600
    assert heads(options, of) == {MAIN: commit}


def test_private_project_over_http_is_registered(private, options, push, tmp_path):
    commit = push()
    private.login = ("robot", TOKEN)
    (tmp_path / "token").write_text(TOKEN)
    arguments = ["add", "shop", "--repository", f"{private.address}/shop.git"]
    arguments += ["--access-token-file", str(tmp_path / "token"), "--access-user", "robot"]

    done = click.testing.CliRunner().invoke(
        cli.group, ["--state", str(options.state), *arguments], catch_exceptions=False
    )

    assert done.exit_code == 0, done.output
    assert heads(options, registry.load(options.registry).projects[0]) == {MAIN: commit}

"""The verbs of the machine that need no root: files, folders, commands."""

import os
import types

import pytest

from tests.scenario import charms

charms.load("docker-build-hook")
import machine  # noqa: E402


@pytest.fixture(autouse=True)
def one_account(monkeypatch):
    me = types.SimpleNamespace(pw_uid=os.getuid(), gr_gid=os.getgid())
    monkeypatch.setattr(machine.pwd, "getpwnam", lambda _: me)
    monkeypatch.setattr(machine.grp, "getgrnam", lambda _: me)


def test_file_is_written_once(tmp_path):
    path = tmp_path / "x"

    assert machine.ensure_file(path, "one", 0o600, "a", "b")
    inode = path.stat().st_ino
    assert not machine.ensure_file(path, "one", 0o600, "a", "b")

    assert (path.stat().st_ino, path.stat().st_mode & 0o7777) == (inode, 0o600)


@pytest.mark.parametrize(("content", "mode"), [("two", 0o600), ("one", 0o644)])
def test_file_that_differs_is_replaced(tmp_path, content, mode):
    path = tmp_path / "x"
    machine.ensure_file(path, "one", 0o600, "a", "b")

    assert machine.ensure_file(path, content, mode, "a", "b")

    assert (path.read_text(), path.stat().st_mode & 0o7777) == (content, mode)
    assert list(tmp_path.iterdir()) == [path]


def test_folder(tmp_path):
    path = tmp_path / "a" / "b"

    assert machine.ensure_folder(path, 0o2750, "a", "b")
    assert not machine.ensure_folder(path, 0o2750, "a", "b")

    assert path.stat().st_mode & 0o7777 == 0o2750


@pytest.mark.parametrize("whole", [True, False])
def test_folder_of_another_account_is_handed_over(tmp_path, monkeypatch, whole):
    (tmp_path / "below").touch()
    owned = []
    monkeypatch.setattr(machine.os, "chown", lambda path, *_, **__: owned.append(path))
    other = types.SimpleNamespace(pw_uid=4711)
    monkeypatch.setattr(machine.pwd, "getpwnam", lambda _: other)

    assert machine.ensure_folder(tmp_path, 0o700, "a", "b", whole=whole)

    assert owned == [*([tmp_path / "below"] if whole else []), tmp_path]


def test_command():
    assert machine.run("/bin/echo", "yes") == "yes\n"


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("/bin/ls", "/nowhere"), "/bin/ls /nowhere failed: .*No such file"),
        (("/nowhere/program",), "/nowhere/program failed: "),
    ],
)
def test_command_that_fails_says_why(argv, reason):
    with pytest.raises(machine.MachineError, match=reason):
        machine.run(*argv)


SHOWN = "ActiveState={}\nSubState={}\nResult={}\n"


@pytest.mark.parametrize(
    ("state", "detail", "result", "is_up"),
    [
        ("active", "running", "success", True),
        ("activating", "start-pre", "success", True),
        ("deactivating", "stop-sigterm", "success", True),
        ("activating", "auto-restart", "exit-code", False),
        ("activating", "auto-restart-queued", "signal", False),
        ("failed", "failed", "resources", False),
        ("inactive", "dead", "success", False),
    ],
)
def test_units_that_run_or_are_about_to_and_that_failed(
    tmp_path, monkeypatch, state, detail, result, is_up
):
    program, socket = tmp_path / "systemctl", ("active", "listening", "success")
    shown = "\n".join(SHOWN.format(*s) for s in (socket, (state, detail, result)))
    program.write_text(f"#!/bin/sh\ncat <<END\n{shown}END\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(machine, "SYSTEMCTL", str(program))

    assert machine.active("a.socket", "b.service") == {"a.socket", *(["b.service"] * is_up)}
    is_ill = result != "success"
    assert machine.failed("a.socket", "b.service") == frozenset(["b.service"] * is_ill)
    assert machine.active() == frozenset()


@pytest.mark.parametrize(
    ("state", "ports"), [("active", {8080, 9090}), ("inactive", set())], ids=["up", "down"]
)
def test_ports_of_a_socket(tmp_path, monkeypatch, state, ports):
    program = tmp_path / "systemctl"
    program.write_text(
        '#!/bin/sh\nif [ "$2" = --property=Listen ]\n'
        "then printf 'Listen=0.0.0.0:8080 (Stream)\\nListen=[::1]:9090 (Stream)\\n'\n"
        f"else printf 'ActiveState={state}\\nSubState=x\\nResult=success\\n'; fi\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setattr(machine, "SYSTEMCTL", str(program))

    assert machine.listens_on("a.socket") == ports


def test_programs():
    assert machine.has("sh")
    assert not machine.has("no-such-program")


def account(comment):
    return types.SimpleNamespace(pw_gecos=comment)


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        (account("Made by docker-build-hook"), [("/usr/sbin/userdel", "builder")]),
        (account("Ubuntu"), []),
        (None, []),
    ],
)
def test_only_accounts_of_ours_are_removed(monkeypatch, found, asked):
    def getpwnam(_):
        if found is None:
            raise KeyError
        return found

    ran = []
    monkeypatch.setattr(machine.pwd, "getpwnam", getpwnam)
    monkeypatch.setattr(machine, "run", lambda *argv: ran.append(argv))

    machine.remove_user("builder")

    assert ran == asked


def test_an_account_that_is_made_is_known_as_ours(monkeypatch):
    ran = []
    monkeypatch.setattr(machine.pwd, "getpwnam", {}.__getitem__)
    monkeypatch.setattr(machine, "run", lambda *argv: ran.append(argv))

    machine.ensure_user("builder", "build-hook")

    (argv,) = ran
    assert argv[:2] == ("/usr/sbin/useradd", "--system")
    assert argv[argv.index("--comment") + 1] == "Made by docker-build-hook"
    assert argv[-3:] == ("--gid", "build-hook", "builder")


@pytest.fixture
def apt(monkeypatch):
    """Commands that fail as they are told to, each text once."""
    ran, fails = [], {}

    def run(*argv, seconds=0):
        ran.append((argv[0].rpartition("/")[2], argv[1], seconds))
        if texts := fails.get(argv[1]):
            raise machine.MachineError(texts.pop(0))
        return ""

    monkeypatch.setattr(machine, "run", run)
    monkeypatch.setattr(machine.time, "sleep", lambda _: ran.append(("sleep",)))
    return types.SimpleNamespace(ran=ran, fails=fails)


HOUR = machine.APT_SECONDS


def test_packages_that_were_interrupted_are_configured_first(apt):
    apt.fails["install"] = ["E: dpkg was interrupted, you must manually run 'dpkg --configure -a'"]

    machine.install("haproxy")

    assert apt.ran == [
        ("apt-get", "update", HOUR),
        ("apt-get", "install", HOUR),
        ("dpkg", "--configure", HOUR),
        ("apt-get", "install", HOUR),
    ]


def test_another_that_asks_the_sources_is_waited_for(apt):
    apt.fails["update"] = ["E: Unable to lock directory /var/lib/apt/lists/"]

    machine.install("haproxy")

    assert [each[:2] for each in apt.ran] == [
        ("apt-get", "update"), ("sleep",), ("apt-get", "update"), ("apt-get", "install"),
    ]  # fmt: skip


def test_but_not_for_ever(apt, monkeypatch):
    monkeypatch.setattr(machine, "PATIENCE", -1.0)
    apt.fails["update"] = ["E: Unable to lock directory /var/lib/apt/lists/"]

    with pytest.raises(machine.MachineError, match="Unable to lock"):
        machine.install("haproxy")


def test_what_fails_otherwise_is_not_tried_again(apt):
    apt.fails["install"] = ["E: Unable to locate package haproxy"]

    with pytest.raises(machine.MachineError, match="Unable to locate"):
        machine.install("haproxy")

    assert [each[1] for each in apt.ran] == ["update", "install"]

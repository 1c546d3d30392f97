import pathlib

import pytest

from build_hook import errors, project, settings
from build_hook.deploy import build_command, builder, clients, engine, guard, process


class Engine(engine.Engine):
    """An engine on another machine, whose data is not here."""

    def data_root(self):
        return pathlib.Path("/nowhere")

    def version(self):
        return 26, 1

    def keeps_platforms(self):
        return False


class Client:
    """A docker command that fails in some ways before it succeeds."""

    def __init__(self, *fails):
        self.fails = list(fails)
        self.runs = 0

    def __call__(self, command, **_):
        self.runs += 1
        if self.fails:
            raise process.ProcessError(command, 1, [self.fails.pop(0)])
        (id_file,) = (word for word in command if word.startswith("--iidfile="))
        pathlib.Path(id_file.removeprefix("--iidfile=")).write_text("sha256:1", encoding="ascii")


AWAY = 'failed to do request: Head "http://a:1/v2/b/manifests/1": dial tcp: connection refused'


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Build a commit with such a client; the log and its image."""
    monkeypatch.setattr(clients, "find", lambda: clients.Client(("docker", "build"), {}))
    monkeypatch.setattr(builder, "_PAUSES", (0.01, 0.02))
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    of = project.Project.model_validate({"name": "shop", "repository": "https://a.invalid/x.git"})

    def make(client, check_stop=lambda: None, **environ):
        monkeypatch.setattr(process, "run", client)
        config = settings.load(
            tmp_path / "state", {f"BUILD_HOOK_{k}": v for k, v in environ.items()}
        )
        docker = Engine("ssh://elsewhere", "abcd")
        by = builder.Builder(config, docker, guard.Guard(config, docker))
        log = []
        order = build_command.Order(of, 1, "c0ffee", folder)
        return by.build(order, log.append, check_stop), log

    return make


def test_where_limits_cannot_hold_the_log_begins_with_why(build):
    image, log = build(Client())

    assert image == "sha256:1"
    assert log == [
        "without limits: The engine at ssh://elsewhere is on another machine: builds have no "
        "limits. Run build-hook on the engine's host"
    ]


def test_where_limits_are_required_nothing_is_built_without(build):
    client = Client()

    with pytest.raises(errors.LimitError, match="on another machine"):
        build(client, BUILD_LIMITS="required")
    assert client.runs == 0


def test_where_limits_are_off_nobody_is_told(build):
    assert build(Client(), BUILD_LIMITS="off")[1] == []


def test_registry_that_is_away_is_tried_again_with_longer_pauses(build):
    client = Client(AWAY, AWAY)

    image, log = build(client, BUILD_LIMITS="off")

    assert (image, client.runs) == ("sha256:1", 3)
    assert [line.rpartition("; ")[2] for line in log] == [
        "trying again in 0.01 s",
        "trying again in 0.02 s",
    ]


def test_registry_that_stays_away_fails_the_build_for_now(build):
    client = Client(AWAY, AWAY, AWAY)

    with pytest.raises(errors.BaseImageError, match="did not give out a:1/b:1") as caught:
        build(client, BUILD_LIMITS="off")
    assert caught.value.is_passing
    assert client.runs == 3


def test_other_failures_are_not_tried_again(build):
    client = Client("executor failed running [false]: exit code: 1")

    with pytest.raises(errors.ImageError, match="exit code: 1"):
        build(client, BUILD_LIMITS="off")
    assert client.runs == 1


def test_waiting_for_a_registry_can_be_cancelled(build):
    def cancelled():
        raise errors.CancelledError("Cancelled")

    client = Client(AWAY, AWAY)
    with pytest.raises(errors.CancelledError):
        build(client, cancelled, BUILD_LIMITS="off")
    assert client.runs == 1

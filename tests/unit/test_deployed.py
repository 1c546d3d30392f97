"""What a build runs as, where its own scripts said more than the registry."""

import socket
import threading

import pydantic
import pytest

from build_hook import deployed, holds, project, settings, shown_settings, standing
from build_hook.deploy import clones, condition, job, spoken
from build_hook.store import builds


def registered(**given):
    known = {"name": "shop", "repository": "https://h/team/docker-shop.git", "strategy": "script"}
    return project.Project.model_validate({**known, **given})


def ran(of=None, **said):
    return deployed.of(of or registered(), **said)


def test_what_scripts_said_is_no_reason_to_deploy_again():
    of = registered()
    made = ran(of, ports=[{"target": 80, "published": 9000}], restart="no")

    assert made.runs_as == of.runs_as
    again = deployed.Deployed.model_validate_json(made.model_dump_json(exclude_defaults=True))
    assert again == made
    assert again.runs_as == of.runs_as


def test_what_scripts_said_is_not_shown():
    made = ran(run_line=["-e", "TOKEN=abc", "image"])

    assert "abc" not in str(shown_settings.shown(made))
    assert shown_settings.changes(registered(), made) == ()


@pytest.mark.parametrize("other", [{"script": {"build": "x.sh"}}, {"strategy": "rolling"}])
def test_other_scripts_are_a_reason(other):
    assert registered(**other).runs_as != registered().runs_as


def test_what_cannot_run_twice_stops_first_and_the_project_says_so(tmp_path):
    store = builds.Builds(tmp_path / "db")
    build = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
    alone = ran(alone="it uses --ip")
    store.note(build.id, settings=alone.model_dump_json(exclude_defaults=True))
    store.set_serving("shop", build.id, None)

    holding = holds.Holds(settings.load(tmp_path / "state", {}), {}, 0)
    shown = next(standing.look([registered()], store, condition.Condition(), holding))

    assert (alone.stops_first, ran().stops_first) == (True, False)
    assert shown.warning == "its old version stops before the new one starts: it uses --ip"
    assert isinstance(job.deployed_with(store.get(build.id), None), deployed.Deployed)
    store.close()


@pytest.mark.parametrize(
    "given",
    [
        {"strategy": "rolling", "script": {}},
        {"repository": "", "image": "a:b"},
    ],
)
def test_scripts_need_their_strategy_and_a_repository(given):
    with pytest.raises(pydantic.ValidationError, match="strategy script"):
        registered(**given)


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ("https://h/team/docker-shop.git", "docker-shop"),
        ("git@h:docker-shop.git", "docker-shop"),
        ("ssh://git@h/a/b/", "b"),
    ],
)
def test_scripts_are_told_the_short_name(repository, name):
    assert clones.name(registered(repository=repository)) == name


@pytest.mark.parametrize(
    ("answer", "unsaid", "spoke"),
    [
        (b"HTTP/1.1 404 x\r\n\r\n", True, "http"),
        (b"SSH-2.0\r\n", True, "tcp"),
        (b"", True, "tcp"),
        (b"SSH-2.0\r\n", False, "http"),
    ],
)
def test_a_port_of_which_nobody_said_what_it_speaks_is_asked(answer, unsaid, spoke):
    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        made = ran(ports=[{"target": port, "published": 9000}], unsaid=[9000] if unsaid else [])
        thread = threading.Thread(target=serve, daemon=True)
        if unsaid:
            thread.start()

        found = spoken.settled(made, "127.0.0.1")

        if unsaid:
            thread.join()

    assert found.ports[0].app_protocol == spoke
    assert found.unsaid == ()

import json
import re

import pytest

from build_hook.deploy import condition
from build_hook.store import builds
from tests.functional import faults

PHASE = builds.Phase


@pytest.fixture(scope="module")
def web(host):
    made = host.add("errors", build={"timeout": 3}, health={"timeout": 3, "path": "/"})
    made.live()
    return made


@pytest.fixture
def silent(host):
    """No delivery is fired: a deploy begins when it is asked for."""
    fire, host.fire = host.fire, lambda moved: None
    yield
    host.fire = fire


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda fault: fault.name)
def test_fault_is_named_and_what_serves_is_left_alone(host, web, fault):
    serving, answer = web.serving(), web.get()

    with fault.inject(web):
        build = web.fails()

        assert re.search(fault.says, build.reason or ""), build.reason
        assert web.serving() == serving
        assert web.get() == answer
        assert [c.id for c in web.boxes() if c.is_running] == [serving.id]
        rows = host.run("builds", web.name)["builds"]
        assert build.reason in [row["reason"] for row in rows]
        check_card(host.run("show", str(build.id)), serving.build, fault)
    web.settle()


def check_card(shown, good, fault):
    card = shown["card"]
    assert card["reason"] in shown["reason"]
    expected = {"next": f"build-hook logs {shown['id']}", **fault.card}
    if "phase" in fault.card:
        assert {name: card[name] for name in expected} == expected
    difference = card["difference"]
    assert difference["build"] == good
    named = {change["name"] for change in difference["settings"]} | set(difference["files"] or ())
    assert set(fault.differs) <= named, named


def test_after_all_these_faults_the_next_push_goes_live(web):
    assert web.live()
    assert web.get() == web.version


GOOD = {"name": "a", "repository": "https://git.example/a.git"}
BAD_REGISTRIES = {
    "not JSON": ("{", r"The registry cannot be used: .*(EOF|JSON)"),
    "no object": ("[]", r"registry: Input should be an object"),
    "other version": ({"version": 2}, r"version: Input should be 1"),
    "unknown key": ({"projects": [{**GOOD, "repo": "x"}]}, r"projects\.0\.repo: Extra inputs"),
    "no repository": (
        {"projects": [{"name": "a"}]},
        r"projects\.0: needs a repository to build from, or an image to pull",
    ),
    "file as repository": (
        {"projects": [{**GOOD, "repository": "file:///etc"}]},
        r"projects\.0\.repository: must be an https, http, ssh or git URL",
    ),
    "name with a slash": ({"projects": [{**GOOD, "name": "../a"}]}, r"projects\.0\.name: "),
    "ref that git refuses": ({"projects": [{**GOOD, "ref": "a..b"}]}, r"not a valid git ref"),
    "name twice": ({"projects": [GOOD, GOOD]}, r"project name used twice: a"),
    "port twice": (
        {
            "projects": [
                {**GOOD, "name": name, "ports": [{"target": 1, "published": 4000}]}
                for name in ("a", "b")
            ]
        },
        r"a and b both publish port 4000 without hosts: give all but one of them host names",
    ),
    "context above": (
        {"projects": [{**GOOD, "build": {"context": "../x"}}]},
        r"projects\.0\.build\.context: must be a path inside the repository",
    ),
}


@pytest.mark.parametrize("what", BAD_REGISTRIES)
def test_wrong_registry_is_named_and_the_last_good_one_stays(host, web, what):
    content, says = BAD_REGISTRIES[what]
    serving, answer = web.serving(), web.get()
    good = host.settings.registry.read_text(encoding="utf-8")
    host.settings.registry.write_text(
        content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
    )
    try:
        told = host.until(lambda: condition.read(host.settings.run).registry, "the problem")
        error = host.run("projects", code=1)["error"]
        assert re.search(says, told), told
        assert re.search(says, error), error
        assert "the last good one stays in force" in told
        assert "Correct the registry" in told
        assert (web.serving(), web.get()) == (serving, answer)
    finally:
        host.settings.registry.write_text(good, encoding="utf-8")
    host.until(lambda: condition.read(host.settings.run).registry is None, "no problem")


def test_registry_that_is_gone_removes_nothing(host, web):
    serving = web.serving()
    good = host.settings.registry.read_text(encoding="utf-8")
    host.settings.registry.unlink()

    told = host.until(lambda: condition.read(host.settings.run).registry, "the problem")
    assert "is gone. Put it back" in told
    assert web.serving() == serving
    assert web.get()

    host.settings.registry.write_text(good, encoding="utf-8")
    host.until(lambda: condition.read(host.settings.run).registry is None, "no problem")


def test_worker_that_starts_with_a_wrong_registry_serves_on(host, web):
    serving = web.serving()
    good = host.settings.registry.read_text(encoding="utf-8")
    host.settings.registry.write_text("{", encoding="utf-8")
    host.restart("worker")

    assert condition.read(host.settings.run).registry
    assert web.serving() == serving
    assert web.live()
    assert web.get() == web.version
    host.settings.registry.write_text(good, encoding="utf-8")
    host.until(lambda: condition.read(host.settings.run).registry is None, "no problem")

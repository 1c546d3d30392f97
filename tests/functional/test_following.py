"""What of a repository is followed: paths, skip words, patterns, CI, and missed pushes."""

import time

import pytest

from build_hook import wake
from build_hook.store import builds
from tests.functional import host as hosts

QUICK_LOOKS = 1.0


@pytest.fixture
def deaf(base: str):
    """A host that looks at its repositories every second, and never gets a delivery."""
    with hosts.serving(base, reconcile_interval=QUICK_LOOKS, min_free_mb=10) as made:
        made.fire = lambda moved: None
        yield made


def test_a_push_that_touches_no_followed_path_is_skipped(host):
    web = host.add("paths", paths=["app/**", "Dockerfile"], files={"app/a.txt": "1"})
    first = web.live()

    other = web.deploy(notes__txt="nothing to see")
    same = web.deploy(**{"app/a__txt": "2"})

    assert other.phase is builds.Phase.SKIPPED
    assert "no file of app/**, Dockerfile has changed" in (other.reason or "")
    assert same.phase is builds.Phase.LIVE
    assert host.store.serving()["paths"].previous == first.id


def test_paths_are_compared_with_what_is_live_not_with_the_last_push(host):
    """A push that changed a path and failed must not hide behind a later one that did not."""
    web = host.add("paths-debt", paths=["app/**", "Dockerfile"], files={"app/a.txt": "1"})
    web.live()
    good = web.read("Dockerfile")
    assert web.deploy(Dockerfile="FROM nowhere.invalid/x\n").phase is builds.Phase.FAILED

    repaired = web.deploy(**{"Dockerfile": good, "app/a__txt": "2"})

    assert repaired.phase is builds.Phase.LIVE


def test_three_pushes_without_a_delivery_end_with_the_last_one_live(deaf):
    web = deaf.add("deaf")
    web.push()
    web.ended(web.head)

    *_, commit = [web.push() for _ in range(3)]

    assert web.ended(commit, 10 * QUICK_LOOKS).phase is builds.Phase.LIVE
    assert web.get() == web.version


def test_three_pushes_while_the_server_was_down_end_with_the_last_one_live(base: str):
    interval = 15.0
    with hosts.serving(base, reconcile_interval=interval, min_free_mb=10) as host:
        host.fire = lambda moved: None
        web = host.add("away")
        first = web.push()
        web.ended(first)
        host.product.__exit__()
        commits = [web.push() for _ in range(3)]

        with host.product:
            started = time.monotonic()
            build = web.ended(commits[-1], interval)
            took = time.monotonic() - started

            assert (build.phase, build.cause) == (builds.Phase.LIVE, builds.Cause.RECONCILE)
            assert took < interval
            assert web.get() == web.version
            assert [b.commit for b in web.history()] == [commits[-1], first]


def test_a_change_of_one_project_has_only_its_repository_looked_at(host, monkeypatch):
    still, changed = host.add("still"), host.add("changed")
    still.live()
    changed.live()
    monkeypatch.setattr(host, "fire", lambda moved: None)
    missed, found = still.push(), changed.push()

    host.register(changed, drain=5)

    assert changed.ended(found).cause is builds.Cause.RECONCILE
    assert still.build_of(missed) is None
    host.register(still, drain=5)
    assert still.ended(missed).phase is builds.Phase.LIVE


def test_skip_words_count_for_what_is_found_by_looking(deaf):
    web = deaf.add("deaf-skip")
    web.push()
    web.ended(web.head)
    version = web.version
    web.copy.write("version.txt", "not for you\n")
    commit = web.copy.commit("Words only [skip deploy]")
    web.copy.push()

    ended = web.ended(commit)

    assert ended.phase is builds.Phase.SKIPPED
    assert "[skip deploy]" in (ended.reason or "")
    assert web.get() == version


def test_branches_of_a_pattern_are_followed(host):
    web = host.add("branches", branches="release/*")
    web.copy.write("version.txt", "two\n")
    commit = web.copy.commit("Release 2")
    web.copy.push("release/2")

    ended = web.ended(commit)

    assert (ended.phase, ended.ref) == (builds.Phase.LIVE, "refs/heads/release/2")
    assert web.get() == "two"


def test_a_newer_push_stops_a_running_build_only_if_the_project_says_so(host):
    for wanted in (True, False):
        web = host.add(f"overtaken-{wanted}".lower(), cancel_running=wanted)
        good = web.read("Dockerfile")
        slow = good.replace("COPY version", 'RUN ["/bin/busybox", "sleep", "3"]\nCOPY version')
        web.live()
        first = web.push(Dockerfile=f"{slow}\n# {wanted}\n")
        web.until(builds.Phase.BUILDING, first)
        second = web.push(Dockerfile=good)

        ends = [web.ended(first).phase, web.ended(second).phase]

        overtaken = builds.Phase.SUPERSEDED if wanted else builds.Phase.LIVE
        assert ends == [overtaken, builds.Phase.LIVE]


def test_ci_of_an_older_commit_does_not_deploy_the_head(host):
    web = host.add("after-ci", after_ci=True)
    old = web.push()
    new = web.push()
    host.store.add(builds.Request("after-ci", "refs/heads/main", builds.Cause.PUSH, commit=old))
    wake.send(host.settings.run)

    build = hosts.wait_for(
        lambda: next((b for b in web.history() if b.phase.is_end), None), "an end"
    )

    assert build.phase is builds.Phase.SKIPPED
    assert f"is at {new[:10]} by now" in (build.reason or "")


def test_ci_of_an_older_commit_that_ends_late_does_not_lose_the_head(host):
    web = host.add("late-ci", after_ci=True)
    old = web.push()
    new = web.push()
    for commit in (new, old):
        host.store.add(builds.Request("late-ci", "refs/heads/main", builds.Cause.PUSH, commit))
    wake.send(host.settings.run)

    hosts.wait_for(
        lambda: any(b.phase is builds.Phase.LIVE and b.commit == new for b in web.history()),
        "the head to be live",
    )


def test_settings_that_change_during_a_build_are_deployed_after_it(host):
    web = host.add("changed-meanwhile", build={"args": {"GREETING": "first"}})
    slow = web.read("Dockerfile").replace("CMD", 'RUN ["/bin/busybox", "sleep", "2"]\nCMD')
    commit = web.push(Dockerfile=slow)
    web.until(builds.Phase.BUILDING, commit)

    host.register(web, environment={"GREETING": "second"})

    def greeting() -> bool:
        running = [box for box in web.boxes() if box.is_running]
        told = [host.engine.api.inspect_container(box.id)["Config"]["Env"] for box in running]
        return any("GREETING=second" in environment for environment in told)

    hosts.wait_for(greeting, "the new settings to run", 30)

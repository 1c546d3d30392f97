"""The baselines' parts: what they tell Docker and the proxy, in which order."""

import pytest

from benchmarks import command, cycle, follower, recreated, rollout, side_by_side

IMAGES = command.Images("i-1", "base:1")


class Docker:
    """Answers docker commands; keeps them."""

    def __init__(self, health=("starting", "healthy"), running=("old",)):
        self.said: list[str] = []
        self._health = iter(health)
        self._running = list(running)

    def __call__(self, *argv):
        self.said.append(" ".join(argv))
        if argv[0] == "ps":
            return "\n".join(self._running)
        if argv[0] == "inspect":
            return next(self._health)
        return "new" if argv[0] in ("run", "create") else ""

    @property
    def verbs(self):
        return [words.split()[0] for words in self.said]


@pytest.fixture
def docker(monkeypatch):
    def made(**of):
        fake = Docker(**of)
        monkeypatch.setattr(command, "docker", fake)
        monkeypatch.setattr(command.Images, "build", lambda *_: fake.said.append("build"))
        monkeypatch.setattr(rollout.time, "sleep", lambda s: fake.said.append(f"sleep {s}"))
        return fake

    return made


def test_compose_up_stops_the_old_before_it_starts_the_new(docker, tmp_path):
    fake = docker()

    recreated.Recreated(IMAGES, "web", 8000, 80).cycle(tmp_path)

    assert fake.verbs == ["build", "ps", "create", "stop", "rm", "rename", "start"]
    assert "-p=127.0.0.1:80:8000" in fake.said[2]


def test_compose_up_of_the_first_version_stops_nothing(docker, tmp_path):
    fake = docker(running=())

    recreated.Recreated(IMAGES, "web", 8000, 80).cycle(tmp_path)

    assert fake.verbs == ["build", "ps", "create", "rename", "start"]


def test_rollout_stops_the_old_once_the_new_is_healthy(docker, tmp_path):
    fake = docker()

    rollout.Rollout(IMAGES, "web", 8000, 80).cycle(tmp_path)

    assert fake.verbs == ["build", "ps", "run", "inspect", "sleep", "inspect", "stop", "rm"]
    assert fake.said[-1] == "rm old"
    assert "--health-interval=1s" in fake.said[2]


def test_rollout_with_a_drain_runs_its_hook_in_the_old_container_first(docker, tmp_path):
    fake = docker(health=("healthy",))

    rollout.Rollout(IMAGES, "web", 8000, 80, 5, rollout.HOOK).cycle(tmp_path)

    assert fake.verbs[-3:] == ["exec", "stop", "rm"]
    assert fake.said[-3] == "exec old /bin/sh -c : > /drain; sleep 10"
    assert "--health-interval=5s" in fake.said[2]


def test_rollout_keeps_the_old_when_the_new_is_never_healthy(docker, tmp_path):
    fake = docker(health=("starting",) * 60)

    with pytest.raises(command.CommandError, match="not healthy"):
        rollout.Rollout(IMAGES, "web", 8000, 80).cycle(tmp_path)

    assert "stop" not in fake.verbs


def container(address, status="Up 3 seconds"):
    return {
        "Status": status,
        "NetworkSettings": {"Networks": {"bridge": {"IPAddress": address}}},
    }


def test_traffic_is_for_containers_that_are_not_known_to_be_ill():
    rows = [
        container("10.0.0.1"),
        container("10.0.0.2", "Up 3 seconds (healthy)"),
        container("10.0.0.3", "Up 3 seconds (health: starting)"),
        container("10.0.0.4", "Up 3 seconds (unhealthy)"),
        container(""),
    ]

    assert follower.takers(rows) == {"10.0.0.1", "10.0.0.2"}


def test_who_comes_is_told_before_who_goes():
    slots = ["10.0.0.1", "", ""]

    said = follower.change(slots, {"10.0.0.2"})

    assert slots == ["", "10.0.0.2", ""]
    assert said == [
        "set server service/s1 addr 10.0.0.2",
        "set server service/s1 state ready",
        "set server service/s0 state maint",
    ]
    assert follower.change(slots, {"10.0.0.2"}) == []


@pytest.mark.parametrize(
    ("manner", "line"), [(follower.TRAEFIK, "retries 0"), (follower.NGINX_PROXY, "retries 3")]
)
def test_proxy_tries_again_as_its_model_does(manner, line, tmp_path):
    text = follower.config(tmp_path, 80, 8000, manner)

    assert f"    {line}\n" in text
    assert text.count(" disabled\n") == follower.SLOTS


def seen(failed, gap, live):
    return cycle.Cycle(400, failed, gap, live)


def test_ratios_are_of_neighbours():
    found = {
        side_by_side.OURS: [seen(0, 20, 1.0), seen(0, 40, 2.0), seen(0, 10, 1.0)],
        "original": [seen(60, 200, 2.0), seen(70, 1200, 4.0), seen(80, 50, 3.0)],
    }

    ours, theirs = side_by_side.rows(found)

    assert ours[1:] == ("3", "400 [400-400]", "0 [0-0]", "0", "20 [10-40]", "1.00 [1.00-2.00]",
                        "-", "-")  # fmt: skip
    assert theirs[3:] == ("70 [60-80]", "210", "200 [50-1200]", "3.00 [2.00-4.00]", "10.0", "2.0")


def test_without_ours_there_is_no_ratio():
    (row,) = side_by_side.rows({"original": [seen(60, 200, 2.0)]})

    assert row[-2:] == ("-", "-")

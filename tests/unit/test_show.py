"""A build's record on the command line, in the API's words and as an object."""

import json

import click.testing
import pytest

from build_hook import card, cli, project, settings
from build_hook.store import builds, cards, history

PHASE = builds.Phase
SHOP = project.Project(
    name="shop",
    repository="https://git.example/shop.git",
    environment={"PASSWORD": "hunter2"},
)
CARD = card.Card(
    phase="gating",
    reason="The container died with exit status 7",
    next="build-hook logs 1",
    exit_code=7,
    out_of_memory=True,
    restarts=2,
    log=("waiting: port 80",),
    container=("no luck",),
    difference=card.Difference(
        build=41,
        before="a" * 40,
        after="b" * 40,
        files=("serve.sh",),
        more_files=3,
        settings=(card.Change(name="watch", before="-", after="5.0"),),
    ),
)


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def store(state):
    made = builds.Builds(settings.load(state, {}).database)
    yield made
    made.close()


def failed(store, phase=PHASE.FAILED):
    build = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH, "b" * 40))
    store.note(build.id, settings=SHOP.model_dump_json(exclude_defaults=True))
    store.enter(build.id, PHASE.GATING)
    store.charge(build.id, requests=90, failed=1, longest_gap_ms=12)
    cards.keep(store.session, build.id, CARD)
    store.enter(build.id, phase, f"gating: {CARD.reason}")
    return build


def show(state, *arguments):
    result = click.testing.CliRunner().invoke(
        cli.group, ["--state", str(state), *arguments], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("which", ["1", "shop"])
def test_person_reads_why_and_what_to_do(state, store, which):
    failed(store)

    text = show(state, "show", which)

    for wanted in (
        "1 of shop, failed",
        "gating: The container died with exit status 7",
        "exit status 7",
        "memory      killed for it (OOM)",
        "restarts    2",
        "waiting: port 80",
        "no luck",
        "build 41",
        "aaaaaaaaaa..bbbbbbbbbb",
        "serve.sh",
        "and 3 more",
        "watch: - -> 5.0",
        "next        build-hook logs 1",
        "90 requests, 1 failed, longest gap 12 ms",
        '"PASSWORD": "***"',
    ):
        assert wanted in text, wanted
    assert "hunter2" not in text


@pytest.mark.parametrize("command", ["show", "logs"])
def test_program_gets_the_card(state, store, command):
    failed(store)

    found = json.loads(show(state, command, "1", "--json"))

    assert found["card"] == CARD.model_dump(mode="json")
    assert (found["requests"], found["failed"], found["longest_gap_ms"]) == (90, 1, 12)


def test_every_phase_has_its_length_but_the_end(store):
    build = failed(store)

    phases = history.read(store, build.id).phases

    assert [one.phase for one in phases] == [PHASE.QUEUED, PHASE.GATING, PHASE.FAILED]
    assert phases[0].seconds == pytest.approx(phases[1].at - phases[0].at, abs=0.002)
    assert phases[2].seconds is None


def test_card_of_a_try_that_was_repeated_and_went_live_is_not_shown(store):
    build = failed(store, PHASE.LIVE)

    assert history.read(store, build.id).card is None


def test_card_goes_with_its_build(store):
    failed(store)
    newer = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
    store.enter(newer.id, PHASE.LIVE)

    assert store.forget_old("shop", 1) == [1]

    assert store.session.rows("SELECT * FROM cards") == []

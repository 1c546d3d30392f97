"""Replays: what a stored delivery means today, without its proof."""

import json

import pytest

from build_hook import errors, project
from build_hook.judging import judge, matching
from build_hook.store import archive, session
from build_hook.store import deliveries as stored_deliveries
from build_hook.web import delivery, replay
from tests import deliveries

ALL = deliveries.all_of_them()
READABLE = [pytest.param(one, id=one.id) for one in deliveries.signed()]
PUSH = ALL["github-push-branch"]
SHOP = project.Project(
    name="shop",
    repository="https://github.com/binkkatal/sample_app.git",
    ref="master",
    webhook_secrets=("main",),
)


@pytest.fixture
def of(tmp_path):
    opened = session.Session(tmp_path / "db")
    yield opened
    opened.close()


@pytest.fixture
def stored(of):
    return archive.Archive(of)


def keep(of, one, *projects, only=None):
    """Store a delivery as web does."""
    verdict = judge.judge(
        one.headers,
        one.body,
        matching.Index(projects),
        {"main": one.secret}.get,
        only=only,
        now=one.now,
    )
    assert verdict.refusal is None
    row = delivery.row(verdict, one.headers, one.body, remote="192.0.2.1", now=one.now)
    with of.transaction() as connection:
        number = stored_deliveries.add(connection, row)
    assert number is not None
    return number


def again(stored, number, *projects):
    return replay.replay(stored, matching.Index(projects), number, actor="x")


@pytest.mark.parametrize("one", READABLE)
def test_delivery_of_every_host_reads_as_when_it_came(of, stored, one):
    number = keep(of, one, SHOP, only="shop")

    assert replay.read(stored.get(number), stored.body(number)) == one.read()


def test_headers_that_are_secrets_are_not_needed(of, stored):
    one = next(d for d in deliveries.signed() if d.proof_header == "x-gitlab-token")
    event = one.read()
    entry = SHOP.model_copy(
        update={
            "repository": f"https://{event.host}/{event.repository}",
            "ref": one.expected["changes"][0]["ref"],
        }
    )
    number = keep(of, one, entry, only="shop")

    assert stored.get(number).headers["x-gitlab-token"] == "***"
    assert one.secret.decode() not in json.dumps(stored.get(number).headers)
    assert len(again(stored, number, entry).builds) == 1


def test_registry_of_today_decides(of, stored):
    number = keep(of, PUSH, SHOP)
    elsewhere = SHOP.model_copy(update={"ref": "refs/heads/topic"})

    assert len(again(stored, number, SHOP).builds) == 1
    found = again(stored, number, elsewhere)
    assert found.builds == ()
    assert "refs/heads/topic" in found.reasons[0]


def test_projects_that_it_was_not_accepted_for_are_not_moved(of, stored):
    other = SHOP.model_copy(update={"name": "other", "webhook_secrets": ("unknown",)})
    number = keep(of, PUSH, SHOP)

    found = again(stored, number, SHOP, other)

    assert [build.project for build in found.builds] == ["shop"]


def test_project_that_is_gone_is_named(of, stored):
    number = keep(of, PUSH, SHOP)

    assert again(stored, number).reasons == ("shop: it is not registered any more",)


def test_delivery_that_cannot_be_read_any_more(of, stored):
    number = keep(of, PUSH, SHOP)
    with of.transaction() as connection:
        connection.execute("UPDATE deliveries SET body = ?", (b"{",))

    with pytest.raises(errors.ReplayError, match="Delivery 1 cannot be read"):
        again(stored, number, SHOP)
    assert stored.get(number).replays == ()

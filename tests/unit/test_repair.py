"""Damaged databases: what can be read is saved, and whoever has it open goes on with the new."""

import pytest

from build_hook import errors
from build_hook.store import builds, repair, session, tokens, writer

PAGE = 4096
PUSH = builds.Request("shop", "refs/heads/main", builds.Cause.PUSH, commit="c" * 40)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "build-hook.db"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A database with three hundred builds, of which the newest serves, and a token."""
    path = tmp_path_factory.mktemp("template") / "build-hook.db"
    store = builds.Builds(path)
    with store.session.transaction() as connection:
        for _ in range(300):
            builds.enqueue(connection, PUSH)
    store.enter(300, builds.Phase.LIVE)
    store.set_serving("shop", 300, 299)
    _, secret = tokens.Tokens(store.session).create("ci", tokens.Scope.READ, None)
    store.session.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return path.read_bytes(), secret


@pytest.fixture
def full(path, template):
    content, secret = template
    path.write_bytes(content)
    return secret


def spoil(path, page):
    """Overwrite a page; -1 is the last one."""
    content = bytearray(path.read_bytes())
    begin = page * PAGE if page >= 0 else len(content) + page * PAGE
    content[begin : begin + PAGE] = b"\x5a" * PAGE
    path.write_bytes(content)


def test_sound_file_is_left_alone(path, full):
    before = path.read_bytes()

    assert repair.ensure_sound(path) is None

    assert path.read_bytes() == before
    assert repair.ensure_sound(path.with_name("none.db")) is None


def test_last_page_is_lost_and_nothing_else(path, full):
    spoil(path, -1)
    before = path.read_bytes()

    kept = repair.ensure_sound(path)

    assert kept is not None
    assert kept.read_bytes() == before
    assert repair.is_sound(path)
    store = builds.Builds(path)
    assert tokens.Tokens(store.session).find(full)
    known = {build.id for build in store.recent("shop", 1000)}
    assert len(known) > 200
    assert set(range(1, 200)) <= known
    assert store.add(PUSH).id > 300  # numbers that may have been given are not given again
    store.adopt("shop", "refs/heads/main", 300, "c" * 40, "sha256:1", "box")
    assert store.serving()["shop"].build == 300
    assert store.get(300).phase is builds.Phase.LIVE
    store.close()


@pytest.mark.parametrize("page", range(24))
def test_whatever_page_is_spoilt_the_rest_is_used_on(path, full, page):
    spoil(path, page)

    repair.ensure_sound(path)

    assert repair.is_sound(path)
    store = builds.Builds(path)
    build = store.add(PUSH)
    store.enter(build.id, builds.Phase.LIVE)
    assert store.session.rows("PRAGMA foreign_key_check") == []
    store.close()


def test_file_that_is_no_database_gives_an_empty_one(path):
    path.write_bytes(b"not a database at all" * 1000)

    assert repair.ensure_sound(path)

    store = builds.Builds(path)
    assert store.recent() == []
    store.close()


def test_those_who_have_it_open_go_on_with_the_new_one(path, full):
    opened = session.Session(path)
    writes = writer.Writer(path, 1)
    writes.begin()
    writes.commit()
    spoil(path, -1)

    assert repair.ensure_sound(path)

    with opened.transaction() as connection:
        connection.execute("INSERT INTO pauses VALUES ('shop', 0, NULL)")
    assert writes.begin_at_once() is None
    connection = writes.begin()
    assert connection.execute("SELECT project FROM pauses").fetchone()["project"] == "shop"
    writes.commit()
    writes.close()
    opened.close()


def test_damage_is_told_from_other_faults(path, full):
    opened = session.Session(path)
    opened.rows("SELECT 1")
    opened.close()
    spoil(path, 0)

    with pytest.raises(errors.StoreError):
        session.Session(path)


def test_locked_file_is_not_taken_for_a_damaged_one(path, full):
    other = session.Session(path)
    with other.transaction():
        assert repair.is_sound(path)
    other.close()

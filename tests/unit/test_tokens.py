import time

import pytest

from build_hook import errors
from build_hook.store import session, tokens

READ, DEPLOY, ADMIN = tokens.Scope


@pytest.fixture
def of(tmp_path):
    opened = session.Session(tmp_path / "db")
    yield opened
    opened.close()


@pytest.fixture
def known(of):
    return tokens.Tokens(of)


def test_each_scope_opens_what_stands_before_it():
    opened = {
        scope: [needed for needed in tokens.Scope if scope.opens(needed)] for scope in tokens.Scope
    }

    assert opened == {READ: [READ], DEPLOY: [READ, DEPLOY], ADMIN: [READ, DEPLOY, ADMIN]}


def test_token_is_found_by_what_it_says(known):
    made, secret = known.create("ci", DEPLOY)
    other, _ = known.create("other", READ)

    found = known.find(secret)

    assert (found.id, found.name, found.scope) == (made.id, "ci", DEPLOY)
    assert other.id != made.id


def test_token_has_256_bits_and_only_its_hash_is_stored(known, tmp_path):
    _, secret = known.create("ci", READ)
    random = secret.split("_", 2)[2]

    assert len(random) == 43
    for file in tmp_path.iterdir():
        assert random.encode() not in file.read_bytes()


def test_what_is_wrong_finds_nothing(known):
    _, secret = known.create("ci", READ)
    _, other = known.create("other", ADMIN)
    mixed = f"bh_1_{other.split('_', 2)[2]}"

    wrong = [
        "",
        "x",
        secret[:-1],
        f"{secret}x",
        secret.replace("bh_1", "bh_9"),
        mixed,
        "é",
        "\udcff",
    ]
    wrong += ["bh_0_" + "A" * 43, "bh_" + "9" * 30 + "_" + "A" * 43, secret.upper()]
    assert [text for text in wrong if known.find(text)] == []


def test_revoked_and_expired_tokens_open_nothing(known):
    _, revoked = known.create("revoked", ADMIN)
    known.revoke("revoked")
    _, expired = known.create("expired", ADMIN, time.time() - 1)
    _, good = known.create("good", ADMIN, time.time() + 60)

    assert known.find(revoked) is None
    assert known.find(expired) is None
    assert known.find(good) is not None


def test_name_can_be_used_again_but_the_old_token_not(known):
    _, old = known.create("ci", ADMIN)
    known.revoke("ci")
    _, new = known.create("ci", ADMIN)

    assert known.find(old) is None
    assert known.find(new) is not None


def test_use_is_noted_once_an_hour(known, of, monkeypatch):
    _, secret = known.create("ci", READ)
    writes = []
    transaction = of.transaction
    monkeypatch.setattr(of, "transaction", lambda: writes.append(1) or transaction())
    now = time.time()
    monkeypatch.setattr(tokens.time, "time", lambda: now)

    for _ in range(5):
        known.find(secret)
    assert len(writes) == 1
    assert known.all()[0].last_used == now

    now += tokens.USE_NOTED_EVERY
    known.find(secret)
    assert len(writes) == 2


def test_locked_database_does_not_shut_a_good_token_out(tmp_path, known):
    _, secret = known.create("ci", READ)
    hasty = session.Session(tmp_path / "db", patience=0)
    blocker = session.Session(tmp_path / "db")
    try:
        with blocker.transaction():
            assert tokens.Tokens(hasty).find(secret) is not None
    finally:
        hasty.close()
        blocker.close()


@pytest.mark.parametrize("name", ["", "A", "a b", "-x", "x" * 64, "../x", "a\n"])
def test_bad_name_is_refused(known, name):
    with pytest.raises(errors.StoreError, match="cannot be the name"):
        known.create(name, READ)


def test_name_that_is_taken_and_one_that_is_not_there_say_what_to_do(known):
    known.create("ci", READ)

    with pytest.raises(errors.StoreError, match="token revoke ci"):
        known.create("ci", READ)
    with pytest.raises(errors.StoreError, match="token list"):
        known.revoke("nobody")

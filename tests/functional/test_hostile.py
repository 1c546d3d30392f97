"""The short form of hostile builds; ``./dev soak hostile`` is the whole of it."""

from tests.soak import hostile


def test_hostile_builds_are_stopped_and_users_are_answered_all_the_while():
    kinds = ("fork bomb", "memory hog", "link out of the context", "a builder of its own")

    found = hostile.run(kinds, rounds=1, seconds=0.5)

    assert [seen.kind for seen in found] == list(kinds)
    assert [seen.failed for seen in found] == [0] * len(kinds)
    assert min(seen.requests for seen in found) > 20
    bomb, hog, link, builder = (seen.ended for seen in found)
    assert "more than 256 processes" in bomb
    assert "more than 256 MiB of memory" in hog
    assert "not found" in link
    assert "asks for the builder 'evil.example/builder'" in builder

"""Whose turn it is, as the registry says at that moment."""

import pytest

from build_hook import project, registry
from build_hook.deploy import turns
from build_hook.store import builds

WEB = project.Project(name="web", repository="https://git.example/web.git")
SHOP = WEB.model_copy(update={"name": "shop"})


@pytest.fixture
def known(config):
    registry.save(config.registry, registry.Registry(projects=(WEB, SHOP)))
    reader = registry.Reader(config.registry)
    reader.refresh()
    return reader


def queue(store, *names):
    requests = (builds.Request(name, WEB.ref, builds.Cause.PUSH) for name in names)
    return [store.add(request).id for request in requests]


def test_nothing_begins_with_a_registry_that_has_changed_meanwhile(config, store, known):
    turn = turns.Turns(config, store, known)
    (asked,) = queue(store, "web")
    assert [build.id for build in turn.next(())] == [asked]

    slow = WEB.model_copy(update={"drain": 99.0})
    registry.save(config.registry, registry.Registry(projects=(slow, SHOP)))

    assert list(turn.next(())) == []
    assert known.refresh()
    assert [build.id for build in turn.next(())] == [asked]


def test_the_project_whose_turn_was_longest_ago_is_first(config, store, known):
    turn = turns.Turns(config, store, known)
    first, second = queue(store, "web", "shop")
    turn.take(store.get(first))

    assert [build.id for build in turn.next(())] == [second, first]
    assert [build.id for build in turn.next({"shop"})] == [first]

import pytest

from build_hook import errors, orders, project, wake
from build_hook.store import builds

SHOP = project.Project(name="shop", repository="https://git.example/shop.git", ref="main")


@pytest.fixture
def store(tmp_path):
    opened = builds.Builds(tmp_path / "db")
    yield opened
    opened.close()


@pytest.fixture
def asked(store, tmp_path):
    return orders.Orders(store, tmp_path)


def built(store, image, phase=builds.Phase.LIVE):
    build = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
    store.note(build.id, image=image)
    store.enter(build.id, phase)
    if phase is builds.Phase.LIVE:
        store.set_serving("shop", build.id, None)
    return build.id


def test_deploy_takes_the_tracked_ref_or_another(asked):
    assert asked.deploy(SHOP).ref == "refs/heads/main"
    assert asked.deploy(SHOP, "topic").ref == "refs/heads/topic"
    assert asked.deploy(SHOP, "refs/tags/v1").ref == "refs/tags/v1"
    assert asked.deploy(SHOP, "a" * 40).ref == "a" * 40
    assert asked.deploy(SHOP, "a" * 39).ref == "refs/heads/" + "a" * 39
    with pytest.raises(ValueError, match="ref name"):
        asked.deploy(SHOP, "a b")


def test_every_order_wakes_the_worker(asked, store, tmp_path):
    built(store, "a")
    built(store, "b")
    listener = wake.Listener(tmp_path)
    try:
        deploy = asked.deploy(SHOP)
        assert listener.wait(0.1) == {wake.Nudge.QUEUE}
        asked.cancel(deploy.id)
        assert listener.wait(0.1) == {wake.Nudge.QUEUE}
        asked.roll_back(SHOP)
        assert listener.wait(0.1) == {wake.Nudge.QUEUE}
    finally:
        listener.close()


def test_roll_back_goes_to_the_newest_that_was_live_with_another_image(asked, store):
    built(store, "a")
    wanted = built(store, "b")
    built(store, "broken", builds.Phase.FAILED)
    built(store, "c")
    built(store, "c")

    assert asked.roll_back(SHOP).source == wanted


def test_roll_back_to_what_has_no_image_of_the_project(asked, store):
    queued = asked.deploy(SHOP)
    blog = store.add(builds.Request("blog", "refs/heads/main", builds.Cause.PUSH))
    store.note(blog.id, image="x")

    collected = built(store, "gone")
    store.note_images("shop", ())
    good = [built(store, "a"), built(store, "b")]

    for number in (queued.id, blog.id, collected):
        with pytest.raises(errors.StoreError, match="has no image of shop") as refused:
            asked.roll_back(SHOP, number)
        assert refused.value.hint == f"These have one: {good[1]}, {good[0]}"


def test_roll_back_passes_over_what_was_collected(asked, store):
    wanted = built(store, "a")
    built(store, "gone")
    built(store, "c")
    store.note_images("shop", {"a", "c"})

    assert asked.roll_back(SHOP).source == wanted


def test_held_project_is_deployed_by_force_only(store, tmp_path):
    held = orders.Orders(store, tmp_path, lambda of: f"{of.name} is paused")

    with pytest.raises(errors.HeldError, match=r"^shop is paused\. To deploy now: .* --force$"):
        held.deploy(SHOP)
    assert store.recent() == []

    assert held.deploy(SHOP, force=True).force
    assert held.deploy(SHOP, force=True, fresh=True).fresh
    built(store, "a")
    built(store, "b")
    assert held.roll_back(SHOP)

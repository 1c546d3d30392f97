"""Images that somebody else builds, from a real registry that notifies us."""

import secrets

import pytest

from build_hook import labels, secret_files
from build_hook.demo import traffic
from build_hook.store import builds
from tests.functional import host as hosts
from tests.functional import imagehost

PHASE = builds.Phase


@pytest.fixture
def shelf(host, tmp_path):
    """A project whose registry delivers to us."""
    name = f"image-{secrets.token_hex(3)}"
    key = secrets.token_hex(16).encode()
    secret_files.create(host.settings.secrets, name, key)
    target = f"{host.product.url}/hooks/{name}"
    with imagehost.registry(tmp_path / "registry", target=target, secret=key) as registry:
        yield imagehost.Shelf(host=host, registry=registry, name=name)
        host.unregister(name)
        host.until(lambda: not host.containers.all(name), "its end")


def live(shelf, digest):
    """The build that brought a digest, by notification or by looking."""

    def look():
        builds_of = [b for b in shelf.project.history() if b.commit == digest]
        bad = [b for b in builds_of if b.phase is PHASE.FAILED]
        assert not bad, bad[0].reason
        return next((b for b in builds_of if b.phase is PHASE.LIVE), None)

    return shelf.host.until(look, f"{digest} to be live", 30)


def test_what_is_pushed_to_the_registry_is_live_by_its_digest_and_nobody_notices(shelf):
    host, project = shelf.host, shelf.project
    first = shelf.push()
    shelf.register(webhook_secrets=[shelf.name])
    live(shelf, first)
    assert project.get() == shelf.version

    with traffic.Traffic({"shop": shelf.url}) as load:
        second = shelf.push()
        build = live(shelf, second)
        assert load.wait_for("shop", shelf.version, 5)
        load.stop()

    assert load.failures() == {}
    assert build.cause is builds.Cause.PUSH
    shown = next(b for b in host.run("builds", shelf.name)["builds"] if b["id"] == build.id)
    assert shown["image_digest"] == second
    assert shown["message"] == f"{shelf.repository}:main"
    box = host.engine.api.inspect_container(project.serving().id)
    assert box["Config"]["Labels"][labels.COMMIT] == second
    assert (
        f"{shelf.repository}@{second}"
        in host.engine.api.inspect_image(box["Image"])["RepoDigests"]
    )
    assert project.shown()["image"] == f"{shelf.repository}:main"


def test_roll_back_needs_no_registry(shelf):
    shelf.register(webhook_secrets=[shelf.name])
    before = live(shelf, shelf.push())
    version = shelf.version
    live(shelf, shelf.push())
    shelf.registry.stop()

    shown = shelf.host.run("rollback", shelf.name, "--wait")

    assert (shown["phase"], shown["image"]) == ("live", before.image)
    assert shown["image_digest"] == before.commit
    assert shelf.project.get() == version


def test_only_the_followed_tags_are_deployed(shelf):
    shelf.register(tags="v*", webhook_secrets=[shelf.name])
    shelf.push("main")
    live(shelf, shelf.push("v1.2"))

    assert {b.ref for b in shelf.project.history()} == {"refs/tags/v1.2"}
    assert shelf.project.get() == shelf.version


def test_a_person_deploys_another_tag(shelf):
    main = shelf.push()
    shelf.register(webhook_secrets=[shelf.name])
    live(shelf, main)
    other = shelf.push("v2")

    shelf.host.run("deploy", shelf.name, "--ref", "v2", "--wait")

    assert shelf.host.store.get(shelf.host.store.serving()[shelf.name].build).commit == other
    assert shelf.project.get() == shelf.version


def test_an_image_named_by_its_digest_stays(shelf):
    first = shelf.push()
    shelf.push()

    shelf.register(f"main@{first}", webhook_secrets=[shelf.name])

    live(shelf, first)
    assert shelf.project.get() == f"{shelf.name}-1"


def test_a_tag_that_is_not_there_is_told(shelf):
    shelf.register("nothing", webhook_secrets=[shelf.name])

    shown = shelf.host.until(lambda: shelf.project.shown()["problem"], "the problem")

    assert f"{shelf.repository} has no refs/tags/nothing" in shown


def test_what_a_lost_notification_missed_is_found_by_looking(base, tmp_path):
    with (
        hosts.serving(base, reconcile_interval=1, min_free_mb=10) as host,
        imagehost.registry(tmp_path / "registry") as registry,
    ):
        shelf = imagehost.Shelf(host=host, registry=registry, name="deaf")
        first = shelf.push()
        shelf.register()
        live(shelf, first)

        build = live(shelf, shelf.push())

        assert build.cause is builds.Cause.RECONCILE
        assert shelf.project.get() == shelf.version
        asked = [line for line in registry.log().splitlines() if "/manifests/main" in line]
        assert [line for line in asked if '"HEAD ' in line]
        assert not [line for line in asked if '"GET ' in line], "a look must bring nothing"


def test_a_registry_that_asks_for_a_login_gets_it_from_a_secret(base, tmp_path):
    with (
        hosts.serving(base, reconcile_interval=3600, min_free_mb=10) as host,
        imagehost.registry(tmp_path / "registry", needs_login=True) as registry,
    ):
        shelf = imagehost.Shelf(host=host, registry=registry, name="closed")
        digest = shelf.push()
        shelf.register(registry_login="closed.registry")
        first = host.until(lambda: shelf.project.shown()["problem"], "the problem")
        assert "closed.registry, of mode 0600" in first
        secret_files.create(host.settings.secrets, "closed.registry", b"tester:wrong")
        failed = shelf.project.fails()
        assert "does not let us read team/closed" in (failed.reason or "")
        assert failed.retry

        (host.settings.secrets / "closed.registry").write_text(
            f"{imagehost.USER}:{imagehost.PASSWORD}\n"
        )
        host.run("deploy", "closed", "--wait")

        assert host.store.get(host.store.serving()["closed"].build).commit == digest
        assert shelf.project.get() == shelf.version
        said = host.log() + "".join(shelf.project.log(b) for b in shelf.project.history())
        assert imagehost.PASSWORD not in said
        assert "wrong" not in said


def test_images_go_with_the_project_but_for_those_that_were_here(host, tmp_path):
    with imagehost.registry(tmp_path / "registry") as registry:
        ours = imagehost.Shelf(host=host, registry=registry, name="ours")
        theirs = imagehost.Shelf(host=host, registry=registry, name="theirs")
        digests = {shelf.name: shelf.push() for shelf in (ours, theirs)}
        host.engine.api.pull(theirs.repository, "main")
        ids = {}
        for shelf in (ours, theirs):
            shelf.register()
            ids[shelf.name] = live(shelf, digests[shelf.name]).image

        for shelf in (ours, theirs):
            host.unregister(shelf.name)
            host.until(lambda of=shelf: not host.images.all(of.name), "its end")

        host.until(lambda: not host.images.exists(ids["ours"]), "the image's end")
        tags = host.engine.api.inspect_image(ids["theirs"])["RepoTags"]
        assert tags == [f"{theirs.repository}:main"]


def test_registered_on_the_command_line(host, tmp_path):
    with imagehost.registry(tmp_path / "registry", needs_login=True) as registry:
        shelf = imagehost.Shelf(host=host, registry=registry, name="by-hand")
        digest = shelf.push()
        login = tmp_path / "login"
        login.write_text(f"{imagehost.USER}:{imagehost.PASSWORD}\n")

        added = host.run(
            "add", "by-hand", "--image", f"{shelf.repository}:main",
            "--publish", f"{shelf.port}:8000", "--registry-login", str(login),
        )  # fmt: skip

        assert added["webhook"].endswith("/hooks/by-hand")
        assert live(shelf, digest)
        kept = host.settings.secrets / "by-hand.registry"
        assert kept.stat().st_mode & 0o777 == 0o600
        host.unregister("by-hand")
        host.until(lambda: not host.containers.all("by-hand"), "its end")

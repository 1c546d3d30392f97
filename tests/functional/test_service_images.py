"""Services whose image somebody else builds: pulled by digest, known as ours, bounded in time."""

import contextlib
import http.server
import secrets
import threading
import time

import pytest

from build_hook import labels, project
from build_hook.store import builds
from tests.functional import composed, imagehost

PHASE = builds.Phase
FILE = composed.FILE.replace(
    '  db:\n    build: {context: db, args: {BASE: "${BASE}"}}', "  db:\n    image: IMAGE"
)
DIGEST = "sha256:" + "d" * 64


def shop(host, image, **rules):
    """A compose project whose db is pulled; nothing else asks for it."""
    name = f"pulls-{secrets.token_hex(3)}"
    more: dict[str, str] = {
        "compose.yaml": FILE.replace("IMAGE", image),
        "api/index.cgi": composed.api("1").replace("ask db 7000", "answer=0"),
    }
    made = composed.Shop(host, name, None, 0.5, **more)
    host.replace(project.Project.model_validate(
        {**host.entry(name).model_dump(exclude_defaults=True), **rules}
    ))  # fmt: skip
    return made


@pytest.fixture
def shelf(host, tmp_path):
    with imagehost.registry(tmp_path / "registry") as registry:
        yield imagehost.Shelf(host=host, registry=registry, name="db")


def tags(host, image):
    return host.engine.api.inspect_image(image)["RepoTags"]


def image_of(made):
    (box,) = [box for box in made.of.boxes() if box.service == "db" and box.is_running]
    return box.image


def mark(host, image):
    return (
        f"{labels.image_tag(host.settings.instance, 'pulled', 0).rpartition(':')[0]}:"
        + (image.rpartition(":")[2])
    )


def test_a_service_follows_its_tag_and_its_image_has_tags_of_ours_alone(host, shelf):
    shelf.push()
    made = shop(host, f"{shelf.repository}:main")
    first = made.live()
    image = image_of(made)
    ours = labels.image_tag(host.settings.instance, f"{made.name}.db", first.id)
    assert set(tags(host, image)) == {ours, mark(host, image)}

    made.live(**{"web/index__cgi": composed.web("2")})
    assert image_of(made) == image
    assert len(tags(host, image)) <= 3  # one for each build that could be gone back to

    shelf.push()
    made.live(**{"web/index__cgi": composed.web("3")})
    newer = image_of(made)
    assert newer != image

    host.unregister(made.name)
    host.until(lambda: not host.images.all(made.name), "its end", 30)
    host.until(lambda: not any(map(host.images.exists, (image, newer))), "the images' end")


def test_the_image_that_a_service_has_will_do_where_its_registry_is_away(host, shelf):
    shelf.push()
    made = shop(host, f"{shelf.repository}:main")
    made.live()
    image = image_of(made)
    shelf.registry.stop()

    build = made.live(**{"web/index__cgi": composed.web("2")})

    assert image_of(made) == image
    assert "could not be pulled" in made.of.log(build)


def test_a_name_of_somebody_else_leads_where_it_led(host, shelf):
    shelf.push()
    name = f"{shelf.repository}:main"
    host.engine.api.pull(shelf.repository, "main")
    theirs = host.engine.api.inspect_image(name)["Id"]
    try:
        shelf.push()  # takes the name away here
        host.engine.api.tag(theirs, shelf.repository, "main")
        made = shop(host, name)
        made.live()

        assert image_of(made) != theirs
        assert host.engine.api.inspect_image(name)["Id"] == theirs
    finally:
        host.engine.api.remove_image(name, force=True)


@contextlib.contextmanager
def stuck():
    """A registry that knows a digest and gives nothing out."""
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200)
            self.send_header("Docker-Content-Digest", DIGEST)
            self.end_headers()

        def do_GET(self):
            if self.path != "/v2/":
                over.wait(300)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_request(self, code="-", size="-"):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}/team/db:main"
        finally:
            over.set()
            server.shutdown()


def test_a_registry_that_is_stuck_holds_no_build_that_is_cancelled(host):
    with stuck() as image:
        made = shop(host, image)
        build = made.of.until(PHASE.BUILDING, made.of.push())
        host.until(lambda: "pulling db" in made.of.log(build), "the pull", 60)
        host.run("cancel", str(build.id))

        host.until(lambda: host.store.get(build.id).phase is PHASE.CANCELLED, "the end", 60)


def test_a_registry_that_is_stuck_ends_a_build_in_time(host):
    with stuck() as image:
        made = shop(host, image, build={"timeout": 3})
        begun = time.monotonic()
        build = made.deploy()

        assert build.phase is PHASE.FAILED
        assert f"There is no image {image} to be had" in (build.reason or "")
        assert "The image was not here in time" in made.of.log(build)
        assert time.monotonic() - begun < 120

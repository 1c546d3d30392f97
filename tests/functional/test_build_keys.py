"""Compose's build keys, each with a build that fails or differs where the key is ignored."""

import contextlib
import re
import subprocess
import uuid

import pytest

from build_hook import project, secret_files
from build_hook.demo import product
from build_hook.deploy import clients
from build_hook.store import builds
from tests.functional import host as hosts
from tests.functional import imagehost

PHASE = builds.Phase
HEAD = "ARG BASE\nFROM ${BASE} AS base\nFROM base\nWORKDIR /www\n"
TAIL = """
COPY serve.sh /serve.sh
COPY version.txt /www/index.html
CMD ["/bin/sh", "/serve.sh"]
"""


def dockerfile(*lines: str) -> str:
    return HEAD + "\n".join(lines) + TAIL


def unlike_any_cached() -> str:
    return f"RUN : {uuid.uuid4()}"


def confide(host, name, text):
    secret_files.create(host.settings.secrets, name, text.encode())


def test_secret_is_at_hand_in_its_step_in_no_layer_and_masked_in_the_log(host):
    value = uuid.uuid4().hex
    confide(host, "npm-token", value)
    show = "RUN --mount=type=secret,id=npm test -s /run/secrets/npm && cat /run/secrets/npm"
    keep = "RUN ls /run/secrets /run > /www/left; echo done"
    web = host.add("confides", build={"secrets": [{"source": "npm-token", "target": "npm"}]})
    build = web.live(Dockerfile=dockerfile(unlike_any_cached(), show, keep))

    log = web.log(build)
    assert value not in log
    assert "***" in log
    assert "npm" not in web.get("/left")
    command = [c for c in processes() if value in c]
    assert command == []


def processes():
    return subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True,
                          check=True).stdout.splitlines()  # fmt: skip


def test_missing_secret_is_named(host):
    web = host.add("forgetful", build={"secrets": ["nowhere"]})

    build = web.deploy()

    assert build.phase is PHASE.FAILED
    assert "needs the secret 'nowhere', which is not there. Write it to" in (build.reason or "")


def test_ssh_key_is_at_hand_in_its_step(host, tmp_path):
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    confide(host, "forge-key", key.read_text(encoding="utf-8"))
    socket = "test -S $SSH_AUTH_SOCK"
    web = host.add("fetches", build={"ssh": {"forge": "forge-key"}})
    web.live(
        Dockerfile=dockerfile(
            unlike_any_cached(),
            f"RUN --mount=type=ssh,id=forge,required=true {socket}",
            'RUN test -z "$SSH_AUTH_SOCK"',
        )
    )


def test_network_and_extra_hosts(host):
    none = dockerfile(
        unlike_any_cached(),
        "RUN test $(cat /proc/net/dev | grep -c :) = 1",
        "RUN grep db /etc/hosts",
    )
    web = host.add("alone", build={"network": "none", "extra_hosts": {"db": "10.9.9.9"}})

    web.live(Dockerfile=none)
    host.register(web, build={"network": "default", "extra_hosts": {}})
    assert web.deploy(note="another").phase is PHASE.FAILED


def test_labels_are_on_the_image(host):
    web = host.add("labelled", build={"labels": {"team": "shop"}})
    build = web.live()

    found = host.engine.api.inspect_image(build.image)["Config"]["Labels"]
    assert found["team"] == "shop"
    assert found["io.build-hook.project"] == "labelled"


def test_platform_is_the_one_that_is_asked_for(host):
    foreign = (
        "ARG BASE\nFROM --platform=linux/amd64 ${BASE} AS base\nFROM scratch\n"
        "COPY --from=base / /\nWORKDIR /www\n" + TAIL
    )
    web = host.add("foreign", build={"platforms": ["linux/arm64"]})
    build = web.deploy(Dockerfile=foreign)

    assert build.image
    assert host.engine.api.inspect_image(build.image)["Architecture"] == "arm64"


@pytest.mark.parametrize("no_cache", [False, True])
def test_no_cache_runs_every_step_anew(host, no_cache):
    web = host.add(f"forgets-{no_cache}".lower(), build={"no_cache": no_cache})
    text = dockerfile(unlike_any_cached(), "RUN cat /proc/sys/kernel/random/uuid > /www/drawn")
    web.live(Dockerfile=text)
    first = web.get("/drawn")
    web.live()

    assert (web.get("/drawn") != first) is no_cache


def test_second_build_uses_the_cache_of_the_first(host):
    """Also of another project: what marks our steps is no part of the cache's key."""
    text = dockerfile(unlike_any_cached(), "RUN cat /proc/sys/kernel/random/uuid > /www/drawn")
    first, second = host.add("warm"), host.add("warm-too")
    first.live(Dockerfile=text)
    second.live(Dockerfile=text)

    assert first.get("/drawn") == second.get("/drawn")


def test_what_cannot_be_honoured_here_is_refused(host):
    if clients.find().buildx is None:
        web = host.add("modern", build={"sbom": True})
        assert "build.sbom needs buildx 0.10" in (web.deploy().reason or "")
    if host.engine.version() < (23, 0):
        web = host.add("bounded", build={"ulimits": {"nofile": 64}})
        assert "build.ulimits needs a Docker engine from 23.0" in (web.deploy().reason or "")


def test_builds_show_the_step_that_is_under_way(host):
    web = host.add("watched")
    commit = web.push(Dockerfile=dockerfile(unlike_any_cached(), "RUN sleep 4"))
    build = web.until(PHASE.BUILDING, commit)

    def shown():
        rows = host.run("builds", web.name)["builds"]
        return next(row["progress"] for row in rows if row["id"] == build.id)

    def at_work():
        said = shown() or ""
        return said if "RUN sleep 4" in said else None

    assert re.search(r"step \d/\d RUN sleep 4$", host.until(at_work, "the step"))
    assert web.ended(commit).phase is PHASE.LIVE
    assert shown() is None


@pytest.fixture
def registry(tmp_path):
    with imagehost.registry(tmp_path / "registry") as made:
        yield made


@pytest.fixture
def private(tmp_path):
    """A registry that asks for a login."""
    with imagehost.registry(tmp_path / "private", needs_login=True) as made:
        yield made


@contextlib.contextmanager
def offered(host, registry, name):
    """The base image under a name of that registry, and nowhere else."""
    tag = f"{registry.name}/{name}:1"
    host.engine.api.tag(host.base, f"{registry.name}/{name}", "1")
    login = {"username": imagehost.USER, "password": imagehost.PASSWORD}
    try:
        for line in host.engine.api.push(tag, auth_config=login, stream=True, decode=True):
            assert "error" not in line, line
        host.engine.api.remove_image(tag, noprune=True)
        yield tag
    finally:
        with contextlib.suppress(Exception):
            host.engine.api.remove_image(tag, noprune=True)


def test_registry_that_is_away_is_waited_for(host, registry):
    with offered(host, registry, "base") as tag:
        registry.stop()
        web = host.add("patient")
        commit = web.push(Dockerfile=dockerfile().replace("${BASE}", tag))
        build = web.until(PHASE.BUILDING, commit)
        host.until(lambda: "trying again in 1 s" in web.log(build), "another try")
        registry.start()

        assert web.ended(commit).phase is PHASE.LIVE


def test_registry_that_stays_away_is_no_fault_of_the_commit(base, registry):
    with (
        hosts.serving(base, reconcile_interval=2, min_free_mb=10) as host,
        offered(host, registry, "base") as tag,
    ):
        registry.stop()
        web = host.add("abandoned")
        web.live()
        serving, answer = web.serving(), web.get()
        commit = web.push(Dockerfile=dockerfile().replace("${BASE}", tag))
        build = web.ended(commit)

        assert (build.phase, build.retry) == (PHASE.FAILED, True)
        reason = build.reason or ""
        assert reason.startswith(f"building: The registry did not give out {tag}")
        assert "connection refused" in reason
        assert [f"again in {n} s" in web.log(build) for n in (1, 3, 9)] == [True] * 3
        assert (web.serving().id, web.get()) == (serving.id, answer)

        registry.start()
        host.until(lambda: web.answers() and web.get() == web.version, "its next try", 40)


def test_pull_asks_the_registry_though_the_image_is_here(host):
    """Of a registry that nobody runs."""
    tag = f"127.0.0.1:{product.free_port()}/base:1"
    host.engine.api.tag(host.base, tag)
    try:
        text = dockerfile().replace("${BASE}", tag)
        host.add("content", build={"pull": False}).live(Dockerfile=text)
        curious = host.add("curious", build={"pull": True})
        assert f"did not give out {tag}" in (curious.deploy(Dockerfile=text).reason or "")
    finally:
        host.engine.api.remove_image(tag, noprune=True)


def test_cache_travels_with_an_image(host, registry):
    """Inline cache: written with cache_to, read from the registry with cache_from."""
    drawn = dockerfile(unlike_any_cached(), "RUN cat /proc/sys/kernel/random/uuid > /www/drawn")
    build = host.add("gives", build={"cache_to": ["type=inline"]}).live(Dockerfile=drawn)
    tag = f"{registry.name}/gives:cache"
    host.engine.api.tag(build.image, tag)
    try:
        said = list(host.engine.api.push(tag, stream=True, decode=True))
    finally:
        host.engine.api.remove_image(tag, noprune=True)
    assert not [line for line in said if "error" in line]
    assert "moby.buildkit.cache" in configurations(registry)

    taker = host.add("takes", build={"cache_from": [f"type=registry,ref={tag}"]})
    log = taker.log(taker.live(Dockerfile=drawn))
    assert f"importing cache manifest from {tag}" in log


def configurations(registry):
    """Every JSON that the registry keeps, as text."""
    blobs = [p.read_bytes() for p in (registry.folder / "storage").rglob("data")]
    return b" ".join(blob for blob in blobs if blob.startswith(b"{")).decode()


def test_private_base_image_is_had_with_a_login(host, private):
    confide(host, "private-login", f"{imagehost.USER}:{imagehost.PASSWORD}")
    confide(host, "wrong-login", f"{imagehost.USER}:nothing")
    with offered(host, private, "base") as tag:
        text = dockerfile(unlike_any_cached(), "RUN sleep 1").replace("${BASE}", tag)
        web = host.add("members", build={"registry_logins": {private.name: "wrong-login"}})
        assert "401" in web.log(web.deploy(Dockerfile=text))
        host.register(web, build={"registry_logins": {private.name: "private-login"}})
        commit = web.push(note="the right one")
        seen = []

        def ended():
            seen.extend(processes())
            ends = (each for each in web.history() if each.commit == commit and each.phase.is_end)
            # A look at the repository may ask for the same commit once more, and is skipped.
            return next((each for each in ends if each.phase is not PHASE.SKIPPED), None)

        build = host.until(ended, "the build", 40)

    assert build.phase is PHASE.LIVE, web.log(build)
    assert any("--iidfile" in line for line in seen)
    assert not [line for line in seen if imagehost.PASSWORD in line]
    assert imagehost.PASSWORD not in web.log(build)
    assert not list(host.settings.checkouts.glob("*.docker"))


def test_cache_of_a_private_registry_is_read_with_a_login(host, private):
    confide(host, "cache-login", f"{imagehost.USER}:{imagehost.PASSWORD}")
    drawn = dockerfile(unlike_any_cached(), "RUN cat /proc/sys/kernel/random/uuid > /www/drawn")
    build = host.add("lends", build={"cache_to": ["type=inline"]}).live(Dockerfile=drawn)
    tag = f"{private.name}/lends:cache"
    login = {"username": imagehost.USER, "password": imagehost.PASSWORD}
    host.engine.api.tag(build.image, tag)
    try:
        said = list(host.engine.api.push(tag, auth_config=login, stream=True, decode=True))
    finally:
        host.engine.api.remove_image(tag, noprune=True)
    assert not [line for line in said if "error" in line]
    before = private.log().count(" 200 ")

    taker = host.add(
        "borrows",
        build={"cache_from": [tag], "registry_logins": {private.name: "cache-login"}},
    )
    log = taker.log(taker.live(Dockerfile=drawn))

    assert f"importing cache manifest from {tag}" in log
    assert private.log().count(" 200 ") > before


def test_service_of_a_compose_file_is_pulled_with_a_login(host, private):
    confide(host, "pull-login", f"{imagehost.USER}:{imagehost.PASSWORD}")
    with offered(host, private, "pulled") as tag:
        file = f"services: {{web: {{image: '{tag}', command: [sleep, '600'], init: true}}}}\n"
        shop = host.add("pulls", files={"compose.yaml": file})
        entry = {
            "name": "pulls", "repository": host.entry("pulls").repository, "compose": {},
            "webhook_secrets": ["pulls"], **hosts.QUICK,
        }  # fmt: skip
        del entry["stop_grace_period"]
        host.replace(project.Project.model_validate(entry))
        refused = shop.deploy()
        logins = {"build": {"registry_logins": {private.name: "pull-login"}}}
        host.replace(project.Project.model_validate({**entry, **logins}))

        assert "give the login of its registry in build.registry_logins" in (refused.reason or "")
        assert shop.deploy(note="with a login").phase is PHASE.LIVE

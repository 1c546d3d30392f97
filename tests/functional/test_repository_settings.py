"""A repository's own settings, on the whole way."""

import pytest

from build_hook.store import builds

PHASE = builds.Phase
FILE = "build-hook__toml"
BUSY = "[health]\npath = '/other'\n[build]\nargs = { GREETING = 'from the repository' }\n"
DOCKERFILE = """ARG BASE
FROM ${BASE}
ARG GREETING=none
COPY serve.sh /serve.sh
COPY version.txt /www/index.html
RUN mkdir -p /www && echo "$GREETING" > /www/greeting && cp /www/greeting /www/other
CMD ["/bin/sh", "/serve.sh"]
"""


@pytest.fixture
def web(host, request):
    name = f"own-{abs(hash(request.node.name)) % 10**6}"
    return host.add(name, files={"Dockerfile": DOCKERFILE})


def test_settings_count_where_the_project_allows_them(host, web):
    host.register(web, repository_settings="safe")

    build = web.live(**{FILE: BUSY})

    assert web.get("/greeting") == "from the repository"
    assert "build-hook.toml asks for" in web.log(build)
    assert '"/other"' in (host.store.get(build.id).overlay or "")


def test_settings_mean_nothing_by_default(host, web):
    build = web.live(**{FILE: BUSY})

    assert web.get("/greeting") == "none"
    assert "build-hook.toml is not looked at" in web.log(build)


def test_hostile_file_fails_its_build_and_harms_nothing(host, web):
    host.register(web, repository_settings="safe")
    good = web.live()

    bad = web.deploy(**{FILE: "privileged = true\nvolumes = ['/:/host']\n"})

    assert bad.phase is PHASE.FAILED
    assert "privileged is the operator's to set; volumes is the operator's to set" in bad.reason
    assert web.serving().build == good.id


def test_roll_back_brings_the_settings_of_then(host, web):
    host.register(web, repository_settings="safe")
    first = web.live(**{FILE: BUSY})
    web.live(**{FILE: None})
    host.run("rollback", web.name, "--wait")

    assert host.store.get(host.store.serving()[web.name].build).overlay == (
        host.store.get(first.id).overlay
    )
    assert web.get("/greeting") == "from the repository"


def test_a_commit_or_a_tag_is_deployed_by_name(host, web):
    first = web.live()
    newer = web.live()
    assert newer.commit != first.commit

    by_id = host.run("deploy", web.name, "--ref", first.commit, "--wait")
    assert host.store.get(by_id["id"]).commit == first.commit

    web.copy.tag("v1", newer.commit)
    by_tag = host.run("deploy", web.name, "--ref", "v1", "--wait")
    assert host.store.get(by_tag["id"]).commit == newer.commit

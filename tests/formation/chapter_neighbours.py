"""Charms of others are related: collectors of logs, authorities, projects as of 2015."""

from tests.formation import handmade, logsink, stage, visitor
from tests.formation.stage import HOOK, SELFOSS, Stage

AUTHORITY, SINK, OLD, SCRIPTED = "authority", "log-sink", "docker-old", "docker-scripted"


def logs_arrive(on: Stage) -> str:
    """Lines of containers and builds reach a collector, also those from while it was away."""
    on.model.deploy(handmade.log_sink(on.folder), SINK, {"url": on.sink.url}, ("0",))
    on.model.integrate(f"{HOOK}:logging", SINK)
    on.model.settle()
    on.push(SELFOSS, "shipped")
    line = _arrived(on, "serving shipped")
    whose = {key: line.labels.get(key) for key in ("source", "project", "juju_unit")}
    expected = {"source": "container", "project": SELFOSS, "juju_unit": f"{HOOK}/0"}
    stage.expect(whose == expected, f"the container's line has {dict(line.labels)}")
    line = _arrived(on, "COPY index.html")
    stage.expect(line.labels.get("source") == "build", f"the build's has {dict(line.labels)}")
    on.calm()
    on.sink.close()
    builds = on.sink.count("COPY index.html")
    on.push(SELFOSS, "unheard")
    on.wait_for(on.selfoss, "unheard")
    on.calm()
    on.sink.open()
    _arrived(on, "serving unheard")
    stage.wait_until(
        lambda: on.sink.count("COPY index.html") > builds, "the build's line was lost"
    )
    return f"{len(on.sink.entries)} lines"


def _arrived(on: Stage, text: str) -> logsink.Entry:
    """A line, once it has come."""
    stage.wait_until(
        lambda: on.sink.find(text) is not None, f"no line with {text!r} comes",
        lambda: [entry.text for entry in on.sink.entries[-5:]],
    )  # fmt: skip
    found = on.sink.find(text)
    assert found is not None
    return found


def certificate_is_renewed(on: Stage) -> str:
    """An authority's certificate serves HTTPS, and its renewal fails nobody."""
    archive = handmade.authority(on.folder, stage.packed("docker-build-hook"))
    on.model.deploy(archive, AUTHORITY, {}, ("0",))
    on.model.integrate(f"{HOOK}:certificates", AUTHORITY)
    on.configure(SELFOSS, certificates="juju")
    authority = on.run("cat", handmade.AUTHORITY_FILE)
    url = f"https://{on.address()}:9000/"
    on.wait_for(lambda: visitor.get(url, authority).strip(), "unheard")
    on.content(SELFOSS, HOOK)
    before = visitor.serial(on.address(), 9000, authority)
    with visitor.visits(url, authority) as visits:
        _let_certificate_expire(on)
        taken = stage.wait_until(
            lambda: visitor.serial(on.address(), 9000, authority) != before,
            "the proxy shows the certificate of before", lambda: before,
        )  # fmt: skip
    on.configure(SELFOSS, certificates=None)
    on.wait_for(on.selfoss, "unheard")
    return f"in force after {taken:.1f} s; {stage.nobody_failed(visits)}"


def _let_certificate_expire(on: Stage) -> None:
    """Say that its time is over, as Juju does of the secret in which the unit keeps it."""
    own = [s for s in on.model.secrets.values() if s.owner == f"{HOOK}/0" and s.expiry]
    stage.expect(len(own) == 1, f"secrets with an end: {[s.label for s in own]}")
    on.model.vault.expire(own[0])
    on.model.settle()


def projects_of_2015_work(on: Stage) -> str:
    """Scripts of 2015 build and start what is pushed, for the charm of 2015 and for today's."""
    old = {"name": OLD, "repository": on.git.create(OLD, 9001), "build-script": "build.sh"}
    on.model.deploy(handmade.dockerfile_of_2015(on.folder), OLD, old, ("0",))
    new = {"repository": on.git.create(SCRIPTED, 9002), "ref": "master", "ports": "9002:80"}
    new |= {"build-script": "build.sh", **stage.QUICK}
    on.model.deploy(stage.packed("dockerfile"), SCRIPTED, new, ("0",))
    for name in (OLD, SCRIPTED):
        on.model.integrate(f"{name}:project", HOOK)
    on.model.settle()
    stage.expect({OLD, SCRIPTED} <= set(on.listed()), f"listed: {on.listed()}")
    for version in ("one", "two"):
        for name, port in ((OLD, 9001), (SCRIPTED, 9002)):
            if version != "one":
                on.push(name, version)
            url = f"http://{on.address()}:{port}/"
            on.wait_for(lambda url=url: visitor.get(url).strip(), version)
    on.content(SCRIPTED)
    return f"{OLD} and {SCRIPTED}, deployed and deployed again"


def removed_relation_unregisters(on: Stage) -> str:
    """A removed relation unregisters its project, whose container goes."""
    both = (OLD, SCRIPTED)
    for name in both:
        on.calm(name)
        on.model.remove_relation(f"{name}:project", HOOK)
    on.model.settle()
    stage.expect(not {*both} & {*on.listed()}, f"listed: {on.listed()}")

    def left() -> list[str]:
        return [*on.containers(OLD), *on.containers(SCRIPTED)]

    taken = stage.wait_until(lambda: not left(), "a container is still there", left)
    return f"{taken:.1f} s"


STEPS = (
    logs_arrive,
    certificate_is_renewed,
    projects_of_2015_work,
    removed_relation_unregisters,
)

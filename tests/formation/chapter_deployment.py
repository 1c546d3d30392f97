"""The bundle of the article is deployed, and pushes replace its containers."""

import json

from tests.formation import stage, visitor
from tests.formation.stage import MUMBLE, SELFOSS, Stage
from tools import bundles


def bundle_deploys(on: Stage) -> str:
    """The article's bundle deploys, and every unit is content."""
    bundle = bundles.load(stage.ROOT / "bundles" / "bundle.yaml")
    for name, app in bundle["applications"].items():
        config = dict(app.get("options", {}))
        if "repository" in config:
            config["repository"] = on.git.create(name)
            config |= stage.QUICK
        if name == MUMBLE:  # where its program is
            config["volumes"] = "/usr:/usr:ro"
        archive = (stage.ROOT / "bundles" / app["charm"]).resolve()
        on.model.deploy(archive, name, config, tuple(app.get("to", ())))
    for one, other in bundle["relations"]:
        on.model.integrate(one, other)
    hooks = on.model.settle()
    on.content()
    return f"{hooks} hooks"


def projects_are_listed(on: Stage) -> str:
    """Both projects are in the JSON on port 8080."""
    stage.expect(on.listed() == [MUMBLE, SELFOSS], f"listed: {on.listed()}")
    return ", ".join(on.listed())


def first_builds_serve(on: Stage) -> str:
    """What is at the heads of the repositories is built and serves, by HTTP, TCP and UDP."""
    taken = on.wait_for(on.selfoss, "one")
    on.wait_for(on.mumble, "one")
    on.wait_for(lambda: visitor.echo(on.address(), 64738).strip(), "one")
    ports = on.model.unit(f"{stage.HOOK}/0").ports
    expected = {"8080/tcp", "9000/tcp", "64738/tcp", "64738/udp"}
    stage.expect(ports == expected, f"Juju opened {sorted(ports)}")
    return f"{taken:.1f} s"


def push_cycles_the_container(on: Stage) -> str:
    """A push over HTTP rebuilds, and another container serves."""
    before = on.serving(SELFOSS)
    with on.visits() as visits:
        on.push(SELFOSS, "two")
        taken = on.wait_for(on.selfoss, "two")
    after = on.serving(SELFOSS)
    stage.expect(before != after, f"{after} serves as before")
    return f"{taken:.1f} s; {stage.nobody_failed(visits)}"


def outcome_is_told_at_once(on: Stage) -> str:
    """The end of a build is in Juju's status with no event but its own."""
    on.calm()
    on.model.settle()
    webhook = on.webhook(SELFOSS)
    body = on.git.push(SELFOSS, "told")
    serves = f"Serves {json.loads(body)['after'][:8]}"

    def is_told() -> bool:
        on.model.settle()
        return serves in on.told(f"{SELFOSS}/0")

    visitor.deliver(webhook["url"], body, webhook["secret"])
    taken = stage.wait_until(is_told, f"nobody says {serves!r}", lambda: on.told(f"{SELFOSS}/0"))
    return f"{taken:.1f} s after the push, {stage.WATCH:.0f} of them of watching"


STEPS = (
    bundle_deploys,
    projects_are_listed,
    first_builds_serve,
    push_cycles_the_container,
    outcome_is_told_at_once,
)

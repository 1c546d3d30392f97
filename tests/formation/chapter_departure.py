"""Units come and go, the leader among them; relations end; in the end the build hook does."""

from tests.formation import containers, stage, visitor
from tests.formation.stage import DOCKER, HOOK, MUMBLE, SELFOSS, Stage


def kept_container_serves_on(on: Stage) -> str:
    """By config a project serves on unregistered, is taken over again, or stopped by hand."""
    on.configure(HOOK, on_removal="keep")
    before, version = on.serving(MUMBLE), on.mumble()
    what = visitor.Load("connections", lambda: visitor.read(on.address(), 64738))
    with what as connections:
        on.model.remove_relation(MUMBLE, HOOK)
        on.model.settle()
        stage.expect(MUMBLE not in on.listed(), f"listed: {on.listed()}")
        stage.expect(on.serving(MUMBLE) == before, "another container serves once it is kept")
        now = on.mumble()
        stage.expect(now == version, f"kept, it answers {now!r}, and answered {version!r}")
        on.model.integrate(MUMBLE, HOOK)
        on.model.settle()
        stage.expect(MUMBLE in on.listed(), f"listed: {on.listed()}")
        on.calm()
    said = stage.nobody_failed(connections)
    on.push(MUMBLE, "two")
    on.wait_for(on.mumble, "two")
    on.wait_for(lambda: visitor.echo(on.address(), 64738).strip(), "two")
    on.calm()
    on.model.remove_relation(MUMBLE, HOOK)
    on.act("stop-kept", project=MUMBLE)
    stage.wait_until(
        lambda: not on.containers(MUMBLE), "stop-kept leaves it", lambda: on.containers(MUMBLE)
    )
    on.configure(HOOK, on_removal="stop")
    return said


def second_machine_serves(on: Stage) -> str:
    """A second Docker host, whose data is on a storage, serves what is placed there."""
    on.model.add_unit(DOCKER, "1", storage="data")
    on.model.settle()
    on.model.add_unit(SELFOSS, f"{DOCKER}/1")
    on.model.settle()
    taken = on.wait_for(lambda: on.selfoss("1"), on.selfoss())
    on.content(HOOK, SELFOSS, DOCKER)
    root = on.machine("1").run("docker", "info", "--format={{.DockerRootDir}}").strip()
    storage = on.model.unit(f"{DOCKER}/1").storages["data/0"]
    stage.expect(root == f"{storage}/docker", f"the engine's data is at {root}, not {storage}")
    return f"{taken:.1f} s, the engine's data at {root}"


def rotation_refuses_nobody(on: Stage) -> str:
    """A rotated secret: both units take the old and the new one until the old one is dropped."""
    old = on.webhook(SELFOSS)["secret"]
    secrets = [old]
    with on.deliveries(secrets) as deliveries:
        on.act("rotate-secret", project=SELFOSS)
        secrets.append(new := on.webhook(SELFOSS)["secret"])
        stage.expect(new != old, "the secret is the same")
        body = on.git.push(SELFOSS, "turned")
        answers = _answers(on, body, (old, new))
        stage.expect(answers == [202] * 4, f"answers during the rotation: {answers}")
        on.act("rotate-secret", project=SELFOSS, forget_previous=True)
    answers = _answers(on, on.git.elsewhere(SELFOSS), (old, new))
    stage.expect(answers == [401, 200, 401, 200], f"answers after the rotation: {answers}")
    for number in ("0", "1"):
        on.wait_for(lambda number=number: on.selfoss(number), "turned")
    return f"{stage.nobody_failed(deliveries)}; the old one is refused once dropped"


def _answers(on: Stage, body: bytes, secrets: tuple[str, ...]) -> list[int]:
    """What both units say to a delivery, for each secret."""
    return [on.deliver_to(number, SELFOSS, body, key) for number in ("0", "1") for key in secrets]


def leader_goes_and_secrets_stay(on: Stage) -> str:
    """The leader's machine is emptied: it leaves nothing, and the other unit's secrets hold."""
    secret = on.webhook(SELFOSS)["secret"]
    known = set(on.model.secrets)
    on.configure(HOOK, keep_data=False)
    for unit in (f"{SELFOSS}/0", f"{DOCKER}/0"):
        on.model.remove_unit(unit)
    on.model.settle()
    stage.expect(on.model.apps[HOOK].leader == f"{HOOK}/1", "nobody else leads")
    _has_nothing_of_ours(on.machine())
    now = on.webhook(SELFOSS, f"{HOOK}/1")["secret"]
    stage.expect(now == secret, f"the secret is another; gone: {known - set(on.model.secrets)}")
    status = on.deliver_to("1", SELFOSS, on.git.push(SELFOSS, "led"), secret)
    stage.expect(status == 202, f"the delivery to the unit that is left was answered {status}")
    on.wait_for(lambda: on.selfoss("1"), "led")
    on.content(HOOK, SELFOSS)
    on.configure(HOOK, keep_data=True)
    return "no file, unit, container, image or network of ours; answered 202"


def _has_nothing_of_ours(machine: containers.Container) -> None:
    for left in ("/var/lib/build-hook", "/usr/local/bin/build-hook"):
        there = machine.run("sh", "-c", f"test ! -e {left} || echo there")
        stage.expect(there == "", f"{left} is left")
    _has_no_units(machine)
    ours = "label=io.build-hook.instance"
    for listing in (("ps", "--all"), ("images",), ("network", "ls")):
        left = machine.run("docker", *listing, "--filter", ours, "--format={{json .}}")
        stage.expect(left == "", f"docker {listing[0]}: {left}")


def _has_no_units(machine: containers.Container) -> None:
    units = machine.run("sh", "-c", "ls /etc/systemd/system | grep build-hook || true")
    stage.expect(units == "", f"left over: {units}")


def removed_build_hook_leaves_its_data(on: Stage) -> str:
    """A removed build hook leaves its data, and nothing else of ours."""
    machine = on.machine("1")
    on.model.remove_relation(DOCKER, HOOK)
    _has_no_units(machine)
    running = machine.run("ps", "ax")
    stage.expect("build_hook" not in running, f"a process runs on: {running}")
    stage.expect("haproxy" not in running, f"the proxy runs on: {running}")
    data = machine.run("ls", "/var/lib/build-hook")
    stage.expect("build-hook.db" in data, f"the data is gone: {data}")
    left = machine.run("docker", "ps", "--all")
    stage.expect(len(left.splitlines()) == 1, f"containers are left: {left}")
    return ""


STEPS = (
    kept_container_serves_on,
    second_machine_serves,
    rotation_refuses_nobody,
    leader_goes_and_secrets_stay,
    removed_build_hook_leaves_its_data,
)

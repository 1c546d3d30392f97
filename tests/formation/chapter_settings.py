"""Config and secrets take effect, wrong ones change nothing, and nothing is done twice."""

from tests.formation import stage, visitor
from tests.formation.stage import DOCKER, HOOK, SELFOSS, Stage


def config_takes_effect(on: Stage) -> str:
    """A changed option of a project reaches its container; the proxy runs on."""
    on.calm()
    proxy = on.pid("build-hook-proxy")
    with on.visits() as visits:
        on.configure(SELFOSS, environment="MODE=staging")
        taken = on.wait_for_environment(SELFOSS, "MODE=staging")
    stage.expect(on.pid("build-hook-proxy") == proxy, "the proxy was restarted")
    return f"{taken:.1f} s; {stage.nobody_failed(visits)}"


def port_of_the_hook_moves(on: Stage) -> str:
    """The build hook listens elsewhere, and again where it did, but on no port that is taken."""
    on.calm()
    proxy, where = on.pid("build-hook-proxy"), on.address()
    with on.visits() as visits:
        on.configure(HOOK, port=9000)
        refused = on.told(f"{HOOK}/0")
        stage.expect(SELFOSS in on.listed(), "the old port was given up for one that is taken")
        on.configure(HOOK, port=9090)
        taken = stage.wait_until(
            lambda: visitor.is_open(where, 9090) and not visitor.is_open(where, 8080),
            "it does not move",
        )
        names, url = on.listed(port=9090), on.webhook(SELFOSS)["url"]
        ports = on.model.unit(f"{HOOK}/0").ports
        on.configure(HOOK, port=None)
        stage.wait_until(lambda: visitor.is_open(where, 8080), "it does not move back")
    stage.expect("Config port: 9000 is in use" in refused, f"of a taken port it says {refused}")
    stage.expect(SELFOSS in names, f"listed: {names}")
    stage.expect(":9090/" in url, f"the webhook is {url}")
    stage.expect("9090/tcp" in ports and "8080/tcp" not in ports, f"Juju opened {sorted(ports)}")
    stage.expect(SELFOSS in on.listed(), "the port did not come back")
    stage.expect(on.pid("build-hook-proxy") == proxy, "the proxy was restarted")
    return f"{taken:.1f} s after the hook; {stage.nobody_failed(visits)}"


def wrong_config_changes_nothing(on: Stage) -> str:
    """Wrong config of each charm is named with its fix, and what runs goes on."""
    on.calm()
    before, engine = on.serving(SELFOSS), on.run("cat", "/etc/docker/daemon.json")
    on.model.configure(SELFOSS, ports="80")
    on.model.configure(HOOK, concurrency=0)
    on.model.configure(DOCKER, log_driver="nonsense")
    on.model.settle()
    for app in (SELFOSS, HOOK, DOCKER):
        said = on.told(f"{app}/0")
        stage.expect(said.startswith("blocked: "), f"{app} says {said}")
        stage.expect(f"juju config {app} " in said, f"{app} says {said}")
    stage.expect(on.serving(SELFOSS) == before, f"{on.serving(SELFOSS)} serves, not {before}")
    stage.expect(on.selfoss() == "told", f"it answers {on.selfoss()}")
    now = on.run("cat", "/etc/docker/daemon.json")
    stage.expect(now == engine, f"daemon.json has changed: {now}")
    said = on.told(f"{SELFOSS}/0")
    on.model.configure(SELFOSS, ports="9000:80")
    on.model.configure(HOOK, concurrency=None)
    on.model.configure(DOCKER, log_driver=None)
    on.model.settle()
    on.content()
    return said


def secret_of_the_operator_reaches_the_container(on: Stage) -> str:
    """A user secret is asked for until it is granted, and its change deploys again."""
    secret = on.model.vault.add({"environment": "KEY=first"})
    on.configure(SELFOSS, environment_secret=secret)
    said = on.told(f"{SELFOSS}/0")
    stage.expect("juju grant-secret " in said and HOOK in said, f"without the grant: {said}")
    on.model.vault.grant(secret, HOOK)
    on.model.update_status()  # a grant tells nobody
    on.model.settle()
    on.content(SELFOSS)
    on.wait_for_environment(SELFOSS, "KEY=first")
    on.calm()
    with on.visits() as visits:
        on.model.vault.update(secret, {"environment": "KEY=second"})
        on.model.settle()
        taken = on.wait_for_environment(SELFOSS, "KEY=second")
    stage.expect("MODE=staging" in on.environment(SELFOSS), f"lost: {on.environment(SELFOSS)}")
    return f"the change after {taken:.1f} s; {stage.nobody_failed(visits)}"


def every_event_again_changes_nothing(on: Stage) -> str:
    """Every event that may come again is told once more, and writes and restarts nothing."""
    on.calm()
    on.model.update_status()
    on.model.settle()
    units = ("proxy", "worker", "web")
    before, pids = on.fingerprint(), [on.pid(f"build-hook-{unit}") for unit in units]
    engine, serving = on.pid("docker"), on.serving(SELFOSS)
    told = on.model.tell_again()
    hooks = on.model.settle()
    stage.expect(hooks == told, f"{hooks} hooks, {told} were told: {on.model.trace[-hooks:]}")
    changed = set(on.fingerprint().splitlines()) ^ set(before.splitlines())
    stage.expect(not changed, f"files were written: {sorted(changed)}")
    after = [on.pid(f"build-hook-{unit}") for unit in units]
    stage.expect(pids == after, f"{units} were restarted: {pids} before, {after} now")
    stage.expect(on.pid("docker") == engine, "the engine was restarted")
    stage.expect(on.serving(SELFOSS) == serving, f"{on.serving(SELFOSS)} serves now")
    return f"{hooks} hooks, nothing followed"


STEPS = (
    config_takes_effect,
    port_of_the_hook_moves,
    wrong_config_changes_nothing,
    secret_of_the_operator_reaches_the_container,
    every_event_again_changes_nothing,
)

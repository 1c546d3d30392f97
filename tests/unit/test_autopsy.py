"""Why a build failed, as its card has it."""

import types
from typing import Any, cast

from build_hook import errors, project
from build_hook.deploy import autopsy, buildlog, containers, redaction
from build_hook.store import builds, cards

SHOP = project.Project.model_validate({"name": "shop", "repository": "https://h/shop.git"})


def box(build):
    return containers.Container(
        id="x", name="x", project="shop", build=build, commit="c", service="", status="exited",
        address=None, restarts=0, exit_code=1, out_of_memory=False, health=None, started=0.0,
    )  # fmt: skip


def test_card_tells_no_secret_that_the_container_said(config, store):
    build = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
    log = buildlog.BuildLog(config.logs / "1.log", 10_000, redaction.Redactor(["hunter22"]))
    of = cast("Any", types.SimpleNamespace(build=build, project=SHOP, log=log, commit="c"))
    boxes = types.SimpleNamespace(
        all=lambda name: [box(build.id)],
        look=lambda one: box(build.id),
        last_lines=lambda one: ["no login with \x1b[1mhunter22\x1b[0m at db"],
    )
    log("hunter22 was tried")

    error = errors.GateError("It ended")
    mirrors = types.SimpleNamespace(changed_paths=lambda *_: None)
    looked = autopsy.Autopsy(store, cast("Any", boxes), cast("Any", mirrors))
    looked.record(of, builds.Phase.GATING, "It said hunter22", error)
    store.fail(build.id, "x", retry=False)
    log.close()

    found = cards.find(store.session, build.id)
    assert found is not None
    assert found.container == ("no login with *** at db",)
    assert (found.reason, found.log) == ("It said ***", ("*** was tried",))

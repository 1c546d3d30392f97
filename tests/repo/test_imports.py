"""Imports point one way, and each process carries only what it needs."""

import pytest

from tests.repo import source

# Rows from the ground up, as in ARCHITECTURE.md. A room imports rooms of lower rows only; within
# a package its own files may use each other. A room that is new gets its place here.
LAYERS = (
    "addresses card errors folders labels links patterns port_probe precedence push reference "
    "remotes shapes values windows zones",
    "port proof recipe refs script secret_mount shim slots volume",
    "buildlog capabilities carriers certificate condition followed intake limiter log_folder "
    "login marked membership process progress rawjson schedule service sightings signatures "
    "steady succession timetable wake web_log web_worker",
    "composed reporter secret_files settings",
    "project",
    "part",
    "claims compose container_logs deployed matching programs redaction repository "
    "repository_settings runspec shipping shown_settings",
    "answers cgroups checkout clients confided engine forges store",
    "child clones inspection lock manifests networks spoken wards",
    "pulled",
    "docker_config",
    "body build_cache build_command build_failure ceilings containers decision holds images inbox "
    "makeup orders proxy rebuilds registry retries warden",
    "guard meter",
    "adoption builder catalogue collect cost departures gate judge lookout scripted sentence "
    "standing supervise tally turns",
    "delivery doctor health job listing upkeep watch",
    "farewell sources",
    "ensemble leftovers",
    "autopsy cycle hooks housekeeping reconcile recover replay scale tend wanted",
    "api explain pipeline",
    "crew front_page metrics",
    "app worker",
    "server",
    "demo",
    "cli",
)
ROW = {room: row for row, rooms in enumerate(LAYERS) for room in rooms.split()}

CHARM = {"ops", "charms"} | {path.stem for path in (source.ROOT / "src").glob("*.py")}
# Folders that hold rooms; whoever may import whom, the table says room by room.
WINGS = ("web", "judging", "deploy")
WEB = ("web.app", "web.hooks", "web.inbox", "web.server")
NOT_IN_WEB = {"docker", "rich", "jinja2"}


def room(module: str) -> str:
    """The file or folder that a module belongs to; "" for a package that only holds rooms."""
    parts = module.removeprefix("build_hook").removeprefix(".").split(".")
    if parts[0] in WINGS:
        parts = parts[1:]
    return parts[0] if parts else ""


def test_every_room_has_its_row():
    rooms = {room(module) for module in source.modules()} - {"", "__main__"}

    assert rooms == set(ROW)


@pytest.mark.parametrize("module", sorted(source.modules()))
def test_imports_point_down(module: str):
    here = room(module)
    if here in ("", "__main__"):
        return
    others = {room(name) for name in source.imports(module) if name in source.modules()}

    assert {other for other in others - {"", here} if ROW[other] >= ROW[here]} == set()


def test_no_module_needs_itself():
    circles = {
        module
        for module in source.modules()
        for name in source.imports(module) & source.modules().keys()
        if module in source.reachable(name, with_packages=False)
    }

    assert circles == set()


@pytest.mark.parametrize("module", sorted(source.modules()))
def test_the_product_knows_nothing_of_juju(module: str):
    tops = {name.partition(".")[0] for name in source.imports(module)}

    assert not tops & CHARM


@pytest.mark.parametrize("start", WEB)
def test_web_stays_small(start: str):
    tops = {name.partition(".")[0] for name in source.reachable(f"build_hook.{start}")}

    assert "build_hook" in tops
    assert not tops & NOT_IN_WEB

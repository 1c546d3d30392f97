"""The ``dockerfile`` interface on the wire: both sides, today's form, that of 2015, tomorrow's."""

import json

import ops
import ops.testing
import pydantic
import pytest
from charms.docker_build_hook.v0 import dockerfile, dockerfile_testing

from build_hook import project as product
from tests.scenario import charms
from tests.scenario.conftest import HERE, MODEL_UUID

VECTORS = charms.ROOT / "tests" / "scenario" / "vectors"
FULL = dockerfile.Project(
    name="docker-selfoss",
    repository="https://git.example.com/chuck/docker-selfoss.git",
    ref="refs/heads/main",
    tags="v*",
    branches="release/*",
    strategy="recreate",
    allow_from=("192.0.2.0/24",),
    provider="github",
    allow_sha1=True,
    after_ci=True,
    cancel_running=True,
    paths=("src/**",),
    skip_words=("[wip]",),
    build=dockerfile.Build(
        context=".",
        dockerfile="Dockerfile",
        args=(dockerfile.Variable(name="A", value="1"),),
        target="run",
        timeout=600,
    ),
    ports=(dockerfile.Port(target=80, published=9000, app_protocol="http"),),
    environment=(dockerfile.Variable(name="MODE", value="staging"),),
    command=("serve", "--port", "80"),
    volumes=("selfoss-data:/data",),
    stop_grace_period=5,
    service={"init": True, "tmpfs": ["/tmp"]},
    health=dockerfile.Health(
        path="/up", port=80, timeout=30, interval=0.1, successes=3, min_uptime=1
    ),
    drain=3,
    watch=4,
)
SCRIPTS = dockerfile.Scripts(build_script="build.sh", local_path="/srv/docker-selfoss")


class ProjectCharm(ops.CharmBase):
    """Publishes a project on another endpoint name than usual."""

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        self.side = dockerfile.ProjectProvider(self, "built-by")
        framework.observe(self.on.update_status, self._publish)

    def _publish(self, _: ops.EventBase) -> None:
        self.side.publish(FULL, SCRIPTS)


class HookCharm(ops.CharmBase):
    """Reads projects on another endpoint name than usual."""

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        self.side = dockerfile.ProjectRequirer(self, "built")


@pytest.fixture
def project_side():
    meta = {"name": "app", "provides": {"built-by": {"interface": "dockerfile"}}}
    return ops.testing.Context(ProjectCharm, meta=meta, config={}, actions={}, machine_id="0")


@pytest.fixture
def hook_side():
    meta = {"name": "hook", "requires": {"built": {"interface": "dockerfile"}}}
    return ops.testing.Context(HookCharm, meta=meta, config={}, actions={}, machine_id="0")


def vector(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


def in_model(*relations, leader=True):
    model = ops.testing.Model(uuid=MODEL_UUID)
    return ops.testing.State(relations=relations, leader=leader, model=model)


def requests(context, application, unit):
    relation = ops.testing.Relation(
        "built", remote_app_name="asker", remote_app_data=application, remote_units_data={0: unit}
    )
    with context(context.on.update_status(), in_model(relation)) as manager:
        return manager.charm.side.requests()


def test_writes_both_forms(project_side):
    relation = ops.testing.Relation("built-by", "dockerfile")

    state = project_side.run(project_side.on.update_status(), in_model(relation))

    out = state.get_relation(relation.id)
    assert out.local_app_data == vector("project_today")["application"]
    expected = {**vector("project_today")["unit"], "machine": HERE}
    assert expected.items() <= out.local_unit_data.items()


def test_who_does_not_lead_writes_its_unit_only(project_side):
    relation = ops.testing.Relation("built-by", "dockerfile")

    state = project_side.run(project_side.on.update_status(), in_model(relation, leader=False))

    assert state.get_relation(relation.id).local_app_data == {}
    assert state.get_relation(relation.id).local_unit_data["buildscript"] == "build.sh"


def test_every_related_build_hook_is_asked(project_side):
    relations = [ops.testing.Relation("built-by", "dockerfile") for _ in range(2)]

    state = project_side.run(project_side.on.update_status(), in_model(*relations))

    bags = [state.get_relation(r.id).local_app_data for r in relations]
    assert bags == [vector("project_today")["application"]] * 2


def test_reads_what_is_written(hook_side):
    wire = vector("project_today")

    (request,) = requests(hook_side, wire["application"], {**wire["unit"], "machine": HERE})

    assert request.project == FULL
    assert request.scripts == SCRIPTS
    assert request.is_here
    assert (request.app, request.units, request.problem) == ("asker", ("asker/0",), None)


def test_reads_2015(hook_side):
    wire = vector("project_2015")

    (request,) = requests(hook_side, wire["application"], wire["unit"])

    assert request.project == dockerfile.Project(
        repository=FULL.repository,
        ref="refs/heads/master",
        strategy="script",
        settings={"script": {"build": "build.sh"}},
    )
    assert request.scripts == dockerfile.Scripts(
        build_script="build.sh", local_path="/srv/docker-selfoss", start_script="start.sh"
    )
    assert request.is_here


def test_reads_2015_without_a_script(hook_side):
    wire = {**vector("project_2015")["unit"], "buildscript": ""}

    (request,) = requests(hook_side, {}, wire)

    assert request.project == dockerfile.Project(
        repository=FULL.repository, ref="refs/heads/master"
    )


def test_a_unit_of_today_whose_leader_has_not_spoken_is_none_of_2015(hook_side):
    wire = vector("project_before_its_leader")

    (request,) = requests(hook_side, wire["application"], wire["unit"])

    assert (request.project, request.problem) == (None, None)
    assert request.scripts == SCRIPTS


def test_what_leaves_fields_out_can_be_read(hook_side):
    wire = vector("project_with_gaps")

    (request,) = requests(hook_side, wire["application"], wire["unit"])

    assert request.project == dockerfile.Project(
        repository=FULL.repository,
        ports=(dockerfile.Port(target=80), dockerfile.Port()),
        environment=(dockerfile.Variable(value="x"), dockerfile.Variable(name="MODE")),
    )


def test_ignores_what_it_does_not_know(hook_side):
    wire = vector("project_of_tomorrow")

    (request,) = requests(hook_side, wire["application"], wire["unit"])

    assert request.project == dockerfile.Project(
        repository=FULL.repository, ports=(dockerfile.Port(target=80, published=9000),)
    )


@pytest.mark.parametrize("application", [{}, {"ref": '"main"'}])
def test_nothing_is_asked_for_without_a_repository(hook_side, application):
    (request,) = requests(hook_side, application, {})

    assert (request.project, request.problem, request.scripts) == (None, None, None)


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("ports", "not JSON", "a field is not JSON"),
        ("ports", '[{"target": "x"}]', "ports.0.target: Input should be a valid integer"),
        ("repository", "[]", "repository: Input should be a valid string"),
        ("watch", '"soon"', "watch: Input should be a valid number"),
    ],
)
def test_what_cannot_be_read_is_a_problem_of_that_project_alone(hook_side, key, text, problem):
    bad = ops.testing.Relation(
        "built",
        remote_app_name="bad",
        remote_app_data={"repository": '"https://x.example.com/x"', key: text},
    )
    good = ops.testing.Relation(
        "built", remote_app_name="good", remote_app_data=vector("project_today")["application"]
    )

    with hook_side(hook_side.on.update_status(), in_model(bad, good)) as manager:
        first, second = manager.charm.side.requests()

    assert first.project is None
    assert first.problem.startswith(problem)
    assert second.project == FULL


def test_units_are_in_order_of_their_numbers(hook_side):
    relation = ops.testing.Relation(
        "built", remote_app_name="a", remote_units_data={n: {} for n in (10, 9, 0)}
    )

    with hook_side(hook_side.on.update_status(), in_model(relation)) as manager:
        (request,) = manager.charm.side.requests()

    assert request.units == ("a/0", "a/9", "a/10")


def test_reports_reach_the_project(hook_side, project_side):
    relation = ops.testing.Relation("built", "dockerfile", remote_app_name="app")
    report = dockerfile.Report(
        unit="hook/0",
        webhook_url="http://192.0.2.0:8080/hooks/docker-selfoss",
        serving=dockerfile.Outcome(build=3, phase="live", commit="c0ffee", finished=1.7e9),
        last=dockerfile.Outcome(
            build=4, phase="failed", commit="decade", reason="exit 1", finished=1700000100
        ),
    )
    with hook_side(hook_side.on.update_status(), in_model(relation)) as manager:
        manager.charm.side.publish_report(relation.id, report)
        manager.charm.side.publish_secret(relation.id, "secret:abc")
        out = manager.run().get_relation(relation.id)
    expected = vector("build_hook_today")
    assert out.local_app_data == expected["application"]
    assert {**expected["unit"], "machine": json.dumps(HERE)}.items() <= out.local_unit_data.items()

    back = ops.testing.Relation(
        "built-by",
        remote_app_name="hook",
        remote_app_data=out.local_app_data,
        remote_units_data={0: out.local_unit_data},
    )
    with project_side(project_side.on.update_status(), in_model(back)) as manager:
        (read,) = manager.charm.side.reports()

    assert read == report.model_copy(update={"is_here": True, "secret_id": "secret:abc"})


def test_a_field_that_is_withdrawn_leaves_the_wire(hook_side):
    relation = ops.testing.Relation("built", "dockerfile", remote_app_name="app")
    with hook_side(hook_side.on.update_status(), in_model(relation)) as manager:
        side = manager.charm.side
        side.publish_report(relation.id, dockerfile.Report(unit="hook/0", refused="no"))
        side.publish_report(relation.id, dockerfile.Report(unit="hook/0", webhook_url="http://x"))
        out = manager.run().get_relation(relation.id)

    assert "refused" not in out.local_unit_data
    assert json.loads(out.local_unit_data["webhook_url"]) == "http://x"


def test_a_report_that_cannot_be_read_counts_as_absent(project_side):
    relation = ops.testing.Relation(
        "built-by",
        remote_app_data={"secret_id": "broken"},
        remote_units_data={0: {"webhook_url": '"http://x"', "last": "[]", "refused": "{"}},
    )

    with project_side(project_side.on.update_status(), in_model(relation)) as manager:
        (report,) = manager.charm.side.reports()

    assert report == dockerfile.Report(unit="remote/0", is_here=True, webhook_url="http://x")


def test_the_machine_decides_before_the_address(hook_side):
    elsewhere = {"machine": HERE.replace(":0", ":1"), "private-address": "192.0.2.0"}

    (request,) = requests(hook_side, vector("project_today")["application"], elsewhere)

    assert not request.is_here


def test_every_field_may_be_absent_on_the_wire():
    of_the_reader = (dockerfile.Request,)  # which says who asks, and is not on the wire
    models = [m for m in dockerfile._Value.__subclasses__() if m not in of_the_reader]
    for model in (*models, dockerfile._ProjectApp):
        assert [n for n, f in model.model_fields.items() if f.is_required()] == []


def test_values_are_frozen():
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        FULL.ref = "main"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (dockerfile.Project, product.Project),
        (dockerfile.Build, product.Build),
        (dockerfile.Health, product.Health),
        (dockerfile.Port, product.Port),
    ],
)
def test_says_only_what_the_product_has(ours, theirs):
    of_the_relation = {"service", "settings", "environment_secret", "access_secret"}
    of_the_relation |= {"build_secret"}

    assert set(ours.model_fields) - of_the_relation <= set(theirs.model_fields)


def test_builders_make_what_the_sides_read(hook_side, project_side):
    asking = dockerfile_testing.relation_for_build_hook("built", ref="main", machine=HERE)
    old = dockerfile_testing.relation_of_2015("built", app="old")
    with hook_side(hook_side.on.update_status(), in_model(asking, old)) as manager:
        today, yesterday = manager.charm.side.requests()
    assert today.project == dockerfile.Project(
        repository=dockerfile_testing.REPOSITORY, ref="main"
    )
    assert yesterday.scripts == dockerfile.Scripts(build_script="build.sh", local_path="/srv/app")
    assert today.is_here
    assert yesterday.is_here

    answering = dockerfile_testing.relation_for_project("built-by", refused="no")
    with project_side(project_side.on.update_status(), in_model(answering)) as manager:
        (report,) = manager.charm.side.reports()
    assert (report.refused, report.secret_id) == ("no", "secret:webhook")

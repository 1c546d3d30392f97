import pytest

from build_hook import errors, project, repository_settings
from build_hook.deploy import job
from build_hook.store import builds

SHOP = project.Project(
    name="shop", repository="https://git.example/shop", repository_settings="safe"
)
ALL = """
paths = ["src/**"]
skip_words = ["[wip]"]
drain = "20s"
watch = 30
[build]
context = "app"
dockerfile = "docker/Dockerfile"
target = "run"
args = { VERSION = "2" }
[health]
path = "/ready"
port = 8000
timeout = 90
interval = 0.2
successes = 3
min_uptime = 1
"""


def tuned(text, of=SHOP):
    return repository_settings.apply(of, repository_settings.parse(text))


def test_everything_that_may_be_set():
    found = tuned(ALL)

    assert (found.paths, found.skip_words) == (("src/**",), ("[wip]",))
    assert (found.drain, found.watch) == (20, 30)
    assert (found.build.context, found.build.dockerfile) == ("app", "docker/Dockerfile")
    assert (found.build.target, found.build.args) == ("run", {"VERSION": "2"})
    assert found.health == project.Health(
        path="/ready", port=8000, timeout=90, interval=0.2, successes=3, min_uptime=1
    )


def test_what_the_operator_set_stays():
    of = SHOP.model_copy(
        update={
            "drain": 5.0,
            "health": project.Health(path="/mine"),
            "build": project.Build(target="mine", args={"VERSION": "1", "BASE": "x"}),
        }
    )

    found = tuned(ALL, of)

    assert found.drain == 5
    assert (found.health.path, found.health.timeout) == ("/mine", 90)
    assert (found.build.target, found.build.context) == ("mine", "app")
    assert found.build.args == {"VERSION": "1", "BASE": "x"}


def test_arguments_join_where_the_operator_set_others():
    of = SHOP.model_copy(update={"build": project.Build(args={"BASE": "x"})})

    assert tuned(ALL, of).build.args == {"BASE": "x", "VERSION": "2"}


@pytest.mark.parametrize(
    "text",
    [
        'volumes = ["/:/host"]',
        "privileged = true",
        'cap_add = ["SYS_ADMIN"]',
        'networks = ["host"]',
        "ports = [{ target = 1, published = 22 }]",
        'environment = { X = "1" }',
        'env_file = ["other-projects-secret"]',
        'webhook_secrets = ["x"]',
        "allow_unsigned = true",
        'repository = "https://evil.example/x"',
        'deploy_key = "x"',
        'name = "other"',
        'repository_settings = "safe"',
        "submodules = true",
        'user = "root"',
        'strategy = "recreate"',
        'build.secrets = ["x"]',
        "build.timeout = 86400",
        "build.privileged = true",
        'health.command = "x"',
    ],
)
def test_what_is_the_operator_s_is_refused(text):
    with pytest.raises(errors.RepositorySettingsError, match="is the operator's to set"):
        repository_settings.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not toml at all", "cannot be read"),
        ("x = " + "[" * 5000, "cannot be read"),
        ("drain = 86400", "drain"),
        ('drain = "24h"', "drain"),
        ("watch = -1", "watch"),
        ("watch = nan", "watch"),
        ("health.timeout = 9999", "health.timeout"),
        ('build.args.BUILDKIT_SYNTAX = "evil.example/frontend"', "steers the builder"),
        ('build.args.buildkit_inline_cache = "1"', "steers the builder"),
        ('build.context = "../.."', "build.context"),
        ('build.context = "/etc"', "build.context"),
        ('build.dockerfile = "-"', "build.dockerfile"),
        ('health.path = "/x\\r\\nHost: other"', "health.path"),
        ("health.interval = 0", "health.interval"),
        ("health.successes = 1000000", "health.successes"),
        ('paths = [""]', "paths"),
    ],
)
def test_hostile_values_are_refused(text, message):
    with pytest.raises(errors.RepositorySettingsError, match=message):
        tuned(text)


def test_deploying_again_is_decided_by_what_the_operator_set():
    """Else a project would differ from its registry entry for ever, and be built for ever."""
    found = tuned(ALL)

    assert found.build != SHOP.build
    assert found.runs_as == SHOP.runs_as
    assert tuned(ALL, SHOP.model_copy(update={"hostname": "x"})).runs_as != SHOP.runs_as


def test_settings_on_record_are_those_that_were_in_force(tmp_path):
    store = builds.Builds(tmp_path / "db")
    build = store.add(builds.Request("shop", SHOP.ref, builds.Cause.PUSH))
    asked = repository_settings.parse(ALL).model_dump_json(exclude_unset=True)
    store.note(build.id, settings=SHOP.model_dump_json(exclude_defaults=True), overlay=asked)

    found = job.deployed_with(store.get(build.id), None)
    store.close()

    assert found.health.path == "/ready"
    assert found.runs_as == SHOP.runs_as

"""What ``add`` makes of its words."""

import click.testing
import pytest

from build_hook import cli, errors, registry, settings

URL = "https://git.example/shop.git"


@pytest.fixture
def options(tmp_path):
    return settings.load(tmp_path / "state", {})


@pytest.fixture
def add(options):
    def add(*arguments, code=0):
        result = click.testing.CliRunner().invoke(
            cli.group,
            ["--state", str(options.state), "add", "shop", "--repository", URL, *arguments],
        )
        if isinstance(result.exception, errors.BuildHookError):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    return add


@pytest.fixture
def added(add, options):
    def added(*arguments):
        add(*arguments)
        (found,) = registry.load(options.registry).projects
        return found

    return added


def test_services_of_a_compose_file_are_published_and_probed_by_name(added):
    found = added(
        "--compose", "--publish", "web=8080:8000", "--publish", "web=5000:5000/tcp",
        "--publish", "voice=64738:64738/udp", "--health", "web=/up", "--env", "TAG=16",
    )  # fmt: skip

    assert found.compose is not None
    services = found.compose.services
    assert {name: [p.published for p in of.ports] for name, of in services.items()} == {
        "web": [8080, 5000],
        "voice": [64738],
    }
    assert [p.app_protocol for p in services["web"].ports] == ["http", "tcp"]
    assert services["voice"].ports[0].protocol == "udp"
    assert services["web"].health is not None
    assert services["web"].health.path == "/up"
    assert found.environment == {"TAG": "16"}


def test_compose_file_its_profiles_and_what_it_may_ask_for(added):
    found = added(
        "--compose-file", "deploy/compose.yaml", "--profile", "debug", "--allow", "host_volumes"
    )

    assert found.compose is not None
    assert found.compose.file == "deploy/compose.yaml"
    assert found.compose.profiles == ("debug",)
    assert found.compose.allow == ("host_volumes",)


def test_one_container_stays_one(added):
    found = added("--publish", "80:8000", "--health", "/up")

    assert found.compose is None
    assert (found.ports[0].published, found.health.path) == (80, "/up")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--compose", "--publish", "8080:8000"], "by service where there is a compose file"),
        (["--compose", "--health", "/up"], "such as web=/up"),
        (["--publish", "web=80:8000"], "--publish names a service: give --compose too"),
        (["--allow", "privileged"], "--allow is about a compose file: give --compose too"),
        (["--compose", "--script", "build.sh"], "Give either --script or --compose"),
    ],
)
def test_what_does_not_go_together_is_told(add, options, arguments, says):
    assert says in add(*arguments, code=2)
    assert registry.load(options.registry).projects == ()


def test_settings_of_containers_stand_by_service(add):
    with pytest.raises(errors.RegistryError, match="volumes stands by service"):
        add("--compose", "--volume", "data:/data")


def test_secrets_are_named_and_never_given(added):
    found = added("--secret", "shop-db", "--secret", "shop-key:/etc/key.pem")

    assert [(one.source, one.path) for one in found.secrets] == [
        ("shop-db", "/run/secrets/shop-db"),
        ("shop-key", "/etc/key.pem"),
    ]

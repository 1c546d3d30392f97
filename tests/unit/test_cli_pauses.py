import json

import click.testing
import pytest

from build_hook import cli, errors, project, registry, settings
from build_hook.store import builds

SHOP = project.Project(name="shop", repository="https://git.example/shop.git")


@pytest.fixture
def run(tmp_path):
    state = tmp_path / "state"
    registry.save(settings.load(state, {}).registry, registry.Registry(projects=(SHOP,)))

    def run(*arguments):
        result = click.testing.CliRunner().invoke(
            cli.group, ["--state", str(state), *arguments], catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return result.output

    return run


@pytest.mark.parametrize("name", [("shop",), ()])
def test_pause_shows_in_the_listing_and_refuses_deploys(run, name):
    assert "paused; go on: build-hook resume" in run("pause", *name, "--reason", "stocktaking")

    assert "stocktaking" in run("projects")
    (row,) = json.loads(run("projects", "--json"))["projects"]
    assert "stocktaking" in row["held"]
    with pytest.raises(errors.HeldError, match=r"stocktaking.*--force"):
        run("deploy", "shop")
    assert "is queued" in run("deploy", "shop", "--force")

    assert "resumed" in run("resume", *name)
    assert json.loads(run("resume", *name, "--json"))["was_paused"] is False
    assert "is queued" in run("deploy", "shop")


def test_pause_of_nobody_is_refused(run):
    with pytest.raises(errors.RegistryError, match="There is no project blog"):
        run("pause", "blog")


def test_freeze_of_settings_refuses_deploys(run, tmp_path):
    file = tmp_path / "state" / "settings.toml"
    file.write_text('freeze = ["00:00 - 23:59", "12:00 - 11:59"]\ntime_zone = "Asia/Tokyo"\n')

    with pytest.raises(errors.HeldError, match=r"shop is frozen until .* Asia/Tokyo"):
        run("deploy", "shop")


def test_fresh_is_on_the_record(run, tmp_path):
    run("deploy", "shop", "--fresh")

    store = builds.Builds(tmp_path / "state" / "build-hook.db")
    assert store.get(1).fresh
    store.close()

import os

import pytest

from build_hook import recipe, settings
from build_hook.deploy import ceilings, cgroups


@pytest.fixture
def config(tmp_path):
    return lambda **environ: settings.load(
        tmp_path, {f"BUILD_HOOK_{key}": value for key, value in environ.items()}
    )


def test_the_default_is_measured_by_the_machine(config):
    found = ceilings.of_settings(config())

    processors = os.cpu_count() or 1
    assert found.cpus == processors / 2
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert found.memory == pages // 2
    assert found.pids == 512 * processors


def test_settings_are_the_most_of_all_builds(config):
    given = config(BUILD_CPUS="1.5", BUILD_MEMORY_MB="512", BUILD_PIDS="100")

    assert ceilings.of_settings(given) == cgroups.Ceiling(1.5, 512 * 2**20, 100)


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("1000", 1000), ("1k", 1024), ("2m", 2**21), ("3mb", 3 * 2**20), ("1G", 2**30), ("7b", 7)],
)
def test_limits_of_a_project_take_their_place(text, bytes_):
    common = cgroups.Ceiling(2, 2**30, 100)
    own = recipe.Limits(cpus=0.5, memory=text, pids=7)

    assert ceilings.of(own, common) == cgroups.Ceiling(0.5, bytes_, 7)
    assert ceilings.of(recipe.Limits(), common) == common

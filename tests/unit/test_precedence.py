"""Whether the engine is told to give way, in both versions of control groups."""

import pytest

from build_hook.deploy import precedence

UNIFIED = "system.slice/docker.service/cpu.weight"
FIRST = "cpu/system.slice/docker.service/cpu.shares"


@pytest.mark.parametrize(
    ("file", "weight", "said"),
    [
        (UNIFIED, "5\n", "gives way to what is served: 5 instead of 100"),
        (UNIFIED, "100\n", "gives way to nobody"),
        (FIRST, "51\n", "gives way to what is served: 51 instead of 1024"),
        (FIRST, "1024\n", "gives way to nobody"),
        (FIRST, "none\n", "not known"),
        ("cpu/other/cpu.shares", "51\n", "not known"),
    ],
)
def test_weight_of_the_engine(tmp_path, file, weight, said):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(weight)

    assert said in precedence.of_engine(tmp_path)

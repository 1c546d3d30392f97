import pytest

from build_hook.web import web_log


@pytest.mark.parametrize(
    "hostile",
    ["a\nat=forged", "\x1b[31mred", "\u202eright to left", "a' b='c", "x" * 5000, "\x00\x7f\x85"],
)
def test_values_of_strangers_stay_one_harmless_field(hostile):
    line = web_log.line("delivery", 0, {"ref": hostile})

    assert line.startswith("at=1970-01-01T00:00:00Z event=delivery ref=")
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert line.isascii()
    assert len(line) < 300


def test_none_is_left_out():
    assert web_log.line("stop", 0, {"a": None, "b": 1}).endswith("event=stop b=1\n")

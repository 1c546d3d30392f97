"""The kernel's packet filter, where it cannot be told."""

import pathlib

import pytest

from build_hook import errors, settings
from build_hook.proxy import kernel


def test_rules_that_cannot_be_written_are_an_error_that_says_what_to_do(tmp_path):
    made = kernel.Kernel(settings.load(tmp_path / "state", {}))
    made._file = pathlib.Path("/dev/full")

    with pytest.raises(errors.DatagramsError, match=r"No space left on device.*Make room"):
        made.apply([53], [])

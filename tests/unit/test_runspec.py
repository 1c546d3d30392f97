"""What cannot be run everywhere: all rights on the host, asked for in so many words."""

import pytest

from build_hook import service
from build_hook.deploy import runspec


@pytest.mark.parametrize("privileged", [True, False])
def test_privileged_is_passed_on(privileged: bool):
    asked = service.Service(privileged=privileged)

    assert runspec.host(asked, "ours", None)["privileged"] is privileged

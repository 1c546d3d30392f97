"""What a charm asks Juju for and tells it: each of these calls is a process, and waits for it."""

import pytest
from scenario import mocking

# By the names that ops has for them; it remembers itself who leads.
_ONE_EACH = (
    "action_get", "application_version_set", "close_port", "config_get", "network_get",
    "open_port", "opened_ports", "planned_units", "relation_get", "relation_ids",
    "relation_list", "relation_model_get", "relation_set", "secret_add", "secret_get",
    "secret_grant", "secret_info_get", "secret_set", "status_get", "status_set", "storage_get",
    "storage_list",
)  # fmt: skip


class Asked(list[tuple[object, ...]]):
    """The commands of the events so far: name and arguments."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        for name in _ONE_EACH:
            real = getattr(mocking._MockModelBackend, name)
            monkeypatch.setattr(mocking._MockModelBackend, name, self._noted(name, real))

    def twice(self) -> set[tuple[object, ...]]:
        """Those that there is more than one of."""
        return {each for each in self if self.count(each) > 1}

    def _noted(self, name, real):
        def noting(backend, *arguments, **options):
            self.append((name, *map(str, arguments), *map(str, sorted(options.items()))))
            return real(backend, *arguments, **options)

        return noting

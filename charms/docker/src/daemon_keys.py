"""``daemon.json``: what differs is written and taken by the engine, or taken back."""

from collections.abc import Callable
from typing import Any

import daemon_options
import engine_host

Keys = dict[str, Any]


class RefusedError(engine_host.EngineError):
    """The engine does not start with these keys; those of before are in force again."""


def merged(present: Keys, wanted: Keys) -> Keys:
    """The whole file: the charm's keys, and what the operator has put there."""
    others = {key: value for key, value in present.items() if key not in daemon_options.KEYS}
    return {**others, **wanted}


def ensure(
    present: Keys, keys: Keys, announce: Callable[[str], None], *, restart: bool = False
) -> None:
    """Write what differs, and have the engine take it with as little fuss as it allows.

    Raises:
        RefusedError: if it does not take them.

    """
    changed = {k for k in present.keys() | keys.keys() if present.get(k) != keys.get(k)}
    if not changed and not restart:
        return
    is_mild = changed <= daemon_options.RELOADABLE and not restart
    names = ", ".join(sorted({*changed, *(["proxies"] if restart else [])}))
    if not is_mild:
        announce(f"Restarting Docker for {names}")
    engine_host.write_keys(keys)
    try:
        engine_host.apply("reload-or-restart" if is_mild else "restart")
    except engine_host.EngineError as error:
        _take_back(present)
        raise RefusedError(
            f"Docker does not start with another {names}, so those of before are in force: see "
            "journalctl -u docker, and correct the config"
        ) from error


def _take_back(keys: Keys) -> None:
    engine_host.write_keys(keys)
    engine_host.apply("reset-failed")  # or systemd, which has tried several times, tries no more
    engine_host.apply("restart")

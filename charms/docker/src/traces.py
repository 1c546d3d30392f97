"""What the charm leaves on a machine when it goes: the engine, and what runs on it."""

import daemon_options
import engine_host
import packages

# The data is there, and whoever starts the engine without it finds nothing.
_STAYS = {"data-root"}


def remove(*, is_held: bool) -> None:
    """Take away what the charm has put beside the engine.

    The engine itself, its containers and its data stay, and it is not restarted: what it runs
    with is in force until somebody does, but for the weight of its work, which systemd sets.
    """
    if is_held:
        for family in packages.FAMILIES.values():
            packages.ensure_hold(family, is_held=False)
    packages.forget_source()
    engine_host.ensure_proxies({})
    engine_host.ensure_weight(0)
    engine_host.ensure_authority(None, "")
    try:
        present = engine_host.present_keys()
    except engine_host.EngineError:
        return  # a file that nobody can read is not the charm's either
    left = {k: v for k, v in present.items() if k not in daemon_options.KEYS or k in _STAYS}
    if left != present:
        engine_host.write_keys(left)

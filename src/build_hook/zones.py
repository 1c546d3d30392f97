"""Time zones by name, and the wall clock in one."""

import datetime
import zoneinfo


def check(name: str) -> str:
    """Make sure that this machine knows a zone.

    Raises:
        ValueError: if it does not.
    """
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise ValueError(
            f"{name!r} is no time zone that this machine knows, such as Europe/Berlin "
            "(the package tzdata has them)"
        ) from error
    return name


def wall_clock(at: float, name: str) -> datetime.datetime:
    """What clocks in a zone show at a moment in Unix seconds."""
    return datetime.datetime.fromtimestamp(at, zoneinfo.ZoneInfo(name)).replace(tzinfo=None)


def moment(shown: datetime.datetime, name: str) -> float:
    """The moment, in Unix seconds, at which clocks in a zone show something."""
    return shown.replace(tzinfo=zoneinfo.ZoneInfo(name)).timestamp()

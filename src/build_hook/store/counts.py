"""How often things have happened, ever: triggers count, so that retention takes nothing away."""

import dataclasses

from build_hook.store import session


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """How often one thing happened; ``project`` and ``label`` are empty where they say nothing."""

    name: str
    project: str
    label: str
    n: int


def read(of: session.Session) -> list[Count]:
    """All counts, in the order of their names."""
    rows = of.rows("SELECT * FROM counts ORDER BY name, project, label")
    return [Count(row["name"], row["project"], row["label"], row["n"]) for row in rows]

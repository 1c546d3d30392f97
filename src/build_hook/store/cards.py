"""Cards: why builds failed. They go when their builds go."""

import pydantic

from build_hook import card
from build_hook.store import session


def keep(of: session.Session, build: int, found: card.Card) -> None:
    """Write the card of a build, in place of an earlier one."""
    with of.transaction() as connection:
        connection.execute(
            "INSERT INTO cards (build, card) VALUES (?, ?)"
            " ON CONFLICT (build) DO UPDATE SET card = excluded.card",
            (build, found.model_dump_json()),
        )


def find(of: session.Session, build: int) -> card.Card | None:
    """The card of a build; None if it has none, since it did not fail."""
    rows = of.rows(
        "SELECT card FROM cards JOIN builds ON builds.id = cards.build"
        " WHERE cards.build = ? AND builds.phase IN ('failed', 'rolled-back')",
        (build,),
    )
    try:
        return card.Card.model_validate_json(rows[0]["card"]) if rows else None
    except pydantic.ValidationError:  # a newer version wrote it
        return None

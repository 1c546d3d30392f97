"""The whole record of a build: its phases with their lengths, its settings, and its card."""

import dataclasses
import time
from typing import Any

import pydantic

from build_hook import card, deployed, shown_settings
from build_hook.store import builds, cards, records


@dataclasses.dataclass(frozen=True, slots=True)
class Stretch:
    """A phase: when it was entered, and for how many seconds; None for an end."""

    phase: records.Phase
    at: float
    seconds: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """A build with all that is known of it; ``settings`` without the values of variables."""

    build: records.Build
    phases: tuple[Stretch, ...]
    settings: dict[str, Any] | None
    card: card.Card | None


def read(store: builds.Builds, build: int) -> Record:
    """The record of one build.

    Raises:
        StoreError: if there is none of that number.
    """
    found = store.get(build)
    return Record(
        found,
        tuple(_stretches(store.phases(build))),
        _settings(found),
        cards.find(store.session, build),
    )


def _stretches(entered: list[tuple[records.Phase, float]]) -> list[Stretch]:
    ends = [at for _, at in entered[1:]] + [time.time()]
    return [
        Stretch(phase, at, None if phase.is_end else round(max(0.0, end - at), 3))
        for (phase, at), end in zip(entered, ends, strict=False)
    ]


def _settings(of: records.Build) -> dict[str, Any] | None:
    try:
        return shown_settings.shown(deployed.Deployed.model_validate_json(of.settings or ""))
    except pydantic.ValidationError:
        return None

"""What the API tells of deliveries, as values."""

from typing import Literal

import pydantic

from build_hook.web.api import models


class Match(models.Given):
    """What a delivery meant for a project when it came."""

    project: str
    action: Literal["build", "skip", "ignore"]
    reason: str


class Queued(models.Given):
    """A build that a delivery asked for."""

    id: models.Number
    project: str
    commit: str | None
    url: str


class Delivery(models.Given):
    """A delivery that was accepted and kept."""

    id: models.Number
    received: models.Time
    provider: str
    event: str
    delivery_id: str | None = pydantic.Field(description="the git host's own id")
    verified: bool | None = pydantic.Field(description="null: the project takes unsigned ones")
    secret: str | None = pydantic.Field(description="name of the secret that matched")
    size: int = pydantic.Field(description="bytes of its body")
    matches: tuple[Match, ...]
    builds: tuple[Queued, ...]
    url: str


class Replay(models.Given):
    """That somebody had it judged again."""

    at: models.Time
    actor: str


class DeliveryWithHeaders(Delivery):
    """A delivery, who sent it and its headers; those that are secrets are ``***``."""

    remote: str | None
    headers: dict[str, str]
    replays: tuple[Replay, ...]


class Deliveries(models.Given):
    """Deliveries, newest first."""

    deliveries: tuple[Delivery, ...]
    next: int | None = pydantic.Field(description="before= for the next page; null at the end")


class Replayed(models.Given):
    """What came of a replay."""

    delivery: models.Number
    builds: tuple[Queued, ...]
    reasons: tuple[str, ...] = pydantic.Field(description="what it means for each project today")

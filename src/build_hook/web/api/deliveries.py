"""Deliveries that were accepted: what they meant, and judging them again."""

from build_hook import errors, wake
from build_hook.web import answers, replay
from build_hook.web.api import call, delivered, find, models, parts


def every(of: parts.Parts, asked: call.Call) -> delivered.Deliveries:
    """List deliveries, newest first."""
    page: models.Page = asked.asked
    found = of.archive.recent(page.project, page.limit, page.before)
    return delivered.Deliveries(
        deliveries=tuple(delivered.Delivery(**asked.delivery(one)) for one in found),
        next=found[-1].id if len(found) == page.limit else None,
    )


def one(of: parts.Parts, asked: call.Call) -> delivered.DeliveryWithHeaders:
    """Tell who sent a delivery, with its headers and replays."""
    with find.refusing(404):
        found = of.archive.get(asked.path["id"])
    return delivered.DeliveryWithHeaders(
        **asked.delivery(found),
        remote=found.remote,
        headers=found.headers,
        replays=tuple(delivered.Replay(at=r.at, actor=r.actor) for r in found.replays),
    )


def again(of: parts.Parts, asked: call.Call) -> delivered.Replayed:
    """Judge a delivery again, though its id is known, and queue what it asks for."""
    try:
        with find.refusing(404):
            found = replay.replay(
                of.archive, of.projects.index, asked.path["id"], actor=f"token {asked.actor}"
            )
    except errors.ReplayError as error:
        raise answers.RefusedError(409, error.message, error.hint) from error
    wake.send(of.options.run)
    return delivered.Replayed(
        delivery=found.delivery,
        builds=tuple(asked.queued(build) for build in found.builds),
        reasons=found.reasons,
    )

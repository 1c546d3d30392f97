"""``POST /`` and ``POST /hooks/{project}``: a delivery, verified, stored, answered."""

import asyncio
import functools
import time
from collections.abc import Callable
from typing import Any, Protocol

import falcon.asgi

from build_hook import holds, settings
from build_hook.judging import judge
from build_hook.store import builds, deliveries
from build_hook.web import (
    answers,
    body,
    catalogue,
    delivery,
    inbox,
    limiter,
    links,
    listing,
    web_log,
)

RETRY_SECONDS = 5


class Store(Protocol):
    """Where accepted deliveries go."""

    async def put(
        self, delivery: deliveries.Delivery, requests: tuple[builds.Request, ...]
    ) -> inbox.Receipt:
        """Store and queue; returns when both are on disk."""
        ...


class Hooks:
    """Takes deliveries of every git host."""

    def __init__(
        self,
        projects: catalogue.Catalogue,
        secret: Callable[[str], bytes | None],
        store: Store,
        link: links.Links,
        failures: limiter.Limiter,
        options: settings.Settings,
    ) -> None:
        self._options = options
        self._projects = projects
        self._secret = secret
        self._store = store
        self._link = link
        self._failures = failures
        # Large bodies are loaded and parsed one at a time in each process: this bounds the memory.
        self._large = asyncio.Semaphore(1)

    async def on_get(
        self, request: falcon.asgi.Request, response: falcon.asgi.Response, project: str = ""
    ) -> None:
        """Tell that hooked's way of starting a build is closed."""
        response.set_header("Allow", "POST")
        raise answers.RefusedError(
            405,
            "GET does not start a build: anybody could send it",
            "Let the git host POST its signed delivery here, or run on the server: "
            "build-hook deploy PROJECT",
        )

    async def on_post(
        self, request: falcon.asgi.Request, response: falcon.asgi.Response, project: str = ""
    ) -> None:
        """Take a delivery."""
        whole: body.Body = request.scope[body.SCOPE_KEY]
        given = headers(request)
        read = functools.partial(
            judge.judge,
            given,
            index=self._projects.index,
            secret_values=self._secret,
            only=project or None,
            remote=request.remote_addr,
            now=time.time(),
        )
        if whole.is_large:
            async with self._large:
                raw = await asyncio.to_thread(whole.load)
                verdict = await asyncio.to_thread(read, raw)
                receipt = await self._accept(request, given, raw, verdict)
        else:
            raw = whole.load()
            verdict = read(raw)
            receipt = await self._accept(request, given, raw, verdict)
        self._answer(request, response, verdict, receipt)

    async def _accept(
        self,
        request: falcon.asgi.Request,
        given: dict[str, str],
        raw: bytes,
        verdict: judge.Judgement,
    ) -> inbox.Receipt:
        if verdict.refusal is not None:
            raise self._refused(verdict.refusal, request.remote_addr)
        if not delivery.is_kept(verdict):
            return inbox.Receipt(None)
        try:
            row = delivery.row(
                verdict,
                given,
                raw,
                remote=request.remote_addr,
                now=time.time(),
            )
            return await self._store.put(row, tuple(delivery.requests(verdict.matches)))
        except inbox.UnavailableError as error:
            raise answers.RefusedError(
                503, error.message, error.hint, retry_after=RETRY_SECONDS
            ) from error
        except inbox.BadDeliveryError as error:
            raise answers.RefusedError(422, error.message, error.hint) from error

    def _refused(self, refusal: judge.Refusal, remote: str) -> answers.RefusedError:
        # Only a delivery that proved nothing counts, and it is judged all the same: many git
        # hosts share an address, and nobody may shut out the others by sending wrong ones.
        wait = self._failures.fail(remote) if refusal.status == 401 else None
        if wait is None:
            return answers.RefusedError(refusal.status, refusal.message, refusal.hint)
        return answers.RefusedError(
            429,
            f"Too many deliveries without proof from this address. {refusal.message}",
            refusal.hint,
            retry_after=wait,
        )

    def _answer(
        self,
        request: falcon.asgi.Request,
        response: falcon.asgi.Response,
        verdict: judge.Judgement,
        receipt: inbox.Receipt,
    ) -> None:
        ignored = delivery.why_ignored(verdict, receipt)
        value: dict[str, Any] = {
            "success": True,
            "hooks": _matched(verdict),
            "builds": [
                {
                    "id": queued.id,
                    "project": queued.project,
                    "commit": queued.commit,
                    "url": self._link.build(request, queued.id),
                }
                for queued in receipt.builds
            ],
        }
        if ignored is not None:
            value["ignored"] = ignored
        held = holds.Holds(self._options, receipt.held, time.time())
        waits = delivery.why_waiting(verdict, receipt, held)
        if waits is not None:
            value["note"] = waits
        response.status = 202 if ignored is None else 200
        response.data = answers.encode(value)
        web_log.write(
            "delivery",
            status=response.status,
            remote=request.remote_addr,
            provider=verdict.event and verdict.event.provider,
            delivery=receipt.delivery,
            repository=verdict.event and verdict.event.repository,
            builds=",".join(str(queued.id) for queued in receipt.builds) or None,
            ignored=ignored,
            note=waits,
        )


def _matched(verdict: judge.Judgement) -> list[dict[str, Any]]:
    projects = {match.project.name: match.project for match in verdict.matches}
    return [listing.hook(project) for project in projects.values()]


def headers(request: falcon.asgi.Request) -> dict[str, str]:
    """All headers by lower-case name; one that came twice is joined, and fits no signature."""
    found: dict[str, str] = {}
    for name, value in request.scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        found[key] = f"{found[key]},{text}" if key in found else text
    return found

"""What every git host's reader is, and what it raises."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, cast

from build_hook import errors, push
from build_hook.judging import signatures
from build_hook.judging.forges import fields

Headers = Mapping[str, str]


class UnreadableError(errors.BuildHookError):
    """A delivery that cannot be understood, with the HTTP status that says so."""

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status = status


class Forge(abc.ABC):
    """One kind of git host: reads its payloads and checks its signatures.

    Header names are lower-case.
    """

    name: str
    setting = "the webhook's secret"  # as the host's own pages call it

    def read(self, headers: Headers, payload: object) -> push.Event:
        """The event in a decoded body.

        Raises:
            UnreadableError: if it is not what this host sends.
        """
        if not isinstance(payload, dict):
            raise UnreadableError(
                422, "The body is JSON but not an object", "Send the git host's own webhook body"
            )
        return self._read(headers, cast("dict[str, Any]", payload))

    def prove(
        self,
        headers: Headers,
        body: bytes,
        secrets: Sequence[signatures.Secret],
        now: float,
    ) -> signatures.Proof:
        """Whether one of the secrets signed these very bytes, at about this time."""
        if not secrets:
            return signatures.Proof(None, None, "no secret is known to verify with")
        return self._prove(headers, body, secrets, now)

    def never_signs(self, headers: Headers) -> bool:
        """Whether this is a ping that the host sends without proof, whatever is configured."""
        return False

    def claims(self, body: dict[str, Any]) -> bool:
        """Whether this is the shape of what the host sends, where its headers do not tell."""
        return False

    @abc.abstractmethod
    def _read(self, headers: Headers, body: dict[str, Any]) -> push.Event: ...

    @abc.abstractmethod
    def _prove(
        self,
        headers: Headers,
        body: bytes,
        secrets: Sequence[signatures.Secret],
        now: float,
    ) -> signatures.Proof: ...


class TokenForge(Forge):
    """A host that signs nothing: ``Authorization`` carries the secret."""

    setting = "the Authorization header that the host sends"

    def _prove(
        self,
        headers: Headers,
        body: bytes,
        secrets: Sequence[signatures.Secret],
        now: float,
    ) -> signatures.Proof:
        return signatures.authorization(headers.get("authorization"), secrets)


def event_name(headers: Headers, *names: str) -> str:
    """The event that the first of these headers names."""
    for header in names:
        found = fields.name(headers.get(header.lower()))
        if found is not None:
            return found
    raise UnreadableError(
        422, f"The header {names[0]} is missing", "Send the delivery with all its headers"
    )

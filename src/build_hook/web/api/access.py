"""Who may call: a token, its scope, and how often one may guess."""

import dataclasses
from collections.abc import Callable

from build_hook.store import tokens
from build_hook.web import answers, limiter
from build_hook.web.api import find


class UnknownError(answers.RefusedError):
    """Nobody is known by what was presented."""

    @property
    def headers(self) -> dict[str, str]:
        """What the client should know besides the body."""
        return {**super().headers, "www-authenticate": 'Bearer realm="build-hook"'}


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """Admits calls; a good token always, whatever others did from the same address."""

    known: Callable[[], tokens.Tokens]
    failures: limiter.Limiter

    def admit(self, authorization: str | None, address: str, needed: tokens.Scope) -> tokens.Token:
        """Whose call it is.

        Raises:
            RefusedError: if there is no good token, or its scope is too small.
        """
        scheme, _, presented = (authorization or "").partition(" ")
        token = None
        if scheme.lower() == "bearer":
            with find.refusing(503):
                token = self.known().find(presented.strip())
        if token is None:
            raise self._unknown(address)
        if not token.scope.opens(needed):
            raise answers.RefusedError(
                403,
                f"The token {token.name} is for {token.scope}, this takes {needed}",
                f"Make one on the server: build-hook token create NAME --scope {needed}",
            )
        return token

    def _unknown(self, address: str) -> answers.RefusedError:
        wait = self.failures.fail(address)
        if wait is not None:
            return answers.RefusedError(
                429,
                "Too many calls without a good token from this address",
                "Wait, then send a token that build-hook token list shows",
                retry_after=wait,
            )
        return UnknownError(
            401,
            "The token is missing, wrong, expired or revoked",
            "Send Authorization: Bearer TOKEN; make one on the server: "
            "build-hook token create NAME",
        )

"""Tokens of the API: who may do what, until when.

A token is 256 random bits, so that SHA-256 is enough to keep it by: salts and slow hashes make
guesses of what people choose expensive, and nobody guesses this. See docs/adr/0011.
"""

import contextlib
import dataclasses
import enum
import hashlib
import hmac
import re
import secrets
import sqlite3
import time

from build_hook import errors
from build_hook.store import session

# A hint for a person and not a write for every request.
USE_NOTED_EVERY = 3600.0
NAME = r"[a-z0-9][a-z0-9._-]{0,62}"
_FORM = re.compile(r"bh_([1-9][0-9]{0,17})_([A-Za-z0-9_-]{43})")
_NOBODY = bytes(32)


class Scope(enum.StrEnum):
    """What a token opens; each one also opens what stands before it."""

    READ = "read"
    DEPLOY = "deploy"
    ADMIN = "admin"

    def opens(self, needed: "Scope") -> bool:
        """Whether this is enough where that one is needed."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret; times are Unix seconds, ``last_used`` is exact to the hour."""

    id: int
    name: str
    scope: Scope
    created: float
    expires: float | None
    last_used: float | None


class Tokens:
    """The tokens of one database."""

    def __init__(self, of: session.Session) -> None:
        self._session = of

    def create(self, name: str, scope: Scope, expires: float | None = None) -> tuple[Token, str]:
        """Make a token; what it says is known now and never again.

        Raises:
            StoreError: if the name is taken or cannot be one.
        """
        if not re.fullmatch(NAME, name):
            raise errors.StoreError(
                f"{name!a} cannot be the name of a token",
                "Use up to 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first",
            )
        secret = secrets.token_urlsafe(32)
        with self._session.transaction() as connection:
            if connection.execute("SELECT 1 FROM tokens WHERE name = ?", (name,)).fetchone():
                raise errors.StoreError(
                    f"There is a token {name} already",
                    f"Choose another name, or end it first: build-hook token revoke {name}",
                )
            row = connection.execute(
                "INSERT INTO tokens (name, scope, hash, created, expires)"
                " VALUES (?, ?, ?, ?, ?) RETURNING *",
                (name, scope, _hash(secret), time.time(), expires),
            ).fetchone()
        return _of_row(row), f"bh_{row['id']}_{secret}"

    def all(self) -> list[Token]:
        """All tokens, oldest first."""
        return [_of_row(row) for row in self._session.rows("SELECT * FROM tokens ORDER BY id")]

    def revoke(self, name: str) -> None:
        """End a token at once.

        Raises:
            StoreError: if there is none of that name.
        """
        with self._session.transaction() as connection:
            gone = connection.execute("DELETE FROM tokens WHERE name = ?", (name,))
        if not gone.rowcount:
            raise errors.StoreError(
                f"There is no token {name}", "List them: build-hook token list"
            )

    def find(self, presented: str) -> Token | None:
        """The token that was presented, if it is one of ours and has not expired."""
        form = _FORM.fullmatch(presented)
        number, secret = form.groups() if form else ("0", presented)
        found = self._session.rows("SELECT * FROM tokens WHERE id = ?", (int(number),))
        known = found[0]["hash"] if found else _NOBODY
        if not hmac.compare_digest(known, _hash(secret)) or not found:
            return None
        token, now = _of_row(found[0]), time.time()
        if token.expires is not None and token.expires <= now:
            return None
        self._note_use(token, now)
        return token

    def _note_use(self, token: Token, now: float) -> None:
        if token.last_used is not None and now - token.last_used < USE_NOTED_EVERY:
            return
        with contextlib.suppress(errors.StoreError), self._session.transaction() as connection:
            connection.execute("UPDATE tokens SET last_used = ? WHERE id = ?", (now, token.id))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _of_row(row: sqlite3.Row) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        scope=Scope(row["scope"]),
        created=row["created"],
        expires=row["expires"],
        last_used=row["last_used"],
    )

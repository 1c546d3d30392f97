"""The token that opens the API: one file among the secrets."""

import hmac
import pathlib
import secrets

from build_hook import secret_files

NAME = "api-token"  # a file name, not a value


def ensure(folder: pathlib.Path) -> None:
    """Make a token if there is none."""
    secret_files.create(folder, NAME, secrets.token_urlsafe(32).encode())


def admits(files: secret_files.SecretFiles, authorization: str | None) -> bool:
    """Whether an Authorization header carries the token."""
    scheme, _, presented = (authorization or "").partition(" ")
    value = files.read(NAME)
    if value is None or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(presented.strip().encode(), value)

"""From body bytes to a decoded payload: JSON, or a form whose ``payload`` field holds JSON."""

import json
import urllib.parse
from typing import Never

from build_hook.judging.forges import base

FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 100
# Bitbucket Data Center's "Test connection", of which some versions send headers only
_EMPTY = {"x-event-key": "diagnostics:ping"}


def decode(headers: base.Headers, body: bytes) -> object:
    """Decode the body as its Content-Type says; no Content-Type means JSON.

    Raises:
        UnreadableError: 400 if it is malformed, 415 if it is of another type.
    """
    if not body and _EMPTY.items() <= headers.items():
        return {}
    kind = content_type(headers)
    if kind == FORM:
        body = form_payload(body)
    elif kind and kind not in ("application/json", "text/json") and not kind.endswith("+json"):
        raise base.UnreadableError(
            415,
            "The body's Content-Type is neither JSON nor a form",
            "Set the webhook's content type to application/json",
        )
    return _json(body)


def content_type(headers: base.Headers) -> str:
    """The Content-Type without its parameters, in lower case."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def form_payload(body: bytes) -> bytes:
    """The JSON text in the form's ``payload`` field.

    Raises:
        UnreadableError: if there is no such field.
    """
    try:
        form = urllib.parse.parse_qs(body.decode(), max_num_fields=_MOST_FIELDS)
        return form["payload"][0].encode()
    except (ValueError, KeyError) as error:
        raise base.UnreadableError(
            400,
            "The form has no readable payload field",
            "Set the webhook's content type to application/json",
        ) from error


def _json(text: bytes) -> object:
    try:
        return _DECODER.decode(text.removeprefix(b"\xef\xbb\xbf").decode())
    except (ValueError, RecursionError) as error:
        raise base.UnreadableError(
            400, "The body is not valid JSON", "Send the body unchanged, as the git host made it"
        ) from error


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)

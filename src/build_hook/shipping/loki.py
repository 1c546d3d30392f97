"""Loki's push API, JSON in gzip: https://grafana.com/docs/loki/latest/reference/loki-http-api/."""

import collections
import gzip
import http.client
import json
import logging
import urllib.parse
from collections.abc import Iterable, Mapping

from build_hook.shipping import line

_TIMEOUT = 20.0
_LONGEST = 200 * 1024  # bytes of a line; 256 KiB are too long for Loki
_TOO_MANY = 429

_log = logging.getLogger(__name__)


def push(url: str, lines: Iterable[line.Line], common: Mapping[str, str]) -> bool:
    """Push lines; False if it has to be tried again.

    What Loki refuses for good (too old, too long) it would refuse again: that is logged and
    counts as sent.
    """
    parts = urllib.parse.urlsplit(url)
    kind = {"https": http.client.HTTPSConnection, "http": http.client.HTTPConnection}[parts.scheme]
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    try:
        connection.request("POST", path, gzip.compress(body(lines, common)), headers)
        answer = connection.getresponse()
        said = answer.read(1000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        _log.warning("%s does not take logs: %s", parts.hostname, error or type(error).__name__)
        return False
    finally:
        connection.close()
    if 200 <= answer.status < 300:
        return True
    _log.warning("%s does not take logs: %s %s", parts.hostname, answer.status, said)
    return 400 <= answer.status < 500 and answer.status != _TOO_MANY


def body(lines: Iterable[line.Line], common: Mapping[str, str]) -> bytes:
    """The lines as streams, each in the order in which they were said."""
    streams: dict[tuple[tuple[str, str], ...], list[list[str]]] = collections.defaultdict(list)
    for each in lines:
        text = each.text.encode(errors="replace")[:_LONGEST].decode(errors="ignore")
        streams[each.labels].append([str(each.at), text])
    return json.dumps(
        {
            "streams": [
                {"stream": {**common, **dict(labels)}, "values": values}
                for labels, values in streams.items()
            ]
        }
    ).encode()

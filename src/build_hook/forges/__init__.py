"""Git hosts: whose delivery is it, is it genuine, what does it say.

One file per host. ``detect`` looks at the headers alone, most specific first: Forgejo sends
Gitea's headers as well, Gitea sends those of Gogs, and all three send GitHub's.
"""

from build_hook.forges import generic, github, payload
from build_hook.forges.base import Forge, Headers, UnreadableError

__all__ = ["Forge", "Headers", "UnreadableError", "by_name", "decode", "detect"]

decode = payload.decode

_FORGES: dict[str, Forge] = {forge.name: forge for forge in (github.GitHub(), generic.Generic())}
# the first header that is there decides
_MARKS = (("x-github-event", "github"),)


def detect(headers: Headers) -> Forge:
    """The host whose headers these are; the generic one if they are nobody's."""
    for header, name in _MARKS:
        if header in headers:
            return _FORGES[name]
    return _FORGES["generic"]


def by_name(name: str) -> Forge:
    """The host of that name."""
    return _FORGES[name]

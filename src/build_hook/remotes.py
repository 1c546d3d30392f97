"""Where a repository lives, whatever form its clone URL has.

``https://user@host:8443/Team/App.git``, ``ssh://git@host/team/app`` and ``git@host:team/app``
are one remote: user, port, case and ``.git`` do not count.
"""

import dataclasses
import re
import urllib.parse

_URL = re.compile(r"(?:https?|ssh|git)://(?:[^/]*@)?(\[[^\]/]*\]|[^/:@]+)(?::[0-9]*)?/(.*)", re.I)
_SCP = re.compile(r"(?:[^/@:]*@)?(\[[^\]/]*\]|[^/:@]+):(?!//)(.*)")
_LONGEST = 2048

# second names of one host: SSH over port 443, and the web front
_ALIASES = {
    "www.github.com": "github.com",
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
    "ssh.dev.azure.com": "dev.azure.com",
    "vs-ssh.visualstudio.com": "dev.azure.com",
}
AZURE = "dev.azure.com"


@dataclasses.dataclass(frozen=True, slots=True)
class Remote:
    """A host in lower case, and the full name of a repository on it as written."""

    host: str
    name: str

    @property
    def path(self) -> str:
        """The full name as it is compared."""
        return self.name.lower()


def parse(url: str) -> Remote | None:
    """Read a clone URL; None if it is none."""
    if len(url) > _LONGEST:
        return None
    match = _URL.fullmatch(url) or _SCP.fullmatch(url)
    if match is None:
        return None
    host, path = match[1].lower().rstrip("."), _trimmed(match[2])
    if host.endswith(".visualstudio.com") and host not in _ALIASES:
        host, path = AZURE, f"{host.partition('.')[0]}/{path}"
    host = canonical(host)
    if host == AZURE or "_git" in path.lower():
        path = _azure(host, path)
    return Remote(host, path) if host and path else None


def canonical(host: str) -> str:
    """The host's first name, in lower case."""
    host = host.lower()
    return _ALIASES.get(host, host)


def plain(path: str) -> str:
    """A repository's path as it is compared: lower case, no ``.git``, no outer slashes."""
    return _trimmed(path).lower()


def _trimmed(path: str) -> str:
    if "%" in path:
        path = urllib.parse.unquote(path)
    path = path.strip("/")
    return path[:-4].rstrip("/") if path[-4:].lower() == ".git" else path


def _azure(host: str, path: str) -> str:
    """Azure's forms as organisation/project/repository; a project's main repository has two."""
    parts = path.split("/")
    if host == AZURE:
        parts = [part for part in parts if part.lower() not in ("v3", "defaultcollection")]
    lower = [part.lower() for part in parts]
    if "_git" not in lower:
        return "/".join(parts)
    at = lower.index("_git")
    rest = [part for part in parts[at + 1 :] if part.lower() not in ("_full", "_optimized")]
    owner, name = parts[:at], rest[:1]
    if host == AZURE and len(owner) == 1:
        owner = owner + name
    return "/".join(owner + name)

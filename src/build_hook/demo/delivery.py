"""A push delivery as GitHub sends it: body, headers, signature over the raw bytes."""

import hashlib
import hmac
import http.client
import json
import pathlib
import urllib.parse
import uuid
from typing import Any

from build_hook.demo import git, gitserver

_SEPARATOR = "\x1f"
_FIELDS = _SEPARATOR.join(("%H", "%T", "%aI", "%an", "%ae", "%B"))


def body(moved: gitserver.Moved, address: str) -> bytes:
    """What GitHub's host would say of this ref, in its own keys."""
    name = moved.repository.stem
    url = f"{address}/{moved.repository.name}"
    created = moved.before == gitserver.ZERO
    deleted = moved.after == gitserver.ZERO
    commits = [] if deleted else _commits(moved, url)
    person = {"name": "demo", "email": "developer@example.com"}
    return json.dumps(
        {
            "ref": moved.ref,
            "before": moved.before,
            "after": moved.after,
            "created": created,
            "deleted": deleted,
            "forced": False,
            "base_ref": None,
            "compare": f"{url}/compare/{moved.before[:12]}...{moved.after[:12]}",
            "commits": commits,
            "head_commit": commits[-1] if commits else None,
            "repository": {
                "id": int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]),
                "name": name,
                "full_name": f"demo/{name}",
                "owner": {**person, "login": "demo"},
                "private": False,
                "html_url": url.removesuffix(".git"),
                "url": url.removesuffix(".git"),
                "clone_url": url,
                "default_branch": "main",
                "master_branch": "main",
            },
            "pusher": person,
            "sender": {"login": "demo", "type": "User"},
        }
    ).encode()


def headers(raw: bytes, secret: bytes) -> dict[str, str]:
    """GitHub's headers for these very bytes."""
    signature = hmac.new(secret, raw, hashlib.sha256).hexdigest()
    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/demo",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-GitHub-Event": "push",
        "X-Hub-Signature-256": f"sha256={signature}",
    }


def send(url: str, raw: bytes, secret: bytes) -> tuple[int, bytes]:
    """Post it; status and body of the answer.

    Raises:
        OSError: if nothing answers within the ten seconds that git hosts wait.
    """
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("POST", parts.path, raw, headers(raw, secret))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Webhook:
    """The webhook of every repository of a git host, each with its secret."""

    def __init__(self, secrets: dict[str, bytes]) -> None:
        self.secrets = secrets
        self.origin = ""
        self.target = ""
        self.problem: str | None = None

    def fire(self, moved: gitserver.Moved) -> None:
        """Deliver a push; what went wrong is kept, as on a git host's page of deliveries."""
        name = moved.repository.stem
        raw = body(moved, self.origin)
        try:
            status, answer = send(f"{self.target}/hooks/{name}", raw, self.secrets[name])
        except OSError as error:
            self.problem = f"could not be delivered: {error}"
            return
        if status != http.HTTPStatus.ACCEPTED:
            self.problem = f"was answered {status}: {answer.decode(errors='replace').strip()}"


def _commits(moved: gitserver.Moved, url: str) -> list[dict[str, Any]]:
    listing = git.run(
        "log", "-z", "--reverse", "--max-count=20", f"--format={_FIELDS}", moved.commits,
        folder=moved.repository,
    )  # fmt: skip
    entries = [entry for entry in listing.split("\0") if entry]
    return [_commit(moved.repository, entry.split(_SEPARATOR), url) for entry in entries]


def _commit(repository: pathlib.Path, fields: list[str], url: str) -> dict[str, Any]:
    commit, tree, time, name, email, message = fields
    changed = git.run(
        "diff-tree", "--root", "-r", "--no-commit-id", "--name-status", commit, folder=repository
    )
    files = [line.split("\t", 1) for line in changed.splitlines()]
    person = {"name": name, "email": email, "username": "demo"}
    return {
        "id": commit,
        "tree_id": tree,
        "distinct": True,
        "message": message.strip(),
        "timestamp": time,
        "url": f"{url.removesuffix('.git')}/commit/{commit}",
        "author": person,
        "committer": person,
        "added": [path for status, path in files if status == "A"],
        "removed": [path for status, path in files if status == "D"],
        "modified": [path for status, path in files if status == "M"],
    }

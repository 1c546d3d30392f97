"""A signed push as GitHub sends it, of about the usual size."""

import hashlib
import hmac
import json

SECRET = b"benchmark secret"
COMMIT = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"


def body(
    *,
    repository: str = "octocat/shop",
    host: str = "github.example",
    ref: str = "refs/heads/main",
    commit: str = COMMIT,
    size: int = 8192,
) -> bytes:
    """The payload, filled up to ``size`` bytes with the fields a real one carries."""
    owner, name = repository.split("/")
    payload = {
        "ref": ref,
        "before": "0" * 39 + "1",
        "after": commit,
        "created": False,
        "deleted": False,
        "forced": False,
        "repository": {
            "id": 35129377,
            "name": name,
            "full_name": repository,
            "html_url": f"https://{host}/{repository}",
            "clone_url": f"https://{host}/{repository}.git",
            "ssh_url": f"git@{host}:{repository}.git",
            "default_branch": "main",
            "owner": {"name": owner, "login": owner},
        },
        "pusher": {"name": owner},
        "head_commit": {"id": commit, "message": "A change", "author": {"name": owner}},
        "commits": [],
    }
    filler = {f"field_{n}_url": f"https://{host}/{repository}/{n}" for n in range(60)}
    payload["repository"] = {**payload["repository"], **filler}
    short = size - len(json.dumps(payload).encode())
    payload["head_commit"] = {**payload["head_commit"], "message": "A" * max(short, 1)}
    return json.dumps(payload).encode()


def headers(payload: bytes, delivery: str, *, secret: bytes = SECRET) -> dict[str, str]:
    """The headers that go with it."""
    signature = hmac.new(secret, payload, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/8f04a1b",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={signature}",
    }

"""The page of the charms' actions, from their actions.yaml."""

import pathlib
from typing import Any

import yaml

_ROOT = pathlib.Path(__file__).parent.parent
_INTRO = """\
# The charms' actions

Made from the charms' `actions.yaml` by `./dev docs`.

```sh
juju run build-hook/0 deploy project=docker-selfoss
```

A result that is longer than Juju carries has its end only, and `truncated` says so; on the machine
`sudo build-hook` has it all. While an action runs, no other hook or action of the machine does.
"""
_CHARMS = {
    "docker-build-hook": ".",
    "dockerfile": "charms/dockerfile",
    "docker": "charms/docker",
}


def text() -> str:
    """The whole page."""
    return _INTRO + "".join(_charm(name, folder) for name, folder in _CHARMS.items())


def _charm(name: str, folder: str) -> str:
    source = (_ROOT / folder / "actions.yaml").read_text("utf-8")
    lines = [f"| `{each}` | {_params(said)} | {_plain(said)} |" for each, said in _read(source)]
    head = f"\n## {name}\n\n| action | parameters | what it does |\n| --- | --- | --- |\n"
    return head + "\n".join(lines) + "\n"


def _read(source: str) -> list[tuple[str, dict[str, Any]]]:
    return sorted(yaml.safe_load(source).items())


def _params(action: dict[str, Any]) -> str:
    required = action.get("required", [])
    params = sorted(action.get("params", {}).items(), key=lambda each: each[0] not in required)
    said = [
        f"`{name}`{'' if name in required else ' (optional)'}: {_plain(param)}"
        for name, param in params
    ]
    return "<br>".join(said) or "none"


def _plain(part: dict[str, Any]) -> str:
    return " ".join(part["description"].split()).replace("|", "\\|")

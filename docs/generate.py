"""Writes the files that are made from the code: schema, docs/reference, the charm's options.

usage: python -m docs.generate [FOLDER…]     only what is below those folders
"""

import json
import pathlib
import sys
from typing import Any

from build_hook import registry, settings
from build_hook.web.api import routes
from docs import actions_page, charm_options

ROOT = pathlib.Path(__file__).parent.parent

SETTINGS_INTRO = """\
# Settings

Made from `src/build_hook/settings.py` by `./dev docs`.

A value comes from, strongest first: the environment variable, `settings.toml` in the state
folder (keys as in the first column), the default. The state folder itself is `--state`, else
`BUILD_HOOK_STATE`, else `/var/lib/build-hook` for root and `~/.local/state/build-hook` for
others. Settings are read when a process starts.
"""

REGISTRY_INTRO = """\
# The registry file

Made from `src/build_hook/registry.py` and `project.py` by `./dev docs`; the JSON Schema is
`src/build_hook/registry.schema.json`.

`registry.json` in the state folder lists the projects. `build-hook add` and `remove` write it;
whoever writes it otherwise writes a temporary file and renames it. A change is picked up
without a restart. A file that breaks a rule is refused with the reason, and the last good one
stays in force. A key that is not listed here is refused, since it is most often a typo.
"""

API_INTRO = """\
# The API

Made from `src/build_hook/api/routes.py` by `./dev docs`. `GET /api/v1/openapi.json` is the whole
of it for programs, and needs no token.

## A token

```sh
build-hook token create laptop --scope deploy                 # prints it, this once
build-hook token create screen --scope read --expires 30      # days
build-hook token list
build-hook token revoke laptop                                # at once
```

A scope opens what stands before it as well: `read` looks at projects, builds, logs and
deliveries; `deploy` also asks for builds, stops them and replays deliveries; `admin` also sees
who sent a delivery and with which headers. Why tokens are as they are:
[ADR 0011](../adr/0011-api-tokens.md).

## Examples

```sh
TOKEN=bh_1_…
URL=http://localhost:8080/api/v1

curl -H "Authorization: Bearer $TOKEN" $URL/projects
curl -H "Authorization: Bearer $TOKEN" "$URL/builds?project=shop&limit=5"
curl -H "Authorization: Bearer $TOKEN" -X POST $URL/projects/shop/deploy
curl -H "Authorization: Bearer $TOKEN" -X POST $URL/projects/shop/deploy \\
     -H 'Content-Type: application/json' -d '{"ref": "topic"}'
curl -H "Authorization: Bearer $TOKEN" -X POST $URL/projects/shop/rollback
curl -H "Authorization: Bearer $TOKEN" -X POST $URL/builds/2/cancel
curl -H "Authorization: Bearer $TOKEN" -N "$URL/builds/2/log?follow=1"
curl -H "Authorization: Bearer $TOKEN" -X POST $URL/deliveries/1/replay
```

A list answers `next` while there is more: send it as `before` for the next page. With `follow=1`
a log comes as [server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html):
lines of the log, a comment every 15 seconds of silence, and `event: end` with the build's phase.
A client that was cut off sends the last `id` as `Last-Event-ID` and goes on from there.

Every refusal is `{"success": false, "error": …, "hint": …}`; the hint says what to do. 401 and
403 are about the token, 409 says that it cannot be done as things stand, 422 that the call was not
understood, 429 that too many calls without a good token came from this address, 503 that it cannot
be done now. `Retry-After` says when to try again.

## Calls
"""


def pages() -> dict[str, str]:
    """Every generated file, by its path in the repository."""
    schema = registry.schema()
    return {
        "src/build_hook/registry.schema.json": json.dumps(schema, indent=2) + "\n",
        "config.yaml": charm_options.text(),
        "docs/reference/actions.md": actions_page.text(),
        "docs/reference/settings.md": f"{SETTINGS_INTRO}\n{_settings_table()}",
        "docs/reference/registry.md": f"{REGISTRY_INTRO}\n{_sections(schema)}",
        "docs/reference/api.md": f"{API_INTRO}\n{_calls()}",
    }


def _calls() -> str:
    rows = [
        (f"`{route.method} {routes.PREFIX}{route.path}`", str(route.scope), route.summary)
        for route in routes.ROUTES
    ]
    return _table(("call", "scope", "what it does"), rows)


def _settings_table() -> str:
    schema = settings.Settings.model_json_schema()
    rows = [
        (f"`{name}`", f"`{settings.PREFIX}{name.upper()}`", *_facts(field, schema))
        for name, field in schema["properties"].items()
        if name != "state"
    ]
    return _table(("key", "variable", "value", "default", "meaning"), rows)


def _sections(schema: dict[str, Any]) -> str:
    first = ("Registry", schema)
    parts = [first, *sorted(schema["$defs"].items(), key=lambda part: part[0] != "Project")]
    return "\n".join(_section(title, part, schema) for title, part in parts)


def _section(title: str, part: dict[str, Any], schema: dict[str, Any]) -> str:
    required = part.get("required", [])
    rows = [
        (f"`{name}`", *_facts(field, schema, required=name in required))
        for name, field in part["properties"].items()
    ]
    words = part["description"].replace("``", "`")
    return f"## {title}\n\n{words}\n\n{_table(('key', 'value', 'default', 'meaning'), rows)}"


def _facts(
    field: dict[str, Any], schema: dict[str, Any], *, required: bool = False
) -> tuple[str, str, str]:
    target = schema.get("$defs", {}).get(field.get("$ref", "").rpartition("/")[2], {})
    words = field.get("description") or target.get("description", "").partition("\n")[0]
    if required:
        default = "required"
    elif target:
        default = "as below"
    else:
        default = f"`{json.dumps(field.get('default', {}))}`"
    return _value(field), default, words.replace("``", "`")


def _value(field: dict[str, Any]) -> str:
    """What may stand there, in few words."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_value(choice) for choice in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{choice}`" for choice in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field["type"] == "array":
        most = f", at most {field['maxItems']}" if "maxItems" in field else ""
        return f"list of {_value(field['items'])}{most}"
    if field["type"] == "object":
        return f"map to {_value(field['additionalProperties'])}"
    return f"{field['type']}{_limits(field)}"


def _limits(field: dict[str, Any]) -> str:
    words = {"minimum": "≥", "maximum": "≤", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
    limits = [f" {sign} {field[key]:g}" for key, sign in words.items() if key in field]
    pattern = f" like `{field['pattern']}`" if "pattern" in field else ""
    return ",".join(limits) + pattern


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "".join(_row(cells) for cells in (header, tuple("---" for _ in header), *rows))


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main() -> None:
    """Write what differs."""
    below = tuple(sys.argv[1:]) or ""
    for name, text in pages().items():
        path = ROOT / name
        if not name.startswith(below) or (path.exists() and path.read_text("utf-8") == text):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()

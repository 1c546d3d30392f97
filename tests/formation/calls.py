"""A hook command as it was called, and what it prints."""

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from tests.formation.charmfile import RefusedError

if TYPE_CHECKING:
    from tests.formation.agent import Context

_WITH_VALUE = {
    "-r", "-s", "-l", "--file", "--log-level", "--label", "--description", "--expire", "--rotate",
    "--owner", "--relation", "--unit", "--app", "--revision", "--format",
}  # fmt: skip
_OF_RELATIONS = {"--app"}  # there it says whose data is meant, and takes no value


@dataclasses.dataclass(frozen=True)
class Call:
    """One hook command's arguments, taken apart."""

    context: "Context"
    options: dict[str, str]
    words: list[str]
    stdin: str
    files: dict[str, str]

    @property
    def pairs(self) -> dict[str, str]:
        """The words of the form key=value or key#file=path."""
        found: dict[str, str] = {}
        for word in self.words:
            key, equals, value = word.partition("=")
            if equals and key.endswith("#file"):
                found[key.removesuffix("#file")] = self.files[value]
            elif equals:
                found[key] = value
        return found

    @property
    def is_json(self) -> bool:
        """Whether the answer is wanted as JSON."""
        return self.options.get("--format") == "json"

    def must_lead(self) -> None:
        """Refuse units that do not lead."""
        if not self.context.is_leader:
            raise RefusedError("permission denied: this unit is not the leader")


def parse(name: str, arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Options and words."""
    taking = _WITH_VALUE - (_OF_RELATIONS if name.startswith("relation-") else set())
    options: dict[str, str] = {}
    words: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            words += list(rest)
        elif argument.startswith("-") and argument != "-":
            key, equals, value = argument.partition("=")
            takes = key in taking and not equals
            options[key] = value if equals else next(rest) if takes else ""
        else:
            words.append(argument)
    return options, words


def printed(answer: Any, *, is_json: bool) -> str:
    """An answer as text; Juju's own format has a list's items on a line each."""
    if answer is None:
        return ""
    if is_json or isinstance(answer, dict):
        return json.dumps(answer)
    return "".join(f"{each}\n" for each in (answer if isinstance(answer, list) else [answer]))

"""One service of a compose file on its way to a part: where it stands, and how to refuse it."""

import dataclasses
import pathlib
from typing import Any

from build_hook import composed, errors, project
from build_hook.compose import document


@dataclasses.dataclass(slots=True)
class Entry:
    """A service as the file has it.

    ``root`` is the repository's folder, ``folder`` the file's; ``notes`` is what the log shall
    say of it.
    """

    file: document.Document
    project: project.Project
    rules: composed.Compose
    root: pathlib.Path
    folder: pathlib.Path
    name: str
    notes: list[str]

    @property
    def path(self) -> document.Path:
        """Where it stands in the document."""
        return ("services", self.name)

    @property
    def given(self) -> Any:
        """What the file says of it."""
        return self.file.value["services"][self.name]

    def note(self, text: str) -> None:
        """Have the log say something."""
        self.notes.append(f"service {self.name}: {text}")

    def ignores(self, key: str) -> bool:
        """Whether the operator passes a key over; the log says so."""
        if key not in self.rules.ignore:
            return False
        self.note(f"{key} is passed over, as the project's compose.ignore says")
        return True

    def wrong(self, *path: str | int, what: str, hint: str = "Correct it") -> errors.ComposeError:
        """Something that cannot be understood."""
        return self.file.error((*self.path, *path), what, hint)

    def refused(
        self, key: str, what: str, *, allow: str | None = None, own: str = ""
    ) -> errors.ComposeError:
        """Something that only the operator may say, and where that is done.

        Args:
            key: the key, and what to put into ``compose.ignore``.
            what: what the file asks for.
            allow: what in ``compose.allow`` permits it.
            own: the setting of ``compose.services`` that does the same.
        """
        ways = [f"put {key} into compose.ignore of project {self.project.name} to pass it over"]
        if allow:
            ways.append(f"{allow} into its compose.allow to permit it")
        if own:
            ways.append(f"set {own} in its compose.services.{self.name}")
        return self.file.error(
            (*self.path, *key.split(".")),
            f"{what}, which is for the operator to decide",
            f"Take it out; or the operator may {', or '.join(ways)}",
        )

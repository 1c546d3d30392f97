"""The product's command line with prepared answers, in the place of a process."""

import dataclasses
from typing import Any

import product


@dataclasses.dataclass
class FakeProduct:
    """Answers by command; a ProductError as an answer is raised."""

    answers: dict[str, Any] = dataclasses.field(
        default_factory=lambda: {"projects": {"projects": []}}
    )
    calls: list[tuple[str, ...]] = dataclasses.field(default_factory=list)

    def call(self, *arguments: str, timeout: float = 0) -> Any:
        self.calls.append(arguments)
        answer = self.answers.get(arguments[0], {})
        if isinstance(answer, product.ProductError):
            raise answer
        return answer

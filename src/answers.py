"""What an action answers, within what Juju carries: each result is one argument of a program."""

from collections.abc import Mapping

import ops

MOST = 100_000  # bytes; Linux takes 131,072 for an argument, with the name of the result


def give(event: ops.ActionEvent, results: Mapping[str, object]) -> None:
    """Set the results; of one that is too long the end, which is what matters of a log."""
    fitting = {key: _fitting(value) for key, value in results.items()}
    if cut := [key for key in results if fitting[key] != results[key]]:
        fitting["truncated"] = (
            f"only the end of {', '.join(cut)}: `build-hook` on the machine has it all"
        )
    event.set_results(fitting)


def _fitting(value: object) -> object:
    if not isinstance(value, str) or len(value.encode()) <= MOST:
        return value
    end = value.encode()[-MOST:].decode(errors="ignore")
    _, _, lines = end.partition("\n")  # the first line is half a one
    return lines or end

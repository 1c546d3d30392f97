"""After-care: the new version is watched while the old one is still at hand."""

import dataclasses
import time
from collections.abc import Callable

from build_hook import errors, project
from build_hook.deploy import containers, gate, tally

_LOOK_EVERY = 0.2
_PROBE_EVERY = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Rival:
    """What the new version is compared with: the old one's answers, and its own so far."""

    before: tally.Tally
    count: Callable[[], tally.Tally]


class Watch:
    """Watches one container; without a rival only that it lives, since there is no way back.

    What ``check_stop`` raises goes through.
    """

    def __init__(
        self,
        of: project.Project,
        look: gate.Look,
        rival: Rival | None,
        check_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._project = of
        self._check_stop = check_stop
        self._look = look
        self._rival = rival
        self._next_probe = 0.0
        self._failed_probes = 0

    def over(self, seconds: float, is_overtaken: Callable[[], bool]) -> None:
        """Watch for a while; a newer push in the queue ends the watch early.

        Raises:
            WatchError: as soon as it dies, is restarted, becomes unhealthy, fails too many
                probes, or answers with more failures than the version before.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not is_overtaken():
            self.check()
            time.sleep(_LOOK_EVERY)
        self._check_stop()

    def check(self) -> None:
        """Look once.

        Raises:
            WatchError: if the version should not serve any longer.
        """
        self._check_stop()
        try:
            found = gate.require_alive(self._look())
        except errors.GateError as error:
            raise error.about("", errors.WatchError) from error
        if self._rival is not None:
            compare(self._project, self._rival)
            self._probe(found)

    def _probe(self, found: containers.Container) -> None:
        """Ask it as the gate did; one that answers now and then adds up as well."""
        if time.monotonic() < self._next_probe:
            return
        self._next_probe = time.monotonic() + _PROBE_EVERY
        lack = gate.lack(self._project, found)
        self._failed_probes += lack is not None
        if lack is not None and self._failed_probes >= self._project.tolerance.probes:
            raise errors.WatchError(
                f"It failed {self._failed_probes} probes while it was watched: {lack}",
                "Read its last lines in the log, fix, push",
            )


def compare(of: project.Project, rival: Rival) -> None:
    """Make sure that a version answers no worse than the one before, as far as is tolerated.

    Raises:
        WatchError: if it does.
    """
    rules, now = of.tolerance, rival.count()
    if now.failed >= rules.errors and now.share > rival.before.share + rules.share:
        raise errors.WatchError(
            f"{now.failed} of its {now.answers} answers were failures (5xx), {now.share:.0%}; "
            f"of the version before {rival.before.share:.0%}",
            "Read its last lines in the log, fix, push",
        )

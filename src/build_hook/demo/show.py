"""The show: both projects go live, then five pushes under load, the fourth of them broken."""

import itertools
import time
from collections.abc import Callable

from build_hook import errors
from build_hook.demo import baseimage, progress, report, script, stage, traffic, verdict
from build_hook.store import builds

PATIENCE = 60.0
STEADY = 1.0  # seconds of load before the first push and after the last


class Show:
    """Runs on a stage that is set up."""

    def __init__(self, on: stage.Stage, shown: progress.Progress) -> None:
        self._stage = on
        self._shown = shown
        self._count = 0

    def run(self) -> report.Report:
        """Do it all; what was found out."""
        self._shown.step("Bringing both projects live for the first time")
        first = [self._push(change) for change in script.FIRST]
        for pushed in first:
            self._must_be_live(pushed)
        self._shown.step("Starting steady load")
        with traffic.Traffic(self._stage.urls) as load:
            self._shown.loaded(load)
            for pushed in first:
                self._must_answer(pushed, load)
            time.sleep(STEADY)
            all_pushed, results = self._five(load)
            time.sleep(STEADY)
            load.check()
            load.stop()
            return verdict.judge(tuple(all_pushed), tuple(results), load)

    def _five(self, load: traffic.Traffic) -> tuple[list[script.Pushed], list[report.Push]]:
        all_pushed: list[script.Pushed] = []
        results: list[report.Push] = []
        for change in script.CHANGES:
            begun = time.monotonic()
            pushed = self._push(change)
            self._shown.pushed(change.project, pushed.commit)
            build = self._follow(pushed, self._shown.phase)
            all_pushed.append(pushed)
            results.append(self._result(pushed, build, load, begun))
            self._shown.done(results[-1])
        return all_pushed, results

    def _push(self, change: script.Change) -> script.Pushed:
        self._count += 1
        version = f"{change.project}-{self._count}-{self._stage.docker.instance}"
        copy = self._stage.copies[change.project]
        copy.fill(baseimage.APPS / change.files)
        copy.write("version.txt", f"{version}\n")
        commit = copy.commit(change.message)
        copy.push()
        return script.Pushed(change, version, commit, time.monotonic())

    def _follow(self, pushed: script.Pushed, tell: Callable[[str], None]) -> builds.Build:
        """Wait for the end of a push's deploy."""
        told = 0
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self._stage.product.check()
            if self._stage.webhook.problem:
                raise errors.BuildHookError(f"A delivery {self._stage.webhook.problem}")
            build = build_of(pushed.commit, self._stage.builds.recent(pushed.change.project))
            if build is not None:
                phases = self._stage.builds.phases(build.id)
                for phase, _ in phases[told:]:
                    tell(phase)
                told = len(phases)
                if build.phase.is_end:
                    return build
            time.sleep(0.05)
        raise errors.BuildHookError(
            f"The push to {pushed.change.project} did not come to an end in {PATIENCE:g} s",
            self._stage.product.last_words(),
        )

    def _must_be_live(self, pushed: script.Pushed) -> None:
        build = self._follow(pushed, lambda _: None)
        if build.phase is not builds.Phase.LIVE:
            raise errors.BuildHookError(
                f"The first deploy of {pushed.change.project} ended {build.phase}: {build.reason}",
                self._stage.product.last_words(),
            )

    def _must_answer(self, pushed: script.Pushed, load: traffic.Traffic) -> None:
        if load.wait_for(pushed.change.project, pushed.version, PATIENCE) is None:
            raise errors.BuildHookError(
                f"{self._stage.urls[pushed.change.project]} does not answer",
                self._stage.product.last_words(),
            )

    def _result(
        self, pushed: script.Pushed, build: builds.Build, load: traffic.Traffic, begun: float
    ) -> report.Push:
        seen = None
        if build.phase is builds.Phase.LIVE:
            seen = load.wait_for(pushed.change.project, pushed.version, 5)
        return report.Push(
            project=pushed.change.project,
            message=pushed.change.message,
            commit=pushed.commit,
            outcome=build.phase,
            reason=build.reason,
            build_s=length(self._stage.builds.phases(build.id), builds.Phase.BUILDING),
            push_to_live_s=None if seen is None else round(seen - pushed.at, 3),
            seen=load.window(begun, time.monotonic()),
        )


def build_of(commit: str, newest_first: list[builds.Build]) -> builds.Build | None:
    """The build that brings a commit: a second one of the same is skipped or superseded.

    The product may find a push by looking at the repository just before it is told.
    """
    spare = (builds.Phase.SKIPPED, builds.Phase.SUPERSEDED)
    found = [build for build in newest_first if build.commit == commit]
    return next(
        (build for build in found if build.phase not in spare), found[0] if found else None
    )


def length(phases: list[tuple[builds.Phase, float]], wanted: builds.Phase) -> float | None:
    """How long a phase took, in seconds."""
    for (phase, begun), (_, ended) in itertools.pairwise(phases):
        if phase is wanted:
            return round(ended - begun, 3)
    return None

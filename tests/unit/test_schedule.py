"""When to look at which repository."""

from build_hook.deploy import schedule

INTERVAL = 300.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def repositories(count: int, host: str = "git.example") -> list[str]:
    return [f"https://{host}/team/app-{number}" for number in range(count)]


def due(plan: schedule.Schedule) -> list[str]:
    found: list[str] = []
    while (repository := plan.take()) is not None:
        found.append(repository)
    return found


def test_a_new_repository_is_due_at_once():
    plan = schedule.Schedule(INTERVAL, Clock())
    plan.know(repositories(3))

    assert sorted(due(plan)) == repositories(3)


def test_it_is_due_again_after_the_interval_give_or_take_a_tenth():
    clock = Clock()
    plan = schedule.Schedule(INTERVAL, clock)
    plan.know(repositories(100))
    for repository in due(plan):
        plan.looked(repository, answered=True)

    clock.now += INTERVAL * 0.89
    early = due(plan)
    clock.now += INTERVAL * 0.22
    late = due(plan)

    assert early == []
    assert sorted(late) == sorted(repositories(100))


def test_looks_are_spread():
    clock = Clock()
    plan = schedule.Schedule(INTERVAL, clock)
    plan.know(repositories(1000))
    for repository in due(plan):
        plan.looked(repository, answered=True)

    clock.now += INTERVAL
    half = len(due(plan))

    assert 300 < half < 700


def test_a_host_that_fails_is_left_in_peace_longer_each_time():
    clock = Clock()
    plan = schedule.Schedule(INTERVAL, clock)
    plan.know(["https://down.example/a/b", "https://up.example/a/b"])
    waited: list[float] = []
    for _ in range(12):
        start = clock.now
        while "https://down.example/a/b" not in (taken := due(plan)):
            for repository in taken:
                plan.looked(repository, answered=True)
            clock.now += 1
        for repository in taken:
            plan.looked(repository, answered="up" in repository)
        waited.append(clock.now - start)

    assert waited[:4] == [0, 10, 20, 40]
    assert max(waited) <= 3601


def test_one_failure_spares_the_host_of_the_others():
    clock = Clock()
    plan = schedule.Schedule(INTERVAL, clock)
    plan.know(repositories(50, "down.example"))
    first = plan.take()
    assert first is not None
    plan.looked(first, answered=False)

    assert due(plan) == []
    clock.now += 11
    assert len(due(plan)) == 50


def test_an_answer_ends_the_patience():
    clock = Clock()
    plan = schedule.Schedule(INTERVAL, clock)
    plan.know(["https://h.example/a/b"])
    for answered in (False, False, True):
        clock.now += 100
        (repository,) = due(plan)
        plan.looked(repository, answered=answered)
    clock.now += INTERVAL * 1.1
    (repository,) = due(plan)
    plan.looked(repository, answered=False)

    clock.now += 10
    assert due(plan) == [repository]


def test_hurry_makes_everything_due_but_not_what_is_left_in_peace():
    clock = Clock()
    plan = schedule.Schedule(INTERVAL, clock)
    plan.know(["https://down.example/a/b", "https://up.example/a/b"])
    for repository in due(plan):
        plan.looked(repository, answered="up" in repository)

    plan.hurry()

    assert due(plan) == ["https://up.example/a/b"]


def test_a_repository_that_is_not_known_any_more_is_not_looked_at():
    plan = schedule.Schedule(INTERVAL, Clock())
    plan.know(repositories(2))
    plan.know(repositories(1))

    assert due(plan) == repositories(1)


def test_seconds_to_next_is_when_something_is_due():
    clock = Clock()
    plan = schedule.Schedule(INTERVAL, clock)
    assert plan.seconds_to_next() == INTERVAL
    plan.know(repositories(1))
    assert plan.seconds_to_next() == 0
    (repository,) = due(plan)
    plan.looked(repository, answered=True)

    clock.now += plan.seconds_to_next()

    assert due(plan) == [repository]


def test_hurry_during_a_look_means_one_more_look_after_it():
    clock = Clock()
    plan = schedule.Schedule(INTERVAL, clock)
    plan.know(repositories(1))
    (repository,) = due(plan)
    plan.hurry()
    assert due(plan) == []

    plan.looked(repository, answered=True)
    assert due(plan) == [repository]
    plan.looked(repository, answered=True)
    assert due(plan) == []
    clock.now += INTERVAL * 1.2
    assert due(plan) == [repository]


def test_one_repository_can_be_hurried():
    clock = Clock()
    plan = schedule.Schedule(INTERVAL, clock)
    plan.know(repositories(3))
    for repository in due(plan):
        plan.looked(repository, answered=True)

    plan.hurry(repositories(3)[1])
    plan.hurry("https://git.example/not/known")

    assert due(plan) == [repositories(3)[1]]

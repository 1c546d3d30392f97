"""Which hooks are said to be slow."""

from tests.formation import hook_times


def hook(name, processor, load=0.5, charm="sub", is_action=False):
    return hook_times.HookTime(charm, name, is_action, 1.0, processor, 9, load=load)


def test_a_kind_is_slow_if_its_median_is():
    times = [hook("start", 1.3), hook("start", 1.2), hook("start", 0.2)]
    times += [hook("config-changed", 9), *[hook("config-changed", 0.3)] * 2]

    assert hook_times.slow(times) == ["sub start 1.20 s, 1.00 s would do (median of 3)"]


def test_charms_are_told_apart():
    times = [hook("start", 1.3, charm="a"), *[hook("start", 0.2, charm="b")] * 5]

    assert hook_times.slow(times) == ["a start 1.30 s, 1.00 s would do (median of 1)"]


def test_what_installs_may_take_longer_and_so_may_an_action_but_not_what_clears_up():
    times = [hook(name, 5) for name in ("install", "data-storage-attached", "upgrade-charm")]

    assert hook_times.slow([*times, hook("deploy", 5, is_action=True)]) == []
    assert len(hook_times.slow([hook("stop", 5), hook("remove", 5)])) == 2


def test_a_busy_machine_is_no_measure():
    times = [hook("start", 5, load=8)]

    assert hook_times.slow(times) == []
    assert "1 of 1 runs" in hook_times.report(times)


def test_what_is_not_known_is_not_slow():
    assert hook_times.slow([hook("start", None)]) == []


def test_a_slow_machine_has_more_time():
    quick = hook_times.beside([hook("start", 1.9), hook("install", 9)], 0.1)
    slow = hook_times.beside([hook("start", 1.9)], 0.4)

    assert hook_times.slow(quick) == ["sub start 1.90 s, 1.00 s would do (median of 1)"]
    assert hook_times.slow(slow) == []
    assert hook_times.slow(hook_times.beside([hook("start", 2.1)], 0.4)) != []


def test_a_moment_in_which_python_was_quick_is_no_measure_for_the_whole():
    usual = hook_times.beside([hook("stop", 1)] * 3, 0.4)

    assert hook_times.slow([*usual, *hook_times.beside([hook("start", 1.9)], 0.1)]) == []

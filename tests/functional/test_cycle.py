import time

from build_hook.demo import traffic
from build_hook.store import builds

LIVE = builds.Phase.LIVE


def test_twenty_switches_under_load_lose_nothing(host):
    web = host.add("many-web", watch=0, drain=1)
    echo = host.add("many-echo", "tcp", watch=0)
    web.live()
    echo.live()

    with traffic.Traffic({"web": web.url, "echo": echo.url}, 5) as load:
        assert load.wait_for("web", web.version, 10)
        begun = time.monotonic()
        for _ in range(10):
            pushed = [web.push(), echo.push()]
            assert [web.ended(pushed[0]).phase, echo.ended(pushed[1]).phase] == [LIVE, LIVE]
        took = time.monotonic() - begun
        assert load.wait_for("web", web.version, 5)
        assert load.wait_for("echo", echo.version, 5)
        load.stop()

    seen = load.window()
    assert load.failures() == {}
    assert seen.requests > 150 * took
    assert len(web.boxes()) == len(echo.boxes()) == 2

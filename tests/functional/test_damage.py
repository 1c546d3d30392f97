"""The database is damaged while the host serves: traffic goes on, and so does work."""

import signal
import sqlite3

import pytest

from build_hook.demo import traffic
from tests.functional import composed
from tests.functional import host as hosts

PAGE = 4096


def spoil(host, page):
    """Overwrite a page of the database while nobody writes it, and start the worker anew."""
    file = host.settings.database
    with sqlite3.connect(file, timeout=30) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(file.read_bytes())
    begin = page * PAGE if page >= 0 else len(content) + page * PAGE
    with file.open("r+b") as opened:
        opened.seek(begin)
        opened.write(b"\x5a" * PAGE)
    ready = host.log().count("worker: ready")
    host.replaced("worker", host.kill("worker", number=signal.SIGKILL))
    host.until(lambda: host.log().count("worker: ready") > ready, "the worker", 30)


@pytest.mark.parametrize("page", [-1, 0], ids=["last page", "first page"])
def test_damaged_database_is_put_aside_and_what_runs_is_adopted(base, page):
    with hosts.serving(base, reconcile_interval=2, min_free_mb=10) as host:
        web, echo = host.add("web"), host.add("echo", "tcp")
        for made in (web, echo, web, echo):
            made.live()
        serving = web.serving(), echo.serving()

        with traffic.Traffic({"web": web.url, "echo": echo.url}) as load:
            assert load.wait_for("web", web.version, 10)
            spoil(host, page)
            host.until(lambda: list(host.settings.state.glob("*.damaged-*")), "the old file")
            assert (web.serving(), echo.serving()) == serving
            pushed = web.push()
            host.until(lambda: web.serving().commit == pushed, "the next push", 60)
            load.stop()

        assert load.failures() == {}
        assert web.get() == web.version
        assert web.serving().build > serving[0].build
        assert "the database was damaged" in host.log()


# Where the settings of the services are lost, the next push replaces all of them.
@pytest.mark.parametrize(("page", "starts"), [(-1, 1), (0, 2)], ids=["last page", "first page"])
def test_services_of_older_builds_run_on_though_the_database_was_damaged(base, page, starts):
    with hosts.serving(base, reconcile_interval=2, min_free_mb=10) as host:
        shop = composed.Shop(host, "shop")
        shop.live()
        shop.live(**{"api/index__cgi": composed.api("2")})
        before = shop.containers()
        assert before.keys() == {"web", "api", "db"}

        with traffic.Traffic({"shop": shop.of.url}, 2) as load:
            assert load.wait_for("shop", "web-1/api-2/starts-1", 30)
            spoil(host, page)
            assert shop.containers() == before
            shop.live(**{"api/index__cgi": composed.api("3")})
            assert load.wait_for("shop", f"web-1/api-3/starts-{starts}", 30)
            load.stop()

        assert load.failures() == {}
        assert shop.containers().keys() == {"web", "api", "db"}

"""What sends a new version back while it is watched, knob by knob."""

import contextlib
import http.server
import threading

import pytest

from build_hook import errors, project
from build_hook.deploy import containers, tally, watch


def container(**of):
    given = {
        "id": "c", "name": "shop-1", "project": "shop", "build": 1, "commit": "c" * 40,
        "status": "running", "address": "127.0.0.1", "restarts": 0, "exit_code": 0,
        "out_of_memory": False, "health": None, "started": 0.0,
    }  # fmt: skip
    return containers.Container(**{**given, **of})


def shop(**of):
    return project.Project.model_validate(
        {"name": "shop", "repository": "https://git.example/shop.git", **of}
    )


CLEAN = tally.Tally(100, 0)


def watched(now, before=CLEAN, found=None, **of):
    rival = watch.Rival(before, lambda: now)
    return watch.Watch(shop(**of), lambda: found or container(), rival)


def test_more_failures_than_before_send_it_back():
    with pytest.raises(errors.WatchError, match=r"^20 of its 100 answers were failures \(5xx\), 20"
                                                r"%; of the version before 0%"):  # fmt: skip
        watched(tally.Tally(100, 20)).check()


def test_one_error_does_not():
    watched(tally.Tally(1, 1)).check()
    watched(tally.Tally(9, 9)).check()


def test_errors_says_how_many_are_too_many():
    watched(tally.Tally(9, 9), tolerance={"errors": 10}).check()
    with pytest.raises(errors.WatchError):
        watched(tally.Tally(9, 9), tolerance={"errors": 9}).check()


def test_share_says_how_much_worse_it_may_be():
    watched(tally.Tally(100, 20), tolerance={"share": 0.2}).check()
    with pytest.raises(errors.WatchError):
        watched(tally.Tally(100, 20), tolerance={"share": 0.19}).check()


def test_a_version_that_is_no_worse_than_the_one_before_stays():
    watched(tally.Tally(1000, 300), before=tally.Tally(1000, 280)).check()


@contextlib.contextmanager
def answering(*statuses):
    """A server that answers one after the other, the last one for ever."""
    left = list(statuses)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.end_headers()

        def log_request(self, code="-", size="-"):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@pytest.mark.parametrize("probes", [1, 3])
def test_probes_says_how_many_may_fail_in_a_row_or_not(monkeypatch, probes):
    monkeypatch.setattr(watch, "_PROBE_EVERY", 0.0)
    with answering(500, 200, 500, 200, 500, 200) as port:
        health = {"path": "/", "port": port}
        of = watched(tally.Tally(), health=health, tolerance={"probes": probes})
        for _ in range(2 * probes - 2):
            of.check()
        with pytest.raises(errors.WatchError, match=rf"failed {probes} probes .* answers 500"):
            of.check()


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"status": "exited", "exit_code": 7}, "died with exit status 7"),
        ({"restarts": 1, "exit_code": 1}, "died with exit status 1"),
        ({"health": "unhealthy"}, "HEALTHCHECK says unhealthy"),
        ({"out_of_memory": True}, "ran out of memory"),
    ],
)
def test_what_dies_restarts_or_is_unhealthy_goes_back(state, says):
    with pytest.raises(errors.WatchError, match=says):
        watched(tally.Tally(), found=container(**state)).check()


def test_first_version_is_not_compared():
    watch.Watch(shop(), container, None).check()

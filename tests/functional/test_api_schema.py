"""The API against its own document: what schemathesis makes up from it, good and bad."""

import contextlib
import ipaddress
import threading

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st

from build_hook.store import builds
from build_hook.web.api import openapi
from tests.functional import webserver

EXAMPLES = 20
BRANCHES = st.from_regex(r"[a-z][a-z0-9]{0,20}(/[a-z0-9]{1,20}){0,3}", fullmatch=True)
ADDRESSES = ipaddress.ip_network("10.0.0.0/8").hosts()
schemathesis.openapi.format("git-ref", BRANCHES)
schema = schemathesis.openapi.from_dict(openapi.document())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    # in a folder of its own for the whole module: what was queued before is there for the next
    state = tmp_path_factory.mktemp("api")
    with webserver.serving(state, TRUSTED_PROXIES="127.0.0.1") as made, ending(made):
        for number in range(3):
            assert made.push(f"d-{number}").status == 202
        yield made


@pytest.fixture(scope="module")
def admin(server):
    return server.token("admin")


@contextlib.contextmanager
def ending(server):
    """Ends every build soon, so that those who follow one are not kept for ever."""
    history, stop = builds.Builds(server.settings.database), threading.Event()

    def work():
        while not stop.wait(0.1):
            for build in history.queued():
                history.note(build.id, image=f"sha256:{build.id}")
                history.enter(build.id, builds.Phase.LIVE)
                history.set_serving(build.project, build.id, None)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()
        history.close()


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.filter_too_much,
    ],
)
def test_answers_are_what_the_document_says(case, server, admin):
    if is_good(case) and "name" in case.path_parameters:
        case.path_parameters["name"] = "shop"  # most that are made up do not exist
    if is_good(case) and "id" in case.path_parameters:
        case.path_parameters["id"] = 1 + int(case.path_parameters["id"]) % 4
    # Each from an address of its own, since many are sent without the token as well.
    headers = {**admin, "X-Forwarded-For": str(next(ADDRESSES))}
    case.call_and_validate(base_url=server.url, headers=headers, timeout=10)


def is_good(case):
    return case.meta is None or case.meta.generation.mode.is_positive


def test_web_has_made_no_mistake(server):
    assert "event=fault" not in server.log.read_text()

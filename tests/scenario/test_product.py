"""How the build hook charm calls the product: a process, JSON out, sentences on failure."""

import pathlib
import sys

import pytest

from build_hook import settings
from tests.scenario import charms

charms.load("docker-build-hook")
import product as calls  # noqa: E402
import service  # noqa: E402

OPTIONS = settings.Settings(state=pathlib.Path("/nowhere"), port=9090)


@pytest.fixture
def program(monkeypatch):
    def install(text):
        monkeypatch.setattr(service, "command", lambda _: [sys.executable, "-c", text])
        return calls.Product(OPTIONS)

    return install


def test_arguments_and_environment_arrive(program):
    product = program("import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))")

    arguments, environment = product.call("deploy", "app", "--ref", "x")

    assert arguments == ["deploy", "app", "--ref", "x", "--json"]
    assert environment["BUILD_HOOK_PORT"] == "9090"


def test_a_refusal_is_the_products_sentence(program):
    product = program("import sys; sys.exit('build-hook: There is no project app. List them')")

    with pytest.raises(calls.ProductError, match=r"^There is no project app\. List them$"):
        product.call("deploy", "app")


def test_a_failure_with_an_answer_is_an_answer(program):
    assert program("print('{\"ok\": false}'); raise SystemExit(1)").call("doctor") == {"ok": False}


def test_silence_is_named(program):
    with pytest.raises(calls.ProductError, match="gc failed"):
        program("raise SystemExit(1)").call("gc")


def test_what_is_not_json_is_refused(program):
    with pytest.raises(calls.ProductError, match="build-hook gc printed no JSON"):
        program("print('hello')").call("gc")


def test_what_takes_too_long_is_ended(program):
    with pytest.raises(calls.ProductError, match="gc did not end"):
        program("import time; time.sleep(30)").call("gc", timeout=0.3)


def test_a_program_that_is_not_there(monkeypatch):
    monkeypatch.setattr(service, "command", lambda _: ["/nowhere/python"])

    with pytest.raises(calls.ProductError, match="gc did not end"):
        calls.Product(OPTIONS).call("gc")


def test_the_command_runs_the_product_of_the_charm():
    argv = service.command(OPTIONS)

    assert argv == [sys.executable, "-m", "build_hook", "--state", "/nowhere"]
    assert str(charms.ROOT / "src") in service.environment(OPTIONS)["PYTHONPATH"].split(":")

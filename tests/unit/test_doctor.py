import pytest

from build_hook import doctor, registry, secret_files, settings
from build_hook.deploy import precedence
from build_hook.project import Project

SHOP = Project(name="shop", repository="git@git.example:shop", deploy_key="shop-key")


@pytest.fixture
def options(tmp_path):
    made = settings.load(tmp_path / "state", {})
    registry.save(made.registry, registry.Registry(projects=(SHOP,)))
    return made


def finding(options):
    return next(found for found in doctor.examine(options) if found.subject == "repositories")


def test_missing_login_is_named(options):
    found = finding(options)

    assert not found.ok
    assert "login of shop 'shop-key' cannot be read" in found.detail


def test_login_that_is_there(options):
    secret_files.create(options.secrets, "shop-key", b"key")

    assert finding(options) == doctor.Finding(
        "repositories", True, "1 projects have a login of their own"
    )


def test_ssh_that_is_missing_is_said(options, monkeypatch):
    secret_files.create(options.secrets, "shop-key", b"key")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)

    assert "apt-get install openssh-client" in finding(options).detail


def test_what_the_operator_allowed_is_said(options):
    short = SHOP.model_copy(update={"match": "short-name", "allow_unsigned": True})
    registry.save(options.registry, registry.Registry(projects=(short,)))

    found = next(found for found in doctor.examine(options) if found.subject == "warnings")

    assert found.ok
    assert "shop takes unsigned deliveries; shop is found by its short name" in found.detail


def test_whether_the_engine_gives_way_is_said_and_is_no_failure(options, monkeypatch):
    monkeypatch.setattr(precedence, "of_engine", lambda: "it gives way to nobody")
    for other in ("_engine", "_build_limits"):  # which ask a real engine
        monkeypatch.setattr(doctor, other, lambda _: "")

    found = next(found for found in doctor.examine(options) if found.subject == "engine's weight")

    assert (found.ok, found.detail) == (True, "it gives way to nobody")

"""What secrets held when a build was deployed."""

import os
import stat

import pytest

from build_hook import errors, project, settings
from build_hook.deploy import confided


@pytest.fixture
def config(tmp_path):
    made = settings.load(tmp_path / "state", {})
    confide(made, "db", "first")
    confide(made, "env", "A=first")
    return made


@pytest.fixture
def kept(config):
    return confided.Confided(config)


@pytest.fixture
def said():
    return []


def confide(config, name, text, mode=0o600):
    path = config.secrets / name
    path.write_text(f"{text}\n", encoding="utf-8")
    path.chmod(mode)


def entry(name="shop", **of):
    of = {"secrets": ["db"], "env_file": ["env"], **of}
    return project.Project.model_validate(
        {"name": name, "repository": "https://git.invalid/x.git", **of}
    )


def files(held, of):
    return [(path.read_text(), where) for path, where in held.files(of)]


def modes(folder):
    return {
        str(path.relative_to(folder)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in (folder, *folder.rglob("*"))
    }


def test_build_goes_on_with_what_it_was_deployed_with(config, kept, said):
    of = entry()
    kept.keep(of, 1, None, said.append)
    confide(config, "db", "second")
    confide(config, "env", "A=second")

    held = kept.of(of, 1)

    assert files(held, of) == [("first\n", "/run/secrets/db")]
    assert (held.values / "env").read_text() == "A=first\n"
    assert said == []


def test_deploy_of_today_has_what_the_secrets_are_today(config, kept, said):
    kept.keep(entry(), 1, None, said.append)
    confide(config, "db", "second")
    kept.keep(entry(), 2, None, said.append)

    assert files(kept.of(entry(), 2), entry())[0][0] == "second\n"


def test_roll_back_has_what_that_build_had(config, kept, said):
    kept.keep(entry(), 1, None, said.append)
    confide(config, "db", "second")
    kept.keep(entry(), 2, None, said.append)
    (config.secrets / "db").unlink()  # a roll-back needs no secret of today

    kept.keep(entry(), 3, 1, said.append)

    assert files(kept.of(entry(), 3), entry())[0][0] == "first\n"
    assert said == ["secrets: those of build 1"]


def test_service_that_a_build_left_running_is_gone_back_to_as_well(config, kept, said):
    kept.keep(entry(), 4, None, said.append)
    confide(config, "db", "second")
    kept.keep(entry(), 5, None, said.append)  # it failed, and a crash kept it from being dropped
    kept.carry(entry(), 7, 4)  # build 7 replaced another service only
    kept.tidy("shop", {7})

    kept.keep(entry(), 9, 7, said.append)

    assert files(kept.of(entry(), 9), entry())[0][0] == "first\n"
    assert {p.name for p in (config.confided / "shop").iterdir()} == {"7", "9"}


def test_nothing_is_carried_of_what_nobody_knows(config, kept):
    kept.carry(entry(), 7, 4)

    assert not (config.confided / "shop/7").exists()


@pytest.mark.parametrize("name", ["db", "env"])
def test_who_was_told_another_value_is_told(config, kept, said, name):
    kept.keep(entry(), 1, None, said.append)
    assert kept.is_told(entry(), 1, None)

    confide(config, name, "A=second")
    kept.keep(entry(), 2, None, said.append)

    assert not kept.is_told(entry(), 1, None)
    assert kept.is_told(entry(), 2, None)
    assert kept.is_told(entry(), 1, like=1)
    assert not kept.is_told(entry(), 2, like=1)


def test_what_nobody_knows_replaces_nothing(config, kept, said):
    assert kept.is_told(entry(), 1, None)

    kept.keep(entry(), 1, None, said.append)
    confide(config, "db", "second")

    assert kept.is_told(entry(), 1, like=7)


def test_missing_secret_is_missed_by_a_service_that_runs_too(config, kept, said):
    kept.keep(entry(), 1, None, said.append)
    (config.secrets / "db").unlink()

    with pytest.raises(errors.ContainerError, match="secret db of env_file or secrets cannot"):
        kept.is_told(entry(), 1, None)


@pytest.mark.parametrize("lost", ["folder", "value"])
def test_roll_back_to_what_is_not_kept_says_so(config, kept, said, lost):
    if lost == "value":
        kept.keep(entry(env_file=[]), 1, None, said.append)
    confide(config, "db", "second")

    kept.keep(entry(), 3, 1, said.append)

    assert files(kept.of(entry(), 3), entry())[0][0] == "second\n"
    assert said == ["secrets: today's: none are kept"]


def test_nobody_else_gets_near_and_the_container_may_read(config, kept, said):
    kept.keep(entry(secrets=["db", {"source": "db", "target": "/x", "mode": "0440"}]), 1, None,
              said.append)  # fmt: skip

    assert modes(config.confided) == {
        ".": "0o700",
        "shop": "0o700",
        "shop/1": "0o700",
        "shop/1/values": "0o700",
        "shop/1/values/db": "0o600",
        "shop/1/values/env": "0o600",
        "shop/1/files": "0o700",
        "shop/1/files/0": "0o444",
        "shop/1/files/1": "0o440",
    }


def test_file_belongs_to_whom_it_is_for(config, kept, said):
    uid, gid = (
        (1234, 4321) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    )  # others give none
    of = entry(secrets=[{"source": "db", "uid": uid, "gid": str(gid), "mode": "400"}])
    kept.keep(of, 1, None, said.append)

    ((file, _),) = kept.of(of, 1).files(of)
    status = file.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (uid, gid, 0o400)


def test_worker_that_may_not_give_files_away_says_so(config, kept, said, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)

    with pytest.raises(errors.ContainerError, match="may not give the secret db to user 1000"):
        kept.keep(entry(secrets=[{"source": "db", "uid": "1000"}]), 1, None, said.append)
    assert not (config.confided / "shop/1").exists()


def test_missing_secret_keeps_nothing(config, kept, said):
    with pytest.raises(errors.ContainerError, match="secret gone of env_file or secrets cannot"):
        kept.keep(entry(secrets=["gone"]), 1, None, said.append)
    assert not (config.confided / "shop/1").exists()


@pytest.mark.parametrize("name", ["db", "env"])
def test_secret_that_others_may_read_is_refused(config, kept, said, name):
    (config.secrets / name).chmod(0o640)

    with pytest.raises(errors.ContainerError, match=f"Others may read the secret {name}"):
        kept.keep(entry(), 1, None, said.append)


def test_files_are_of_the_engines_machine(tmp_path, said):
    config = settings.load(tmp_path / "state", {"BUILD_HOOK_DOCKER_HOST": "ssh://elsewhere"})
    confide(config, "db", "x")
    confide(config, "env", "A=x")
    away = confided.Confided(config)

    with pytest.raises(errors.ContainerError, match="engine is at ssh://elsewhere"):
        away.keep(entry(), 1, None, said.append)
    away.keep(entry(secrets=[]), 1, None, said.append)
    assert (away.of(entry(secrets=[]), 1).values / "env").exists()


def test_who_has_no_secrets_has_no_folder(config, kept, said):
    of = entry(secrets=[], env_file=[])
    kept.keep(of, 1, None, said.append)

    assert list(kept.of(of, 1).files(of)) == []
    assert not config.confided.exists()


def test_what_no_build_needs_is_forgotten(config, kept, said):
    for unit in ("shop", "shop-2"):
        for build in (2, 4, 6, 8):
            kept.keep(entry(unit), build, None, said.append)

    (config.confided / "shop" / ".6").mkdir()  # a crash left it

    kept.tidy("shop", {4, 8, 9})
    kept.drop("shop-2", 4)

    assert {p.name for p in (config.confided / "shop").iterdir()} == {"4", "8"}
    assert {p.name for p in (config.confided / "shop-2").iterdir()} == {"2", "6", "8"}
    kept.forget("shop")
    assert {p.name for p in config.confided.iterdir()} == {"shop-2"}


@pytest.mark.parametrize(
    ("secrets", "match"),
    [
        (["../x"], "source"),
        ([{"source": "db", "target": "../x"}], "absolute path of a file"),
        ([{"source": "db", "target": "/a/../b"}], "absolute path of a file"),
        ([{"source": "db", "target": "/etc/"}], "absolute path of a file"),
        ([{"source": "db", "target": ".."}], "absolute path of a file"),
        ([{"source": "db", "mode": "rw"}], "mode"),
        ([{"source": "db", "uid": "root"}], "uid"),
        (["db", {"source": "other", "target": "/run/secrets/db"}], "two secrets are"),
    ],
)
def test_wrong_secret_is_refused(secrets, match):
    with pytest.raises(ValueError, match=match):
        entry(secrets=secrets)


def test_scripts_mount_their_own(config):
    with pytest.raises(ValueError, match="not for scripts"):
        entry(strategy="script")


def test_files_that_scripts_named_stay_with_their_build_and_come_back_with_it(config, kept, said):
    of = entry(secrets=[])
    heard = config.state / "heard"
    heard.mkdir()
    for build, text in ((1, "first"), (2, "second")):
        (heard / "0").write_text(text, encoding="utf-8")
        kept.hear("shop", build, heard)
        kept.keep(of, build, None, said.append)
    kept.keep(of, 3, 1, said.append)
    kept.keep(entry("shop", secrets=[], env_file=[]), 4, 1, said.append)

    texts = [(kept.of(of, build).said / "0").read_text() for build in (1, 2, 3, 4)]

    assert texts == ["first", "second", "first", "first"]
    assert (kept.of(of, 3).values / "env").exists()
    kept.tidy("shop", [2])
    assert [folder.name for folder in (config.confided / "shop").iterdir()] == ["2"]


def test_scripts_that_named_no_file_leave_nothing(config, kept):
    kept.hear("shop", 1, config.state / "none")

    assert not config.confided.exists() or not list(config.confided.iterdir())

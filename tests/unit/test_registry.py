"""The registry file: what is accepted, what stays in force when it is bad, how it is written."""

import json
import os
import pathlib

import pydantic
import pytest

from build_hook import errors, project, registry

WEB = project.Project(
    name="web",
    repository="https://git.example/team/web.git",
    ports=(project.Port(target=80, published=8081),),
)


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "registry.json"


def write(path: pathlib.Path, *projects: dict[str, object]) -> None:
    draft = path.with_name("draft")
    draft.write_text(json.dumps({"version": 1, "projects": projects}), encoding="utf-8")
    draft.replace(path)


def test_what_is_saved_is_what_is_loaded(path: pathlib.Path):
    assert registry.save(path, registry.Registry(projects=(WEB,)))

    assert registry.load(path).projects == (WEB,)


def test_the_same_contents_are_not_written_again(path: pathlib.Path):
    registry.save(path, registry.Registry(projects=(WEB,)))
    before = path.stat().st_mtime_ns, path.stat().st_ino

    assert not registry.save(path, registry.Registry(projects=(WEB,)))
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_a_write_that_fails_leaves_the_old_file(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    registry.save(path, registry.Registry(projects=(WEB,)))

    def refuse(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        registry.save(path, registry.Registry())
    assert registry.load(path).projects == (WEB,)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "web"}, "projects.0: needs a repository to build from, or an image to pull"),
        ({"name": "Web", "repository": "https://h/r"}, "projects.0.name"),
        ({"name": "web", "repository": "ext::sh -c id"}, "must be an https, http, ssh or git URL"),
        ({"name": "web", "repository": "--upload-pack=id"}, "must be an https"),
        ({"name": "web", "repository": "file:///etc"}, "must be an https"),
        ({"name": "web", "repository": "https://h/r", "ref": "a..b"}, "not a valid git ref"),
        ({"name": "web", "repository": "https://h/r", "prots": []}, "projects.0.prots"),
        (
            {"name": "web", "repository": "https://h/r", "build": {"context": "../x"}},
            "inside the repository",
        ),
        (
            {"name": "web", "repository": "https://h/r", "webhook_secrets": ["../../etc/passwd"]},
            "projects.0.webhook_secrets.0",
        ),
    ],
)
def test_each_fault_is_named_with_its_place(
    path: pathlib.Path, entry: dict[str, object], said: str
):
    write(path, entry)

    with pytest.raises(errors.RegistryError) as caught:
        registry.load(path)
    assert said in str(caught.value)
    assert "the last good one stays in force" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2, "projects": []}', "\x00"])
def test_what_is_no_registry_is_refused(path: pathlib.Path, text: str):
    path.write_text(text, encoding="utf-8")

    with pytest.raises(errors.RegistryError):
        registry.load(path)


def test_two_projects_may_not_share_a_name_or_a_port(path: pathlib.Path):
    one = {"name": "a", "repository": "https://h/a", "ports": [{"target": 1, "published": 9}]}
    write(path, one, one)

    with pytest.raises(errors.RegistryError, match=r"project name used twice: a"):
        registry.load(path)
    write(path, one, {**one, "name": "b"})
    with pytest.raises(errors.RegistryError, match=r"a and b both publish port 9 without hosts"):
        registry.load(path)


def test_a_change_is_seen_once(path: pathlib.Path):
    reader = registry.Reader(path)
    registry.save(path, registry.Registry(projects=(WEB,)))

    assert [reader.refresh(), reader.refresh()] == [True, False]
    assert reader.current.projects == (WEB,)


def test_news_are_the_origins_of_what_is_new_or_says_something_else():
    elsewhere = {"repository": "https://git.example/other.git", "ports": ()}
    other = WEB.model_copy(update={"name": "other", **elsewhere})
    third = other.model_copy(update={"name": "third"})
    slow = other.model_copy(update={"drain": 99.0})
    before = registry.Registry(projects=(WEB, third))
    kept = registry.Registry(projects=(WEB, third.model_copy(update={"kept": True})))

    assert before.news(before) == set()
    assert before.news(registry.Registry()) == {WEB.origin, third.origin}
    assert registry.Registry(projects=(WEB, slow)).news(before) == {other.origin}
    assert registry.Registry(projects=(WEB,)).news(before) == set()
    assert kept.news(before) == set()
    assert before.news(kept) == {third.origin}


def test_a_bad_file_leaves_the_last_good_one_in_force(path: pathlib.Path):
    reader = registry.Reader(path)
    registry.save(path, registry.Registry(projects=(WEB,)))
    reader.refresh()

    path.write_text("{", encoding="utf-8")

    assert not reader.refresh()
    assert reader.current.projects == (WEB,)
    assert "The registry cannot be used" in (reader.problem or "")


def test_the_last_good_one_outlasts_a_restart(path: pathlib.Path):
    first = registry.Reader(path)
    registry.save(path, registry.Registry(projects=(WEB,)))
    first.refresh()
    first.keep()
    path.write_text("{", encoding="utf-8")

    second = registry.Reader(path)

    assert second.refresh()
    assert second.current.projects == (WEB,)
    assert second.problem is not None


def test_a_file_that_vanishes_takes_no_project_with_it(path: pathlib.Path):
    reader = registry.Reader(path)
    registry.save(path, registry.Registry(projects=(WEB,)))
    reader.refresh()
    reader.keep()
    path.unlink()

    assert not reader.refresh()
    assert reader.current.projects == (WEB,)
    assert "is gone" in (reader.problem or "")


def test_without_any_file_there_are_no_projects_and_no_problem(path: pathlib.Path):
    reader = registry.Reader(path)

    assert not reader.refresh()
    reader.keep()
    assert (reader.current.projects, reader.problem) == ((), None)
    assert list(path.parent.iterdir()) == []


def test_a_repaired_file_is_good_again(path: pathlib.Path):
    reader = registry.Reader(path)
    path.write_text("{", encoding="utf-8")
    reader.refresh()

    registry.save(path, registry.Registry(projects=(WEB,)))

    assert reader.refresh()
    assert reader.problem is None


def test_two_projects_cannot_publish_one_udp_port_but_share_the_number_with_tcp():
    def publishing(name, **port):
        given = {"name": name, "repository": "https://git.invalid/x.git"}
        return {**given, "ports": [{"target": 9, "published": 9, **port}]}

    udp, tcp = publishing("a", protocol="udp"), publishing("b", app_protocol="tcp")
    assert len(registry.Registry.model_validate({"projects": [udp, tcp]}).projects) == 2
    with pytest.raises(ValueError, match="a and c both publish UDP port 9"):
        registry.Registry.model_validate({"projects": [udp, publishing("c", protocol="udp")]})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ci": ["build"]}, "ci says which runs after_ci waits for"),
        ({"after_ci": True, "ci": ["[z-a]"]}, "is not a pattern"),
        ({"after_ci": True, "ci": [""]}, "at least 1 character"),
    ],
)
def test_names_of_ci_need_after_ci_and_are_patterns(given, said):
    with pytest.raises(pydantic.ValidationError, match=said):
        project.Project(name="shop", repository="https://h/r", **given)

"""The stand-in for docker: what it changes, and what it passes on as it is."""

import json
import os
import pathlib
import stat
import subprocess
import sys

import pytest

from build_hook import script
from build_hook.deploy import marked, programs
from build_hook.shim import docker, helper, spool

SERVING = "a" * 64
LABELS = {"io.build-hook.instance": "i", "io.build-hook.build": "7"}
# Notes its words and answers as docker would: with an id, or with the labels of an image.
FAKE = """#!{python}
import json, pathlib, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "create":
    print("c" * 64)
if sys.argv[1] == "image":
    print({labels!r} if sys.argv[-1] == "shop" else "null")
sys.exit(3 if "fails" in sys.argv else 0)
"""


@pytest.fixture
def calls(tmp_path):
    return tmp_path / "calls"


@pytest.fixture
def of(tmp_path, calls, monkeypatch):
    program = tmp_path / "docker"
    program.write_text(
        FAKE.format(python=sys.executable, log=str(calls), labels=json.dumps(LABELS))
    )
    program.chmod(0o755)
    made = spool.Spool(tmp_path / "spool")
    made.open(
        spool.Context(
            docker=str(program), project="shop", image_tag="ours/shop:7", labels=LABELS,
            container="shop-7", network="ours", no_proxy="*.lan,shop.invalid", serving=SERVING,
            known_as="web",
        )
    )  # fmt: skip
    monkeypatch.setenv(spool.VARIABLE, str(made.folder))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return made


def call(of, text):
    return docker.Shim(of).call(text.split())


def said(calls):
    return [" ".join(json.loads(line)) for line in calls.read_text().splitlines()]


@pytest.mark.parametrize(
    "text", ["ps -a", "push shop", "run --rm shop true", "rmi web", "tag web x", "-H x run -d web"]
)
def test_what_makes_no_version_is_passed_on(of, calls, text):
    assert call(of, text) == 0
    assert said(calls) == [text]


@pytest.mark.parametrize("words", ["build", "image build", "buildx build"])
def test_an_image_gets_labels_and_a_tag(of, calls, words):
    call(of, f"{words} --no-cache -t shop .")

    assert said(calls) == [
        f"{words} --label=io.build-hook.instance=i --label=io.build-hook.build=7 "
        "--build-arg=NO_PROXY=*.lan,shop.invalid --build-arg=no_proxy=*.lan,shop.invalid "
        "--tag=ours/shop:7 --no-cache -t shop ."
    ]


@pytest.mark.parametrize("own", ["--build-arg NO_PROXY=a,b", "--build-arg=no_proxy=c"])
def test_exceptions_of_its_own_keep_the_mark_of_the_build(of, calls, own):
    call(of, f"build {own} .")

    assert said(calls)[0].endswith(f" --tag=ours/shop:7 {own},shop.invalid .")


def test_a_build_that_fails_is_told(of):
    assert call(of, "build fails .") == 3
    assert of.problem() == "docker build failed with exit status 3"


@pytest.mark.parametrize("text", ["run -d -p 9000:80 other", "container run -d shop"])
def test_a_version_is_made_started_and_told(of, calls, text, capfd):
    assert call(of, text) == 0

    *_, create, start = said(calls)
    assert create.startswith("create --name shop-7 --restart no --network ours --label")
    assert start == f"start {'c' * 64}"
    assert capfd.readouterr().out == f"{'c' * 64}\n"
    started = of.started()
    assert started is not None
    assert started.container == "c" * 64


def test_files_that_docker_reads_are_kept_as_they_are_and_where_that_was(
    of, capfd, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    for name in ("app.env", "labels"):
        pathlib.Path(name).write_text(f"{name}=1\n", encoding="utf-8")

    labels, unreadable = tmp_path / "labels", "x" * 300  # longer than a name may be
    named = f"--env-file pipe --env-file app.env --label-file {labels} --env-file {unreadable}"
    call(of, f"run -d -p 9000:80 {named} other")

    said = capfd.readouterr().err
    for name in ("pipe", unreadable):
        assert f"{name} is no file that can be kept: a roll-back reads it as it is then" in said
    assert said.count("a roll-back reads") == 2
    kept = {file.name: file.read_text("utf-8") for file in of.files.iterdir()}
    assert kept == {"1": "app.env=1\n", "2": "labels=1\n"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in of.files.iterdir()} == {0o600}
    started = of.started()
    assert started is not None
    assert started.folder == str(tmp_path)


def test_what_is_neither_built_nor_published_is_no_version(of, calls):
    call(of, "run -d --name db postgres")

    assert said(calls)[-1] == "run -d --name db postgres"
    assert of.started() is None


def test_what_cannot_run_twice_is_left_to_the_worker(of, calls, capsys):
    call(of, "run -d --network host shop")

    assert "with --network host its ports are its own" in capsys.readouterr().err
    assert not [line for line in said(calls) if line.startswith("start")]
    assert of.started() is not None


def test_a_second_version_is_started_as_it_is(of, calls):
    call(of, "run -d shop")
    call(of, "run -d -p 1:1 shop")

    assert said(calls)[-1] == "run -d -p 1:1 shop"


def test_further_networks_are_joined(of, calls):
    call(of, "run -d --network mine -p 1:1 shop")

    assert f"network connect mine {'c' * 64}" in said(calls)


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("rm -f web", []),
        ("stop -t 5 web", []),
        (f"kill {SERVING[:12]}", []),
        ("container rm -f web", []),
        ("rm -f web other", ["rm -f other"]),
        ("stop -t 5 other", ["stop -t 5 other"]),
        ("kill aaa", ["kill aaa"]),
    ],
)
def test_what_serves_is_spared(of, calls, text, passed, capfd):
    calls.touch()

    assert call(of, text) == 0
    assert said(calls) == passed
    assert ("serves: it is stopped when" in capfd.readouterr().err) is (
        not passed or "web" in text
    )


def test_a_name_means_the_new_container_once_there_is_one(of, calls):
    call(of, "exec web ls")
    call(of, "run -d --name web shop")
    call(of, "exec web ls")
    call(of, "cp web:/x /y")
    call(of, "rm -f web")

    assert said(calls)[0] == f"exec {SERVING} ls"
    assert said(calls)[-3:] == [f"exec {'c' * 64} ls", f"cp {'c' * 64}:/x /y", f"rm -f {'c' * 64}"]


def test_a_container_that_cannot_be_made_is_told(of):
    assert call(of, "run -d -p 1:1 fails") == 3
    assert (of.started(), of.problem()) == (None, "docker run failed, see above")


def test_nothing_is_done_for_a_build_that_is_over(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(spool.VARIABLE, str(tmp_path / "gone"))

    assert docker.main() == 1
    assert "is over: nothing is done" in capsys.readouterr().err


class TestHelper:
    def test_builds_without_cache_and_runs_the_script(self, of, calls, tmp_path):
        start = tmp_path / "start.sh"
        start.write_text(f"#!/bin/sh\necho '[\"started\"]' >> {calls}\n")
        start.chmod(0o755)

        assert helper.main(["-r", "here", "-t", "shop", "-s", str(start), "-v"]) == 0

        assert said(calls) == [
            "ps --quiet --no-trunc --filter ancestor=shop:latest",
            "build --no-cache --tag shop here",
            "started",
        ]

    def test_stops_at_a_build_that_fails(self, of, calls):
        assert helper.main(["--repo", "fails", "--tag", "shop"]) == 3

        assert said(calls)[-1] == "build --no-cache --tag shop fails"

    def test_runs_the_image_where_there_is_no_script(self, of, calls):
        helper.main(["--repo", ".", "--tag", "shop", "--no-kill", "--debug"])

        assert said(calls)[-1] == "run -d shop"

    def test_tells_of_a_script_that_fails(self, of):
        assert helper.main(["-r", ".", "-t", "shop", "-s", "/bin/false"]) == 1
        assert of.problem() == "/bin/false ended with exit status 1"

    def test_finds_the_product_without_a_word_of_the_environment(self, tmp_path, monkeypatch):
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        bare = pathlib.Path(sys.base_prefix, "bin", version)  # knows no packages of ours
        monkeypatch.setattr(sys, "executable", str(bare))
        (tmp_path / "build_hook").mkdir()  # of the repository, and no affair of ours
        (tmp_path / "build_hook" / "__init__.py").write_text("raise SystemExit('shadowed')")

        programs.put_helper(tmp_path / "build-hook.py")
        asked = [str(tmp_path / "build-hook.py"), "--help"]
        done = subprocess.run(asked, cwd=tmp_path, env={}, capture_output=True, text=True)

        assert done.returncode == 0, done.stderr
        assert "--tag" in done.stdout

    def test_is_put_where_it_was_and_keeps_what_was_there(self, tmp_path):
        file = tmp_path / "hooked" / "build-hook.py"
        file.parent.mkdir()
        file.write_text("#!/usr/bin/python\n")

        programs.put_helper(file)
        programs.put_helper(file)

        assert file.with_name("build-hook.py.before").read_text() == "#!/usr/bin/python\n"
        assert file.stat().st_mode & 0o777 == 0o755
        done = subprocess.run([file, "--help"], capture_output=True, text=True, check=True)
        assert "--no-kill" in done.stdout


@pytest.mark.parametrize(
    "given", [{"build": "../x"}, {"build": "/x"}, {"path": "x"}, {"path": "/a/../b"}, {"bild": ""}]
)
def test_paths_that_lead_elsewhere_are_refused(given):
    with pytest.raises(ValueError, match=r"must be|Extra"):
        script.Script(**given)


def test_a_mark_finds_what_went_into_a_session_of_its_own(tmp_path):
    value = str(tmp_path)
    with subprocess.Popen(
        ["setsid", "--fork", "sleep", "60"], env={"PATH": "/usr/bin:/bin", "A_MARK": value}
    ):
        pass
    while not marked.alive("A_MARK", value):
        pass

    with pytest.raises(TimeoutError):
        marked.wait("A_MARK", value, deadline=0, check_stop=lambda: None)
    marked.end("A_MARK", value)

    assert marked.alive("A_MARK", value) == []
    assert marked.alive("A_MARK", f"{value}x") == []

import dataclasses
import pathlib
import stat

import pytest

from build_hook import errors, project
from build_hook.deploy import build_command, clients

PLAIN = clients.Client(("docker", "build"), {"DOCKER_BUILDKIT": "1"})
BUILDX = clients.Client(("docker", "buildx", "build", "--load"), {}, (0, 13))
OLD_BUILDX = clients.Client(("docker", "buildx", "build", "--load"), {}, (0, 7))
MARK = "shop.abcd.build-hook.invalid"


@pytest.fixture(autouse=True)
def configuration(tmp_path, monkeypatch):
    """The docker command's configuration: none."""
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


class Composed:
    """Composes the command of a build, with two secrets at hand."""

    def __init__(self, folder):
        self.folder, self.secrets = folder / "checkout", folder / "secrets"
        (self.folder / "below").mkdir(parents=True)
        (self.folder / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
        self.secrets.mkdir()
        for name in ("npm", "key"):
            (self.secrets / name).write_text("value", encoding="utf-8")
            (self.secrets / name).chmod(0o600)

    def __call__(self, client=PLAIN, fresh=False, engine=(26, 1), store=False, **build):
        of = project.Project.model_validate(
            {"name": "shop", "repository": "https://git.invalid/x.git", "build": build}
        )
        order = build_command.Order(of, 7, "c0ffee", self.folder, fresh)
        place = build_command.Place(client, engine, "abcd", self.secrets, store)
        return build_command.compose(order, place, pathlib.Path("/id"))


@pytest.fixture
def composed(tmp_path):
    return Composed(tmp_path)


def test_the_least(composed):
    assert composed() == (
        "docker",
        "build",
        "--progress=plain",
        "--iidfile=/id",
        f"--file={composed.folder}/Dockerfile",
        "--tag=build-hook-abcd/shop:7",
        "--label=io.build-hook.instance=abcd",
        "--label=io.build-hook.project=shop",
        "--label=io.build-hook.build=7",
        "--label=io.build-hook.commit=c0ffee",
        f"--build-arg=NO_PROXY={MARK}",
        f"--build-arg=no_proxy={MARK}",
        "--",
        str(composed.folder),
    )


@pytest.mark.parametrize(
    ("build", "flags"),
    [
        ({"args": {"A": "1"}}, {"--build-arg=A=1"}),
        ({"args": {"NO_PROXY": "here"}}, {f"--build-arg=NO_PROXY=here,{MARK}"}),
        ({"args": {"no_proxy": "here"}}, {f"--build-arg=NO_PROXY=here,{MARK}"}),
        ({"target": "chosen"}, {"--target=chosen"}),
        ({"no_cache": True}, {"--no-cache"}),
        ({"pull": True}, {"--pull"}),
        ({"labels": {"team": "shop"}}, {"--label=team=shop"}),
        ({"network": "none"}, {"--network=none"}),
        ({"shm_size": "64m"}, {"--shm-size=64m"}),
        ({"platforms": ["linux/amd64"]}, {"--platform=linux/amd64"}),
        ({"extra_hosts": {"db": "10.0.0.1"}}, {"--add-host=db:10.0.0.1"}),
        (
            {"ulimits": {"nofile": 64, "core": {"soft": 0, "hard": -1}}},
            {"--ulimit=nofile=64:64", "--ulimit=core=0:-1"},
        ),
    ],
)
@pytest.mark.parametrize("client", [PLAIN, BUILDX])
def test_key_becomes_a_flag(composed, client, build, flags):
    assert flags <= set(composed(client, **build))


def test_secrets_are_files_and_never_values(composed):
    command = composed(
        secrets=["npm", {"source": "npm", "target": "TOKEN"}], ssh={"default": "key"}
    )

    assert {
        f"--secret=id=npm,src={composed.secrets}/npm",
        f"--secret=id=TOKEN,src={composed.secrets}/npm",
        f"--ssh=default={composed.secrets}/key",
    } <= set(command)
    assert "value" not in " ".join(command)


def test_missing_secret_is_named_before_anything_is_built(composed):
    with pytest.raises(errors.ImageError, match=r"needs the secret 'other'.* mode 0600"):
        composed(secrets=["other"])


def test_secret_that_others_may_read_is_refused(composed):
    file = composed.secrets / "npm"
    file.chmod(stat.S_IMODE(file.stat().st_mode) | 0o004)

    with pytest.raises(errors.ImageError, match=r"Others may read.*chmod 600"):
        composed(secrets=["npm"])


def test_fresh_asks_for_newer_bases_and_spoils_one_argument(composed):
    command = composed(fresh=True)

    assert {"--pull", "--build-arg=BUILD_HOOK_FRESH=7"} <= set(command)
    assert "--no-cache" not in command


def test_proxy_exceptions_of_the_docker_command_are_kept(composed, configuration):
    (configuration / "config.json").write_text(
        '{"proxies": {"default": {"noProxy": "*.lan"}}}', encoding="utf-8"
    )

    assert f"--build-arg=no_proxy=*.lan,{MARK}" in composed()


@pytest.mark.parametrize("source", ["shop:main", "type=registry,ref=shop:main"])
def test_engine_reads_cache_of_images(composed, source):
    assert "--cache-from=shop:main" in composed(cache_from=[source])
    assert f"--cache-from={source}" in composed(BUILDX, cache_from=[source])


def test_engine_writes_inline_cache_only(composed):
    inline = composed(cache_to=["type=inline"])

    assert "--build-arg=BUILDKIT_INLINE_CACHE=1" in inline
    assert "--cache-to=type=registry,ref=shop:cache" in composed(
        BUILDX, cache_to=["type=registry,ref=shop:cache"]
    )


@pytest.mark.parametrize(
    ("key", "build"),
    [
        ("cache_to", {"cache_to": ["type=registry,ref=shop:cache"]}),
        ("cache_from", {"cache_from": ["type=gha"]}),
        ("additional_contexts", {"additional_contexts": {"more": "below"}}),
        ("provenance", {"provenance": "true"}),
        ("sbom", {"sbom": True}),
    ],
)
def test_what_needs_buildx_says_so(composed, key, build):
    with pytest.raises(errors.ImageError, match=rf"build\.{key} needs buildx .*is not here"):
        composed(**build)
    assert composed(BUILDX, **build)


def test_progress_is_asked_for_as_json_where_that_is_spoken(composed):
    talker = dataclasses.replace(BUILDX, speaks_json=True)

    assert "--progress=rawjson" in composed(talker)
    assert "--progress=plain" in composed(BUILDX)


BOTH = ["linux/amd64", "linux/arm64"]


def test_several_platforms_where_they_can_be_built_and_kept(composed):
    command = composed(BUILDX, store=True, platforms=BOTH)

    assert {"--platform=linux/amd64", "--platform=linux/arm64"} <= set(command)


@pytest.mark.parametrize(
    ("client", "says"),
    [
        (PLAIN, r"platforms with more than one needs buildx 0\.8 or newer, which is not here"),
        (BUILDX, r"amd64 and linux/arm64, but the engine's image store keeps.*containerd's on"),
    ],
)
def test_several_platforms_where_they_cannot_say_so(composed, client, says):
    with pytest.raises(errors.ImageError, match=says):
        composed(client, platforms=BOTH)


def test_old_buildx_is_told(composed):
    with pytest.raises(errors.ImageError, match=r"needs buildx 0\.10 or newer, which is 0\.7"):
        composed(OLD_BUILDX, sbom=True)


def test_contexts_of_the_repository_are_inside_it(composed):
    given = {"more": "below", "base": "docker-image://alpine:3"}
    command = composed(BUILDX, additional_contexts=given)

    assert f"--build-context=more={composed.folder}/below" in command
    assert "--build-context=base=docker-image://alpine:3" in command
    (composed.folder / "out").symlink_to("/etc")
    with pytest.raises(errors.CheckoutError, match="leads out of the repository"):
        composed(BUILDX, additional_contexts={"more": "out"})


@pytest.mark.parametrize(
    ("asked", "flag"), [({}, "false"), ({"provenance": "mode=max"}, "mode=max")]
)
def test_provenance_is_off_unless_asked_for(composed, asked, flag):
    assert f"--provenance={flag}" in composed(BUILDX, **asked)
    assert "--sbom=true" not in composed(BUILDX, **asked)
    assert not any(word.startswith("--provenance") for word in composed(OLD_BUILDX))


def test_strange_builder_is_refused(composed):
    text = "# syntax=evil.example/builder\nFROM scratch\n"
    (composed.folder / "Dockerfile").write_text(text, encoding="utf-8")

    with pytest.raises(errors.ImageError, match=r"asks for the builder 'evil.example/builder'"):
        composed()


@pytest.mark.parametrize(
    ("key", "build"), [("shm_size", {"shm_size": "1m"}), ("ulimits", {"ulimits": {"nproc": 9}})]
)
def test_what_old_engines_ignore_is_refused(composed, key, build):
    with pytest.raises(errors.ImageError, match=rf"build\.{key} needs a Docker engine from 23.0"):
        composed(engine=(20, 10), **build)

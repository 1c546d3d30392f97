"""Compose files: what they become, and what of them is refused."""

import pathlib
from typing import Any

import pytest

from build_hook import errors, part, project
from build_hook.compose import interpolation, reading

SHOP = """\
x-common: &common
  restart: always
  environment: {LEVEL: 1, LOUD: true, WORD: no, FROM: "${FROM:-$$here}"}
services:
  web:
    <<: *common
    build: ./web
    ports: ["8080:8000"]
    depends_on: {api: {condition: service_healthy, restart: true}}
  api:
    build: {context: api, dockerfile: Dockerfile.api, args: {BASE: "${BASE}"}, target: run}
    command: serve --fast "two words"
    depends_on: [db, migrate]
    env_file: api.env
    environment: [NAME=api, BASE]
    mem_limit: 64m
  migrate:
    build: api
    depends_on: [db]
  db:
    image: example/db:1
    volumes: ["data:/data", {type: volume, source: logs, target: /logs, read_only: true}]
    healthcheck: {test: "pg_isready", interval: 5s, retries: 4}
    container_name: my-db
volumes: {data: , logs: {}}
""".replace("[db, migrate]", "{db: , migrate: {condition: service_completed_successfully}}")
OWN = {"services": {"web": {"ports": [{"target": 8000, "published": 8080}]}}}


@pytest.fixture
def folder(tmp_path: pathlib.Path):
    (tmp_path / "api.env").write_text("# for api\nNAME=file\nQUOTED='a b'\n", encoding="utf-8")
    return tmp_path


def read(folder: pathlib.Path, text: str, rules: dict[str, Any] | None = None, **of: Any):
    (folder / "compose.yaml").write_text(text, encoding="utf-8")
    given = {"name": "shop", "repository": "https://git.invalid/x", "compose": rules or {}, **of}
    return reading.read(folder, project.Project.model_validate(given), "1a2b")


def one(folder: pathlib.Path, body: str, rules: dict[str, Any] | None = None, **of: Any):
    """The only service of a file, which is ``a``."""
    (found,) = read(folder, f"services: {{a: {{image: x, {body}}}}}", rules, **of).parts
    return found


def refusal(folder: pathlib.Path, text: str, rules: dict[str, Any] | None = None) -> str:
    with pytest.raises(errors.ComposeError) as caught:
        read(folder, text, rules)
    return str(caught.value)


def shop(folder: pathlib.Path) -> dict[str, part.Part]:
    found = read(folder, SHOP, OWN, environment={"BASE": "busybox"})
    return {piece.service_name: piece for piece in found.parts}


def test_services_come_after_what_they_need(folder):
    assert list(shop(folder)) == ["db", "migrate", "api", "web"]


def test_name_for_what_is_built_has_no_meaning(folder):
    (found,) = read(folder, "services: {a: {build: ., image: 'x:y:z'}}").parts

    assert found.reference is None


def test_settings_become_ours(folder):
    found = shop(folder)

    assert found["web"].environment == {
        "LEVEL": "1", "LOUD": "true", "WORD": "no", "FROM": "$here",
    }  # fmt: skip
    assert (found["web"].restart, found["web"].build.context) == ("always", "web")
    assert found["api"].build.args == {"BASE": "busybox"}
    assert (found["api"].build.dockerfile, found["api"].build.target) == ("Dockerfile.api", "run")
    assert found["api"].command == ("serve", "--fast", "two words")
    assert found["api"].environment == {"NAME": "api", "QUOTED": "a b", "BASE": "busybox"}
    assert found["api"].deploy.resources.limits.memory == "64m"
    assert found["db"].healthcheck is not None
    assert found["db"].healthcheck.test == ("CMD-SHELL", "pg_isready")
    assert found["db"].reference == "example/db:1"


def test_volumes_are_the_projects_own(folder):
    assert shop(folder)["db"].volumes == ("shop_data_1a2b:/data", "shop_logs_1a2b:/logs:ro")


def test_data_without_a_published_port_is_recreated(folder):
    assert {name: found.strategy for name, found in shop(folder).items()} == {
        "db": "recreate", "migrate": "rolling", "api": "rolling", "web": "rolling",
    }  # fmt: skip


def test_conditions_are_kept(folder):
    found = shop(folder)

    assert [name for name, piece in found.items() if piece.ends] == ["migrate"]
    assert found["web"].restarts_with == ("api",)
    assert found["api"].after == ("db", "migrate")


def test_what_has_no_meaning_is_said(folder):
    found = read(folder, SHOP, OWN, environment={"BASE": "busybox"})

    assert found.notes == ("service db: container_name has no meaning here",)


def test_the_operator_wins_over_the_file(folder):
    own = {
        "a": {
            "environment": {"X": "own"},
            "volumes": ["/srv/data:/data"],
            "privileged": True,
            "strategy": "recreate",
            "health": {"path": "/up"},
            "drain": 3,
        }
    }
    found = one(
        folder,
        "environment: {X: file, Y: file}, x-build-hook: {strategy: rolling, drain: 9s}",
        {"services": own},
    )

    assert found.environment == {"X": "own", "Y": "file"}
    assert (found.volumes, found.privileged) == (("/srv/data:/data",), True)
    assert (found.strategy, found.health.path, found.drain) == ("recreate", "/up", 3)


def test_the_file_may_say_how_a_service_is_replaced(folder):
    found = one(folder, "x-build-hook: {strategy: recreate, drain: 1m, health: {successes: 7}}")

    assert (found.strategy, found.drain, found.health.successes) == ("recreate", 60, 7)


def test_the_projects_rules_are_each_services(folder):
    found = one(
        folder,
        "cpus: 0.5",
        health={"timeout": 7},
        watch=33,
        drain=4,
        deploy={"resources": {"limits": {"pids": 50}}},
    )

    assert (found.health.timeout, found.watch, found.drain) == (7, 33, 4)
    limits = found.deploy.resources.limits
    assert (limits.pids, limits.cpus) == (50, 0.5)


def test_build_settings_of_the_operator_are_each_builds(folder):
    text = "services: {a: {build: {context: x, args: [A=1]}}}"
    (found,) = read(folder, text, build={"timeout": 9, "args": {"B": "2"}}).parts

    assert (found.build.context, found.build.timeout) == ("x", 9)
    assert found.build.args == {"A": "1", "B": "2"}


def test_a_limit_of_the_operator_wins(folder):
    found = one(folder, "cpus: 8", deploy={"resources": {"limits": {"cpus": 0.5}}})

    assert found.deploy.resources.limits.cpus == 0.5


def test_profiles_run_when_asked_for(folder):
    text = "services: {a: {image: x}, b: {image: x, profiles: [debug]}}"

    assert [p.service_name for p in read(folder, text).parts] == ["a"]
    asked = read(folder, text, {"profiles": ["debug"]})
    assert {p.service_name for p in asked.parts} == {"a", "b"}


def test_another_file_may_be_named(folder):
    (folder / "deploy").mkdir()
    (folder / "deploy" / "prod.yaml").write_text("services: {a: {build: ../app}}")
    (found,) = read(folder, "services: [", {"file": "deploy/prod.yaml"}).parts

    assert found.build.context == "app"


@pytest.mark.parametrize("key", ["privileged: true", "cap_add: [NET_ADMIN]"])
def test_what_the_operator_allows_takes_effect(folder, key: str):
    name = key.partition(":")[0]

    assert f"line 1: service a: {name}" in refusal(folder, f"services: {{a: {{image: x, {key}}}}}")
    assert getattr(one(folder, key, {"allow": [name]}), name)


def test_host_folders_take_effect_where_allowed(folder):
    body = 'volumes: ["/srv:/data:ro"]'

    assert "host_volumes" in refusal(folder, f"services: {{a: {{image: x, {body}}}}}")
    assert one(folder, body, {"allow": ["host_volumes"]}).volumes == ("/srv:/data:ro",)


def test_what_the_operator_ignores_is_passed_over(folder):
    text = 'services: {a: {image: x, ports: ["80:80"], devices: [/dev/kvm]}}'
    found = read(folder, text, {"ignore": ["ports", "devices"]})

    assert found.parts[0].ports == ()
    assert len(found.notes) == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('volumes: ["/:/host"]', "the folder / of the host"),
        ('volumes: ["/var/run/docker.sock:/s"]', "/var/run/docker.sock of the host"),
        ('volumes: ["./a:/app"]', "gone after the build"),
        ('volumes: ["~/.ssh:/app"]', "gone after the build"),
        ('volumes: ["/a/../../etc:/app"]', "gone after the build"),
        ('volumes: ["other:/app"]', "no volume 'other'"),
        ('volumes: ["/data"]', "not SOURCE:TARGET"),
        ("volumes: [{type: bind, source: /, target: /h}]", "the folder / of the host"),
        ("volumes: [{type: npipe, source: /, target: /h}]", "type npipe"),
        ("volumes: [{type: bind, source: /, target: /h, bind: {}}]", "bind of a volume"),
        ("privileged: true", "privileged"),
        ("cap_add: [SYS_ADMIN]", "cap_add"),
        ("pid: host", "pid reaches"),
        ("ipc: host", "ipc reaches"),
        ("network_mode: host", "network_mode reaches"),
        ("userns_mode: host", "userns_mode reaches"),
        ("devices: [/dev/sda]", "devices reaches"),
        ("security_opt: [apparmor=unconfined]", "security_opt reaches"),
        ("sysctls: {a: b}", "sysctls reaches"),
        ("cgroup_parent: x", "cgroup_parent reaches"),
        ("volumes_from: [container:other]", "volumes_from reaches"),
        ("runtime: evil", "runtime reaches"),
        ('ports: ["80:80"]', "publishing port 80"),
        ("ports: [{target: 80, published: 80}]", "publishing port 80"),
        ('ports: ["8000-8010:8000-8010"]', "no single port"),
        ("env_file: ../../etc/passwd", "outside of the repository"),
        ("env_file: /etc/passwd", "outside of the repository"),
        ("env_file: link", "outside of the repository"),
        ("env_file: none.env", "has no none.env"),
        ("secrets: [x]", "the secret x, which is for the operator to decide"),
        ("secrets: [{source: y, target: x}]", "the secret x, which is for the operator"),
        ("ulimits: {nofile: 9}", "or set ulimits in its compose.services.a"),
        ("configs: [x]", "configs is not among"),
        ("extends: {service: b}", "extends is not among"),
        ("wibble: 1", "wibble is not among"),
        ("labels: {io.build-hook.project: other}", "build-hook's own"),
        ("stop_grace_period: soon", "must be seconds"),
        ("restart: sometimes", "restart"),
        ("environment: {A: $MISSING}", "the variable MISSING is missing"),
        ("environment: {A: [1]}", "not a text"),
        ("depends_on: [b]", "depends on b"),
        ("depends_on: {b: {condition: maybe}}", "'maybe' is not known"),
        ("tmpfs: '/run:exec'", "options of tmpfs"),
        ("healthcheck: {interval: 5s}", "no test"),
        ("healthcheck: 5", "must be a mapping"),
        ("x-build-hook: {strategy: magic}", "strategy"),
        ("deploy: {replicas: 2}, x-build-hook: {strategy: recreate}", "is recreated: deploy.re"),
        ("deploy: {replicas: 51}", "deploy.replicas: Input should be less than"),
        ("scale: many", "deploy.replicas: Input should be a valid integer"),
        ("networks: 5", "networks is not in a form"),
        ("profiles: 5", "must be a list"),
        ("command: {a: b}", "command must be a list"),
        ("build: {args: {BUILDKIT_SYNTAX: evil/frontend}}", "BUILDKIT_SYNTAX steers the builder"),
        ("build: {args: [buildkit_syntax=evil/frontend]}", "buildkit_syntax steers the builder"),
    ],
)
def test_hostile_or_wrong_services_are_refused(folder, body: str, said: str):
    (folder / "link").symlink_to("/etc/passwd")
    message = refusal(folder, f"services:\n  a: {{image: x, {body}}}\n")

    assert said in message
    assert message.startswith("compose.yaml line 2: service a: ")


NESTED = "\n".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]" for n in range(8)
)


@pytest.mark.parametrize("body", ["deploy: {replicas: 3}", "scale: 3"])
def test_replicas_of_the_file_are_honoured_and_the_operator_wins(folder, body: str):
    assert one(folder, body).deploy.replicas == 3
    assert one(folder, body, {"services": {"a": {"deploy": {"replicas": 2}}}}).deploy.replicas == 2


def test_replicas_share_a_volume_and_are_not_recreated_for_it(folder):
    def strategy(more: str) -> str:
        text = f"services: {{a: {{image: x, volumes: ['v:/v']{more}}}}}\nvolumes: {{v: }}"
        return read(folder, text).parts[0].strategy

    assert (strategy(""), strategy(", scale: 2")) == ("recreate", "rolling")


def test_what_runs_to_its_end_runs_once(folder):
    text = """\
services:
  a: {image: x, depends_on: {b: {condition: service_completed_successfully}}}
  b: {image: x, scale: 2}
"""
    assert "runs to its end: deploy.replicas must be 1" in refusal(folder, text)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"deploy": {"replicas": 2}}, "deploy.replicas stands by service"),
        ({"strategy": "recreate"}, "strategy stands by service"),
    ],
)
def test_what_stands_by_service_is_not_the_projects(given, says):
    with pytest.raises(ValueError, match=says):
        project.Project.model_validate(
            {"name": "shop", "repository": "https://git.invalid/x", "compose": {}, **given}
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"a: &a [x]\n{NESTED}\nservices: {{}}", "stand for too much"),
        ("services: {a: &a {image: x, labels: *a}}", "stand for too much"),
        ("a: " + "[" * 100_000, "nests too deeply"),
        ("services: {a: {image: !!python/object/apply:os.system [id]}}", "tag"),
        ("services: {a: {image: x}, a: {image: y}}", "stands twice"),
        ("services: {? [1] : x}", "a key that is not a text"),
        ("services: {a: {image: x}}\ninclude: [other.yaml]", "include is not supported"),
        ("services: {a: {image: x}}\nconfigs: {x: {file: /etc/shadow}}", "configs is not"),
        ("services: {a: {image: x}}\nvolumes: 5", "volumes must be a mapping"),
        ("services: {A: {image: x}}", "cannot be a host name"),
        ("services: {'a.b': {image: x}}", "cannot be a host name"),
        ("services: {a: }", "is not a mapping"),
        ("services: {a: {command: x}}", "neither build nor image"),
        ("services: {}", "no services"),
        ("- a", "no services"),
        ("services: {a: {build: ../..}}", "inside the repository"),
        ("services: {a: {build: /etc}}", "inside the repository"),
        ("services: {a: {build: {context: ., network: host}}}", "network of a build"),
        ("services: {a: {image: build-hook-1a2b/other:5}}", "the image build-hook-"),
        ("services: {a: {image: docker.io/build-hook-1a2b/x:5}}", "the image docker.io/b"),
        ("services: {a: {image: 'index.docker.io/build-hook-1/x'}}", "the image index.docker"),
        ("services: {a: {image: 'x:y:z'}}", "the image x:y:z must be the name of an image"),
        ("services: {a: {image: 'sha256:abc'}}", "the image sha256"),
        ("services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}", "a -> b"),
        ("services: {a: {image: x, volumes: ['d:/x']}}\n"
         "volumes: {d: {external: true}}", "external"),
        ("services: {a: {image: x, volumes: ['d:/x']}}\n"
         "volumes: {d: {driver_opts: {type: none, o: bind, device: /}}}", "driver_opts"),
        ("services: {a: {image: x, volumes: ['d:/x']}}\nvolumes: {d: {name: other_data}}", "name"),
        ("services: {a: {image: x, networks: [n]}}\nnetworks: {n: {external: true}}", "network n"),
        ("services: {a: {image: x, networks: {n: {aliases: [db]}}}}", "its place in"),
        ("services: {a: 'x'", ""),
        ("x" * 300_000, "larger than"),
    ],
)  # fmt: skip
def test_hostile_or_wrong_files_are_refused(folder, text: str, said: str):
    assert said in refusal(folder, text)


def test_bytes_that_are_no_text_are_refused(folder):
    (folder / "compose.yaml").write_bytes(b"\xff\xfe\x00")
    of = project.Project(name="shop", repository="https://git.invalid/x", compose={})  # type: ignore[arg-type]

    with pytest.raises(errors.ComposeError, match="UTF-8"):
        reading.read(folder, of, "1a2b")


def test_a_file_that_leads_out_is_refused(folder):
    (folder / "compose.yml").symlink_to("/etc/hostname")
    of = project.Project(name="shop", repository="https://git.invalid/x", compose={})  # type: ignore[arg-type]

    with pytest.raises(errors.ComposeError, match="leads out"):
        reading.read(folder, of, "1a2b")


def test_a_misspelt_service_of_the_operator_is_an_error(folder):
    own = {"services": {"wbe": {"ports": [{"target": 1, "published": 1}]}}}

    assert "no service wbe" in refusal(folder, "services: {web: {image: x}}", own)


def test_run_settings_of_all_services_are_refused():
    with pytest.raises(ValueError, match=r"ports stands by service: move it to compose\.services"):
        project.Project.model_validate(
            {
                "name": "shop",
                "repository": "https://git.invalid/x",
                "compose": {},
                "ports": [{"target": 1, "published": 1}],
            }
        )


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("$A-${A}", "1-1"),
        ("${A:-x}${B:-x}${E:-x}", "1xx"),
        ("${A-x}${B-x}${E-x}", "1x"),
        ("${A:+x}${B:+x}${E:+x}", "x"),
        ("${A+x}${B+x}${E+x}", "xx"),
        ("${B:-${A}}", "1"),
        ("$$A $${A}", "$A ${A}"),
        ("${A:?no}", "1"),
    ],
)
def test_variables_are_filled_in(text: str, filled: str):
    assert interpolation.fill(text, {"A": "1", "E": ""}) == filled


@pytest.mark.parametrize("text", ["$B", "${B}", "${B:?say}", "${E:?say}", "${", "$-", "${A!}"])
def test_what_cannot_be_filled_in_is_an_error(text: str):
    with pytest.raises(ValueError, match=r"missing|understood|closed|followed"):
        interpolation.fill(text, {"A": "1", "E": ""})


def test_a_bottomless_default_ends():
    with pytest.raises(ValueError, match="too deeply"):
        interpolation.fill("${B:-" * 500 + "}" * 500, {})


def test_a_part_outlasts_the_record(folder):
    for found in shop(folder).values():
        text = found.model_dump_json(exclude_defaults=True)

        assert part.Part.model_validate_json(text) == found


@pytest.mark.parametrize("asked", ["[token]", "[{source: any, target: token, mode: 0400}]"])
def test_secret_of_a_file_is_the_one_that_the_operator_gives(folder: pathlib.Path, asked: str):
    rules = {"services": {"a": {"secrets": [{"source": "shop-token", "target": "token"}]}}}
    text = f"services: {{a: {{image: x, secrets: {asked}}}}}\nsecrets: {{token: {{file: /x}}}}"

    (found,) = read(folder, text, rules).parts

    assert [(s.source, s.path) for s in found.secrets] == [("shop-token", "/run/secrets/token")]

"""``explain``: the contract's object, and the command that prints it."""

import json

import click.testing
import pytest

from build_hook import cli, project
from build_hook.judging import explain, matching
from tests import deliveries

ALL = deliveries.all_of_them()
PUSH = ALL["github-push-branch"]
SHOP = project.Project(
    name="shop",
    repository="https://github.com/binkkatal/sample_app",
    ref="master",
    webhook_secrets=("main",),
)


def looked(delivery, *projects, values=None, given=None):
    known = {} if values is None else values
    index = matching.Index(projects)
    return explain.look(
        delivery.headers, delivery.body, index, known.get, given=given, now=delivery.now
    )


@pytest.mark.parametrize("delivery", [pytest.param(d, id=d.id) for d in ALL.values()])
def test_object_of_every_delivery(delivery):
    found = looked(delivery, given=delivery.secret)

    expected = delivery.expected
    assert list(found) == [
        "provider", "event", "kind", "repository", "clone_urls", "changes", "verified", "matches",
        "summary",
    ]  # fmt: skip
    assert found["provider"] == delivery.provider
    assert found["kind"] == expected["kind"]
    assert found["repository"] == expected["repository_full_name"]
    assert found["clone_urls"] == expected["clone_urls"]
    assert found["verified"] is (delivery.id not in deliveries.NO_PROOF)
    assert found["matches"] == []
    json.dumps(found)
    for change, known in zip(found["changes"], expected["changes"], strict=True):
        assert list(change) == [
            "ref", "ref_type", "name", "before", "after", "created", "deleted", "head_message",
        ]  # fmt: skip
        for key in ("ref", "ref_type", "name", "before", "after"):
            assert change[key] == known[key]


def test_with_the_projects_own_secret():
    found = looked(PUSH, SHOP, values={"main": PUSH.secret})

    assert found["verified"] is True
    assert found["matches"] == [
        {"project": "shop", "action": "build", "reason": "refs/heads/master moved"}
    ]


def test_with_a_wrong_secret_of_the_project():
    found = looked(PUSH, SHOP, values={"main": b"wrong"})

    assert found["verified"] is False
    assert found["matches"][0]["action"] == "ignore"
    assert found["matches"][0]["reason"].startswith("refused: X-Hub-Signature-256")


def test_a_secret_given_counts_in_place_of_the_projects():
    assert looked(PUSH, SHOP, values={"main": PUSH.secret}, given=b"wrong")["verified"] is False
    assert looked(PUSH, SHOP, values={"main": b"wrong"}, given=PUSH.secret)["verified"] is True


def test_without_a_secret_the_match_shows_and_the_doubt():
    found = looked(PUSH, SHOP.model_copy(update={"webhook_secrets": ()}))

    assert found["verified"] is None
    assert found["matches"][0]["action"] == "build"
    assert "until a secret proves" in found["matches"][0]["reason"]


def test_a_project_that_takes_unsigned_ones_has_no_doubt():
    open_to_all = SHOP.model_copy(update={"webhook_secrets": (), "allow_unsigned": True})

    assert looked(PUSH, open_to_all)["matches"][0]["reason"] == "refs/heads/master moved"


def test_short_name_is_warned_of_and_builds_from_the_registry():
    """The delivery's own addresses are of another repository: nothing of them is used."""
    elsewhere = "https://git.example/me/sample_app"
    short = SHOP.model_copy(update={"match": "short-name", "repository": elsewhere})

    (match,) = looked(PUSH, short, values={"main": PUSH.secret})["matches"]

    assert (match["action"], match["project"]) == ("build", short.name)
    assert "found by its short name" in match["warning"]
    assert looked(PUSH, short.model_copy(update={"match": "full-name"}))["matches"] == []


def test_one_genuine_proof_of_several_is_enough():
    other = SHOP.model_copy(update={"name": "other", "webhook_secrets": ("other",)})

    found = looked(PUSH, other, SHOP, values={"main": PUSH.secret, "other": b"x"})

    assert found["verified"] is True
    assert [match["action"] for match in found["matches"]] == ["ignore", "build"]


class TestCommand:
    @pytest.fixture
    def run(self, tmp_path, monkeypatch):
        """Run the command on files; returns the result."""
        monkeypatch.setenv("BUILD_HOOK_STATE", str(tmp_path / "state"))
        (tmp_path / "headers.json").write_text(json.dumps(PUSH.headers), encoding="utf-8")
        (tmp_path / "body").write_bytes(PUSH.body)

        def run(*arguments, headers="headers.json", body="body"):
            files = ["--headers", str(tmp_path / headers), "--body", str(tmp_path / body)]
            return click.testing.CliRunner().invoke(cli.group, ["explain", *files, *arguments])

        return run

    @staticmethod
    def register(folder):
        (folder / "secrets").mkdir(parents=True)
        (folder / "secrets" / "main").write_bytes(PUSH.secret + b"\n")
        content = {"version": 1, "projects": [SHOP.model_dump(exclude_defaults=True)]}
        (folder / "registry.json").write_text(json.dumps(content), encoding="utf-8")
        return folder / "registry.json"

    def test_without_a_state_folder_makes_none(self, run, tmp_path):
        result = run("--json")

        assert result.exit_code == 0
        assert json.loads(result.output)["verified"] is None
        assert not (tmp_path / "state").exists()

    def test_of_the_state_folder(self, run, tmp_path):
        self.register(tmp_path / "state")

        found = json.loads(run("--json").output)

        assert (found["verified"], found["matches"][0]["action"]) == (True, "build")

    def test_of_a_registry_given(self, run, tmp_path):
        path = self.register(tmp_path / "elsewhere")

        found = json.loads(run("--json", "--registry", str(path)).output)

        assert (found["verified"], found["matches"][0]["project"]) == (True, "shop")

    def test_with_a_secret_given(self, run):
        assert json.loads(run("--json", "--secret", "wrong").output)["verified"] is False
        secret = PUSH.secret.decode()
        assert json.loads(run("--json", "--secret", secret).output)["verified"] is True

    def test_for_a_person(self, run, tmp_path):
        path = self.register(tmp_path / "elsewhere")

        result = run("--registry", str(path))

        assert result.exit_code == 0
        assert "verified    yes" in result.output
        assert "refs/heads/master moved to fd48986" in result.output
        assert "shop: build" in result.output

    def test_for_a_person_without_a_project(self, run):
        assert "none has this repository" in run().output

    def test_at_another_time(self, run, tmp_path):
        delivery = ALL["gitlab-push-standard-webhooks"]
        (tmp_path / "headers.json").write_text(json.dumps(delivery.headers), encoding="utf-8")
        (tmp_path / "body").write_bytes(delivery.body)
        secret = ("--json", "--secret", delivery.secret.decode())

        assert json.loads(run(*secret).output)["verified"] is False
        assert json.loads(run(*secret, "--at", str(delivery.now)).output)["verified"] is True

    def test_header_names_in_any_case_and_values_of_any_type(self, run, tmp_path):
        headers = {"X-GITHUB-EVENT": "push", "Content-Length": 8471, "Accept": ["*/*"], "X": None}
        (tmp_path / "headers.json").write_text(json.dumps(headers), encoding="utf-8")

        assert json.loads(run("--json").output)["provider"] == "github"

    @pytest.mark.parametrize("text", ["[]", "{", "", "1", "[" * 100_000])
    def test_headers_that_are_no_object_are_wrong_usage(self, run, tmp_path, text):
        (tmp_path / "bad.json").write_text(text, encoding="utf-8")

        result = run(headers="bad.json")

        assert result.exit_code == 2
        assert "--headers" in result.output

    def test_missing_file_is_wrong_usage(self, run):
        assert run(body="none").exit_code == 2

    def test_a_body_that_cannot_be_read_fails(self, run, tmp_path):
        (tmp_path / "body").write_bytes(b"{")

        result = run("--json")

        assert result.exit_code == 1
        assert "not valid JSON" in str(result.exception)

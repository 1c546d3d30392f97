"""How CI ended, as each host's documentation has it."""

import pytest

from build_hook import push
from build_hook.judging import forges, judge
from tests import documented
from tests.fuzz import forges as fuzz

COMMIT = "1481a2de7b2a7d02428ad93446ab166be7793fbb"
OLD = "17c497ccc7cca9c2f735aa07e9e3813060ce9a6a"
REPOSITORY = {
    "full_name": "team/app",
    "name": "app",
    "owner": {"login": "team"},
    "clone_url": "https://git.example/team/app.git",
}


def read(headers, body):
    return forges.detect(headers).read(headers, body)


class TestGitHub:
    @pytest.mark.parametrize("cause", ["schedule", "issues", "issue_comment", "watch"])
    def test_a_workflow_that_did_not_test_a_commit_counts_by_name_only(self, cause):
        run = {"head_sha": COMMIT, "head_branch": "main", "name": "stale", "event": cause}
        body = {
            "action": "completed",
            "workflow_run": run | {"conclusion": "success"},
            "repository": REPOSITORY,
        }

        found = read({"x-github-event": "workflow_run"}, body).check

        assert found == push.Check(COMMIT, "main", "stale", True, single=True)

    def suite(self, action="completed", **suite):
        given = {
            "head_sha": COMMIT,
            "head_branch": "main",
            "status": "completed",
            "conclusion": "success",
            "app": {"slug": "some-ci", "name": "Some CI"},
        }
        body = {"action": action, "check_suite": given | suite, "repository": REPOSITORY}
        return read({"x-github-event": "check_suite"}, body).check

    def test_a_check_suite(self):
        assert self.suite() == push.Check(COMMIT, "main", "some-ci", True, single=True)
        failed = self.suite(conclusion="neutral")
        assert failed is not None
        assert not failed.succeeded

    @pytest.mark.parametrize(
        "given", [{"action": "requested"}, {"head_branch": None}, {"head_sha": "x"}]
    )
    def test_a_check_suite_that_says_nothing(self, given):
        assert self.suite(**given) is None

    def status(self, **given):
        branch = {"name": "main", "commit": {"sha": COMMIT}, "protected": False}
        older = {"name": "release", "commit": {"sha": OLD}}
        known = {
            "sha": COMMIT,
            "context": "ci/build",
            "state": "success",
            "branches": [older, branch],
            "repository": REPOSITORY,
        }
        return read({"x-github-event": "status"}, known | given).check

    def test_a_commit_status(self):
        assert self.status() == push.Check(COMMIT, "main", "ci/build", True, False, True)

    @pytest.mark.parametrize("state", ["failure", "error"])
    def test_a_status_that_failed(self, state):
        found = self.status(state=state)
        assert found is not None
        assert not found.succeeded

    @pytest.mark.parametrize("given", [{"state": "pending"}, {"sha": None}, {"state": ["x"]}])
    def test_a_status_that_is_no_end(self, given):
        assert self.status(**given) is None

    @pytest.mark.parametrize("branches", [[], None, "x", [{"name": "a"}]])
    def test_a_commit_that_is_the_head_of_no_branch(self, branches):
        found = self.status(branches=branches)
        assert found is not None
        assert (found.branch, found.tag) == (None, None)

    def test_a_commit_that_is_the_head_of_two(self):
        both = [{"name": name, "commit": {"sha": COMMIT}} for name in ("a", "b")]
        found = self.status(branches=both)
        assert found is not None
        assert found.branch is None


class TestGitea:
    def run(self, **run):
        given = {
            "head_sha": COMMIT,
            "head_branch": "main",
            "event": "push",
            "path": "ci.yml@refs/heads/main",
            "status": "completed",
            "conclusion": "success",
        }
        body = {
            "action": "completed",
            "workflow": {"name": "CI", "id": "ci.yml"},
            "workflow_run": given | run,
            "repository": REPOSITORY,
        }
        return read({"x-gitea-event": "workflow_run", "x-github-event": "workflow_run"}, body)

    def test_a_workflow(self):
        event = self.run()

        assert (event.provider, event.kind) == ("gitea", push.Kind.WORKFLOW_RUN)
        assert event.check == push.Check(COMMIT, "main", "CI", True, tag=False)

    def test_a_workflow_of_a_tag(self):
        found = self.run(path="ci.yml@refs/tags/v1", head_branch="v1").check
        assert found == push.Check(COMMIT, "v1", "CI", True, tag=True)

    @pytest.mark.parametrize("mark", ["gitea", "forgejo"])
    def test_a_commit_status_names_no_branch(self, mark):
        body = {"sha": COMMIT, "context": "drone", "state": "success", "repository": REPOSITORY}

        event = read({f"x-{mark}-event": "status", "x-github-event": "status"}, body)

        assert event.provider == mark
        assert event.check == push.Check(COMMIT, None, "drone", True, single=True)


class TestForgejo:
    @pytest.mark.parametrize("event", ["action_run_success", "action_run_recover"])
    def test_an_action_of_a_tag(self, event):
        run = {
            "commit_sha": COMMIT,
            "prettyref": "v1",
            "event": "push",
            "trigger_event": "push",
            "workflow_id": "ci.yml",
            "status": "success",
            "event_payload": '{"ref": "refs/tags/v1", "repository": {}}',
            "repository": REPOSITORY,
        }

        found = read({"x-forgejo-event": event}, {"action": "success", "run": run}).check

        assert found == push.Check(COMMIT, "v1", "ci.yml", True, tag=True)


class TestGitLab:
    def test_a_pipeline_of_a_tag(self):
        attributes = {"ref": "v1", "sha": COMMIT, "status": "success", "source": "push"}
        body = {
            "object_kind": "pipeline",
            "object_attributes": attributes | {"tag": True, "name": "Release"},
            "project": {"path_with_namespace": "group/sub/app"},
        }

        found = read({"x-gitlab-event": "Pipeline Hook"}, body).check

        assert found == push.Check(COMMIT, "v1", "Release", True, tag=True)

    @pytest.mark.parametrize(("source", "single"), [("push", False), ("schedule", True)])
    def test_a_pipeline_by_the_clock_counts_by_name_only(self, source, single):
        attributes = {"ref": "main", "sha": COMMIT, "status": "success", "source": source}
        body = {"object_kind": "pipeline", "object_attributes": attributes}

        found = read({"x-gitlab-event": "Pipeline Hook"}, body).check

        assert found == push.Check(COMMIT, "main", "pipeline", True, False, single)


class TestBitbucketCloud:
    def test_the_commit_stands_in_an_object_of_its_own(self):
        status = {
            "state": "SUCCESSFUL",
            "key": "1",
            "refname": "main",
            "commit": {"type": "commit", "hash": COMMIT},
        }
        body = {"repository": {"full_name": "team/app"}, "commit_status": status}

        event = read({"x-event-key": "repo:commit_status_updated"}, body)

        assert event.check == push.Check(COMMIT, "main", "1", True)


class TestAzure:
    URL = "https://dev.azure.com/org/Shop/_git/app"

    def read(self, event, **resource):
        body = {"eventType": event, "id": "e", "subscriptionId": "s", "resource": resource}
        return read({"x-vss-subscriptionid": "s"}, body)

    def build(self, **given):
        known = {
            "status": "completed",
            "result": "succeeded",
            "sourceBranch": "refs/heads/main",
            "sourceVersion": COMMIT,
            "reason": "individualCI",
            "definition": {"name": "CI"},
            "project": {"name": "Shop"},
            "repository": {"type": "TfsGit", "name": "app", "url": self.URL},
        }
        return self.read("build.complete", **(known | given))

    def test_a_build(self):
        event = self.build()

        assert event.kind is push.Kind.WORKFLOW_RUN
        assert (event.repository, event.host) == ("Shop/app", "dev.azure.com")
        assert event.clone_urls == (self.URL,)
        assert event.delivery_id == "e/s"
        assert event.check == push.Check(COMMIT, "main", "CI", True, tag=False)

    @pytest.mark.parametrize("result", ["partiallySucceeded", "failed", "canceled"])
    def test_a_build_that_did_not_succeed(self, result):
        found = self.build(result=result).check
        assert found is not None
        assert not found.succeeded

    @pytest.mark.parametrize(
        "given",
        [
            {"reason": "pullRequest"},
            {"sourceBranch": "refs/pull/7/merge"},
            {"sourceVersion": "C12345"},
            {"result": None, "status": "inProgress"},
        ],
    )
    def test_a_build_that_says_nothing(self, given):
        assert self.build(**given).check is None

    def test_a_build_by_the_clock_counts_by_name_only(self):
        found = self.build(reason="schedule").check
        assert found == push.Check(COMMIT, "main", "CI", True, False, True)

    def test_a_build_of_a_tag(self):
        found = self.build(sourceBranch="refs/tags/v1").check
        assert found == push.Check(COMMIT, "v1", "CI", True, tag=True)

    def test_a_build_of_a_repository_on_github(self):
        event = self.build(
            repository={"type": "GitHub", "id": "team/app", "url": "https://github.com/team/app"}
        )

        assert (event.repository, event.host) == ("team/app", "github.com")

    def test_a_build_without_the_address_of_its_repository(self):
        event = self.build(repository={"type": "TfsGit", "name": "app"})

        assert (event.repository, event.clone_urls) == ("Shop/app", ())

    def test_version_1_has_ref_and_commit_in_one(self):
        event = self.read(
            "build.complete",
            status="succeeded",
            sourceGetVersion=f"LG:refs/heads/main:{COMMIT}",
            definition={"name": "CI"},
        )

        assert event.check == push.Check(COMMIT, "main", "CI", True, tag=False)
        assert event.repository is None

    @pytest.mark.parametrize("name", ["vss", "azure-devops"])
    def test_the_run_of_a_pipeline(self, name):
        own = {"refName": "refs/heads/main", "version": COMMIT}
        run = {
            "state": "completed",
            "result": "succeeded",
            "resources": {"repositories": {"self": own, "lib": {"version": OLD}}},
        }

        event = self.read(
            f"ms.{name}-pipelines.run-state-changed-event",
            run=run,
            pipeline={"name": "CI"},
            repositories=[{"type": "Git", "url": f"https://org@{self.URL[8:]}", "change": {}}],
        )

        assert event.repository == "Shop/app"
        assert event.check == push.Check(COMMIT, "main", "CI", True, tag=False)

    def test_the_run_of_a_pipeline_that_names_its_commit_only(self):
        event = self.read(
            "ms.vss-pipelines.run-state-changed-event",
            run={"state": "completed", "result": "failed", "pipeline": {"name": "CI"}},
            repositories=[{"url": self.URL, "change": {"version": COMMIT}}],
        )

        assert event.check == push.Check(COMMIT, None, "CI", False)

    @pytest.mark.parametrize("run", [{"state": "inProgress"}, {"state": "completed"}, None, "x"])
    def test_a_run_that_says_nothing(self, run):
        event = self.read("ms.vss-pipelines.run-state-changed-event", run=run)
        assert (event.check, event.repository) == (None, None)

    def test_a_stage_is_no_run(self):
        event = self.read("ms.vss-pipelines.stage-state-changed-event", run={"state": "completed"})
        assert (event.check, event.kind) == (None, push.Kind.OTHER)


@pytest.mark.parametrize("number", range(len(documented.all_of_them())))
def test_what_is_made_from_documentation_is_proven_and_moves_its_project(number):
    sent = documented.all_of_them()[number]
    home = len(fuzz.SOURCES) - len(documented.all_of_them()) + number

    verdict = judge.judge(
        sent.headers,
        sent.body,
        fuzz.world(),
        lambda _: sent.secret,
        only=f"p{home}",
        now=fuzz.NOW,
    )

    assert (verdict.refusal, verdict.verified) == (None, True)
    moved = "ignore" if "transfer" in sent.id else "build"
    assert [match.action for match in verdict.matches] == [moved]

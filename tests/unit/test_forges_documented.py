"""Bodies as the hosts' documentation has them, beyond the recorded deliveries."""

import contextlib
import json
from typing import ClassVar

import pytest

from build_hook import push
from build_hook.judging import forges

COMMIT = "1481a2de7b2a7d02428ad93446ab166be7793fbb"
OLD = "17c497ccc7cca9c2f735aa07e9e3813060ce9a6a"
ZEROS = "0" * 40
REPOSITORY = {
    "full_name": "team/app",
    "clone_url": "https://git.example/team/app.git",
    "owner": {"login": "team"},
    "name": "app",
}


def read(name, headers, body):
    assert forges.detect(headers).name == name
    return forges.by_name(name).read(headers, body)


def succeeded(check: push.Check | None) -> bool:
    assert check is not None
    return check.succeeded


class TestGitHub:
    def read(self, event, **body):
        headers = {"x-github-event": event, "x-github-delivery": "guid", "x-github-hook-id": "7"}
        return read("github", headers, {"repository": REPOSITORY} | body)

    def test_a_delivery_is_told_from_that_of_another_hook(self):
        assert self.read("push", ref="refs/heads/main").delivery_id == "guid/7"

    def test_sha256_repository(self):
        event = self.read("push", ref="refs/heads/main", before="1" * 64, after="0" * 64)

        assert event.changes[0].deleted
        assert event.changes[0].before == "1" * 64

    def test_commit_message_of_the_head_wherever_it_stands(self):
        commits = [{"id": OLD, "message": "older"}, {"id": COMMIT, "message": "newest"}]

        for listed in (commits, commits[::-1]):
            event = self.read("push", ref="refs/heads/main", after=COMMIT, commits=listed)
            assert event.changes[0].head_message == "newest"

    @pytest.mark.parametrize(
        "ref", [None, "", 7, "refs/heads/", "refs/heads/a b", "refs/heads/a..b", "refs/heads/x\n"]
    )
    def test_a_ref_that_git_would_not_take_is_no_change(self, ref):
        assert self.read("push", ref=ref, after=COMMIT).changes == ()

    @pytest.mark.parametrize("after", ["; reboot", "--upload-pack=x", COMMIT + "\n", 7, [COMMIT]])
    def test_a_commit_that_is_none_is_not_read(self, after):
        assert self.read("push", ref="refs/heads/main", after=after).changes[0].after is None

    def run(self, **run):
        given = {
            "head_sha": COMMIT,
            "head_branch": "main",
            "event": "push",
            "conclusion": "success",
            "head_repository": REPOSITORY,
        }
        return self.read("workflow_run", action="completed", workflow_run=given | run).check

    def test_a_workflow_that_succeeded(self):
        assert self.run(name="CI") == push.Check(COMMIT, "main", "CI", True)

    @pytest.mark.parametrize("conclusion", ["failure", "cancelled", "skipped", None, ["success"]])
    def test_a_workflow_that_did_not_succeed(self, conclusion):
        assert not succeeded(self.run(conclusion=conclusion))

    @pytest.mark.parametrize(
        "run",
        [
            {"event": "pull_request"},
            {"event": "pull_request_target"},
            {"head_repository": {"full_name": "stranger/app"}},
            {"head_sha": None},
        ],
    )
    def test_a_workflow_that_says_nothing_about_our_branch(self, run):
        assert self.run(**run) is None

    def test_a_workflow_that_is_not_over(self):
        run = {"head_sha": COMMIT, "head_branch": "main", "event": "push"}

        assert self.read("workflow_run", action="requested", workflow_run=run).check is None

    def test_a_container_image(self):
        version = {"container_metadata": {"tag": {"name": "1.2", "digest": "sha256:ab"}}}
        package = {
            "package_type": "CONTAINER",
            "namespace": "Team",
            "name": "App",
            "package_version": version,
        }

        event = self.read("package", action="published", package=package)

        assert event.images == (push.ImagePush("team/app", "1.2", "sha256:ab"),)

    def test_an_event_of_no_interest(self):
        assert self.read("issues", action="opened").kind is push.Kind.OTHER


class TestGitLab:
    PROJECT: ClassVar = {
        "name": "A display name",
        "path_with_namespace": "group/sub/app",
        "git_http_url": "https://git.example/group/sub/app.git",
        "git_ssh_url": "git@git.example:group/sub/app.git",
    }

    def read(self, event, **body):
        headers = {"x-gitlab-event": event, "idempotency-key": "key"}
        return read("gitlab", headers, {"project": self.PROJECT} | body)

    def test_push(self):
        event = self.read("Push Hook", ref="refs/heads/a/b", before=OLD, after=COMMIT)

        assert event.repository == "group/sub/app"
        assert event.host == "git.example"
        assert event.delivery_id == "key"
        assert event.changes[0].name == "a/b"

    def pipeline(self, **attributes):
        given = {"ref": "main", "sha": COMMIT, "status": "success", "source": "push", "tag": False}
        body = {"object_kind": "pipeline", "object_attributes": given | attributes}
        return self.read("Pipeline Hook", **body)

    def test_a_pipeline_that_succeeded(self):
        event = self.pipeline()

        assert event.kind is push.Kind.WORKFLOW_RUN
        assert event.check == push.Check(COMMIT, "main", "pipeline", True, tag=False)

    def test_a_pipeline_that_failed(self):
        assert not succeeded(self.pipeline(status="failed").check)

    @pytest.mark.parametrize(
        "attributes",
        [
            {"status": "running"},
            {"status": "manual"},
            {"source": "merge_request_event"},
            {"source": "parent_pipeline"},
            {"source": "ondemand_dast_scan"},
            {"sha": None},
        ],
    )
    def test_a_pipeline_that_says_nothing_about_a_ref_of_ours(self, attributes):
        assert self.pipeline(**attributes).check is None

    def test_many_refs_of_a_system_hook(self):
        changes = [
            {"ref": "refs/heads/a", "before": OLD, "after": COMMIT},
            {"ref": "refs/tags/b", "before": ZEROS, "after": COMMIT},
            {"ref": "refs/heads/c", "before": OLD, "after": ZEROS},
        ]

        event = self.read("System Hook", event_name="repository_update", changes=changes)

        assert event.kind is push.Kind.REPOSITORY_UPDATE
        assert [c.name for c in event.changes] == ["a", "b", "c"]
        assert [c.created for c in event.changes] == [False, True, False]
        assert [c.deleted for c in event.changes] == [False, False, True]

    def test_a_transfer(self):
        body = {
            "event_name": "project_transfer",
            "path_with_namespace": "new/app",
            "old_path_with_namespace": "old/app",
            "project": None,
        }

        event = self.read("System Hook", **body)

        assert (event.renamed_from, event.repository) == ("old/app", "new/app")
        assert event.action == "transferred"

    def test_before_projects_had_paths(self):
        old = {"git_http_url": "https://git.example/Team/App.git"}

        assert self.read("Push Hook", project=None, repository=old).repository == "Team/App"


class TestForgejo:
    RUN: ClassVar = {
        "title": "a commit",
        "workflow_id": "ci.yml",
        "commit_sha": COMMIT,
        "prettyref": "main",
        "event": "push",
        "status": "success",
        "repository": REPOSITORY,
    }

    def read(self, **run):
        headers = {"x-forgejo-event": "action_run_success", "x-gitea-event": "action_run_success"}
        return read("forgejo", headers, {"action": "success", "run": self.RUN | run})

    def test_an_action_that_succeeded(self):
        event = self.read()

        assert event.kind is push.Kind.WORKFLOW_RUN
        assert event.repository == "team/app"
        assert event.clone_urls == ("https://git.example/team/app.git",)
        assert event.check == push.Check(COMMIT, "main", "ci.yml", True)

    def test_an_action_that_failed(self):
        assert not succeeded(self.read(status="failure").check)

    def test_an_action_for_a_pull_request(self):
        assert self.read(trigger_event="pull_request").check is None


class TestBitbucket:
    def test_cloud_moves_several_refs(self):
        def ref(kind, name, commit):
            return {"type": kind, "name": name, "target": {"hash": commit}}

        changes = [
            {"old": ref("branch", "main", OLD), "new": ref("branch", "main", COMMIT)},
            {"old": None, "new": ref("tag", "v1/final", COMMIT)},
            {"old": ref("branch", "x/y", OLD), "new": None, "closed": True},
            {"old": None, "new": None},
            "nonsense",
        ]
        body = {"repository": {"full_name": "team/app"}, "push": {"changes": changes}}

        event = read("bitbucket-cloud", {"x-event-key": "repo:push"}, body)

        assert [c.ref for c in event.changes] == [
            "refs/heads/main",
            "refs/tags/v1/final",
            "refs/heads/x/y",
        ]
        assert [c.deleted for c in event.changes] == [False, False, True]
        assert [c.created for c in event.changes] == [False, True, False]
        assert event.host == "bitbucket.org"

    def test_cloud_rename(self):
        body = {
            "repository": {"full_name": "team/new"},
            "changes": {"full_name": {"old": "team/old", "new": "team/new"}},
        }

        event = read("bitbucket-cloud", {"x-event-key": "repo:updated"}, body)

        assert event.renamed_from == "team/old"

    def test_data_center_rename(self):
        def named(slug):
            return {"slug": slug, "project": {"key": "PRJ"}}

        body = {"old": named("old"), "new": named("new")}

        event = read("bitbucket-dc", {"x-event-key": "repo:modified"}, body)

        assert (event.renamed_from, event.repository) == ("PRJ/old", "PRJ/new")

    def test_data_center_without_a_new_name(self):
        same = {"slug": "app", "project": {"key": "PRJ"}}

        event = read("bitbucket-dc", {"x-event-key": "repo:modified"}, {"old": same, "new": same})

        assert event.renamed_from is None

    def test_old_post_service_with_several_branches(self):
        commits = [
            {"branch": "main", "raw_node": OLD, "message": "first"},
            {"branch": "main", "raw_node": COMMIT, "message": "second"},
            {"branch": None, "branches": ["other"], "raw_node": OLD},
        ]
        body = {
            "canon_url": "https://bitbucket.org",
            "repository": {"owner": "team", "slug": "app"},
            "commits": commits,
        }

        event = forges.detect({}).read({}, body)

        assert event.provider == "bitbucket-legacy-post"
        assert (event.host, event.repository) == ("bitbucket.org", "team/app")
        assert [(c.name, c.after) for c in event.changes] == [("main", COMMIT), ("other", OLD)]


class TestAzure:
    def read(self, event, **resource):
        repository = {
            "name": "app",
            "project": {"name": "Shop"},
            "remoteUrl": "https://org@dev.azure.com/org/Shop/_git/app",
        }
        body = {"eventType": event, "id": "1", "resource": {"repository": repository} | resource}
        return read("azure-devops", {"x-vss-subscriptionid": "s"}, body)

    def test_several_refs(self):
        updates = [
            {"name": "refs/heads/main", "oldObjectId": OLD, "newObjectId": COMMIT},
            {"name": "refs/heads/gone", "oldObjectId": OLD, "newObjectId": ZEROS},
        ]

        event = self.read("git.push", refUpdates=updates, commits=[{"commitId": COMMIT}])

        assert [c.deleted for c in event.changes] == [False, True]
        assert event.host == "dev.azure.com"

    def test_minimal_details(self):
        assert self.read("git.push", repository=None).repository is None
        assert self.read("git.push").changes == ()

    def test_rename(self):
        assert self.read("git.repo.renamed", oldName="old").renamed_from == "Shop/old"


class TestImages:
    def test_harbor_cloud_event(self):
        body = {
            "specversion": "1.0",
            "id": "66e18103",
            "type": "harbor.artifact.pushed",
            "data": {
                "resources": [{"digest": "sha256:ab", "tag": "stable"}],
                "repository": {"repo_full_name": "team/app"},
            },
        }

        event = forges.detect({}).read({"content-type": "application/cloudevents+json"}, body)

        assert event.provider == "harbor"
        assert event.images == (push.ImagePush("team/app", "stable", "sha256:ab"),)

    def test_harbor_scan(self):
        body = {"type": "SCANNING_COMPLETED", "event_data": {"repository": {}}}

        assert forges.detect({}).read({}, body).kind is push.Kind.OTHER

    def test_registry_lists_manifests_only(self):
        def notice(action, kind, **target):
            return {"action": action, "target": {"mediaType": kind, "repository": "app"} | target}

        body = {
            "events": [
                notice("pull", "application/vnd.oci.image.manifest.v1+json", tag="1"),
                notice("push", "application/vnd.oci.image.layer.v1.tar+gzip"),
                notice("push", "application/vnd.oci.image.index.v1+json", tag="2"),
            ]
        }

        event = forges.detect({}).read({}, body)

        assert event.provider == "registry"
        assert event.images == (push.ImagePush("app", "2", None),)

    def test_registry_without_a_push(self):
        body = {"events": [{"action": "pull", "target": {"repository": "app"}}]}

        assert forges.detect({}).read({}, body).kind is push.Kind.OTHER


class TestGeneric:
    @pytest.mark.parametrize(
        ("repository", "name", "host"),
        [
            ("team/app", "team/app", None),
            ("https://git.example/Team/App.git", "Team/App", "git.example"),
            ({"clone_url": "git@git.example:team/app.git"}, "team/app", "git.example"),
            ({"full_name": "team/app"}, "team/app", None),
            ({"owner": "team", "slug": "app", "name": "The App"}, "team/app", None),
        ],
    )
    def test_push(self, repository, name, host):
        body = {"repository": repository, "branch": "a/b", "commit": COMMIT, "message": "hello"}

        event = forges.detect({}).read({}, body)

        assert (event.kind, event.repository, event.host) == (push.Kind.PUSH, name, host)
        assert event.changes[0].ref == "refs/heads/a/b"
        assert event.changes[0].after == COMMIT
        assert event.changes[0].head_message == "hello"

    @pytest.mark.parametrize("body", [{}, {"ref": "refs/heads/main"}, {"repository": "team/app"}])
    def test_what_names_no_repository_or_no_ref_is_no_push(self, body):
        event = forges.detect({}).read({}, body)

        assert (event.kind, event.changes) == (push.Kind.OTHER, ())

    def test_standard_webhooks_with_its_data(self):
        headers = {"webhook-signature": "v1,x", "webhook-id": "msg_1"}
        data = {"repository": "team/app", "ref": "refs/heads/main", "after": COMMIT}

        event = read("standard-webhooks", headers, {"type": "git.push", "data": data})

        assert (event.event, event.delivery_id) == ("git.push", "msg_1")
        assert event.changes[0].after == COMMIT


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"\xff",
            b'{"a": NaN}',
            b'{"a": -Infinity}',
            b'{"a": ' + b"9" * 5000 + b"}",
            b"[" * 100_000,
            '{"a": 1}'.encode("utf-16"),
        ],
    )
    def test_malformed(self, body):
        with pytest.raises(forges.UnreadableError) as caught:
            forges.decode({"content-type": "application/json"}, body)

        assert caught.value.status == 400

    @pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data"])
    def test_another_type(self, kind):
        with pytest.raises(forges.UnreadableError) as caught:
            forges.decode({"content-type": kind}, b"{}")

        assert caught.value.status == 415

    @pytest.mark.parametrize(
        "kind", ["", "application/json; charset=utf-8", "APPLICATION/JSON", "application/a.b+json"]
    )
    def test_json(self, kind):
        assert forges.decode({"content-type": kind}, b'\xef\xbb\xbf{"a": 1}') == {"a": 1}

    @pytest.mark.parametrize("body", [b"", b"a=b", b"payload=", b"payload=%FF", b"payload=[["])
    def test_a_form_without_payload(self, body):
        with pytest.raises(forges.UnreadableError) as caught:
            forges.decode({"content-type": "application/x-www-form-urlencoded"}, body)

        assert caught.value.status == 400

    def test_halves_of_surrogate_pairs_can_be_stored(self):
        body = json.loads('{"repository": "a/b", "ref": "main", "message": "\\ud800!"}')

        event = forges.detect({}).read({}, body)

        assert event.changes[0].head_message == "?!"


def test_a_nest_of_any_depth_is_read_around():
    nest = []
    for _ in range(100_000):
        nest = [nest]
    run = {"event": nest, "trigger_event": nest, "commit_sha": COMMIT, "head_sha": COMMIT}
    package = {"package_type": nest, "namespace": nest}
    new = {"name": "x", "type": nest, "target": nest}
    body = {
        "action": "completed",
        "workflow_run": run,
        "run": run,
        "package": package,
        "push": {"changes": [{"new": new}]},
        "events": [{"action": "push", "target": {"mediaType": nest, "repository": nest}}],
    }
    kinds = ("workflow_run", "package", "action_run_success", "repo:push")

    for name in forges.NAMES:
        for kind in kinds:
            headers = {"x-github-event": kind, "x-forgejo-event": kind, "x-event-key": kind}
            with contextlib.suppress(forges.UnreadableError):
                forges.by_name(name).read(headers, body)


class TestBuildStatusOfBitbucketCloud:
    """https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/"""

    def read(self, **status):
        href = f"https://api.bitbucket.org/2.0/repositories/team/shop/commit/{'a' * 40}"
        body = {
            "repository": {"full_name": "team/shop"},
            "commit_status": {
                "state": "SUCCESSFUL",
                "name": "Pipeline #1",
                "refname": "main",
                "links": {"commit": {"href": href}},
                **status,
            },
        }
        headers = {"x-event-key": "repo:commit_status_updated"}
        return read("bitbucket-cloud", headers, body)

    def test_a_build_that_succeeded(self):
        event = self.read()

        assert event.kind is push.Kind.WORKFLOW_RUN
        assert event.check == push.Check("a" * 40, "main", "Pipeline #1", True)

    @pytest.mark.parametrize("state", ["FAILED", "STOPPED"])
    def test_a_build_that_did_not_succeed(self, state):
        assert not succeeded(self.read(state=state).check)

    @pytest.mark.parametrize(
        "status", [{"state": "INPROGRESS"}, {"state": 7}, {"links": {}}, {"links": "x"}]
    )
    def test_a_build_that_says_nothing(self, status):
        assert self.read(**status).check is None

    def test_a_build_of_no_branch(self):
        assert self.read(refname=None).check == push.Check("a" * 40, None, "Pipeline #1", True)

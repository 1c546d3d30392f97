"""Corners of the hosts' documentation: ids, renames, mirrors, packages, forms of an address."""

from typing import ClassVar

import pytest

from build_hook import project, push, remotes
from build_hook.judging import decision, forges, matching

COMMIT = "1481a2de7b2a7d02428ad93446ab166be7793fbb"
ZEROS = "0" * 40
DIGEST = f"sha256:{'b' * 64}"


def read(headers, body):
    return forges.detect(headers).read(headers, body)


class TestIds:
    """One event must be another delivery at each hook, and a retry must not."""

    def test_bitbucket_cloud(self):
        headers = {"x-event-key": "repo:push", "x-request-uuid": "r", "x-hook-uuid": "h"}

        assert read(headers, {}).delivery_id == "r/h"
        assert read(headers | {"x-attempt-number": "2"}, {}).delivery_id == "r/h"

    def test_azure(self):
        body = {"eventType": "git.push", "resource": {}, "id": "e", "notificationId": 3}

        assert read({}, body | {"subscriptionId": "s"}).delivery_id == "e/s"
        assert read({}, body).delivery_id == "e"

    def test_gitlab_before_idempotency_keys(self):
        headers = {"x-gitlab-event": "Push Hook", "x-gitlab-event-uuid": "e"}

        assert read(headers, {}).delivery_id == "e"
        assert read(headers | {"x-gitlab-webhook-uuid": "h"}, {}).delivery_id == "e/h"


class TestBitbucket:
    def test_cloud_transfer(self):
        body = {
            "repository": {"full_name": "new/app"},
            "previous_workspace": {"type": "workspace", "slug": "old"},
        }

        event = read({"x-event-key": "repo:transfer"}, body)

        assert (event.kind, event.renamed_from) == (push.Kind.REPOSITORY, "old/app")

    @pytest.mark.parametrize("event", ["repo:deleted", "repo:imported", "repo:created"])
    def test_cloud_other_news_of_a_repository(self, event):
        found = read({"x-event-key": event}, {"repository": {"full_name": "team/app"}})

        assert (found.provider, found.kind) == ("bitbucket-cloud", push.Kind.REPOSITORY)
        assert found.renamed_from is None

    def test_the_cloud_form_of_an_app_for_data_center(self):
        link = {"href": "https://git.example:7990/bitbucket/projects/PRJ/repos/app/browse"}
        new = {"type": "branch", "name": "main", "target": {"hash": COMMIT}}
        body = {
            "repository": {"fullName": "PRJ/app", "slug": "app", "links": {"self": [link]}},
            "push": {"changes": [{"created": True, "new": new, "old": None}]},
        }

        event = read({"x-event-key": "repo:push"}, body)

        assert (event.repository, event.host) == ("PRJ/app", "git.example")
        entry = project.Project(
            name="a", repository="https://git.example/bitbucket/scm/prj/app.git", ref="main"
        )
        assert matching.Index([entry]).candidates(event) == (entry,)

    @pytest.mark.parametrize("kind", [{}, {"content-type": "application/json; charset=utf-8"}])
    def test_a_ping_of_data_center_may_be_empty(self, kind):
        headers = {"x-event-key": "diagnostics:ping", **kind}

        assert read(headers, forges.decode(headers, b"")).kind is push.Kind.PING
        with pytest.raises(forges.UnreadableError):
            forges.decode({"x-event-key": "repo:refs_changed", **kind}, b"")

    @pytest.mark.parametrize("said", [{"refLimitExceeded": True}, {"syncType": "SNAPSHOT"}])
    def test_a_mirror_that_took_over_more_than_it_lists(self, said):
        repository = {"slug": "app", "project": {"key": "PRJ"}}
        body = {"syncType": "INCREMENTAL", "repository": repository, "changes": [], **said}

        event = read({"x-event-key": "mirror:repo_synchronized"}, body)

        assert event.unlisted
        entry = project.Project(name="a", repository="https://h/scm/PRJ/app", ref="main")
        assert [match.action for match in decision.decide(entry, event)] == ["build"]

    def test_a_mirror_that_lists_all(self):
        body = {"syncType": "INCREMENTAL", "refLimitExceeded": False, "changes": []}

        assert not read({"x-event-key": "mirror:repo_synchronized"}, body).unlisted

    @pytest.mark.parametrize("event", ["proj:modified", "project:modified", "repo:forked"])
    def test_data_center_without_marks_of_the_cloud(self, event):
        found = read({"x-event-key": event, "x-request-id": "u"}, {})

        assert (found.provider, found.kind) == ("bitbucket-dc", push.Kind.OTHER)


class TestAzure:
    def test_details_that_name_no_ref(self):
        """What "Minimal" and "None" leave of a push."""
        for resource in ({"pushId": 14, "url": "https://dev.azure.com/org/_apis/x"}, {}):
            body = {"eventType": "git.push", "resource": resource}
            event = read({"x-vss-subscriptionid": "s"}, body)

            assert event.unlisted
            entry = project.Project(name="a", repository="https://dev.azure.com/o/p/_git/r")
            assert [match.action for match in decision.decide(entry, event)] == ["build"]

    @pytest.mark.parametrize(
        "url",
        [
            "https://dev.azure.com/org/Shop/_git/app",
            "https://org@dev.azure.com/org/Shop/_git/app",
            "https://org.visualstudio.com/Shop/_git/app",
            "https://org.visualstudio.com/DefaultCollection/Shop/_git/app",
            "https://dev.azure.com/org/Shop/_git/_full/app",
            "https://dev.azure.com/org/Shop/_git/_optimized/app",
            "git@ssh.dev.azure.com:v3/org/Shop/app",
            "org@vs-ssh.visualstudio.com:v3/org/Shop/app",
        ],
    )
    def test_forms_of_one_address(self, url):
        assert remotes.parse(url) == remotes.Remote("dev.azure.com", "org/Shop/app")

    def test_a_server_of_ones_own_has_another_name_inside(self):
        url = "https://tfs.example:8080/tfs/DefaultCollection/Shop/_git/app"
        inside = url.replace("tfs.example", "tfs-01")
        repository = {"name": "app", "project": {"name": "Shop"}, "remoteUrl": inside}
        update = {"name": "refs/heads/main", "oldObjectId": ZEROS, "newObjectId": COMMIT}
        body = {
            "eventType": "git.push",
            "resource": {"repository": repository, "refUpdates": [update]},
        }

        event = read({"x-vss-subscriptionid": "s"}, body)

        entry = project.Project(name="a", repository=url, ref="main")
        assert [match.action for match in decision.decide(entry, event)] == ["build"]

    def test_a_comment_on_a_pull_request(self):
        body = {"eventType": "ms.vss-code.git-pullrequest-comment-event", "resource": {}}

        assert read({"x-vss-subscriptionid": "s"}, body).kind is push.Kind.PULL_REQUEST


class TestPackages:
    REPOSITORY: ClassVar = {
        "full_name": "Team/App",
        "clone_url": "https://github.com/Team/App.git",
    }

    def github(self, event="registry_package", **package):
        version = {
            "package_url": "ghcr.io/Team/App:1.2",
            "container_metadata": {"tag": {"name": "1.2", "digest": DIGEST}},
        }
        known = {"name": "App", "namespace": "Team", "package_type": "CONTAINER"}
        body = {
            "action": "published",
            event: known | {"package_version": version} | package,
            "repository": self.REPOSITORY,
        }
        return read({"x-github-event": event}, body)

    def gitea(self, mark="gitea", **package):
        known = {
            "type": "container",
            "name": "app",
            "version": "1.2",
            "owner": {"login": "Team"},
            "html_url": "https://git.example:3000/Team/-/packages/container/app/1.2",
        }
        body = {"action": "created", "repository": None, "package": known | package}
        return read({f"x-{mark}-event": "package", "x-github-event": "package"}, body)

    @pytest.mark.parametrize("event", ["registry_package", "package"])
    def test_a_container_of_github_deploys_its_image(self, event):
        found = self.github(event)

        assert found.kind is push.Kind.PACKAGE
        assert found.images == (push.ImagePush("team/app", "1.2", DIGEST, "ghcr.io"),)
        entry = project.Project(name="a", image="ghcr.io/team/app:1.2")
        assert matching.Index([entry]).candidates(found) == (entry,)
        (match,) = decision.decide(entry, found)
        assert (match.action, match.change and match.change.after) == ("build", DIGEST)

    def test_it_is_none_of_the_business_of_what_is_built_from_the_repository(self):
        entry = project.Project(name="a", repository="https://github.com/team/app")

        assert [m.action for m in decision.decide(entry, self.github())] == ["ignore"]

    def test_the_ecosystem_tells_where_the_type_does_not(self):
        found = self.github(package_type="npm", ecosystem="docker")
        assert [image.tag for image in found.images] == ["1.2"]
        assert self.github(package_type="npm", ecosystem="npm").images == ()

    @pytest.mark.parametrize("url", [None, "", "ghcr.io", "x" * 5000, 7])
    def test_without_an_address_the_names_tell(self, url):
        (image,) = self.github(package_version={"package_url": url}).images
        assert image == push.ImagePush("team/app", None, None, "ghcr.io")

    def test_an_image_that_was_pushed_without_a_tag(self):
        tag = {"name": "", "digest": DIGEST}
        version = {"package_url": "ghcr.io/Team/App:", "container_metadata": {"tag": tag}}

        (image,) = self.github(package_version=version).images

        assert image == push.ImagePush("team/app", None, DIGEST, "ghcr.io")

    @pytest.mark.parametrize("mark", ["gitea", "forgejo"])
    def test_a_container_of_gitea_deploys_its_image(self, mark):
        found = self.gitea(mark)

        assert found.images == (push.ImagePush("team/app", "1.2", None, "git.example:3000"),)
        entry = project.Project(name="a", image="git.example:3000/team/app", tags="*")
        assert matching.Index([entry]).candidates(found) == (entry,)
        assert [match.action for match in decision.decide(entry, found)] == ["build"]

    def test_a_version_of_gitea_that_is_a_digest(self):
        assert self.gitea(version=DIGEST).images[0].tag is None
        assert self.gitea(version=DIGEST).images[0].digest == DIGEST

    @pytest.mark.parametrize("package", [{"type": "npm"}, {"name": None}, {"owner": "x"}])
    def test_another_package_of_gitea(self, package):
        assert self.gitea(**package).images == ()


class TestGitLab:
    def test_the_oldest_form_has_an_address_only(self):
        repository = {"name": "App", "url": "git@git.example:team/app.git"}

        event = read({"x-gitlab-event": "Push Hook"}, {"repository": repository})

        assert (event.repository, event.host) == ("team/app", "git.example")

    def test_an_annotated_tag_is_named_by_its_own_id(self):
        body = {
            "object_kind": "tag_push",
            "ref": "refs/tags/v1",
            "before": ZEROS,
            "after": COMMIT,
            "checkout_sha": "f" * 40,
            "project": {"path_with_namespace": "team/app"},
        }

        (change,) = read({"x-gitlab-event": "Tag Push Hook"}, body).changes

        assert (change.after, change.created, change.deleted) == (COMMIT, True, False)


class TestNewBranch:
    """A branch without a commit of its own is a move like any other."""

    @pytest.mark.parametrize(
        "headers",
        [{"x-github-event": "push"}, {"x-gitea-event": "push"}, {"x-gitlab-event": "Push Hook"}],
    )
    def test_no_commits(self, headers):
        body = {
            "ref": "refs/heads/feature/x",
            "before": ZEROS,
            "after": COMMIT,
            "commits": [],
            "repository": {"full_name": "team/app"},
        }

        (change,) = read(headers, body).changes

        assert (change.name, change.created, change.head_message) == ("feature/x", True, None)

"""What a genuine event means for a project."""

import dataclasses

import pytest

from build_hook import project, push
from build_hook.judging import decision

COMMIT = "1481a2de7b2a7d02428ad93446ab166be7793fbb"


def entry(**given):
    return project.Project(name="shop", repository="https://git.example/team/shop", **given)


def change(ref="refs/heads/main", **given):
    kind, name = push.split_ref(ref)
    return dataclasses.replace(push.Change(ref, kind, name, after=COMMIT), **given)


def event(*changes, **given):
    known = {
        "provider": "github",
        "event": "push",
        "kind": push.Kind.PUSH,
        "repository": "team/shop",
        "host": "git.example",
        "changes": changes,
    }
    return push.Event(**(known | given))


def decided(registered, sent):
    matches = decision.decide(registered, sent)
    assert all(match.project is registered and match.reason for match in matches)
    return [(match.action, match.change) for match in matches]


def test_a_push_to_the_ref_is_built():
    moved = change()

    assert decided(entry(), event(moved)) == [("build", moved)]


@pytest.mark.parametrize("kind", ["repository_update", "mirror_sync"])
def test_other_news_of_moved_refs_is_built(kind):
    assert decided(entry(), event(change(), kind=push.Kind(kind)))[0][0] == "build"


def test_a_push_to_another_ref_is_ignored():
    matches = decision.decide(entry(), event(change("refs/heads/x"), change("refs/heads/y")))

    assert [match.action for match in matches] == ["ignore"]
    assert (
        matches[0].reason == "refs/heads/x and 1 more moved, the project follows refs/heads/main"
    )


def test_a_tag_of_the_branchs_name_is_ignored():
    assert decided(entry(), event(change("refs/tags/main"))) == [("ignore", None)]


def test_one_of_several_refs():
    moved = change()

    assert decided(entry(), event(change("refs/heads/x"), moved)) == [("build", moved)]


def test_every_tag_that_fits():
    tags = [change(f"refs/tags/{name}") for name in ("v1", "v2", "w3")]

    found = decided(entry(tags="v*"), event(*tags))

    assert found == [("build", tags[0]), ("build", tags[1])]


def test_a_deleted_ref_is_ignored():
    gone = change(after="0" * 40, deleted=True)

    assert decided(entry(), event(gone)) == [("ignore", gone)]


def test_a_delivery_that_names_no_ref_is_ignored():
    assert decided(entry(), event()) == [("ignore", None)]


@pytest.mark.parametrize("word", ["[skip ci]", "[ci skip]", "[skip deploy]"])
def test_skip_words_of_the_head_commit(word):
    moved = change(head_message=f"Correct a word {word}\n")

    assert decided(entry(), event(moved)) == [("skip", moved)]


def test_skip_words_are_a_setting():
    moved = change(head_message="work in progress [skip ci]")

    assert decided(entry(skip_words=()), event(moved)) == [("build", moved)]
    assert decided(entry(skip_words=("progress",)), event(moved)) == [("skip", moved)]


class TestAfterCi:
    def check(self, **given):
        known = {"commit": COMMIT, "branch": "main", "name": "CI", "succeeded": True}
        return event(kind=push.Kind.WORKFLOW_RUN, check=push.Check(**(known | given)))

    def test_the_push_waits(self):
        moved = change()

        assert decided(entry(after_ci=True), event(moved)) == [("ignore", moved)]

    def test_success_is_built(self):
        (match,) = decision.decide(entry(after_ci=True), self.check())

        assert match.action == "build"
        assert match.change == change()

    @pytest.mark.parametrize(
        "given",
        [{"succeeded": False}, {"branch": "x"}, {"tag": True}, {"branch": "v1", "tag": True}],
    )
    def test_failure_or_another_branch_is_ignored(self, given):
        assert decided(entry(after_ci=True), self.check(**given)) == [("ignore", None)]

    @pytest.mark.parametrize("branch", ["a b", "../x", "x\n"])
    def test_a_branch_that_is_none(self, branch):
        assert decided(entry(after_ci=True), self.check(branch=branch)) == [("ignore", None)]

    def test_a_run_that_names_no_branch_may_be_about_the_one_that_is_followed(self):
        sent = self.check(branch=None)

        assert decided(entry(after_ci=True), sent) == [("build", change())]
        assert decided(entry(after_ci=True, branches="release/*"), sent) == [("ignore", None)]
        assert decided(entry(after_ci=True, tags="v*"), sent) == [("ignore", None)]

    @pytest.mark.parametrize("tag", [True, None])
    def test_a_tag(self, tag):
        sent = self.check(branch="v1", tag=tag)

        for follower in (
            entry(after_ci=True, tags="v*"),
            entry(after_ci=True, ref="refs/tags/v1"),
        ):
            (match,) = decision.decide(follower, sent)
            assert (match.action, match.change and match.change.ref) == ("build", "refs/tags/v1")
        branch = self.check(branch="v1", tag=False)
        assert decided(entry(after_ci=True, tags="v*"), branch) == [("ignore", None)]

    def test_one_status_of_several_counts_only_if_it_is_named(self):
        sent = self.check(name="ci/build", single=True)
        (match,) = decision.decide(entry(after_ci=True), sent)

        assert match.action == "ignore"
        assert "name it in the project's ci" in match.reason
        assert decided(entry(after_ci=True, ci=("ci/*",)), sent) == [("build", change())]

    def test_only_the_runs_that_are_named_count(self):
        waiting = entry(after_ci=True, ci=("build", "deploy*"))

        assert decided(waiting, self.check(name="lint")) == [("ignore", None)]
        assert decided(waiting, self.check(name="build")) == [("build", change())]
        assert decided(waiting, self.check(name="deploy 2")) == [("build", change())]

    def test_success_is_no_news_to_others(self):
        assert decided(entry(), self.check()) == [("ignore", None)]


@pytest.mark.parametrize("kind", [kind for kind in push.Kind if kind.name not in ("PUSH",)])
def test_every_kind_has_its_reason(kind):
    assert decided(entry(), event(kind=kind)) == [("ignore", None)]


def test_another_repository_is_ignored():
    matches = decision.decide(entry(), event(change(), repository="team/other"))

    assert [(match.action, match.reason) for match in matches] == [
        ("ignore", "the delivery is about team/other")
    ]


def test_a_new_spelling_is_no_rename():
    respelt = event(change(), repository="team/Shop", renamed_from="team/shop")

    assert decided(entry(), respelt) == [("build", change())]


def test_a_rename_says_what_to_do():
    renamed = event(kind=push.Kind.REPOSITORY, repository="team/market", renamed_from="team/shop")

    (match,) = decision.decide(entry(), renamed)

    assert match.action == "ignore"
    assert "team/shop is now team/market: correct" in match.reason


class TestUnlisted:
    """Hosts that say that refs moved, and not which."""

    SENT = event(kind=push.Kind.MIRROR_SYNC, unlisted=True)

    def test_the_ref_is_looked_at(self):
        (match,) = decision.decide(entry(), self.SENT)

        assert match.action == "build"
        assert match.change == push.Change("refs/heads/main", push.RefType.BRANCH, "main")
        assert "main is looked at" in match.reason

    @pytest.mark.parametrize("given", [{"tags": "v*"}, {"branches": "*"}, {"after_ci": True}])
    def test_a_pattern_or_ci_needs_a_name(self, given):
        assert decided(entry(**given), self.SENT) == [("ignore", None)]

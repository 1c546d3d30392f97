"""git as the product uses it, against a real server."""

import pytest

from build_hook import errors, project
from build_hook.demo import git
from build_hook.deploy import checkout
from tests.functional import doorkeeper


def shop(forge, **of):
    given = {"name": "shop", "repository": f"{forge.address}/shop.git", **of}
    return project.Project.model_validate(given)


def heads(options, url, *refs):
    of = project.Project.model_construct(
        repository=url, deploy_key=None, access_token=None, access_user=None
    )
    return checkout.Repositories(options).heads(of, refs)


def test_head_is_brought_without_history_and_without_git_folder(forge, push, repositories):
    push()
    commit = push("b.txt")
    of = shop(forge)

    assert repositories.fetch(of, of.ref) == commit
    assert repositories.message(of, commit).splitlines()[0] == "Change b.txt"
    with repositories.checkout(of, commit, 1) as folder:
        assert sorted(p.name for p in folder.iterdir()) == ["Dockerfile", "a.txt", "b.txt"]
    assert not folder.exists()


def test_force_pushed_head_is_followed(forge, push, repositories):
    of = shop(forge)
    first = push()
    push("b.txt")
    repositories.fetch(of, of.ref)
    git.run("update-ref", "refs/heads/main", first, folder=forge.root / "shop.git")

    assert repositories.fetch(of, of.ref) == first


def test_annotated_tag_stands_for_its_commit(forge, push, repositories, options):
    commit = push()
    git.run("tag", "-a", "-m", "x", "v1", commit, folder=forge.root / "shop.git")
    of = shop(forge, ref="refs/tags/v1")

    assert heads(options, of.repository, of.ref) == {of.ref: commit}
    assert repositories.fetch(of, of.ref) == commit


def test_refs_that_are_not_there_are_left_out(forge, push, options):
    commit = push()

    found = heads(options, f"{forge.address}/shop.git", "refs/heads/main", "refs/heads/none")

    assert found == {"refs/heads/main": commit}


def test_locks_of_a_killed_git_are_in_nobodys_way(forge, push, repositories, options):
    of = shop(forge)
    repositories.fetch(of, of.ref)
    mirror = options.repositories / "shop.git"
    (mirror / "shallow.lock").touch()
    (mirror / "refs/build-hook/head.lock").touch()
    part = mirror / "objects/pack/tmp_pack_x"
    part.touch()
    commit = push()

    assert repositories.fetch(of, of.ref) == commit
    assert not part.exists()


def test_what_crashes_left_is_discarded(repositories, options):
    (options.checkouts / "7/deep").mkdir(parents=True)
    (options.checkouts / "7.index").touch()

    repositories.discard_all()

    assert list(options.checkouts.iterdir()) == []


@pytest.mark.parametrize("url", ["file:///etc", "ext::touch /tmp/x", "/etc"])
def test_only_network_protocols_are_spoken(url, options):
    with pytest.raises(errors.CheckoutError, match=r"not allowed|could not look"):
        heads(options, url, "refs/heads/main")


def test_password_in_the_address_is_not_shown(forge, options):
    url = forge.address.replace("http://", "http://user:secret@")

    with pytest.raises(errors.CheckoutError) as caught:
        heads(options, f"{url}/none.git", "refs/heads/main")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [("/etc", "leads out"), ("../../x", "leads out"), ("nothing", "has no 'link'")],
)
def test_link_that_leads_out_is_refused(tmp_path, target, message):
    (tmp_path / "link").symlink_to(target)

    with pytest.raises(errors.CheckoutError, match=message):
        checkout.inside(tmp_path, "link", "context")


def test_link_inside_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    assert checkout.inside(tmp_path, "link", "context") == tmp_path / "real"


class TestHostThatGivesOutRefsOnly:
    """As old servers and some products do: protocol 0, and no commit that no ref points at."""

    @pytest.fixture
    def strict(self, forge, copy):
        git.run("config", "uploadpack.allowAnySHA1InWant", "false", folder=forge.root / "shop.git")
        with doorkeeper.standing(forge.address) as door:
            door.dropped = ("Git-Protocol",)
            yield door

    def test_commit_below_a_branch_is_found(self, strict, push, repositories):
        commits = [push("a.txt", str(number)) for number in range(60)]
        of = shop(strict, repository=f"{strict.address}/shop.git")

        for commit in (commits[-1], commits[-2], commits[0]):
            assert repositories.fetch(of, commit) == commit
            with repositories.checkout(of, commit, 1) as folder:
                assert (folder / "a.txt").read_text() == str(commits.index(commit))

    def test_commit_that_only_a_tag_has(self, strict, forge, push, repositories):
        tagged = push("a.txt", "tagged")
        bare = forge.root / "shop.git"
        git.run("tag", "v1", tagged, folder=bare)
        git.run("update-ref", "refs/heads/main", f"{tagged}~1", folder=bare)
        of = shop(strict, repository=f"{strict.address}/shop.git")

        assert repositories.fetch(of, tagged) == tagged

    def test_commit_that_is_nowhere_is_said(self, strict, push, repositories, options):
        push()
        of = shop(strict, repository=f"{strict.address}/shop.git")

        with pytest.raises(errors.CheckoutError, match="has no commit 1111"):
            repositories.fetch(of, "1" * 40)

        refs = git.refs(options.repositories / "shop.git")
        assert not any(name.startswith("refs/build-hook/look") for name in refs)

"""Submodules of real repositories, and repositories that try to do harm with them."""

import contextlib
import os
import subprocess

import pytest

from build_hook import errors, project
from build_hook.demo import git, workcopy
from tests.functional import doorkeeper

MAIN = "refs/heads/main"
TOKEN = "t0ken"


def repository(forge, tmp_path, name, **files):
    made = workcopy.WorkCopy(tmp_path / name, forge.create(name), forge.authorization)
    for path, text in files.items():
        made.write(path, text)
    commit = made.commit("First")
    made.push()
    return made, commit


def shop(forge, **of):
    given = {"name": "shop", "repository": f"{forge.address}/shop.git", "submodules": True}
    return project.Project.model_validate(given | of)


def link(copy, commit, url, path="lib", name=None):
    """Add a submodule to a developer's copy, as ``git submodule add`` does."""
    (copy.folder / path).mkdir(parents=True, exist_ok=True)
    with (copy.folder / ".gitmodules").open("a", encoding="utf-8") as file:
        file.write(f'[submodule "{name or path}"]\n\tpath = {path}\n\turl = {url}\n')
    git.run("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}", folder=copy.folder)
    linked = copy.commit(f"Add {path}")
    copy.push()
    return linked


@pytest.fixture
def lib(forge, tmp_path):
    return repository(forge, tmp_path, "lib", **{"lib.txt": "lib\n"})


@pytest.fixture
def files(repositories):
    """What a checkout of the newest commit holds."""

    def look(of):
        commit = repositories.fetch(of, MAIN)
        with repositories.checkout(of, commit, 1) as folder:
            found = (path for path in folder.rglob("*") if not path.is_dir())
            return {str(p.relative_to(folder)): p.read_text() for p in found}

    return look


@pytest.mark.parametrize("relative", [True, False])
def test_submodule_is_brought(forge, copy, lib, files, relative):
    link(copy, lib[1], "../lib.git" if relative else f"{forge.address}/lib.git")

    found = files(shop(forge))

    assert found["lib/lib.txt"] == "lib\n"
    assert not any(".git" in path.split("/") for path in found)


def test_submodules_are_off_by_default(forge, copy, lib, files):
    link(copy, lib[1], "../lib.git")

    assert "lib/lib.txt" not in files(shop(forge, submodules=False))


def test_pinned_commit_counts_not_the_newest(forge, copy, lib, files):
    made, first = lib
    made.write("lib.txt", "newer\n")
    made.commit("Second")
    made.push()

    link(copy, first, "../lib.git")

    assert files(shop(forge))["lib/lib.txt"] == "lib\n"


def test_submodules_of_submodules(forge, copy, lib, files, tmp_path):
    inner, _ = repository(forge, tmp_path, "middle", **{"middle.txt": "middle\n"})
    middle = link(inner, lib[1], "../lib.git", "deep/lib")
    link(copy, middle, "../middle.git", "vendor/middle")

    found = files(shop(forge))

    assert found["vendor/middle/middle.txt"] == "middle\n"
    assert found["vendor/middle/deep/lib/lib.txt"] == "lib\n"


def test_depth_is_bounded(forge, copy, lib, repositories, tmp_path):
    commit, url = lib[1], "../lib.git"
    for depth in range(5):
        made, _ = repository(forge, tmp_path, f"level{depth}", x="x")
        commit, url = link(made, commit, url), f"../level{depth}.git"
    link(copy, commit, url)

    with pytest.raises(errors.CheckoutError, match="submodules below more than"):
        repositories.fetch(shop(forge), MAIN)


def test_number_is_bounded(forge, copy, lib, repositories):
    with (copy.folder / ".gitmodules").open("a", encoding="utf-8") as file:
        for number in range(101):
            file.write(f'[submodule "{number}"]\npath = libs/{number}\nurl = ../lib.git\n')
            (copy.folder / f"libs/{number}").mkdir(parents=True)
            git.run(
                "update-index", "--add", "--cacheinfo", f"160000,{lib[1]},libs/{number}",
                folder=copy.folder,
            )  # fmt: skip
    copy.commit("Many")
    copy.push()

    with pytest.raises(errors.CheckoutError, match="more than 100 submodules"):
        repositories.fetch(shop(forge), MAIN)


def test_unchanged_submodule_is_not_fetched_again(forge, copy, lib, files):
    link(copy, lib[1], "../lib.git")
    files(shop(forge))
    del forge.repositories["lib.git"]

    assert files(shop(forge))["lib/lib.txt"] == "lib\n"


def test_commit_that_is_gone_is_said(forge, copy, lib, repositories):
    link(copy, "1" * 40, "../lib.git")

    with pytest.raises(errors.CheckoutError, match=r"lib\.git has no commit 1111"):
        repositories.fetch(shop(forge), MAIN)


def test_size_counts_submodules(forge, copy, lib, repositories):
    link(copy, lib[1], "../lib.git")
    with_them, without = shop(forge), shop(forge, submodules=False)
    commit = repositories.fetch(with_them, MAIN)

    assert repositories.size(with_them, commit) == repositories.size(without, commit) + 4


# --- logins


@pytest.fixture
def private(forge, options):
    (options.secrets / "token").write_text(TOKEN)
    (options.secrets / "token").chmod(0o600)
    with doorkeeper.standing(forge.address, login=("build-hook", TOKEN)) as door:
        yield door


def test_login_goes_to_submodules_of_the_same_host(private, forge, copy, lib, files):
    link(copy, lib[1], "../lib.git")
    of = shop(forge, repository=f"{private.address}/shop.git", access_token="token")

    assert files(of)["lib/lib.txt"] == "lib\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
def test_login_goes_to_no_other_host_or_port(host, private, forge, copy, lib, repositories):
    of = shop(forge, repository=f"{private.address}/shop.git", access_token="token")
    with doorkeeper.standing(forge.address, host, login=("build-hook", TOKEN)) as other:
        link(copy, lib[1], f"{other.address}/lib.git")

        with pytest.raises(errors.CheckoutError):
            repositories.fetch(of, MAIN)

        assert other.brought
        assert other.logins == set()


# --- repositories that try to do harm


def plumbing(*arguments, root, given=b""):
    done = subprocess.run(
        ["git", *arguments], cwd=root, input=given, capture_output=True, check=True,
        env=git.environment(),
    )  # fmt: skip
    return done.stdout.decode().strip()


class Crafted:
    """A repository of trees that git's own commands would not make."""

    def __init__(self, root, commit):
        self._root = root
        self.commit = commit

    def blob(self, text):
        return plumbing("hash-object", "-w", "--stdin", root=self._root, given=text.encode())

    def tree(self, *rows):
        kinds = {"040000": "tree", "160000": "commit"}
        lines = (f"{mode} {kinds.get(mode, 'blob')} {item}\t{name}\0" for mode, name, item in rows)
        given = "".join(lines).encode()
        return plumbing("mktree", "-z", "--missing", root=self._root, given=given)

    def __call__(self, *rows):
        """Let main be a commit of these."""
        commit = plumbing("commit-tree", "-m", "x", self.tree(*rows), root=self._root)
        plumbing("update-ref", MAIN, commit, root=self._root)


@pytest.fixture
def crafted(forge, lib):
    forge.create("shop")
    return Crafted(forge.root / "shop.git", lib[1])


def modules(path="lib", url="../lib.git", name="lib"):
    return f'[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n'


def refused(repositories, of, match):
    """Nothing is written, whatever phase notices."""
    with pytest.raises(errors.CheckoutError, match=match):  # noqa: PT012 - either may notice
        commit = repositories.fetch(of, MAIN)
        with repositories.checkout(of, commit, 1):
            pytest.fail("it was checked out")


def whatever_happens(repositories, of):
    with contextlib.suppress(errors.CheckoutError):
        commit = repositories.fetch(of, MAIN)
        with repositories.checkout(of, commit, 1):
            pass


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "/etc",
        "ext::sh -c 'touch /tmp/harm'",
        "-u./harm",
        "--upload-pack=touch /tmp/harm",
        "ssh://-oProxyCommand=touch%20/tmp/harm/x",
        "../../../../../evil.example/x",
        "..//evil.example/x",
        "https://h/a\\nb",
        "",
    ],
)
def test_addresses_that_are_none_of_a_network(url, crafted, repositories, forge, tmp_path):
    crafted(
        ("100644", ".gitmodules", crafted.blob(modules(url=f'"{url}"'))),
        ("160000", "lib", crafted.commit),
    )

    refused(repositories, shop(forge), "submodule|could not fetch|could not read")

    assert not (tmp_path / "harm").exists()
    assert not os.path.exists("/tmp/harm")


def test_names_that_lead_out_mean_nothing(crafted, files, forge, options):
    """CVE-2018-11235: the name was a folder below .git."""
    name = "../../../../../../harm"
    crafted(
        ("100644", ".gitmodules", crafted.blob(modules(name=name))),
        ("160000", "lib", crafted.commit),
    )

    assert files(shop(forge))["lib/lib.txt"] == "lib\n"
    assert not list(options.state.parent.rglob("harm*"))


def test_hooks_that_came_along_do_not_run(forge, copy, lib, files, tmp_path):
    """CVE-2024-32002: a submodule's files landed in a .git folder and were run as hooks."""
    made, _ = lib
    hook = f"#!/bin/sh\ntouch {tmp_path}/harm\n"
    for folder in ("y/hooks", "hooks", "modules/x/hooks"):
        made.write(f"{folder}/post-checkout", hook)
        (made.folder / folder / "post-checkout").chmod(0o755)
    evil = made.commit("Hooks")
    made.push()
    link(copy, evil, "../lib.git")

    assert files(shop(forge))["lib/y/hooks/post-checkout"] == hook
    assert not (tmp_path / "harm").exists()


def test_nothing_is_written_through_a_link(crafted, repositories, forge, options):
    """CVE-2024-32002's shape: a link where the folder of a submodule should be."""
    target = options.state / "outside"
    target.mkdir()
    inner = crafted.tree(("160000", "lib", crafted.commit))
    crafted(
        ("100644", ".gitmodules", crafted.blob(modules("a/lib"))),
        ("120000", "a", crafted.blob(str(target))),
        ("040000", "a", inner),
    )

    whatever_happens(repositories, shop(forge))

    assert list(target.iterdir()) == []


def test_nothing_is_written_through_a_link_in_its_place(crafted, repositories, forge, options):
    target = options.state / "outside"
    target.mkdir()
    crafted(
        ("100644", ".gitmodules", crafted.blob(modules())),
        ("120000", "lib", crafted.blob(str(target))),
        ("160000", "lib", crafted.commit),
    )

    whatever_happens(repositories, shop(forge))

    assert list(target.iterdir()) == []


def test_gitmodules_that_is_a_link_is_refused(crafted, repositories, forge):
    crafted(
        ("100644", "real", crafted.blob(modules())),
        ("120000", ".gitmodules", crafted.blob("real")),
        ("160000", "lib", crafted.commit),
    )

    refused(repositories, shop(forge), "no .gitmodules that is a plain file")


def test_submodule_without_an_address_is_refused(crafted, repositories, forge):
    crafted(("160000", "lib", crafted.commit))

    refused(repositories, shop(forge), "no .gitmodules")


@pytest.mark.parametrize("name", ["..", ".git", ".GIT", "."])
def test_paths_that_lead_out_are_refused(name, crafted, repositories, forge, options):
    crafted(
        ("100644", ".gitmodules", crafted.blob(modules(f"{name}/lib"))),
        ("040000", name, crafted.tree(("160000", "lib", crafted.commit))),
    )

    refused(repositories, shop(forge), ".")

    assert not (options.checkouts / "lib").exists()


def test_included_files_are_not_read(crafted, repositories, forge, options):
    (options.state / "other").write_text(modules())
    crafted(
        ("100644", ".gitmodules", crafted.blob(f"[include]\n\tpath = {options.state}/other\n")),
        ("160000", "lib", crafted.commit),
    )

    refused(repositories, shop(forge), "its address must be")


def test_repository_that_contains_itself_ends(forge, copy, repositories):
    """Its pinned commit is the one before, which has no submodule: two levels, no more."""
    first = git.run("rev-parse", "HEAD", folder=copy.folder)
    link(copy, first, "./")

    commit = repositories.fetch(shop(forge), MAIN)

    with repositories.checkout(shop(forge), commit, 1) as folder:
        assert (folder / "lib/Dockerfile").exists()

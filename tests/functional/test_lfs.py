"""Git LFS, against a server that speaks its batch protocol."""

import hashlib
import json

import pytest

from build_hook import errors, project
from build_hook.deploy.repository import lfs
from tests.functional import doorkeeper

MAIN = "refs/heads/main"
TOKEN = "t0ken"
PICTURE = b"\x00a large picture" * 100


class Store:
    """Answers for /…/info/lfs/objects/batch and the files themselves (git-lfs, docs/api)."""

    def __init__(self) -> None:
        self.files = {}
        self.asked = []

    def add(self, content):
        """Keep a file; the pointer to it, as a repository holds it."""
        name = hashlib.sha256(content).hexdigest()
        self.files[name] = content
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(content)}\n"
        )

    def __call__(self, address, path, body):
        """The answer to a request, None if it is none of LFS."""
        if path.endswith("/info/lfs/objects/batch"):
            wanted = json.loads(body)["objects"]
            self.asked += [one["oid"] for one in wanted]
            return json.dumps({"objects": [self._offer(address, one) for one in wanted]}).encode()
        if path.startswith("/files/"):
            return self.files[path.removeprefix("/files/")]
        return None

    def _offer(self, address, one):
        if one["oid"] not in self.files:
            return {**one, "error": {"code": 404, "message": "no such file"}}
        return {**one, "actions": {"download": {"href": f"{address}/files/{one['oid']}"}}}


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def door(forge, store):
    with doorkeeper.standing(forge.address) as made:
        made.answers = store
        yield made


def shop(door, **of):
    given = {"name": "shop", "repository": f"{door.address}/shop.git", "lfs": True}
    return project.Project.model_validate(given | of)


@pytest.fixture
def picture(copy, store):
    """Commits a picture that is kept by LFS."""

    def commit(content=PICTURE, **files):
        copy.write(".gitattributes", "*.png filter=lfs diff=lfs merge=lfs -text\n")
        copy.write("picture.png", store.add(content))
        for name, text in files.items():
            copy.write(name, text)
        made = copy.commit("A picture")
        copy.push()
        return made

    return commit


def read(repositories, of, name="picture.png"):
    commit = repositories.fetch(of, MAIN)
    with repositories.checkout(of, commit, 1) as folder:
        return (folder / name).read_bytes()


def test_file_stands_in_the_place_of_its_pointer(door, picture, repositories):
    picture()

    assert read(repositories, shop(door)) == PICTURE


def test_off_by_default_and_nothing_is_asked(door, store, picture, repositories):
    """Also where the machine's configuration has the filter of git-lfs."""
    picture()

    assert read(repositories, shop(door, lfs=False)).startswith(b"version https://git-lfs")
    assert store.asked == []


def test_token_opens_the_server(door, picture, repositories, options):
    picture()
    door.login = ("build-hook", TOKEN)
    (options.secrets / "token").write_text(TOKEN)
    (options.secrets / "token").chmod(0o600)

    assert read(repositories, shop(door, access_token="token")) == PICTURE
    with pytest.raises(errors.CheckoutError):
        repositories.fetch(shop(door), MAIN)


def test_lfsconfig_that_names_another_server_is_not_followed(
    door, forge, picture, repositories, store
):
    with doorkeeper.standing(forge.address) as other:
        url = f"{other.address}/shop.git/info/lfs"
        picture(**{".lfsconfig": f'[lfs]\n\turl = {url}\n[remote "origin"]\n\tlfsurl = {url}\n'})

        assert read(repositories, shop(door)) == PICTURE
        assert other.brought == []


def test_file_that_the_server_lacks_is_said(door, store, picture, repositories):
    picture()
    store.files.clear()

    with pytest.raises(errors.CheckoutError, match="fetch the LFS files"):
        repositories.fetch(shop(door), MAIN)


def test_size_counts_the_files(door, picture, repositories):
    commit = picture()
    of = shop(door)
    repositories.fetch(of, MAIN)

    without = repositories.size(shop(door, lfs=False), commit)
    assert repositories.size(of, commit) == without + len(PICTURE)


def test_files_that_are_not_live_are_let_go(door, picture, repositories, options):
    of = shop(door)
    picture(b"first")
    read(repositories, of)
    newest = picture(b"second")
    read(repositories, of)

    repositories.keep(of, newest)

    kept = [p for p in (options.repositories / "shop.git/lfs/objects").rglob("*") if p.is_file()]
    assert [path.read_bytes() for path in kept] == [b"second"]


def test_missing_git_lfs_says_what_to_do(door, picture, repositories, monkeypatch):
    picture()
    lfs.require.cache_clear()
    monkeypatch.setattr(lfs.shutil, "which", lambda name: None)

    with pytest.raises(errors.CheckoutError, match="apt-get install git-lfs"):
        repositories.fetch(shop(door), MAIN)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://h/a/b.git", "https://h/a/b.git/info/lfs"),
        ("https://h/a/b/", "https://h/a/b.git/info/lfs"),
        ("git@h:a/b.git", "ssh://git@h/a/b.git"),
        ("ssh://git@h:2222/a/b", "ssh://git@h:2222/a/b"),
    ],
)
def test_where_the_server_is(url, endpoint):
    assert lfs.endpoint(url) == endpoint

import pytest

from build_hook import errors
from build_hook.deploy.repository import submodules

LIB = submodules.Module("a/lib", "https://h/lib", "c" * 40)


@pytest.mark.parametrize(
    ("parent", "address", "found"),
    [
        ("https://h/team/shop.git", "../lib.git", "https://h/team/lib.git"),
        ("https://h/team/shop.git/", "../../other/lib", "https://h/other/lib"),
        ("https://h/team/shop", "./sub", "https://h/team/shop/sub"),
        ("ssh://git@h:2222/team/shop", "../lib", "ssh://git@h:2222/team/lib"),
        ("git@h:team/shop.git", "../lib.git", "git@h:team/lib.git"),
        ("git@h:shop.git", "../lib.git", "git@h:lib.git"),
        ("https://h/a", "https://other/b", "https://other/b"),
    ],
)
def test_addresses_are_resolved_as_git_does(parent, address, found):
    assert submodules.resolve(parent, address) == found


@pytest.mark.parametrize(
    ("parent", "address"),
    [
        ("https://h/a", "../../x"),
        ("https://h/a/b", "../../../evil.example/x"),
        ("git@h:a", "../../x"),
        ("https://h/a", "file:///etc"),
        ("https://h/a", "ext::x"),
        ("https://h/a", "-x"),
        ("https://h/a", ""),
        ("https://h/a", "../b c"),
    ],
)
def test_addresses_that_lead_out_are_refused(parent, address):
    with pytest.raises(ValueError, match=r"leads out|must"):
        submodules.resolve(parent, address)


def test_folder_is_made_where_nothing_is(tmp_path):
    assert submodules.folder_for(tmp_path, LIB) == tmp_path / "a/lib"
    assert submodules.folder_for(tmp_path, LIB).is_dir()


@pytest.mark.parametrize("place", ["a", "a/lib"])
@pytest.mark.parametrize("what", ["link", "file"])
def test_link_or_file_in_the_way_is_refused(tmp_path, place, what):
    outside = tmp_path / "outside"
    outside.mkdir()
    top = tmp_path / "top"
    (top / place).parent.mkdir(parents=True)
    (top / place).symlink_to(outside) if what == "link" else (top / place).touch()

    with pytest.raises(errors.CheckoutError, match="through a link or a file"):
        submodules.folder_for(top, LIB)

    assert list(outside.iterdir()) == []


def test_folder_with_files_is_refused(tmp_path):
    (tmp_path / "a/lib").mkdir(parents=True)
    (tmp_path / "a/lib/x").touch()

    with pytest.raises(errors.CheckoutError, match="holds other files"):
        submodules.folder_for(tmp_path, LIB)

"""Clone URLs: the many spellings of one remote."""

import pytest

from build_hook import remotes


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example/Team/App",
        "https://git.example/team/app.git",
        "https://git.example/team/app.git/",
        "https://user:pass@git.example:8443/team/app.git",
        "http://git.example:/team/app",
        "HTTPS://GIT.EXAMPLE/TEAM/APP.GIT",
        "ssh://git@git.example:2222/team/app.git",
        "ssh://git.example/team/app",
        "git://git.example/team/app.git",
        "git@git.example:team/app.git",
        "git@git.example:/team/app.git",
        "git.example:team/app",
        "https://git.example/team%2Fapp",
    ],
)
def test_one_remote(url):
    found = remotes.parse(url)

    assert found is not None
    assert (found.host, found.path) == ("git.example", "team/app")


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("ssh://git@ssh.github.com:443/team/app.git", "github.com", "team/app"),
        ("git@altssh.bitbucket.org:team/app", "bitbucket.org", "team/app"),
        ("https://[::1]:3000/team/app", "[::1]", "team/app"),
        ("https://dev.azure.com/org/shop/_git/app", "dev.azure.com", "org/shop/app"),
        ("https://org@dev.azure.com/org/shop/_git/app", "dev.azure.com", "org/shop/app"),
        ("git@ssh.dev.azure.com:v3/org/shop/app", "dev.azure.com", "org/shop/app"),
        ("https://org.visualstudio.com/shop/_git/app", "dev.azure.com", "org/shop/app"),
        (
            "https://org.visualstudio.com/DefaultCollection/shop/_git/app",
            "dev.azure.com",
            "org/shop/app",
        ),
        ("org@vs-ssh.visualstudio.com:v3/org/shop/app", "dev.azure.com", "org/shop/app"),
        ("https://dev.azure.com/org/_git/app", "dev.azure.com", "org/app/app"),
        ("https://tfs.example/tfs/Coll/Shop/_git/App", "tfs.example", "tfs/coll/shop/app"),
    ],
)
def test_hosts_with_several_names(url, host, path):
    found = remotes.parse(url)

    assert found is not None
    assert (found.host, found.path) == (host, path)


@pytest.mark.parametrize(
    "url",
    ["", "team/app", "/srv/app.git", "ext::sh -c x", "https://", "https:///team", "x" * 5000],
)
def test_what_is_no_remote(url):
    found = remotes.parse(url)

    assert found is None or found.host not in ("", "team")


def test_the_name_keeps_its_case():
    found = remotes.parse("https://Git.Example/Team/App.git")

    assert found == remotes.Remote("git.example", "Team/App")

import pytest

from build_hook import project, secret_files, settings
from build_hook.deploy.repository import access


@pytest.fixture
def options(tmp_path):
    made = settings.load(tmp_path / "state", {})
    secret_files.create(made.secrets, "token", b"t0ken")
    return made


def answers(options, repository, url, **of):
    """What git's helper is told to answer to, if there is one."""
    entry = project.Project.model_validate(
        {"name": "shop", "repository": repository, "access_token": "token", **of}
    )
    with access.Access(options).towards(entry, url) as (address, env):
        if "GIT_ASKPASS" not in env:
            return address, ""
        with open(env["GIT_ASKPASS"], encoding="utf-8") as file:
            return address, file.read()


@pytest.mark.parametrize(
    ("host", "user"),
    [
        ("github.com", "x-access-token"),
        ("gitlab.com", "oauth2"),
        ("bitbucket.org", "x-token-auth"),
        ("git.example", "build-hook"),
        ("git.example:8443", "build-hook"),
    ],
)
def test_user_is_what_the_host_wants(options, host, user):
    url = f"https://{host}/a/b"

    address, helper = answers(options, url, url)

    assert address == url
    assert f"Password for '\"'\"'https://{user}@{host}'\"'\"': " in helper
    assert "t0ken" not in helper


def test_user_of_the_field_goes_before_that_of_the_address(options):
    url = "https://one@git.example/a"

    address, helper = answers(options, url, url, access_user="two")

    assert address == "https://git.example/a"
    assert "two@git.example" in helper
    assert "one@" not in helper


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example/a",
        "https://git.example:8443/a",
        "https://git.example.evil/a",
        "https://git.example@evil.example/a",
        "git://git.example/a",
        "http://git.example/a",
    ],
)
def test_other_addresses_get_no_helper_or_one_that_knows_them_not(options, url):
    _, helper = answers(options, "https://git.example/a", url)

    assert helper == ""


@pytest.mark.parametrize(
    ("ours", "other", "same"),
    [
        ("git@h:a/b", "ssh://git@h/c", True),
        ("git@h:a/b", "https://h/c", True),
        ("git@h:a/b", "ssh://git@h:2222/c", False),
        ("https://h/a", "https://h:443/c", True),
        ("https://h/a", "https://h:444/c", False),
        ("https://github.com/a", "ssh://git@ssh.github.com:443/a", True),
        ("https://h/a", "https://h:x/a", False),
        ("https://h/a", "nonsense", False),
    ],
)
def test_same_host(ours, other, same):
    assert access.same_host(ours, other) is same

import pytest

from build_hook import errors
from build_hook.deploy.repository import host_keys

# As the hosts publish them; templates/known_hosts says where.
PUBLISHED = {
    "github.com,[ssh.github.com]:443": {
        "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
        "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM",
    },
    "gitlab.com": {
        "SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
        "SHA256:HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw",
    },
    "bitbucket.org": {
        "SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
        "SHA256:FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0",
    },
    "codeberg.org": {
        "SHA256:mIlxA9k46MmM6qdJOdMnAQpzGxF4WIVVL+fj+wZbw0g",
        "SHA256:T9FYDEHELhVkulEKKwge5aVhVTbqCW0MIRwAfpARs/E",
    },
    "ssh.dev.azure.com": {"SHA256:ohD8VZEXGWo6Ez8GSEJQ9WpafgLFsOfLOtGGQCQo6Og"},
}
ONE = host_keys.HostKey("git.example", "ssh-ed25519", "AAAA")
OTHER = host_keys.HostKey("[git.example]:2222", "ssh-ed25519", "AAAB")


def test_shipped_keys_are_the_published_ones():
    found = {names: set() for names in PUBLISHED}
    for key in host_keys.read(host_keys.SHIPPED):
        found[key.names].add(key.fingerprint)

    assert found == PUBLISHED


def test_accepted_keys_are_kept_once(tmp_path):
    path = tmp_path / "known_hosts"

    assert host_keys.accept(path, [ONE, OTHER]) == 2
    assert host_keys.accept(path, [ONE]) == 0
    assert host_keys.read(path) == [ONE, OTHER]


@pytest.mark.parametrize(
    ("host", "left"), [("git.example", [OTHER]), ("git.example:2222", [ONE]), ("x", [ONE, OTHER])]
)
def test_forgotten_are_the_keys_of_that_name_and_port(tmp_path, host, left):
    path = tmp_path / "known_hosts"
    host_keys.accept(path, [ONE, OTHER])

    assert host_keys.forget(path, host) == 2 - len(left)
    assert host_keys.read(path) == left


def test_lines_that_are_no_keys_are_passed_over(tmp_path):
    path = tmp_path / "known_hosts"
    path.write_text(f"# comment\n@revoked x ssh-rsa AAAA\nhost ssh-rsa\nh ssh-rsa ?\n{ONE}\n")

    assert host_keys.read(path) == [ONE]


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a b", "", "a;b", "[::1]", "a:b", "user@h"])
def test_what_is_no_host_is_asked_nothing(host):
    with pytest.raises(errors.CheckoutError, match="is no host"):
        host_keys.scan(host)

"""What git may log in with, and where: a project's deploy key or token goes to its own host only.

A token is never in an argument, an address or the environment: git asks a helper (gitcredentials,
GIT_ASKPASS) that answers for that one host, so that a redirect to another host gets nothing.
"""

import collections.abc
import contextlib
import pathlib
import re
import shlex
import tempfile
import urllib.parse

from build_hook import errors, project, remotes, secret_files, settings
from build_hook.deploy.repository import host_keys

# User names that go with a token, from the documentation of each host; others take any name.
_USERS = {
    "github.com": "x-access-token",
    "gitlab.com": "oauth2",
    "bitbucket.org": "x-token-auth",
}
_ANY_USER = "build-hook"
_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418}

Environment = dict[str, str]
Login = tuple[str | None, str | None, str | None]


def login(of: project.Project) -> Login:
    """What tells the logins of projects apart; two that are equal see the same."""
    return of.deploy_key, of.access_token, of.access_user


class Access:
    """The ways into repositories that one state folder knows."""

    def __init__(self, with_settings: settings.Settings) -> None:
        self._secrets = with_settings.secrets
        self._known_hosts = with_settings.known_hosts
        self._scratch = with_settings.checkouts

    @contextlib.contextmanager
    def towards(
        self, of: project.Project, url: str
    ) -> collections.abc.Generator[tuple[str, Environment]]:
        """The address that git is given, and the environment that lets it log in there.

        Raises:
            CheckoutError: if a secret that is needed is missing, or others can read it.
        """
        is_home = same_host(of.repository, url)
        environment = {"GIT_SSH_COMMAND": self._ssh(of if is_home else None)}
        # http only where the project itself is reached so, on loopback: no token travels openly
        takes_token = _scheme(url) == "https" or _scheme(url) == _scheme(of.repository) == "http"
        if not (is_home and of.access_token and takes_token):
            yield url, environment
            return
        with tempfile.TemporaryDirectory(prefix="askpass-", dir=self._scratch) as folder:
            plain, helper = self._helper(of, url, pathlib.Path(folder))
            # a helper of the machine would store the token in a file of its own
            nothing_stored = {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "credential.helper",
                "GIT_CONFIG_VALUE_0": "",
            }
            yield plain, {**environment, **nothing_stored, "GIT_ASKPASS": str(helper)}

    # Private

    def _ssh(self, of: project.Project | None) -> str:
        """The command that git starts; a shell reads it (git, GIT_SSH_COMMAND)."""
        files = ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]
        files += [f'"{_plain(path)}"' for path in (self._known_hosts, host_keys.SHIPPED)]
        words = [
            "ssh",
            "-oBatchMode=yes",
            "-oConnectTimeout=10",
            "-oStrictHostKeyChecking=yes",
            "-oUpdateHostKeys=no",
            f"-oUserKnownHostsFile={' '.join(files)}",
        ]
        if of is not None and of.deploy_key:
            key = secret_files.require(self._secrets, of.deploy_key, "deploy key")
            words += ["-oIdentitiesOnly=yes", "-oIdentityAgent=none"]
            words += [f'-oIdentityFile="{_plain(key)}"']
        return shlex.join(words)

    def _helper(
        self, of: project.Project, url: str, folder: pathlib.Path
    ) -> tuple[str, pathlib.Path]:
        """The address without a user, and a program that knows the answers for it."""
        token = secret_files.require(self._secrets, of.access_token or "", "access token")
        parts = urllib.parse.urlsplit(url)
        in_url, _, host = parts.netloc.rpartition("@")
        user = of.access_user or in_url or _USERS.get(host.lower(), _ANY_USER)
        origin, named = f"{parts.scheme}://{host}", f"{parts.scheme}://{user}@{host}"
        helper = folder / "askpass"
        helper.touch(mode=0o700)
        helper.write_text(
            "#!/bin/sh\n"
            'case "$1" in\n'
            f"{_prompts('Username', origin)}) printf '%s\\n' {shlex.quote(user)} ;;\n"
            f"{_prompts('Password', named)}) exec cat -- {shlex.quote(str(token))} ;;\n"
            "*) exit 1 ;;\n"
            "esac\n",
            encoding="utf-8",
        )
        return parts._replace(netloc=host).geturl(), helper


def same_host(ours: str, url: str) -> bool:
    """Whether an address is on the host of another; ports count where both speak alike."""
    one, two = remotes.parse(ours), remotes.parse(url)
    if one is None or two is None or one.host != two.host:
        return False
    return _scheme(ours) != _scheme(url) or _port(ours) == _port(url)


def _scheme(url: str) -> str:
    found = re.match(r"([a-zA-Z]+)://", url)
    return found[1].lower() if found else "ssh"


def _port(url: str) -> int | None:
    scheme = _scheme(url)
    try:
        given = urllib.parse.urlsplit(url).port if "://" in url else None
    except ValueError:
        return None
    return given or _PORTS.get(scheme)


def _prompts(what: str, where: str) -> str:
    """How git asks, and how Git LFS does, as patterns of a shell."""
    return f"""{shlex.quote(f"{what} for '{where}': ")}|{shlex.quote(f'{what} for "{where}"')}"""


def _plain(path: pathlib.Path) -> str:
    """A path as ssh's options take it, where ``%`` begins a token and ``"`` ends a word."""
    text = str(path)
    if '"' in text:
        raise errors.CheckoutError(
            f"ssh cannot be told of {text}: it has a quotation mark", "Rename the folder"
        )
    return text.replace("%", "%%")

"""A git host: bare repositories behind git's own daemon, and deliveries in GitHub's words."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

BUSYBOX = pathlib.Path("/bin/busybox")
_WEB = """FROM scratch
COPY busybox /bin/busybox
COPY index.html /www/index.html
ENTRYPOINT ["/bin/busybox", "sh", "-c", "read version </www/index.html; echo serving $version; \
exec /bin/busybox httpd -f -p 80 -h /www"]
"""
# No applet answers datagrams: the machine's /usr is mounted for its Perl.
_BOTH = """FROM scratch
COPY root index.html /
ENTRYPOINT ["/usr/bin/perl", "/serve.pl"]
"""
_SERVE = r"""use strict; use warnings; use IO::Select; use IO::Socket::INET;
my @at = (LocalPort => 64738, LocalAddr => '0.0.0.0');
my $tcp = IO::Socket::INET->new(@at, Proto => 'tcp', Listen => 64, ReuseAddr => 1) or die $!;
my $udp = IO::Socket::INET->new(@at, Proto => 'udp') or die $!;
open(my $file, '<', '/index.html') or die $!;
my $version = <$file>;
my $both = IO::Select->new($tcp, $udp);
while (1) {
    for my $ready ($both->can_read) {
        if ($ready == $udp) {
            my $from = $udp->recv(my $said, 1500);
            $udp->send($version, 0, $from) if defined $from;
        } elsif (my $client = $tcp->accept) {
            print $client $version;
            close $client;
        }
    }
}
"""
# As the article's repositories have them.
_SCRIPTS = {
    "build.sh": """#!/bin/sh
cd "$(dirname "$0")"
DIR=$(pwd)
git pull origin master
/home/ubuntu/hooked/build-hook.py -r "$DIR" -t NAME -s "$DIR/start.sh" -v &
""",
    "start.sh": """#!/bin/sh
docker run -d -p PORT:80 --restart=on-failure:10 NAME
""",
}


class GitHost:
    """Serves what is below a folder at an address; nothing can be pushed but from here."""

    def __init__(self, folder: pathlib.Path, address: str) -> None:
        self._folder = folder
        self._address = address
        with socket.socket() as probe:
            probe.bind((address, 0))
            self._port = probe.getsockname()[1]

    def __enter__(self) -> "GitHost":
        self._folder.mkdir(parents=True)
        options = [f"--listen={self._address}", f"--port={self._port}", "--export-all"]
        self._daemon = subprocess.Popen(
            ["git", "daemon", "--reuseaddr", *options, f"--base-path={self._folder}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex((self._address, self._port)) == 0:
                    return self
            time.sleep(0.05)
        raise RuntimeError("git daemon does not listen")

    def __exit__(self, *_: object) -> None:
        self._daemon.terminate()
        self._daemon.wait()

    def create(self, name: str, scripts_port: int | None = None) -> str:
        """Make a repository with a first version in it; its clone URL.

        With ``scripts_port`` it has scripts of 2015, which publish that port.
        """
        bare = self._folder / f"{name}.git"
        _git("init", "--quiet", "--bare", "--initial-branch=master", str(bare))
        _git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=bare)
        copy = self._copy(name)
        _git("clone", "--quiet", str(bare), str(copy))
        if "mumble" in name:
            _write_both(copy)
        else:
            shutil.copy2(BUSYBOX, copy / "busybox")
            (copy / "Dockerfile").write_text(_WEB)
        if scripts_port is not None:
            _write_scripts(copy, name, scripts_port)
        self.push(name, "one")
        return self.url(name)

    def push(self, name: str, version: str) -> bytes:
        """Push a version; the body of the delivery that tells of it."""
        copy = self._copy(name)
        before = _git("rev-parse", "--verify", "--quiet", "HEAD", cwd=copy, check=False)
        (copy / "index.html").write_text(f"{version}\n")
        _git("add", "--all", cwd=copy)
        _git("commit", "--quiet", "--message", f"Version {version}", cwd=copy)
        _git("push", "--quiet", "origin", "HEAD:master", cwd=copy)
        after = _git("rev-parse", "HEAD", cwd=copy)
        return self._delivery(name, before or "0" * 40, after)

    def elsewhere(self, name: str) -> bytes:
        """The body of a delivery about a branch that no project follows: it asks for nothing."""
        head = _git("rev-parse", "HEAD", cwd=self._copy(name))
        return self._delivery(name, "0" * 40, head, "refs/heads/elsewhere")

    def url(self, name: str) -> str:
        """Where machines clone from."""
        return f"git://{self._address}:{self._port}/{name}.git"

    def _delivery(
        self, name: str, before: str, after: str, ref: str = "refs/heads/master"
    ) -> bytes:
        commit = {"id": after, "message": "A version", "timestamp": "2026-01-01T00:00:00Z"}
        repository = {"name": name, "full_name": name, "clone_url": self.url(name)}
        return json.dumps(
            {
                "ref": ref,
                "before": before,
                "after": after,
                "created": False,
                "deleted": False,
                "forced": False,
                "head_commit": commit,
                "commits": [commit],
                "repository": repository,
            }
        ).encode()

    def _copy(self, name: str) -> pathlib.Path:
        return self._folder / f"{name}-copy"


def _write_both(copy: pathlib.Path) -> None:
    (copy / "Dockerfile").write_text(_BOTH)
    (copy / "root").mkdir()
    (copy / "root" / "serve.pl").write_text(_SERVE)
    for name in ("lib", "lib64"):
        (copy / "root" / name).symlink_to(f"usr/{name}")


def _write_scripts(copy: pathlib.Path, name: str, port: int) -> None:
    for script, text in _SCRIPTS.items():
        (copy / script).write_text(text.replace("NAME", name).replace("PORT", str(port)))
        (copy / script).chmod(0o755)


def _git(*arguments: str, cwd: pathlib.Path | None = None, check: bool = True) -> str:
    person = {f"GIT_{who}_{what}": "developer@example.com" for who in ("AUTHOR", "COMMITTER")
              for what in ("NAME", "EMAIL")}  # fmt: skip
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, check=check, capture_output=True, text=True,
        env={**os.environ, **person, "GIT_CONFIG_GLOBAL": "/dev/null"},
    )  # fmt: skip
    return done.stdout.strip()

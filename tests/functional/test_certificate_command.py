"""``build-hook certificate`` and what ``doctor`` says of certificates."""

import json
import stat
import subprocess
import sys
from typing import Any

import pytest

from build_hook import project, registry, settings
from tests.functional import certificates
from tests.functional import host as hosts


class Shell:
    """The command on a state folder of its own."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.settings = settings.load(folder / "state", {})

    def file(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def run(self, *arguments: str, code: int = 0) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "build_hook", "--state", str(self.settings.state), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout) if "--json" in arguments and done.stdout else done

    def use(self, name: str) -> None:
        of = project.Project.model_validate(
            {
                "name": "shop",
                "repository": "https://git.invalid/x.git",
                "ports": [{"target": 80, "published": 443, "certificates": [name]}],
            }
        )
        registry.save(self.settings.registry, registry.Registry(projects=(of,)))

    def finding(self, name: str):
        done = self.run("doctor", "--json", code=1)  # nothing runs here: other checks fail
        return next(f for f in done["findings"] if f["subject"] == f"certificate {name}")


@pytest.fixture
def shell():
    with hosts.folder() as folder:
        yield Shell(folder)


def test_a_certificate_and_its_key_become_one_file_for_its_owner_only(shell):
    leaf, key = certificates.parts(certificates.make("shop.example.org", "example.org"))
    files = "--file", shell.file("c.pem", leaf), "--key", shell.file("k.pem", key)

    said = shell.run("certificate", "add", "shop", *files)

    kept = shell.settings.certificates / "shop.pem"
    assert kept.read_bytes() == leaf + key
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "shop is for shop.example.org, example.org and good until 20" in said.stdout
    assert '"certificates": ["shop"] at a published port' in said.stdout


@pytest.mark.parametrize("name", ["../x", "A", ""])
def test_a_name_that_is_none_is_refused(shell, name):
    file = shell.file("c.pem", certificates.make("x.org"))

    said = shell.run("certificate", "add", name, "--file", file, code=1)

    assert "is not a name for a certificate. Use a-z, 0-9, dots and dashes" in said.stderr


def test_a_bad_one_does_not_take_the_place_of_a_good_one(shell):
    good = certificates.make("shop.example.org")
    shell.run("certificate", "add", "shop", "--file", shell.file("c.pem", good))
    other = certificates.parts(certificates.make("x.org"))[1]
    files = "--file", shell.file("c2.pem", certificates.parts(good)[0])

    said = shell.run("certificate", "add", "shop", *files, "--key", shell.file("k", other), code=1)

    assert "The key of the certificate shop belongs to another certificate" in said.stderr
    assert (shell.settings.certificates / "shop.pem").read_bytes() == good
    assert [path.name for path in shell.settings.certificates.iterdir()] == ["shop.pem"]


def test_the_list_tells_names_users_and_what_is_wrong(shell):
    one = shell.file("c.pem", certificates.make("a.org"))
    shell.run("certificate", "add", "one", "--file", one)
    shell.run("certificate", "add", "two", "--file", one)
    shell.use("two")

    rows = shell.run("certificate", "list", "--json")["certificates"]

    assert [(r["name"], r["hosts"], r["projects"], r["problem"]) for r in rows] == [
        ("one", ["a.org"], [], None),
        ("two", ["a.org"], ["shop"], None),
    ]
    (shell.settings.certificates / "two.pem").unlink()
    rows = shell.run("certificate", "list", "--json")["certificates"]
    assert rows[1]["problem"].startswith("The certificate two cannot be read: No such file")
    assert "one " in shell.run("certificate", "list").stdout


def test_one_that_is_used_is_not_removed(shell):
    shell.run("certificate", "add", "one", "--file", shell.file("c", certificates.make("a.org")))
    shell.use("one")

    said = shell.run("certificate", "remove", "one", code=1)
    assert "The certificate one is used by shop. Take it out of the certificates" in said.stderr

    registry.save(shell.settings.registry, registry.Registry())
    shell.run("certificate", "remove", "one")
    said = shell.run("certificate", "remove", "one", code=1)
    assert "There is no certificate one. List them" in said.stderr


@pytest.mark.parametrize(("days", "is_well"), [(16, True), (13, False)])
def test_doctor_warns_two_weeks_before_it_expires(shell, days, is_well):
    pem = certificates.make("a.org", days=days)
    shell.run("certificate", "add", "one", "--file", shell.file("c", pem))
    shell.use("one")

    finding = shell.finding("one")

    assert finding["ok"] is is_well
    says = "a.org; good until 20" if is_well else "The certificate one expires in 13 days (20"
    assert finding["detail"].startswith(says)


def test_add_takes_names_and_certificates_of_ports(shell):
    shell.run(
        "add", "shop", "--repository", "https://git.invalid/x.git", "--publish", "443:8000",
        "--host", "shop.example.org", "--certificate", "one", "--redirect-from", "80",
    )  # fmt: skip

    (of,) = registry.load(shell.settings.registry).projects
    (port,) = of.ports
    assert (port.hosts, port.certificates, port.redirect_from) == (
        ("shop.example.org",),
        ("one",),
        80,
    )
    row = shell.run("projects", "--json")["projects"][0]
    assert (row["hosts"], row["certificates"]) == (["shop.example.org"], ["one"])
    assert "shop.example.org" in shell.run("projects").stdout

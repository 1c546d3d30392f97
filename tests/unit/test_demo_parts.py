import http.server
import os
import pathlib
import shutil
import socket
import stat
import struct
import threading

import pytest

from build_hook import errors, registry, settings
from build_hook.demo import baseimage, delivery, git, gitserver, product, stage


def test_git_sees_neither_the_users_configuration_nor_a_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.invalid")
    monkeypatch.setenv("GIT_DIR", "/elsewhere")

    seen = git.environment()

    assert not {"http_proxy", "GIT_DIR"} & seen.keys()
    assert seen["GIT_CONFIG_GLOBAL"] == os.devnull
    assert seen["GIT_TERMINAL_PROMPT"] == "0"


def test_git_that_fails_says_why(tmp_path):
    with pytest.raises(errors.CheckoutError, match="git rev-parse failed: fatal"):
        git.run("rev-parse", "HEAD", folder=tmp_path)


def elf(*kinds):
    """A 64-bit ELF file with program headers of these types and nothing else."""
    header = bytearray(64)
    header[:5] = b"\x7fELF\x02"
    struct.pack_into("<Q", header, 32, 64)
    struct.pack_into("<HH", header, 54, 56, len(kinds))
    return bytes(header) + b"".join(struct.pack("<I52x", kind) for kind in kinds)


def test_busybox_that_needs_libraries_is_refused(tmp_path, monkeypatch):
    (tmp_path / "busybox").write_bytes(elf(1, 3))
    monkeypatch.setattr(baseimage.shutil, "which", lambda *_, **__: str(tmp_path / "busybox"))

    with pytest.raises(errors.ImageError, match="apt-get install busybox-static"):
        baseimage.busybox()


def test_static_busybox_is_taken(tmp_path, monkeypatch):
    (tmp_path / "busybox").write_bytes(elf(1, 1))
    monkeypatch.setattr(baseimage.shutil, "which", lambda *_, **__: str(tmp_path / "busybox"))

    assert baseimage.busybox() == tmp_path / "busybox"


@pytest.mark.parametrize(
    ("missing", "hint"),
    [
        ("haproxy", "apt-get install haproxy"),
        ("git", "apt-get install git"),
        ("busybox", "apt-get install busybox-static"),
    ],
)
def test_missing_program_is_named_with_how_to_get_it(missing, hint, tmp_path, monkeypatch):
    git.path.cache_clear()
    config = stage.settings_for(tmp_path)
    which = shutil.which

    def without(name, **options):
        return None if name == missing else which(name, **options) or f"/bin/{name}"

    monkeypatch.setattr("shutil.which", without)

    with pytest.raises(errors.BuildHookError, match=hint):
        stage.check_machine(config)
    git.path.cache_clear()


def test_free_port_is_below_those_of_outgoing_connections():
    port = product.free_port()

    assert 20_000 <= port <= 32_000
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


def test_settings_of_another_instance_do_not_reach_the_product(tmp_path, monkeypatch):
    monkeypatch.setenv("BUILD_HOOK_PORT", "8080")
    monkeypatch.setenv("BUILD_HOOK_KEEP_IMAGES", "99")
    monkeypatch.setenv("BUILD_HOOK_DOCKER_HOST", "unix:///elsewhere.sock")

    config = stage.settings_for(tmp_path)
    passed = product.environment(config)

    assert config.port != 8080
    assert config.docker_host == "unix:///elsewhere.sock"
    assert {name for name in passed if name.startswith(settings.PREFIX)} == {
        "BUILD_HOOK_LISTEN",
        "BUILD_HOOK_PORT",
        "BUILD_HOOK_PUBLISH_ADDRESS",
        "BUILD_HOOK_DOCKER_HOST",
    }
    assert passed["BUILD_HOOK_PORT"] == str(config.port)
    assert passed["BUILD_HOOK_LISTEN"] == "127.0.0.1"


def test_registry_holds_an_http_and_a_tcp_project_with_secrets_as_files(tmp_path):
    config = stage.settings_for(tmp_path)
    urls = {name: f"http://127.0.0.1:1/{name}.git" for name in stage.PORTS}

    at = stage.register(config, dict.fromkeys(stage.PORTS, b"key"), urls, "base:1")

    written = registry.load(config.registry)
    assert [p.ports[0].app_protocol for p in written.projects] == ["http", "tcp"]
    assert [p.build.args for p in written.projects] == [{"BASE": "base:1"}] * 2
    assert at["web"] == f"http://127.0.0.1:{written.projects[0].ports[0].published}"
    secret = config.secrets / "web"
    assert secret.read_bytes().strip() == b"key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@pytest.fixture
def moved(tmp_path):
    git.run("init", "--quiet", "--initial-branch=main", str(tmp_path / "web.git"))
    git.run("commit", "--quiet", "--allow-empty", "-m", "First", folder=tmp_path / "web.git")
    head = git.run("rev-parse", "HEAD", folder=tmp_path / "web.git")
    return gitserver.Moved(tmp_path / "web.git", "refs/heads/main", gitserver.ZERO, head)


def fire(moved, status):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"because")

        def log_request(self, code="-", size="-"):
            pass

    webhook = delivery.Webhook({"web": b"key"})
    webhook.origin = "http://git.example"
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        webhook.target = f"http://127.0.0.1:{server.server_address[1]}"
        webhook.fire(moved)
    return webhook


def test_delivery_that_is_accepted_is_no_problem(moved):
    assert fire(moved, 202).problem is None


def test_delivery_that_is_refused_is_remembered(moved):
    assert fire(moved, 401).problem == "was answered 401: because"


def test_delivery_that_nobody_takes_is_remembered(moved):
    webhook = delivery.Webhook({"web": b"key"})
    webhook.target = f"http://127.0.0.1:{product.free_port()}"

    webhook.fire(moved)

    assert "could not be delivered" in str(webhook.problem)


def test_product_that_ends_at_once_is_an_error_with_its_last_lines(tmp_path, monkeypatch):
    config = stage.settings_for(tmp_path / "state")
    config.registry.parent.joinpath("settings.toml").write_text("no_such_setting = 1\n")

    with (
        product.Product(config, tmp_path / "log") as served,
        pytest.raises(errors.BuildHookError, match="no_such_setting"),
    ):
        served.wait_until_ready()


def test_every_application_has_a_dockerfile_and_no_download():
    for name in ("web", "echo"):
        text = (pathlib.Path(baseimage.APPS) / name / "Dockerfile").read_text(encoding="utf-8")
        assert "FROM ${BASE}" in text
        assert "http" not in text

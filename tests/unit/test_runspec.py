"""What cannot be run everywhere: all rights on the host, asked for in so many words."""

import pytest

from build_hook import errors, secret_files, service
from build_hook.deploy import runspec


@pytest.mark.parametrize("privileged", [True, False])
def test_privileged_is_passed_on(privileged: bool):
    asked = service.Service(privileged=privileged)

    assert runspec.host(asked, "ours", None)["privileged"] is privileged


def test_variables_of_files_come_before_those_that_are_named(tmp_path):
    secret_files.write(tmp_path / "env", b"# note\nA=file\nB = file\n\nno value\n")
    asked = service.Service(env_file=("env",), environment={"A": "named"})

    assert runspec.environment(asked, tmp_path) == {"A": "named", "B ": " file"}


@pytest.mark.parametrize(("mode", "said"), [(0o640, "Others may read"), (None, "cannot be read")])
def test_file_of_variables_is_nobody_elses(tmp_path, mode, said):
    if mode is not None:
        secret_files.write(tmp_path / "env", b"A=1\n")
        (tmp_path / "env").chmod(mode)

    with pytest.raises(errors.ContainerError, match=said):
        runspec.environment(service.Service(env_file=("env",)), tmp_path)


def test_profile_that_is_not_there_is_told():
    asked = service.Service(security_opt=("seccomp=/nowhere/profile.json",))

    with pytest.raises(errors.ContainerError, match="profile of security_opt cannot be read"):
        runspec.host(asked, "ours", None)


@pytest.mark.parametrize("text", ["no-new-privileges:true", "seccomp=unconfined"])
def test_other_options_of_security_are_passed_on(text):
    asked = service.Service(security_opt=(text,))

    assert runspec.host(asked, "ours", None)["security_opt"] == [text]


@pytest.mark.parametrize(
    ("asked", "short"),
    [
        ("data:/data", "data:/data"),
        ("data:/data:ro,z", "data:/data:ro,z"),
        ({"type": "bind", "source": "/a", "target": "/b"}, "/a:/b"),
        (
            {"type": "bind", "source": "/a", "target": "/b", "bind": {"selinux": "Z"},
             "read_only": True},
            "/a:/b:ro,Z",
        ),
        (
            {"type": "volume", "source": "a", "target": "/b", "volume": {"nocopy": True}},
            "a:/b:nocopy",
        ),
    ],
)  # fmt: skip
def test_volume_of_either_form(asked, short):
    assert service.Service.model_validate({"volumes": [asked]}).volumes == (short,)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("volumes", {"type": "tmpfs", "source": "a", "target": "/b"}, "volumes"),
        ("volumes", {"type": "bind", "source": "a", "target": "/b"}, "a folder of the host as"),
        ("volumes", {"type": "volume", "source": "/a", "target": "/b"}, "a volume a name"),
        ("volumes", {"type": "bind", "source": "/a", "target": "/b", "bidn": {}}, "bidn"),
        ("volumes", {"type": "volume", "source": "a", "target": "b"}, "must be SOURCE:TARGET"),
        ("volumes", "a:/b:rx", "must be SOURCE:TARGET"),
        ("devices", "sda", "devices"),
        ("ulimits", "nofile", "ulimits"),
        ("sysctls", "a", "sysctls"),
    ],
)
def test_wrong_setting_is_refused(field, value, said):
    with pytest.raises(ValueError, match=said):
        service.Service.model_validate({field: [value]})

import pytest

from build_hook import errors, settings


def test_environment_is_stronger_than_the_file_and_the_file_than_the_default(tmp_path):
    (tmp_path / "settings.toml").write_text("concurrency = 3\nkeep_images = 7\n")

    found = settings.load(tmp_path, {"BUILD_HOOK_CONCURRENCY": "5"})

    assert (found.concurrency, found.keep_images, found.keep_builds) == (5, 7, 200)


@pytest.mark.parametrize(
    ("file", "environ", "says"),
    [
        (
            "concurrency = 0",
            {},
            r"settings cannot be used: concurrency: .*greater than or equal to 1",
        ),
        ("concurency = 2", {}, r"concurency: Extra inputs are not permitted"),
        ("concurrency =", {}, r"settings\.toml cannot be read: .*\. Correct the file"),
        ("", {"BUILD_HOOK_PORT": "http"}, r"port: .*valid integer"),
        ("", {"BUILD_HOOK_RECONCILE_INTERVAL": "0"}, r"reconcile_interval: .*equal to 1"),
    ],
)
def test_wrong_value_is_named(tmp_path, file, environ, says):
    (tmp_path / "settings.toml").write_text(file)

    with pytest.raises(errors.SettingsError, match=says):
        settings.load(tmp_path, environ)


def test_folders_are_made_for_their_owner_alone(tmp_path):
    found = settings.load(tmp_path / "state", {})

    modes = {p: p.stat().st_mode & 0o777 for p in (found.secrets, found.repositories, found.run)}
    assert modes == {found.secrets: 0o700, found.repositories: 0o700, found.run: 0o750}


def test_instance_keeps_its_name(tmp_path):
    first = settings.load(tmp_path / "a", {}).instance

    assert settings.load(tmp_path / "a", {}).instance == first
    assert settings.load(tmp_path / "b", {}).instance != first


def test_path_too_long_for_sockets_is_refused(tmp_path):
    with pytest.raises(
        errors.SettingsError, match=r"longer than 80 characters\. Choose a shorter"
    ):
        settings.load(tmp_path / ("x" * 80), {})


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(errors.SettingsError, match="Not a directory"):
        settings.load(tmp_path / "file/state", {})

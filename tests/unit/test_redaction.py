import pytest

from build_hook import project
from build_hook.deploy import buildlog, redaction

KEY = """-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmU
AAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz
-----END OPENSSH PRIVATE KEY-----
"""


@pytest.fixture
def of(tmp_path):
    for name, text in {
        "token": "hunter-two\n",
        "key": KEY,
        "env": "USER=shop\nPASSWORD='s3cr3t=='\n# note\n",
        "hook": "webhook-value\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return project.Project.model_validate(
        {
            "name": "shop",
            "repository": "https://git.invalid/x.git",
            "webhook_secrets": ["hook"],
            "env_file": ["env"],
            "build": {"secrets": ["token", "absent"], "ssh": {"default": "key"}},
        }
    )


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("the token is hunter-two!", "the token is ***!"),
        ("hunter-twohunter-two", "******"),
        ("b3BlbnNzaC1rZXktdjEAAAAABG5vbmU", "***"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----BEGIN OPENSSH PRIVATE KEY-----"),
        ("login s3cr3t==", "login ***"),
        ("PASSWORD='s3cr3t=='", "***"),
        ("sent webhook-value", "sent ***"),
        ("the shop opens", "the shop opens"),
    ],
)
def test_values_of_secrets_are_hidden(of, tmp_path, said, kept):
    assert redaction.of_project(of, tmp_path, tmp_path / "confided")(said) == kept


def test_log_hides_them_also_between_control_sequences(of, tmp_path):
    file = tmp_path / "1.log"
    log = buildlog.BuildLog(file, 1000, redaction.of_project(of, tmp_path, tmp_path / "confided"))

    log("hun\x1b[0mter-two and hunter\x07-two")
    log.close()

    assert file.read_text(encoding="utf-8") == "*** and ***\n"


def test_without_secrets_nothing_is_changed():
    assert redaction.Redactor(["", "abcd"])("abcd") == "abcd"


def test_what_an_earlier_build_was_told_is_hidden_as_well(of, tmp_path):
    held = tmp_path / "confided/shop/7/values"
    held.mkdir(parents=True)
    (held / "env").write_text("PASSWORD=before-rotation\n", encoding="utf-8")
    other = tmp_path / "confided/shop-2/7/values"
    other.mkdir(parents=True)
    (other / "env").write_text("PASSWORD=of-another\n", encoding="utf-8")

    redact = redaction.of_project(of, tmp_path, tmp_path / "confided")

    assert redact("before-rotation of-another") == "*** of-another"


def test_secrets_of_services_and_files_are_hidden(tmp_path):
    for name in ("file", "env"):
        (tmp_path / name).write_text(f"value-of-{name}\n", encoding="utf-8")
    of = project.Project.model_validate(
        {
            "name": "shop",
            "repository": "https://git.invalid/x.git",
            "compose": {"services": {"web": {"secrets": ["file"], "env_file": ["env"]}}},
        }
    )

    redact = redaction.of_project(of, tmp_path, tmp_path / "confided")

    assert redact("value-of-file, value-of-env") == "***, ***"


def test_password_of_a_registry_is_hidden_by_itself(tmp_path):
    (tmp_path / "ghcr").write_text("ann:open sesame\n", encoding="utf-8")
    of = project.Project.model_validate(
        {
            "name": "shop",
            "repository": "https://git.invalid/x.git",
            "build": {"registry_logins": {"ghcr.io": "ghcr"}},
        }
    )

    redact = redaction.of_project(of, tmp_path, tmp_path / "confided")

    assert redact("as ann: open sesame") == "as ann: ***"

import gzip

import pytest

from build_hook.deploy.repository import git_release


@pytest.mark.parametrize(
    ("said", "fixed"),
    [
        ("git version 2.34.1", False),
        ("git version 2.39.5", False),
        ("git version 2.43.0", False),
        ("git version 2.43.6", False),
        ("git version 2.43.7", True),
        ("git version 2.47.2", False),
        ("git version 2.47.3", True),
        ("git version 2.50.0", False),
        ("git version 2.50.1 (Apple Git-155)", True),
        ("git version 2.51.0", True),
        ("git version 3.0", True),
        ("not a git", False),
    ],
)
def test_release_has_the_fixes(tmp_path, said, fixed):
    assert git_release.is_fixed(said, tmp_path / "no changelog") is fixed


@pytest.mark.parametrize(
    ("entry", "fixed"), [("Fix CVE-2025-48384", True), ("Fix CVE-2024-32002", False)]
)
def test_fixes_of_a_distribution_count(tmp_path, entry, fixed):
    changelog = tmp_path / "changelog.gz"
    changelog.write_bytes(gzip.compress(entry.encode()))

    assert git_release.is_fixed("git version 2.39.5", changelog) is fixed


def test_what_cannot_be_known_is_not_claimed(tmp_path):
    changelog = tmp_path / "changelog.gz"
    unknown, _ = git_release.what_is_missing("git version 2.39.5", changelog)
    changelog.write_bytes(gzip.compress(b"Fix CVE-2024-32002"))
    known, hint = git_release.what_is_missing("git version 2.39.5", changelog)

    assert "changelog, which would tell, is not installed" in unknown
    assert "lacks the fix of CVE-2025-48384" in known
    assert hint == "Upgrade git"

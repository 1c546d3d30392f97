"""Whether a git has the fixes that reading strangers' repositories needs.

The rule is that of git's own announcements: the releases of 8 July 2025 (CVE-2025-48384, which
lets a repository with submodules write hooks) contain all earlier fixes, those of May 2024
(CVE-2024-32002, -32004) and January 2025 (CVE-2024-52006) among them. Distributions put fixes
into older releases and name them in the package's changelog: that counts as well.
"""

import gzip
import pathlib
import re

from build_hook import errors
from build_hook.deploy import process

NEWEST_FIX = "CVE-2025-48384"
_CHANGELOG = pathlib.Path("/usr/share/doc/git/changelog.Debian.gz")
# The first release of each series that has the fix; later series began with it.
_FIXED = {
    (2, 43): 7,
    (2, 44): 4,
    (2, 45): 4,
    (2, 46): 4,
    (2, 47): 3,
    (2, 48): 2,
    (2, 49): 1,
    (2, 50): 1,
}
_FIRST_WITHOUT = (2, 51)


def check() -> str:
    """The git of this machine.

    Raises:
        CheckoutError: if there is none, or it has known holes.
    """
    try:
        said = process.run(("git", "--version"), timeout=10).strip()
    except (OSError, process.ProcessError) as error:
        raise errors.CheckoutError("git is not installed", "apt-get install git") from error
    if not is_fixed(said, _CHANGELOG):
        raise errors.CheckoutError(*what_is_missing(said, _CHANGELOG))
    return said


def what_is_missing(said: str, changelog: pathlib.Path) -> tuple[str, str]:
    """What to say of a git that is not known to have the fixes, and what to do."""
    if changelog.exists():
        told = f"{said} lacks the fix of {NEWEST_FIX}, which a hostile repository can use"
        return told, "Upgrade git"
    told = f"{said} need not have the fix of {NEWEST_FIX}, which a hostile repository can use"
    return (
        f"{told}; its package's changelog, which would tell, is not installed",
        "See whether apt-get changelog git names it; if not, upgrade git",
    )


def is_fixed(said: str, changelog: pathlib.Path) -> bool:
    """Whether what ``git --version`` said, or its package's changelog, promises the fixes."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", said)
    if found is None:
        return False
    series, patch = (int(found[1]), int(found[2])), int(found[3] or 0)
    if series >= _FIRST_WITHOUT or patch >= _FIXED.get(series, patch + 1):
        return True
    try:
        with gzip.open(changelog, "rt", encoding="utf-8", errors="replace") as file:
            return NEWEST_FIX in file.read()
    except OSError:
        return False

"""The certificates in force: copies of the last good ones, which HAProxy reads.

What lies in the folder ``certificates`` may be half written, wrong or gone at any moment; its copy
below ``run`` was tried before, and outlasts restarts.
"""

import dataclasses
import pathlib
from collections.abc import Collection

from build_hook import certificate, errors, secret_files, settings

_Stamp = tuple[int, int, int] | None


@dataclasses.dataclass(slots=True)
class _Known:
    """What is known of one name; the stamp is that of the file that was looked at last."""

    stamp: _Stamp = None
    is_new: bool = True
    in_force: certificate.Certificate | None = None
    problem: str | None = None


class Certificates:
    """Follows the files that projects name."""

    def __init__(self, with_settings: settings.Settings) -> None:
        self._given = with_settings.certificates
        self._kept = with_settings.run / "certificates"
        for folder in (self._given, self._kept):
            folder.mkdir(mode=0o700, exist_ok=True)
        self._known: dict[str, _Known] = {}

    def refresh(self, names: Collection[str]) -> bool:
        """Look at the files of these names; True if others are in force than before."""
        before = self._digests()
        for gone in self._known.keys() - set(names):
            del self._known[gone]
        for kept in self._kept.glob("*.pem"):
            if kept.stem not in names:
                kept.unlink()
        for name in names:
            self._look(name, self._known.setdefault(name, _Known()))
        return self._digests() != before

    def file(self, name: str) -> pathlib.Path:
        """The copy that HAProxy reads."""
        return self._kept / f"{name}.pem"

    def digest(self, name: str) -> str | None:
        """What tells the certificate in force from others of its name; None if there is none."""
        known = self._known.get(name)
        return known.in_force.digest if known and known.in_force else None

    def problem(self, name: str) -> str | None:
        """What is wrong with a certificate, or soon will be."""
        known = self._known.get(name)
        if known is None:
            return None
        if known.problem is not None:
            stays = ". The last good one stays in force" if known.in_force else ""
            return f"{known.problem}{stays}"
        return known.in_force.warning(name) if known.in_force else None

    def uncovered(self, name: str, hosts: Collection[str]) -> set[str]:
        """Those of some host names that a certificate is not made out to."""
        known = self._known.get(name)
        if known is None or known.in_force is None:
            return set(hosts)
        return {host for host in hosts if not known.in_force.covers(host)}

    # Private

    def _digests(self) -> dict[str, str | None]:
        return {name: self.digest(name) for name in self._known}

    def _look(self, name: str, known: _Known) -> None:
        if known.is_new:
            known.is_new, known.in_force = False, self._last_good(name)
        path = self._given / f"{name}.pem"
        stamp = _stamp(path)
        if stamp is not None and stamp == known.stamp:
            return
        known.stamp = stamp
        try:
            known.in_force, known.problem = self._take(path, name), None
        except errors.CertificateError as error:
            known.problem = str(error)
        except (
            OSError
        ) as error:  # of the copy: it says nothing of the file, which is looked at again
            known.stamp = None
            known.problem = (
                f"The certificate {name} cannot be taken over: {error.strerror}. "
                "Make room on the disk of the state folder"
            )

    def _last_good(self, name: str) -> certificate.Certificate | None:
        try:
            return certificate.read(self.file(name), name, even_expired=True)
        except errors.CertificateError:
            return None

    def _take(self, path: pathlib.Path, name: str) -> certificate.Certificate:
        """Copy a file, try the copy, and put it in force."""
        draft = self._kept / f".{name}.new"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise errors.CertificateError(
                f"The certificate {name} cannot be read: {error.strerror}",
                f"Put it there: build-hook certificate add {name} --file PEM",
            ) from error
        secret_files.write(draft, content)
        try:
            found = certificate.read(draft, name)
            draft.replace(self.file(name))
        finally:
            draft.unlink(missing_ok=True)
        return found


def _stamp(path: pathlib.Path) -> _Stamp:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size

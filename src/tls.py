"""The certificate that comes by relation: one request for all names, kept as one private file.

The proxy follows the file, so a renewal is in force without a failed request: see
docs/adr/0027-certificates-by-relation.md.
"""

import ipaddress
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ops

import config
import machine
import service
from build_hook import errors

if TYPE_CHECKING:
    from charmlibs.interfaces import tls_certificates  # pyright: ignore[reportMissingImports]

ENDPOINT = "certificates"
NAME = "juju"  # by which projects and the option tls-certificate mean it
_LONGEST_COMMON_NAME = 64  # ub-common-name of RFC 5280
# Of its time, when it is asked for again: of 90 days, before its status says that it expires.
_RENEWED = 0.8


class Certificates(ops.Object):
    """Asks for a certificate and writes what comes; ``names`` says whom it is for today."""

    def __init__(self, charm: ops.CharmBase, names: Callable[[], tuple[str, ...]]) -> None:
        super().__init__(charm, "tls")
        self._charm = charm
        self._names = names
        # One that ends is not in the model any more, and yet its secrets have to go.
        is_theirs = os.environ.get("JUJU_RELATION") == ENDPOINT
        self._requirer = self._related() if self._is_related or is_theirs else None

    def ensure(self, wanted: config.Config, names: tuple[str, ...]) -> bool:
        """Ask for these names, keep what has come; True if another certificate is there now."""
        path = wanted.product.certificates / f"{NAME}.pem"
        if not names and not self._is_related:
            path.unlink(missing_ok=True)
        if self._requirer is None or not self._is_related:
            return False
        self._requirer.sync()
        pem = self._pem()
        if pem is None:
            return False
        return machine.ensure_file(path, pem, 0o600, wanted.user, service.GROUP)

    def lack(self, wanted: config.Config) -> str | None:
        """Why a project that names it cannot be published with it yet."""
        if (wanted.product.certificates / f"{NAME}.pem").exists():
            return None
        if not self._is_related:
            app = self._charm.app.name
            return f"certificate {NAME} comes by relation: juju integrate {app}:{ENDPOINT} CA"
        return f"waits for the certificate {NAME} from the {ENDPOINT} relation"

    def serves_web(self, wanted: config.Config) -> bool:
        """Whether web is to be had with TLS."""
        options = wanted.product
        return options.tls_port != 0 and (
            options.tls_certificate != NAME or self.lack(wanted) is None
        )

    def status(self, names: tuple[str, ...]) -> ops.StatusBase | None:
        """What an operator should know of it; None if all is well or nobody asks for one."""
        if not names:
            return None
        if self._requirer is None or not self._is_related:
            app = self._charm.app.name
            fix = f"juju integrate {app}:{ENDPOINT} CA"
            return ops.BlockedStatus(f"Nothing brings or renews the certificate {NAME}: {fix}")
        if denied := self._requirer.get_request_errors():
            said = denied[-1].error
            return ops.BlockedStatus(f"The certificate {NAME} is refused: {said.message}")
        if self._pem() is None:
            return ops.WaitingStatus(f"Waiting for the certificate of {', '.join(names)}")
        return None

    @property
    def _is_related(self) -> bool:
        return any(relation.active for relation in self._charm.model.relations[ENDPOINT])

    def _related(self) -> "tls_certificates.TLSCertificatesRequiresV4":
        # Imported here: it takes a fifth of a second, which hooks without the relation save.
        from charmlibs.interfaces import (  # pyright: ignore[reportMissingImports]
            tls_certificates,
        )

        return tls_certificates.TLSCertificatesRequiresV4(
            self._charm,
            ENDPOINT,
            certificate_requests=self._requests,
            mode=tls_certificates.Mode.UNIT,
            key_algorithm=tls_certificates.KeyAlgorithm.ECDSA,
            renewal_relative_time=_RENEWED,
        )

    def _requests(self, _: object) -> list[Any]:
        from charmlibs.interfaces import (  # pyright: ignore[reportMissingImports]
            tls_certificates,
        )

        try:
            names = self._names()
        except errors.SettingsError:  # what was asked for stays; the status names the option
            return self._asked(tls_certificates.CertificateRequestAttributes)
        if not names:
            return []
        addresses = {name for name in names if _is_address(name)}
        shortest = min(names, key=lambda name: (len(name), name))
        return [
            tls_certificates.CertificateRequestAttributes(
                common_name=shortest if len(shortest) <= _LONGEST_COMMON_NAME else None,
                sans_dns=frozenset(names) - addresses,
                sans_ip=frozenset(addresses),
            )
        ]

    def _asked(self, kind: Any) -> list[Any]:
        assert self._requirer is not None, "it is who asks"  # noqa: S101
        known = self._requirer.get_csrs_from_requirer_relation_data()
        return [kind.from_csr(each.certificate_signing_request, each.is_ca) for each in known]

    def _pem(self) -> str | None:
        """Certificate, chain and key, as the proxy reads them; None until it has come."""
        if self._requirer is None:
            return None
        found, key = self._requirer.get_assigned_certificates()
        if not found or key is None:
            return None
        newest = max(found, key=lambda each: each.certificate.expiry_time)
        parts = dict.fromkeys([str(newest.certificate), *map(str, newest.chain), str(key)])
        return "".join(f"{part.strip()}\n" for part in parts)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True

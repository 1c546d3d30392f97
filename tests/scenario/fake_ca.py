"""A certificate authority at the other end of the ``certificates`` relation."""

import dataclasses
import datetime
import json

import ops.testing
from charmlibs.interfaces import tls_certificates  # pyright: ignore[reportMissingImports]

_YEAR = datetime.timedelta(days=365)


class FakeCa:
    """Signs what is asked for, as a provider charm would."""

    def __init__(self) -> None:
        self._key = tls_certificates.PrivateKey.generate()
        self.certificate = tls_certificates.Certificate.generate_self_signed_ca(
            tls_certificates.CertificateRequestAttributes(common_name="ca.example", is_ca=True),
            self._key,
            _YEAR,
        )

    def requests(self, relation: ops.testing.Relation) -> list:
        """What a unit asks for."""
        wire = json.loads(relation.local_unit_data.get("certificate_signing_requests", "[]"))
        texts = [each["certificate_signing_request"] for each in wire]
        return [tls_certificates.CertificateSigningRequest.from_string(text) for text in texts]

    def answer(
        self, relation: ops.testing.Relation, validity: datetime.timedelta = _YEAR
    ) -> ops.testing.Relation:
        """The relation once all of it has been signed."""
        signed = [self._signed(each, validity) for each in self.requests(relation)]
        said = {**relation.remote_app_data, "certificates": json.dumps(signed)}
        return dataclasses.replace(relation, remote_app_data=said)

    def refuse(self, relation: ops.testing.Relation, why: str) -> ops.testing.Relation:
        """The relation once all of it has been refused."""
        faults = [
            {
                "csr": str(each),
                "error": {"code": 102, "name": "DOMAIN_NOT_ALLOWED", "message": why},
            }
            for each in self.requests(relation)
        ]
        said = {**relation.remote_app_data, "request_errors": json.dumps(faults)}
        return dataclasses.replace(relation, remote_app_data=said)

    def _signed(self, request, validity: datetime.timedelta) -> dict[str, object]:
        leaf = request.sign(self.certificate, self._key, validity)
        return {
            "certificate_signing_request": str(request),
            "certificate": str(leaf),
            "ca": str(self.certificate),
            "chain": [str(leaf), str(self.certificate)],
        }

"""Small charms that the story makes itself: the neighbours that the real ones need."""

import pathlib
import stat
import zipfile

import yaml

# A `dockerfile` charm as of 2015: raw strings in the unit's databag, and nothing else.
_OLD = """#!/bin/sh
case $JUJU_DISPATCH_PATH in
hooks/project-relation-joined)
    relation-set "repository=$(config-get repository)" "buildscript=$(config-get build-script)" \\
        "localpath=/home/ubuntu/dockerfile/$(config-get name)"
    ;;
esac
"""
_OLD_METADATA = {
    "name": "dockerfile-of-2015",
    "provides": {"project": {"interface": "dockerfile"}},
}
_OLD_CONFIG = {
    "options": {name: {"type": "string"} for name in ("repository", "build-script", "name")}
}

# Somebody who takes logs: says where, for each unit that asks.
_SINK = """#!/bin/sh
case $JUJU_DISPATCH_PATH in
hooks/logging-relation-joined) relation-set "endpoint={\\"url\\": \\"$(config-get url)\\"}" ;;
esac
"""
_SINK_METADATA = {"name": "log-sink", "provides": {"logging": {"interface": "loki_push_api"}}}
_SINK_CONFIG = {"options": {"url": {"type": "string"}}}

# An authority, with the library's provider side from the packages of a packed charm.
_AUTHORITY_METADATA = {
    "name": "authority",
    "provides": {"certificates": {"interface": "tls-certificates"}},
}
AUTHORITY_FILE = "/var/lib/authority/ca.pem"
_AUTHORITY = f'''import datetime
import pathlib

import ops
from charmlibs.interfaces import tls_certificates as tls

CA = pathlib.Path("{AUTHORITY_FILE}")
KEY = CA.with_name("key.pem")
SEASON = datetime.timedelta(days=90)


class Authority(ops.CharmBase):
    def __init__(self, framework):
        super().__init__(framework)
        self.provider = tls.TLSCertificatesProvidesV4(self, "certificates")
        framework.observe(self.on.install, self._make)
        framework.observe(self.on["certificates"].relation_changed, self._sign)

    def _make(self, _):
        key = tls.PrivateKey.generate()
        asked = tls.CertificateRequestAttributes(common_name="formation")
        ca = tls.Certificate.generate_self_signed_ca(asked, key, SEASON)
        CA.parent.mkdir(parents=True)
        CA.write_text(str(ca))
        KEY.write_text(str(key))

    def _sign(self, _):
        ca = tls.Certificate.from_string(CA.read_text())
        key = tls.PrivateKey.from_string(KEY.read_text())
        for asked in self.provider.get_outstanding_certificate_requests():
            csr = asked.certificate_signing_request
            made = tls.Certificate.generate(csr, ca, key, SEASON)
            self.provider.set_relation_certificate(
                tls.ProviderCertificate(asked.relation_id, made, csr, ca, [made, ca])
            )


ops.main(Authority)
'''


def dockerfile_of_2015(folder: pathlib.Path) -> pathlib.Path:
    """A project's charm as it was in 2015."""
    return _write(folder, _OLD_METADATA, {"dispatch": _OLD, "config.yaml": _yaml(_OLD_CONFIG)})


def log_sink(folder: pathlib.Path) -> pathlib.Path:
    """A charm that says where logs go."""
    return _write(folder, _SINK_METADATA, {"dispatch": _SINK, "config.yaml": _yaml(_SINK_CONFIG)})


def authority(folder: pathlib.Path, packed: pathlib.Path) -> pathlib.Path:
    """A charm that signs certificates, with the packages of a packed one."""
    made = _write(folder, _AUTHORITY_METADATA, {"src/charm.py": _AUTHORITY})
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(made, "a") as new:
        for entry in old.infolist():
            if entry.filename == "dispatch" or entry.filename.startswith("venv/"):
                new.writestr(entry, old.read(entry))
    return made


def _write(
    folder: pathlib.Path, metadata: dict[str, object], files: dict[str, str]
) -> pathlib.Path:
    path = folder / f"{metadata['name']}.charm"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.yaml", _yaml(metadata))
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | 0o755) << 16
            archive.writestr(entry, text)
    return path


def _yaml(content: object) -> str:
    return yaml.safe_dump(content)

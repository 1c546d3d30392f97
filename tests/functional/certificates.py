"""Certificates for tests, made by openssl."""

import pathlib
import subprocess
import tempfile


def make(*names: str, days: int = 30) -> bytes:
    """A certificate that signs itself, with its key, for some host names."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        key, certificate = folder / "key", folder / "certificate"
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
        _openssl(
            "req", "-x509", "-new", "-key", str(key), "-out", str(certificate),
            "-days", str(days), "-subj", f"/CN={names[0]}",
            "-addext", f"subjectAltName={','.join(f'DNS:{one}' for one in names)}",
        )  # fmt: skip
        return certificate.read_bytes() + key.read_bytes()


def expired(pem: bytes) -> bytes:
    """A certificate with its key as it would be had it expired yesterday."""
    certificate, key = parts(pem)
    with tempfile.NamedTemporaryFile() as file:
        file.write(key)
        file.flush()
        done = subprocess.run(
            ("openssl", "x509", "-signkey", file.name, "-days", "-1"),
            input=certificate,
            capture_output=True,
            check=True,
            timeout=20,
        )
    return done.stdout + key


def parts(pem: bytes) -> tuple[bytes, bytes]:
    """The certificate and the key of it."""
    end = b"-----END CERTIFICATE-----\n"
    certificate, _, key = pem.partition(end)
    return certificate + end, key


def lock(key: bytes) -> bytes:
    """A key, behind a password."""
    done = subprocess.run(
        ("openssl", "pkey", "-aes256", "-passout", "pass:secret"),
        input=key,
        capture_output=True,
        check=True,
        timeout=20,
    )
    return done.stdout


def _openssl(*arguments: str) -> None:
    subprocess.run(("openssl", *arguments), check=True, capture_output=True, timeout=20)

"""A certificate for the proxy that is made on the spot, for a test phone that is told to take it."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: iPhones take none that lasts longer than 825 days.
DAYS = timedelta(days=90)


def own_context(names: Iterable[str]) -> tuple[ssl.SSLContext, str]:
    """A context with a new certificate for host names and addresses, and its SHA-256 fingerprint as phones show it."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, list(dict.fromkeys(names)))
    with tempfile.TemporaryDirectory(prefix="eas-proxy-") as folder:  # ssl reads files only
        file = Path(folder) / "both.pem"
        file.touch(0o600)
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = context_of(file, None)
    return context, certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def context_of(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """Raises OSError, and ssl.SSLError, which is one, for files that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _certificate(key: ec.EllipticCurvePrivateKey, names: list[str]) -> x509.Certificate:
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    return (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + DAYS)
        .add_extension(x509.SubjectAlternativeName(list(map(_name, names))), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)

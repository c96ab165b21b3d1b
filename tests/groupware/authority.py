"""A certification authority of the tests, made once a run: certificates for HOST, and some that are wrong."""

from __future__ import annotations

import atexit
import functools
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .process import HOST, folder

#: How long certificates last; a server that makes its own would replace those that end within a month.
_DAYS = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Pair:
    """Files in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """`ca_file` is to be trusted. `good` is for HOST, `expired` too; `stranger` is for HOST by nobody we trust, and
    `other_name` for another host."""

    path: Path
    good: Pair
    expired: Pair
    stranger: Pair
    other_name: Pair

    @property
    def ca_file(self) -> str:
        return str(self.path / "ca.pem")


@functools.cache
def authority() -> Authority:
    path = folder("ca")
    atexit.register(shutil.rmtree, path, ignore_errors=True)  # for programs that are no tests
    ours, others = _Issuer("Test authority"), _Issuer("Another authority")
    (path / "ca.pem").write_bytes(ours.certificate.public_bytes(serialization.Encoding.PEM))
    now = datetime.now(UTC)
    return Authority(
        path,
        good=ours.issue(path / "good", HOST, now + _DAYS),
        expired=ours.issue(path / "expired", HOST, now - timedelta(hours=1)),
        stranger=others.issue(path / "stranger", HOST, now + _DAYS),
        other_name=ours.issue(path / "other", "elsewhere.example.net", now + _DAYS),
    )


class _Issuer:
    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            self._builder(self.name, self.key.public_key(), datetime.now(UTC) + _DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(_usage(sign=False, issue=True), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def issue(self, path: Path, host: str, until: datetime) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = (
            self._builder(name, key.public_key(), until)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
            .add_extension(_usage(sign=True, issue=False), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        pair = Pair(path.with_suffix(".pem"), path.with_suffix(".key"))
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ))
        pair.key.chmod(0o644)  # for servers that run as somebody else; the keys guard nothing
        return pair

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(datetime.now(UTC), until) - _DAYS).not_valid_after(until)
        )


def _usage(*, sign: bool, issue: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign, key_cert_sign=issue, crl_sign=issue, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )

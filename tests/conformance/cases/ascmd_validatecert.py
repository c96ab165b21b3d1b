"""[MS-ASCMD] ValidateCert, as far as it can be seen without a certificate that the server trusts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lab import Lab, case
from wire import e

from eas.protocol.wbxml import Element


def certificates(days: int) -> dict[str, str]:
    """Self-signed, by name: in force, expired, signed by another key, cut off, no certificate."""
    from base64 import b64encode

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    def made(start: int, end: int, *, own: bool = True) -> bytes:
        mine, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "conformance")])
        now = datetime.now(UTC)
        built = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(mine.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now + timedelta(days=start))
            .not_valid_after(now + timedelta(days=end))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        return built.sign(mine if own else other, hashes.SHA256()).public_bytes(Encoding.DER)

    good = made(-days, days)
    return {
        "good": b64encode(good).decode(), "expired": b64encode(made(-2 * days, -days)).decode(),
        "forged": b64encode(made(-days, days, own=False)).decode(),
        "cut": b64encode(good[:-20]).decode(), "nonsense": "not base64!",
    }


def request(*certificates: str, chain: tuple[str, ...] = (), crl: str | None = None) -> Element:
    parts = [e("CertificateChain", *(e("Certificate", one) for one in chain))] if chain else []
    parts += [e("Certificates", *(e("Certificate", one) for one in certificates))]
    parts += [e("CheckCRL", crl)] if crl is not None else []
    return e("ValidateCert:ValidateCert", *parts)


@case("MS-ASCMD", "R4476 R5662 R4469")
async def what_is_no_request_is_a_protocol_error(lab: Lab) -> None:
    for body in (request(), request(*["AAAA"] * 101), e("ValidateCert:ValidateCert")):
        got = await lab.talker().post("ValidateCert", body)
        assert got.status == "2"
        assert got.find("Certificate") is None


@case("MS-ASCMD", "R4727 R4469 R4474 R5387 R5389 R4479 R4482 R4491 R4500")
async def each_certificate_has_its_own_status(lab: Lab) -> None:
    made = certificates(30)
    order = ("nonsense", "forged", "good", "expired", "cut")
    got = await lab.talker().post("ValidateCert", request(*(made[name] for name in order)))
    assert got.root.tag == "ValidateCert:ValidateCert"
    assert got.status == "1"
    assert [one.text for one in got.all("Certificate", "Status")] == ["10", "3", "4", "7", "10"]


@case("MS-ASCMD", "R688 R4482")
async def a_chain_that_the_client_sends_makes_nobody_trusted(lab: Lab) -> None:
    made = certificates(30)
    for crl in (None, "0", "1"):
        got = await lab.talker().post("ValidateCert", request(made["good"], chain=(made["good"],), crl=crl))
        assert got.text("Certificate", "Status") == "4"

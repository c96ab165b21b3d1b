"""Opaque-signed messages: taken out of PKCS #7, never verified. RFC 8551 section 3.5.2."""

from __future__ import annotations

from base64 import encodebytes
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items.body import BodyPreference, BodyType, Wanted
from eas.items.email import render
from eas.items.mime import cut_from, header_end, part_at, sections_wanted, structure
from eas.items.native import Mail, MailFlags, Viewer
from eas.items.smime import signed_content
from eas.protocol.version import Version

TEXT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nSigned words.\r\n"
NOW = datetime(2026, 3, 3, tzinfo=UTC)


@cache
def sealed(content: bytes = TEXT) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Carla")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=9))
    certificate = builder.sign(key, hashes.SHA256())
    signer = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, hashes.SHA256())
    return signer.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def streamed(content: bytes) -> bytes:
    """As OpenSSL and Outlook write it: lengths left open, the text in pieces."""
    pieces = b"".join(b"\x04" + bytes([len(content[at : at + 9])]) + content[at : at + 9]
                      for at in range(0, len(content), 9))
    inner = bytes.fromhex("3080 0609 2a864886f70d010701 a080 2480") + pieces + bytes(6)
    return bytes.fromhex("3080 0609 2a864886f70d010702 a080 3080 020101 3100") + inner + bytes(6)


def test_what_is_signed_is_taken_out() -> None:
    assert signed_content(sealed()) == TEXT
    assert signed_content(streamed(TEXT)) == TEXT


@pytest.mark.parametrize(
    "data", [b"", b"\x30", sealed()[:60], bytes.fromhex("3080") * 200, b"\x30\x84\xff\xff\xff\xff"],
    ids=["empty", "a tag", "cut", "deep", "a length beyond the end"],
)
def test_what_is_none_says_nothing(data: bytes) -> None:
    assert signed_content(data) is None


@settings(max_examples=60)
@given(st.binary(max_size=80), st.integers(0, 200))
def test_damage_raises_nothing(noise: bytes, at: int) -> None:
    for data in (sealed(), streamed(TEXT)):
        signed_content(data[:at] + noise + data[at + len(noise) :])


def mail(kind: str, wanted: Wanted) -> Mail:
    raw = (
        f"From: carla@example.com\r\nTo: anna@example.com\r\nSubject: Sealed\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: application/pkcs7-mime; smime-type={kind}; name="smime.p7m"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    ).encode() + encodebytes(sealed()).replace(b"\n", b"\r\n")
    root = structure(raw)
    sections = {}
    for section, limit in sections_wanted(root, wanted).items():
        part = part_at(root, section) if section else None
        sections[section] = raw[:limit] if part is None else cut_from(raw, part, limit)
    return Mail(
        id=1, version="u", flags=MailFlags(), received=NOW, size=len(raw), header=raw[: header_end(raw)],
        structure=root, sections=sections,
    )


VIEWER = Viewer(addresses=("anna@example.com",), name="Anna", zone="UTC", now=NOW)


@pytest.mark.parametrize(("kind", "text"), [("signed-data", "Signed words.\r\n"), ("enveloped-data", None)])
def test_a_device_without_mime_reads_what_was_signed(kind: str, text: str | None) -> None:
    """The class stays that of S/MIME, and the object is attached. [MS-ASEMAIL] MessageClass R591"""
    wanted = Wanted(preferences=(BodyPreference(type=BodyType.TEXT),))
    shown = render(mail(kind, wanted), wanted, VIEWER, Version.V14_1, lambda part: part.section)
    assert shown.message_class == "IPM.Note.SMIME"
    assert shown.body is not None
    assert shown.body.data == text
    assert [one.display_name for one in shown.attachments] == ["smime.p7m"]


@pytest.mark.parametrize("support", [1, 2])
def test_a_device_with_mime_gets_it_whole(support: int) -> None:
    wanted = Wanted(
        preferences=(BodyPreference(type=BodyType.TEXT), BodyPreference(type=BodyType.MIME)), mime_support=support
    )
    shown = render(mail("signed-data", wanted), wanted, VIEWER, Version.V14_1, lambda part: part.section)
    assert shown.body is not None
    assert shown.body.type is BodyType.MIME
    assert "smime.p7m" in (shown.body.data or "")
    assert shown.body.truncated is None

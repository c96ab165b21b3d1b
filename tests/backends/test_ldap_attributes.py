"""What entries of different directories say about a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates
from cryptography.x509.oid import NameOID

from eas.backends.ldap.attributes import (
    MAX_MEMBERS,
    MAX_PICTURE,
    SHOWN_PICTURE,
    AttributeMap,
    enclosed,
    gathered,
    listed,
)

USUAL = AttributeMap.of({})
DN = "uid=anna,ou=people,dc=example,dc=com"


def values(**attributes: str | bytes | list[str | bytes]) -> dict[str, list[bytes]]:
    octets = {
        name.replace("__", ";"): [
            value.encode() if isinstance(value, str) else value
            for value in (said if isinstance(said, list) else [said])
        ]
        for name, said in attributes.items()
    }
    return gathered(octets)


def certificate() -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Anna")])
    now = datetime(2026, 11, 21, tzinfo=UTC)
    return (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(now).not_valid_after(now + timedelta(days=9)).sign(key, hashes.SHA256())
    )


def test_an_inet_org_person() -> None:
    found = listed(DN, values(
        cn=["Anna Arnold", "A. Arnold"], sn="Arnold", givenName="Anna", mail=["anna@example.com", "a.a@example.com"],
        uid="anna", title="Head of Sales", o="Example Ltd", roomNumber="1.01", telephoneNumber="+49 30 100",
        homePhone="+49 30 900", mobile="+49 170 100",
    ), USUAL)
    assert found is not None
    person = found.person
    assert (person.address, person.name, person.alias) == ("anna@example.com", "Anna Arnold", "anna")
    assert (person.first_name, person.last_name, person.title) == ("Anna", "Arnold", "Head of Sales")
    assert (person.company, person.office, person.phone) == ("Example Ltd", "1.01", "+49 30 100")
    assert (person.home_phone, person.mobile_phone) == ("+49 30 900", "+49 170 100")
    assert found.addresses == ("anna@example.com", "a.a@example.com")
    assert found.locator == DN


def test_an_entry_of_active_directory() -> None:
    found = listed("CN=Arnold\\, Anna,OU=Staff,DC=example,DC=com", values(
        displayName="Arnold, Anna", sAMAccountName="aarnold", mail="anna.arnold@example.com",
        proxyAddresses=["smtp:old@example.com", "SMTP:anna.arnold@example.com", "X500:/o=x/cn=y", "sip:a@example.com"],
        company="Example Ltd", physicalDeliveryOfficeName="1.01",
    ), USUAL)
    assert found is not None
    assert found.person.name == "Arnold, Anna"
    assert found.person.alias == "aarnold"
    assert found.addresses == ("anna.arnold@example.com", "old@example.com")
    assert "uid:aarnold" in found.keys


def test_an_entry_with_proxy_addresses_alone_has_the_primary_one() -> None:
    found = listed(DN, values(cn="A", proxyAddresses=["smtp:b@example.com", "SMTP:a@example.com"]), USUAL)
    assert found is not None
    assert found.person.address == "a@example.com"


@pytest.mark.parametrize("hidden", [
    {"msExchHideFromAddressLists": "TRUE"}, {"zarafaHidden": "1"}, {"kopanoHidden": "1"},
])
def test_who_is_hidden_is_not_listed(hidden: dict[str, str]) -> None:
    assert listed(DN, values(cn="A", mail="a@example.com", **hidden), USUAL) is None
    assert listed(DN, values(cn="A", mail="a@example.com", **dict.fromkeys(hidden, "FALSE")), USUAL) is not None


def test_whom_nobody_can_reach_is_not_listed() -> None:
    assert listed(DN, values(cn="backup service"), USUAL) is None
    assert listed(DN, values(cn="a", mail="no address"), USUAL) is None
    door = listed(DN, values(cn="Door", telephoneNumber="+49 30 1"), USUAL)
    assert door is not None
    assert door.person.address == ""


def test_a_name_is_made_of_what_there_is() -> None:
    def name(**attributes: str) -> str:
        found = listed(DN, values(mail="anna@example.com", **attributes), USUAL)
        assert found is not None
        return found.person.name

    assert name(givenName="Anna", sn="Arnold") == "Anna Arnold"
    assert name() == "anna@example.com"
    assert name(cn=" ", sn="Arnold") == "Arnold"


def test_options_of_attributes_do_not_matter_but_come_last() -> None:
    found = listed(DN, values(displayName__lang_de="Anna (de)", displayName="Anna", mail="a@example.com"), USUAL)
    assert found is not None
    assert found.person.name == "Anna"


def test_what_is_no_text_does_no_harm() -> None:
    found = listed(DN, values(cn=b"\xff\xfeA\0B\r\nC", mail="a@example.com"), USUAL)
    assert found is not None
    assert found.person.name == "\ufffd\ufffdAB C"


def test_settings_come_before_the_usual_names() -> None:
    ours = AttributeMap.of({"name": "gecos, cn", "address": "workMail", "company": "", "picture": "photo1"})
    found = listed(DN, values(gecos="Anna A", cn="anna", workMail="w@example.com", mail="m@example.com", o="X"), ours)
    assert found is not None
    assert (found.person.name, found.person.address, found.person.company) == ("Anna A", "w@example.com", "")
    assert set(found.addresses) == {"w@example.com", "m@example.com"}
    assert "photo1" in ours.enclosed
    assert "jpegPhoto" not in ours.enclosed


@pytest.mark.parametrize("settings", [{"nose": "x"}, {"name": "cn)("}, {"name": "cn=x"}])
def test_settings_that_are_wrong(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"field|attributes"):
        AttributeMap.of(settings)


def test_the_photo_is_one_that_fits() -> None:
    large, small = b"\xff" * (SHOWN_PICTURE + 1), b"\xd8" * 10
    assert enclosed(values(thumbnailPhoto=large, jpegPhoto=small), USUAL).picture == small
    assert enclosed(values(jpegPhoto=[large]), USUAL).picture == large
    assert enclosed(values(jpegPhoto=b"\xff" * (MAX_PICTURE + 1)), USUAL).picture == b""
    assert enclosed(values(jpegPhoto=b""), USUAL).picture == b""


def test_certificates_come_from_all_attributes_that_have_some() -> None:
    one, two = certificate(), certificate()
    der = one.public_bytes(Encoding.DER)
    found = enclosed(values(
        userCertificate__binary=der, userCertificate=der,
        userSMIMECertificate=[serialize_certificates([two], Encoding.DER), b"nonsense"],
    ), USUAL)
    assert found.certificates == (der, two.public_bytes(Encoding.DER))


def test_members_are_named_in_order_and_not_without_end() -> None:
    found = enclosed(values(member=["uid=b,dc=x", "uid=a,dc=x", "uid=b,dc=x"], memberUid="carla"), USUAL)
    assert found.members == ("uid=b,dc=x", "uid=a,dc=x", "carla")
    many = enclosed(values(member=[f"uid=u{n},dc=x" for n in range(5000)]), USUAL)
    assert len(many.members) == MAX_MEMBERS

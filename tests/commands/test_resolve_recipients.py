"""Who is meant, with certificates, free/busy times and photos. [MS-ASCMD] ResolveRecipients."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from wire import Got, Wire, e, sync

from eas.engine.model import FolderType, Right
from eas.engine.ports import Chosen

Wires = Callable[..., Wire]

JPEG = b"\xff\xd8\xff" + b"photo" * 100
TAGS = "ResolveRecipients:"


def resolve(*to: str, options: tuple[Any, ...] = ()) -> Any:
    asked = (e("Options", *options),) if options else ()
    return e("ResolveRecipients:ResolveRecipients", *(e("To", name) for name in to), *asked)


def span(start: str | None, end: str | None = None) -> Any:
    parts = [e(tag, text) for tag, text in (("StartTime", start), ("EndTime", end)) if text is not None]
    return e("Availability", *parts)


async def ask(device: Wire, *to: str, options: tuple[Any, ...] = ()) -> Got:
    return await device.post("ResolveRecipients", resolve(*to, options=options))


RECIPIENT = ("Response", "Recipient")


def certificate(days: int = 100) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anna")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(4711)
        .not_valid_before(now - timedelta(days=200)).not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


CERTIFICATE, EXPIRED = certificate(), certificate(-1)


@pytest.mark.parametrize(
    ("to", "options", "status"),
    [
        ((), (), "5"),
        (("x",) * 101, (), "5"),  # R5656
        (("x" * 257,), (), "5"),
        (("anna",), (e("MaxCertificates", "10000"),), "5"),
        (("anna",), (e("MaxAmbiguousRecipients", "-1"),), "5"),
        (("anna",), (e("CertificateRetrieval", "4"),), "5"),
        (("anna",), (e("CertificateRetrieval", "some"),), "5"),
        (("anna",), (span(None),), "5"),
        (("anna",), (span("soon"),), "5"),  # R3986
        (("anna",), (span("2026-11-20T10:00:00.000Z", "later"),), "5"),  # R2264
        (("anna",), (span("2026-11-20T10:00:00.000Z", "2026-11-20T10:29:59.000Z"),), "5"),  # R2266
        (("anna",), (span("2026-11-20T10:00:00.000Z", "2026-11-20T09:00:00.000Z"),), "5"),
        (("anna",), (span("2026-11-20T10:00:00.000Z", "2027-01-02T10:00:00.000Z"),), "5"),
        (("anna",), (span("2026-11-20T10:00:00.000Z", "2026-11-20T10:30:00.000Z"),), "1"),
    ],
)
async def test_what_does_not_fit(wire: Wires, to: Any, options: Any, status: str) -> None:
    """R4270"""
    got = await ask(wire(), *to, options=options)
    assert got.status == status
    assert status == "1" or got.find("Response") is None


async def test_each_recipient_has_its_answer_in_order(wire: Wires) -> None:
    """R3825, R4275, R4286"""
    got = await ask(wire(), "Ben", "nobody", "", "CARLA@example.com")
    answers = [(r.text, s.text) for r, s in zip(got.all("Response", "To"), got.all("Response", "Status"), strict=True)]
    assert answers == [("Ben", "1"), ("nobody", "4"), ("", "4"), ("CARLA@example.com", "1")]
    assert [c.text for c in got.all("Response", "RecipientCount")] == ["1", "0", "0", "1"]
    assert [r.text for r in got.all(*RECIPIENT, "EmailAddress")] == ["ben@example.com", "carla@example.com"]
    assert got.text(*RECIPIENT, "DisplayName") == "Ben Berger"
    assert {t.text for t in got.all(*RECIPIENT, "Type")} == {"1"}  # R4686


async def test_suggestions_for_who_is_ambiguous(wire: Wires, world: Any) -> None:
    """R3246-R3250, R4277-R4284, R3761; without times and certificates (R4279, R4617)"""
    for number in range(4):
        await world.admin.add_user(f"d{number}@example.com", "x", name=f"Doe {number}")
    all_ = await ask(wire(), "Doe", options=(e("CertificateRetrieval", "2"), span("2026-11-20T10:00:00.000Z")))
    assert (all_.text("Response", "Status"), all_.text("Response", "RecipientCount")) == ("2", "4")
    assert len(all_.all(*RECIPIENT)) == 4
    assert not all_.all(*RECIPIENT, "Certificates")
    assert not all_.all(*RECIPIENT, "Availability")
    some = await ask(wire(), "Doe", options=(e("MaxAmbiguousRecipients", "3"),))
    assert (some.text("Response", "Status"), some.text("Response", "RecipientCount")) == ("3", "4")
    assert len(some.all(*RECIPIENT)) == 3
    none = await ask(wire(), "Doe", options=(e("MaxAmbiguousRecipients", "0"),))
    assert (none.text("Response", "Status"), len(none.all(*RECIPIENT))) == ("3", 0)


async def test_contacts_are_found_too(wire: Wires, world: Any) -> None:
    contacts = await world.folder(FolderType.CONTACTS)
    device = wire()

    key = (await device.post("Sync", sync("0", contacts))).text("Collections", "Collection", "SyncKey")
    card = e(
        "AirSync:ApplicationData", e("Contacts:FirstName", "Zoe"), e("Contacts:LastName", "Zander"),
        e("Contacts:FileAs", "Zander, Zoe"), e("Contacts:Email1Address", "zoe@elsewhere.example"),
    )
    await device.post("Sync", sync(key, contacts, e("Commands", e("Add", e("ClientId", "c1"), card))))
    got = await ask(device, "Zoe")
    assert (got.text(*RECIPIENT, "Type"), got.text(*RECIPIENT, "EmailAddress")) == ("2", "zoe@elsewhere.example")
    others = await ask(wire(user="ben", password="ben-secret"), "Zoe")
    assert others.text("Response", "Status") == "4"


# Certificates --------------------------------------------------------------------------------------------------------


async def test_certificates_are_given_when_asked_for(wire: Wires, world: Any) -> None:
    """R843, R856-R858, R3764, R4302-R4304, R3435"""
    await world.admin.change_user("anna@example.com", certificates=[CERTIFICATE, EXPIRED])
    for retrieval in ((), (e("CertificateRetrieval", "1"),)):
        assert not (await ask(wire(), "anna", options=retrieval)).all(*RECIPIENT, "Certificates")
    full = await ask(wire(), "anna", "ben", options=(e("CertificateRetrieval", "2"),))
    assert [s.text for s in full.all(*RECIPIENT, "Certificates", "Status")] == ["1", "7"]
    assert [c.text for c in full.all(*RECIPIENT, "Certificates", "CertificateCount")] == ["1", "0"]
    (one,) = full.all(*RECIPIENT, "Certificates", "Certificate")
    assert b64decode(one.text) == CERTIFICATE
    mini = await ask(wire(), "anna", options=(e("CertificateRetrieval", "3"),))
    assert not mini.all(*RECIPIENT, "Certificates", "Certificate")
    raw = b64decode(mini.text(*RECIPIENT, "Certificates", "MiniCertificate"))
    issuer = x509.load_der_x509_certificate(CERTIFICATE).issuer.public_bytes()
    assert raw == bytes([0x30, len(issuer) + 4]) + issuer + b"\x02\x02\x12\x67"


async def test_nobody_gets_an_incomplete_set(wire: Wires, world: Any) -> None:
    """R3254, R3255, R851, R4305, R4306"""
    await world.admin.change_user("anna@example.com", certificates=[CERTIFICATE, certificate()])
    await world.admin.change_user("ben@example.com", certificates=[CERTIFICATE])
    options = (e("CertificateRetrieval", "2"), e("MaxCertificates", "1"))
    got = await ask(wire(), "anna", "ben", options=options)
    assert [s.text for s in got.all(*RECIPIENT, "Certificates", "Status")] == ["8", "1"]
    assert [c.text for c in got.all(*RECIPIENT, "Certificates", "CertificateCount")] == ["2", "1"]
    assert len(got.all(*RECIPIENT, "Certificates", "Certificate")) == 1


async def test_a_list_has_its_members_certificates(wire: Wires, world: Any) -> None:
    """R3768, R3769"""
    await world.admin.change_user("ben@example.com", certificates=[CERTIFICATE])
    await world.admin.add_group("team@example.com", "Team", ["anna@example.com", "ben@example.com"])
    got = await ask(wire(), "team@example.com", options=(e("CertificateRetrieval", "2"),))
    assert got.text(*RECIPIENT, "Certificates", "CertificateCount") == "1"
    assert got.text(*RECIPIENT, "Certificates", "RecipientCount") == "2"


async def test_a_contact_has_the_certificates_of_its_card(wire: Wires, world: Any) -> None:
    """As others store them in KEY, with what is no certificate beside them."""
    packed = b64encode(CERTIFICATE).decode()
    card = (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:z\r\nFN:Zoe Key\r\nN:Key;Zoe;;;\r\nEMAIL:zoe@elsewhere.example\r\n"
        f"KEY;ENCODING=b;TYPE=PGP:cGdw\r\nKEY;ENCODING=b;TYPE=X509:{packed}\r\nEND:VCARD\r\n"
    )
    folder = await world.folder(FolderType.CONTACTS)
    mailbox, _, _ = world.app.embedded.accounts.open(await world.app.embedded.accounts.verify("anna", "anna-secret"))
    await mailbox.feed(await mailbox.folder(folder)).create(card.encode(), Chosen(name="zoe.vcf"))
    for to in ("Zoe", "zoe@elsewhere.example"):
        got = await ask(wire(), to, options=(e("CertificateRetrieval", "2"),))
        assert got.text(*RECIPIENT, "Type") == "2"
        assert [b64decode(one.text) for one in got.all(*RECIPIENT, "Certificates", "Certificate")] == [CERTIFICATE]


# Free/busy -----------------------------------------------------------------------------------------------------------


async def appointment(device: Wire, world: Any, login: str, start: str, end: str, busy: str) -> None:
    calendar = await world.folder(FolderType.CALENDAR, login)

    key = (await device.post("Sync", sync("0", calendar))).text("Collections", "Collection", "SyncKey")
    data = e(
        "AirSync:ApplicationData", e("Calendar:Subject", "Busy"), e("Calendar:StartTime", start),
        e("Calendar:EndTime", end), e("Calendar:BusyStatus", busy), e("Calendar:UID", f"{start}-{busy}"),
    )
    got = await device.post("Sync", sync(key, calendar, e("Commands", e("Add", e("ClientId", f"{start}{busy}"), data))))
    assert got.text("Collections", "Collection", "Responses", "Add", "Status") == "1"


async def merged(device: Wire, to: str, start: str, end: str | None) -> str:
    got = await ask(device, to, options=(span(start, end),))
    assert got.text(*RECIPIENT, "Availability", "Status") == "1"  # R3338, R3339
    return got.text(*RECIPIENT, "Availability", "MergedFreeBusy")


async def test_a_digit_for_every_half_hour(wire: Wires, world: Any) -> None:
    """R3319-R3336, with the specification's own example of five minutes out of office at noon"""
    ben = wire(user="ben", password="ben-secret")
    await appointment(ben, world, "ben", "20261120T120000Z", "20261120T120500Z", "3")
    anna = wire()
    day = "2026-11-20T"
    assert await merged(anna, "ben", f"{day}12:00:00.000Z", f"{day}13:00:00.000Z") == "30"
    assert await merged(anna, "ben", f"{day}12:04:59.000Z", f"{day}13:00:00.000Z") == "30"
    assert await merged(anna, "ben", f"{day}12:05:00.000Z", f"{day}13:00:00.000Z") == "00"
    assert await merged(anna, "ben", f"{day}11:30:00.000Z", f"{day}12:00:00.000Z") == "0"
    assert await merged(anna, "ben", f"{day}11:30:00.000Z", f"{day}12:00:01.000Z") == "03"
    await appointment(ben, world, "ben", "20261120T120000Z", "20261120T123000Z", "2")
    await appointment(ben, world, "ben", "20261120T123000Z", "20261120T130000Z", "1")
    assert await merged(anna, "ben", f"{day}12:00:00.000Z", f"{day}13:00:00.000Z") == "31"
    assert len(await merged(anna, "ben", f"{day}12:00:00.000Z", None)) == 7 * 48  # R2265


async def test_a_list_is_merged(wire: Wires, world: Any) -> None:
    """R4294, R4625, R4626"""
    await world.admin.add_group("team@example.com", "Team", ["anna@example.com", "ben@example.com"])
    ben, anna = wire(user="ben", password="ben-secret"), wire()
    await appointment(ben, world, "ben", "20261120T120000Z", "20261120T123000Z", "2")
    await appointment(anna, world, "anna", "20261120T123000Z", "20261120T130000Z", "3")
    day = "2026-11-20T"
    assert await merged(anna, "team@example.com", f"{day}12:00:00.000Z", f"{day}13:30:00.000Z") == "230"
    crowd = [f"m{n}@elsewhere.example" for n in range(21)]
    await world.admin.add_group("crowd@example.com", "Crowd", crowd)
    got = await ask(anna, "crowd@example.com", options=(span(f"{day}12:00:00.000Z"),))
    assert got.text(*RECIPIENT, "Availability", "Status") == "161"  # [MS-ASCMD] R4946
    assert got.find(*RECIPIENT, "Availability", "MergedFreeBusy") is None


async def test_only_so_many_calendars_are_looked_into(wire: Wires, world: Any) -> None:
    """R4293, R4622; whom the limit does not reach has an answer all the same"""
    members = ["anna@example.com", "ben@example.com", *(f"m{n}@elsewhere.example" for n in range(18))]
    for number in range(6):
        await world.admin.add_group(f"team{number}@example.com", f"Team {number}", members)
    to = [f"team{number}@example.com" for number in range(6)]
    got = await ask(wire(), *to, options=(span("2026-11-20T12:00:00.000Z", "2026-11-20T13:00:00.000Z"),))
    assert [s.text for s in got.all(*RECIPIENT, "Availability", "Status")] == ["1"] * 5 + ["160"]  # [MS-ASCMD] R4944


async def test_times_that_nobody_may_know(wire: Wires, world: Any) -> None:
    """R4298"""
    calendar = await world.folder(FolderType.CALENDAR, "ben")
    await world.admin.set_right("ben@example.com", calendar, "anna@example.com", Right.NONE)
    got = await ask(wire(), "ben", options=(span("2026-11-20T12:00:00.000Z"),))
    assert got.text("Response", "Status") == "1"
    assert got.text(*RECIPIENT, "Availability", "Status") == "163"


async def test_there_are_no_times_before_14_0(wire: Wires) -> None:
    """R6085"""
    got = await ask(wire(version="12.1"), "ben", options=(span("2026-11-20T12:00:00.000Z"),))
    assert got.text("Response", "Status") == "1"
    assert got.find(*RECIPIENT, "Availability") is None


# Photos --------------------------------------------------------------------------------------------------------------


async def test_photos_by_recipient(wire: Wires, world: Any) -> None:
    """R4310-R4313; MaxPictures counts for each To (R3290, R3291)"""
    for login in ("anna", "carla"):
        await world.admin.change_user(f"{login}@example.com", picture=JPEG)

    async def statuses(*limits: Any, version: str = "14.1") -> list[str]:
        got = await ask(wire(version=version), "anna", "ben", "carla", options=(e("Picture", *limits),))
        return [s.text for s in got.all(*RECIPIENT, "Picture", "Status")]

    assert await statuses() == ["1", "173", "1"]
    assert await statuses(e("MaxPictures", "1")) == ["1", "173", "1"]
    assert await statuses(e("MaxPictures", "0")) == ["175", "173", "175"]
    assert await statuses(e("MaxSize", "10")) == ["174", "173", "174"]
    assert await statuses(version="14.0") == []
    got = await ask(wire(), "anna", options=(e("Picture"),))
    assert got.all(*RECIPIENT, "Picture", "Data")[0].content == JPEG

"""[MS-ASCMD] ResolveRecipients: who is meant, when they are free, their certificates and photos."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from lab import ALL, BEFORE_14, FROM_14, FROM_14_1, Inapplicable, Lab, Login, case
from records_kit import CONTACTS, shelf
from wire import Got, e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

RECIPIENT = ("Response", "Recipient")
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256))
CALENDAR = 8


async def ask(lab: Lab, *to: str, options: tuple[Element, ...] = ()) -> Got:
    asked = (e("Options", *options),) if options else ()
    body = e("ResolveRecipients:ResolveRecipients", *(e("To", one) for one in to), *asked)
    return await lab.talker().post("ResolveRecipients", body)


def span(start: str | None, end: str | None = None) -> Element:
    return e("Availability", *(e(tag, at) for tag, at in (("StartTime", start), ("EndTime", end)) if at is not None))


@asynccontextmanager
async def people(lab: Lab, *pictures: bytes) -> AsyncIterator[str]:
    """Contacts of a common name, one for each picture (b"" for none); the name."""
    name = lab.unique("same").replace("-", "")
    mine = await shelf(lab, CONTACTS)
    ids = []
    for n, picture in enumerate(pictures):
        shown = (Element("Contacts:Picture", b64encode(picture).decode()),) if picture else ()
        status, id = await mine.add(
            Element("Contacts:FirstName", f"{n}"), Element("Contacts:LastName", name),
            Element("Contacts:FileAs", f"{name} {n}"), Element("Contacts:Email1Address", f"{name}.{n}@example.net"),
            *shown,
        )
        assert status == "1"
        ids.append(id)
    try:
        yield name
    finally:
        await mine.delete(*ids)


# Malformed -----------------------------------------------------------------------------------------------------------


@case("MS-ASCMD", "R4270 R4267 R5656 R5873")
async def what_is_no_request_is_a_protocol_error(lab: Lab) -> None:
    me = lab.me.address
    for to, options in (
        ((), ()),
        ((me,) * 101, ()),
        (("x" * 257,), ()),
        ((me,), (e("MaxCertificates", "10000"),)),
        ((me,), (e("MaxAmbiguousRecipients", "-1"),)),
        ((me,), (e("CertificateRetrieval", "4"),)),
        ((me,), (e("CertificateRetrieval", "some"),)),
    ):
        got = await ask(lab, *to, options=options)
        assert got.status == "5", (to, options)
        assert got.find("Response") is None


@case("MS-ASCMD", "R2264 R2266 R3986 R4270", FROM_14)
async def what_is_no_span_of_time_is_a_protocol_error(lab: Lab) -> None:
    start = "2031-03-03T10:00:00.000Z"
    for start_, end in (
        (None, None), ("soon", None), ("2031-13-03T10:00:00.000Z", None), (start, "later"), (start, ""),
        (start, start), (start, "2031-03-03T10:29:59.000Z"), (start, "2031-03-03T09:00:00.000Z"),
    ):
        got = await ask(lab, lab.me.address, options=(span(start_, end),))
        assert got.status == "5", (start_, end)
        assert got.find("Response") is None


# Who is meant --------------------------------------------------------------------------------------------------------


@case("MS-ASCMD", "R343 R3809 R3825 R4264 R4267 R4268 R4273 R4274 R4275 R2199 R5309 R4686 R3765 R3767 R3762 R5873")
async def an_address_of_the_list_is_one_recipient(lab: Lab) -> None:
    got = await ask(lab, lab.other.address)
    assert got.root.tag == "ResolveRecipients:ResolveRecipients"
    assert got.status == "1"
    assert (got.text("Response", "To"), got.text("Response", "Status")) == (lab.other.address, "1")
    assert got.text("Response", "RecipientCount") == "1"
    assert len(got.all(*RECIPIENT)) == 1
    assert got.text(*RECIPIENT, "Type") == "1"
    assert got.text(*RECIPIENT, "EmailAddress").lower() == lab.other.address.lower()
    assert got.text(*RECIPIENT, "DisplayName")


@case("MS-ASCMD", "R3825 R4264 R4286 R4287")
async def each_recipient_has_its_own_answer(lab: Lab) -> None:
    nobody = lab.unique("nobody")
    got = await ask(lab, nobody, lab.me.address, lab.other.address, options=(e("CertificateRetrieval", "2"),))
    assert got.status == "1"
    assert [to.text for to in got.all("Response", "To")] == [nobody, lab.me.address, lab.other.address]
    assert [status.text for status in got.all("Response", "Status")] == ["4", "1", "1"]
    first = got.all("Response")[0]
    assert "ResolveRecipients:Recipient" not in [part.tag for part in first.elements]


@case("MS-ASCMD", "R4686 R2199 R5309")
async def a_contact_is_a_recipient_of_its_own_type(lab: Lab) -> None:
    async with people(lab, b"") as name:
        got = await ask(lab, name)
        assert got.text("Response", "Status") == "1"
        assert got.text(*RECIPIENT, "Type") == "2"
        assert got.text(*RECIPIENT, "EmailAddress") == f"{name}.0@example.net"
        assert name in got.text(*RECIPIENT, "DisplayName")


@case("MS-ASCMD", "R3761 R3762 R4279 R3767")
async def who_is_ambiguous_gets_suggestions_without_certificates(lab: Lab) -> None:
    async with people(lab, b"", b"", b"") as name:
        got = await ask(lab, name, options=(e("CertificateRetrieval", "2"),))
        assert (got.text("Response", "Status"), got.text("Response", "RecipientCount")) == ("2", "3")
        assert len(got.all(*RECIPIENT)) == 3
        assert not got.all(*RECIPIENT, "Certificates")


@case("MS-ASCMD", "R3762 R4284 R3246 R3250")
async def only_so_many_suggestions_as_are_asked_for(lab: Lab) -> None:
    async with people(lab, b"", b"", b"") as name:
        for most in (0, 1, 2):
            got = await ask(
                lab, name, options=(e("CertificateRetrieval", "2"), e("MaxAmbiguousRecipients", str(most)))
            )
            assert got.text("Response", "Status") == "3"
            assert len(got.all(*RECIPIENT)) == most
            assert not got.all(*RECIPIENT, "Certificates")
        got = await ask(lab, name, options=(e("MaxAmbiguousRecipients", "3"),))
        assert got.text("Response", "Status") == "2"


# Certificates --------------------------------------------------------------------------------------------------------


@case("MS-ASCMD", "R856 R843 R3435")
async def certificates_are_not_given_unless_asked_for(lab: Lab) -> None:
    for options in ((), (e("CertificateRetrieval", "1"),), (e("MaxCertificates", "5"),)):
        got = await ask(lab, lab.other.address, options=options)
        assert got.status == "1"
        assert not got.all(*RECIPIENT, "Certificates")


@case("MS-ASCMD", "R3764 R4301 R4304 R3765 R3768 R864 R857 R858")
async def certificates_that_are_asked_for_have_a_status(lab: Lab) -> None:
    for retrieval, tag, never in (("2", "Certificate", "MiniCertificate"), ("3", "MiniCertificate", "Certificate")):
        got = await ask(lab, lab.other.address, options=(e("CertificateRetrieval", retrieval),))
        assert len(got.all(*RECIPIENT, "Certificates")) == 1
        status = got.text(*RECIPIENT, "Certificates", "Status")
        given = got.all(*RECIPIENT, "Certificates", tag)
        assert status in ("1", "7")
        assert (status == "7") is (not given)
        assert (status == "7") is (got.text(*RECIPIENT, "Certificates", "CertificateCount") == "0")
        assert got.text(*RECIPIENT, "Certificates", "RecipientCount") == "1"
        assert not got.all(*RECIPIENT, "Certificates", never)


# Free and busy -------------------------------------------------------------------------------------------------------


def compact(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%SZ}"


def dashed(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


@asynccontextmanager
async def appointments(lab: Lab, login: Login, *rows: tuple[datetime, datetime, str]) -> AsyncIterator[None]:
    """Start, end and BusyStatus, in that user's calendar."""
    device = lab.talker(login)
    calendar = await device.folder(CALENDAR)
    kind = [e("Class", "Calendar")] if lab.version <= Version.V12_1 else []

    async def sync(key: str, *commands: Element) -> Got:
        parts = (*kind, e("SyncKey", key), e("CollectionId", calendar), *([e("GetChanges", "0")] if commands else []))
        parts = (*parts, e("Commands", *commands)) if commands else parts
        return await device.post("Sync", e("AirSync:Sync", e("Collections", e("Collection", *parts))))

    key = (await sync("0")).text("Collections", "Collection", "SyncKey")
    adds = [
        e("Add", e("ClientId", f"c{n}"), e(
            "AirSync:ApplicationData", e("Calendar:Subject", lab.unique()), e("Calendar:StartTime", compact(start)),
            e("Calendar:EndTime", compact(end)), e("Calendar:BusyStatus", busy),
        ))
        for n, (start, end, busy) in enumerate(rows)
    ]
    got = await sync(key, *adds)
    ids = [one.text for one in got.all("Collections", "Collection", "Responses", "Add", "ServerId")]
    assert len(ids) == len(rows), got.root
    try:
        yield
    finally:
        key = got.text("Collections", "Collection", "SyncKey")
        await sync(key, *(e("Delete", e("ServerId", id)) for id in ids))


def free_day(lab: Lab) -> datetime:
    """Midnight of a day years ahead that nobody else uses."""
    return datetime(2031, 1, 1, tzinfo=UTC) + timedelta(days=int(lab.unique("")[-6:], 16) % 3000)


async def merged(lab: Lab, start: datetime, end: datetime | None) -> str:
    got = await ask(lab, lab.other.address, options=(span(dashed(start), end and dashed(end)),))
    assert got.text("Response", "Status") == "1"
    if got.text(*RECIPIENT, "Availability", "Status") == "163":
        raise Inapplicable("when others are free cannot be told by the server")
    assert got.text(*RECIPIENT, "Availability", "Status") == "1", got.root
    return got.text(*RECIPIENT, "Availability", "MergedFreeBusy")


@case("MS-ASCMD", "R819 R3315 R3319 R3320 R3321 R3327 R3330 R3332 R3338 R3339 R4290 R4291", FROM_14)
async def a_digit_for_each_half_hour_from_the_start(lab: Lab) -> None:
    day = free_day(lab)

    def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
        return day + timedelta(hours=hour, minutes=minute, seconds=second)

    rows = (
        (at(8), at(8, 30), "1"), (at(9), at(9, 30), "2"), (at(10), at(10, 5), "3"), (at(10), at(10, 30), "2"),
        (at(11), at(11, 30), "0"),
    )
    async with appointments(lab, lab.other, *rows):
        morning = await merged(lab, at(8), at(12))
        if morning == "20202000":
            raise Inapplicable("when others are free is all that the server tells of them")
        assert morning == "10203000"
        assert await merged(lab, at(7, 45), at(9, 45)) == "1122", "counted from the start that was asked"
        assert await merged(lab, at(9, 29, 59), at(10)) == "20", "ends inside a second of the interval"
        assert await merged(lab, at(9, 30), at(10)) == "0"
        assert await merged(lab, at(10, 4), at(10, 45)) == "30", "the higher of two"
        assert await merged(lab, at(9, 45), at(10, 15) + timedelta(milliseconds=1)) == "32", \
            "the last digit stands for a millisecond"
    assert await merged(lab, at(8), at(12)) == "0" * 8


@case("MS-ASCMD", "R2265 R3317", FROM_14)
async def without_an_end_it_is_seven_days(lab: Lab) -> None:
    got = await merged(lab, free_day(lab), None)
    assert len(got) == 7 * 48
    assert set(got) <= set("01234")


@case("MS-ASCMD", "R4618 R4623 R4624 R4279", FROM_14)
async def only_who_is_clear_has_times(lab: Lab) -> None:
    start = dashed(free_day(lab))
    async with people(lab, b"", b"") as name:
        got = await ask(lab, name, lab.unique("nobody"), lab.other.address, options=(span(start),))
        assert [status.text for status in got.all("Response", "Status")] == ["2", "4", "1"]
        assert len(got.all(*RECIPIENT, "Availability")) == 1
        assert len(got.all("Response")[2].elements) == 4


@case("MS-ASCMD", "R4298 R3338", FROM_14)
async def of_a_stranger_no_times_are_known(lab: Lab) -> None:
    async with people(lab, b"") as name:
        got = await ask(lab, name, options=(span(dashed(free_day(lab))),))
        assert got.text("Response", "Status") == "1"
        assert got.text(*RECIPIENT, "Availability", "Status") == "163"
        assert got.find(*RECIPIENT, "Availability", "MergedFreeBusy") is None


@case("MS-ASCMD", "R7511 R7512", BEFORE_14)
async def before_14_there_are_no_times(lab: Lab) -> None:
    got = await ask(lab, lab.other.address, options=(span("2031-03-03T10:00:00.000Z"),))
    assert got.status == "1"
    assert got.find(*RECIPIENT, "Availability") is None


# Photos --------------------------------------------------------------------------------------------------------------


async def photos(lab: Lab, name: str, *limits: Element) -> tuple[list[str], list[bytes]]:
    got = await ask(lab, name, options=(e("Picture", *limits),))
    data = [found.content for found in got.all(*RECIPIENT, "Picture", "Data")]
    return (
        [status.text for status in got.all(*RECIPIENT, "Picture", "Status")],
        [content if isinstance(content, bytes) else b"" for content in data],
    )


@case("MS-ASCMD", "R4309 R4310 R4311 R2133 R4264", FROM_14_1)
async def photos_are_given_when_asked_for(lab: Lab) -> None:
    async with people(lab, JPEG, b"") as name:
        assert await photos(lab, name) == (["1", "173"], [JPEG])
        got = await ask(lab, name)
        assert not got.all(*RECIPIENT, "Picture")


@case("MS-ASCMD", "R4312 R5350 R3288", FROM_14_1)
async def a_photo_beyond_the_size_is_not_given(lab: Lab) -> None:
    async with people(lab, JPEG, JPEG + b"more", b"") as name:
        assert await photos(lab, name, e("MaxSize", str(len(JPEG)))) == (["1", "174", "173"], [JPEG])
        assert await photos(lab, name, e("MaxSize", "1")) == (["174", "174", "173"], [])
        assert await photos(lab, name, e("MaxSize", str(len(JPEG))), e("MaxPictures", "0")) == (
            ["175", "174", "173"], []
        )


@case("MS-ASCMD", "R4313 R5351 R3286 R3287 R3289", FROM_14_1)
async def only_so_many_photos_as_are_asked_for(lab: Lab) -> None:
    async with people(lab, JPEG, b"", JPEG, b"") as name:
        assert await photos(lab, name, e("MaxPictures", "1")) == (["1", "173", "175", "173"], [JPEG])
        assert await photos(lab, name, e("MaxPictures", "2")) == (["1", "173", "1", "173"], [JPEG, JPEG])


@case("MS-ASCMD", "R4268", ALL)
async def what_is_not_asked_for_is_not_there(lab: Lab) -> None:
    got = await ask(lab, lab.other.address)
    parts = [part.tag.partition(":")[2] for part in got.all(*RECIPIENT)[0].elements]
    assert parts == ["Type", "DisplayName", "EmailAddress"]


@case("MS-ASCMD", "R2743 R2435 R2432 R2476 R2497 R1092 R1136 R2373", FROM_14_1)
async def every_part_that_was_asked_for_has_its_status(lab: Lab) -> None:
    options = (e("CertificateRetrieval", "2"), span(dashed(free_day(lab))), e("Picture"))
    got = await ask(lab, lab.other.address, options=options)
    assert [part.tag.partition(":")[2] for part in got.root.elements] == ["Status", "Response"]
    assert [part.tag.partition(":")[2] for part in got.all("Response")[0].elements] == [
        "To", "Status", "RecipientCount", "Recipient"
    ]
    parts = [part.tag.partition(":")[2] for part in got.all(*RECIPIENT)[0].elements]
    assert parts == ["Type", "DisplayName", "EmailAddress", "Availability", "Certificates", "Picture"]
    for part, others in (
        ("Availability", {"MergedFreeBusy"}), ("Picture", {"Data"}),
        ("Certificates", {"CertificateCount", "RecipientCount", "Certificate"}),
    ):
        (found,) = got.all(*RECIPIENT, part)
        names = {child.tag.partition(":")[2] for child in found.elements}
        assert "Status" in names
        assert names - {"Status"} <= others, part
    assert got.text(*RECIPIENT, "Certificates", "RecipientCount") == "1"

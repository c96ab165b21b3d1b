"""[MS-ASAIRS] The elements of a message's body and of its attachments, each once and of its type."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import Counter

from boxes_kit import INBOX, Box, box, child_text, local, received, send_mime
from calendar_kit import day, inner, kept, timed
from lab import FROM_12, FROM_14_1, FROM_16, Lab, case
from mail_cases_kit import options, under
from wire import e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
TEXT = "notes äß€\r\n" * 20
NAME = "Übersicht.txt"
WORDS = "0123456789" * 30
PREFERENCE = e("AirSyncBase:BodyPreference", e("Type", "1"))


def message(lab: Lab, subject: str) -> bytes:
    """A text, a picture within it, a file, and a message."""
    enclosed = f"From: <{lab.other.address}>\r\nSubject: enclosed\r\nContent-Type: text/plain\r\n\r\nwithin\r\n"
    parts = (
        "Content-Type: text/html; charset=utf-8\r\n\r\n"
        f'<html><body><p>{WORDS}</p><img src="cid:picture@example.net"></body></html>',
        "Content-Type: image/png; name=picture.png\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-ID: <picture@example.net>\r\nContent-Location: http://example.net/picture.png\r\n"
        f"Content-Disposition: inline; filename=picture.png\r\n\r\n{b64encode(PNG).decode()}",
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment; filename*=utf-8''%C3%9Cbersicht.txt\r\n\r\n"
        + b64encode(TEXT.encode()).decode(),
        f"Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename=enclosed.eml\r\n\r\n{enclosed}",
    )
    body = "".join(f"--edge\r\n{part}\r\n" for part in parts)
    return (
        f"From: <{lab.other.address}>\r\nTo: <{lab.me.address}>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/mixed; boundary="edge"\r\n\r\n{body}--edge--\r\n'
    ).encode()


async def arrived(lab: Lab, *asked: Element) -> tuple[Box, Element]:
    """The message as a device reads it that asks so for bodies."""
    subject = lab.unique("parts")
    await send_mime(lab, lab.other, message(lab, subject), subject)
    inbox = await (await box(lab, INBOX)).begin(options(*asked))
    return inbox, inbox.has[await received(lab, subject, inbox)]


def once(element: Element) -> list[str]:
    """The names of the children, none of which is there twice."""
    names = [local(child) for child in element.elements]
    assert max(Counter(names).values(), default=1) == 1, names
    return names


@case("MS-ASAIRS", "R1323 R1327 R102 R92 R93 R1326 R164 R169 R191 R192 R195 R198 R199 R210 R221 R222 R224 R218 "
      "MS-ASDTYPE:R8 MS-ASDTYPE:R9", FROM_12)
async def an_attachment_has_each_element_once(lab: Lab) -> None:
    _, item = await arrived(lab, PREFERENCE)
    (found,) = under(item, "Attachments")
    assert {local(child) for child in found.elements} == {"Attachment"}
    assert len(found.elements) == 3
    for one in found.elements:
        assert {"DisplayName", "FileReference", "Method", "EstimatedDataSize"} <= set(once(one))
        assert isinstance(one.elements[0].content, str)
        assert child_text(one, "Method") in {"1", "2", "3", "4", "5", "6"}
        assert int(child_text(one, "EstimatedDataSize") or "") > 0
    assert len({child_text(one, "FileReference") for one in found.elements}) == 3
    assert {child_text(one, "DisplayName") for one in found.elements} >= {NAME, "picture.png"}


def named(item: Element, name: str) -> Element:
    return next(one for one in under(item, "Attachments", "Attachment") if child_text(one, "DisplayName") == name)


@case("MS-ASAIRS", "R225 R2299 R217 R10020 R100298 R100299 R163 R168", FROM_12)
async def attachments_are_files_messages_or_within_the_text(lab: Lab) -> None:
    _, item = await arrived(lab, PREFERENCE)
    file, picture = named(item, NAME), named(item, "picture.png")
    (enclosed,) = (one for one in under(item, "Attachments", "Attachment") if child_text(one, "Method") == "5")
    assert child_text(file, "Method") == "1"
    assert (child_text(enclosed, "DisplayName") or "").endswith(".eml")
    assert child_text(picture, "IsInline") == "1"
    assert child_text(file, "IsInline") in (None, "0")
    assert child_text(enclosed, "IsInline") in (None, "0")
    assert (child_text(picture, "ContentId") or "").strip("<>") == "picture@example.net"
    assert child_text(picture, "ContentLocation") in (None, "http://example.net/picture.png")


@case("MS-ASAIRS", "R213 R1119", FROM_12)
async def each_reference_fetches_its_own_attachment(lab: Lab) -> None:
    inbox, item = await arrived(lab, PREFERENCE)
    for name, content, kind in ((NAME, TEXT.encode(), "text/plain"), ("picture.png", PNG, "image/png")):
        reference = child_text(named(item, name), "FileReference") or ""
        got = await inbox.talker.post("ItemOperations", e("ItemOperations:ItemOperations", e(
            "Fetch", e("Store", "Mailbox"), e("AirSyncBase:FileReference", reference)
        )))
        (found,) = got.all("Response", "Fetch", "Properties")
        data = under(found, "Data")[0].content
        assert b64decode(data) == content  # type: ignore[arg-type]
        assert (child_text(found, "ContentType") or "").partition(";")[0] == kind


@case("MS-ASAIRS", "R106 R172 R174 R203 R274 R280 R312 MS-ASWBXML:R27 MS-ASDTYPE:R87 MS-ASDTYPE:R88 "
      "MS-ASDTYPE:R90 MS-ASDTYPE:R91 MS-ASDTYPE:R7 MS-ASDTYPE:R5 MS-ASDTYPE:R4 MS-ASDTYPE:R123 MS-ASDTYPE:R125",
      FROM_12)
async def a_body_has_each_element_once_as_inline_strings(lab: Lab) -> None:
    inbox, item = await arrived(
        lab, e("AirSyncBase:BodyPreference", e("Type", "1"), e("TruncationSize", "100"))
    )
    (body,) = under(item, "Body")
    assert {"Type", "EstimatedDataSize", "Truncated", "Data"} <= set(once(body))
    assert child_text(body, "Type") == "1"
    assert child_text(body, "Truncated") == "1"
    assert child_text(body, "Data") == WORDS[:100]
    assert int(child_text(body, "EstimatedDataSize") or "") >= len(WORDS)
    id = next(id for id, one in inbox.has.items() if one is item)
    got = await inbox.talker.post("ItemOperations", e("ItemOperations:ItemOperations", e(
        "Fetch", e("Store", "Mailbox"), e("AirSync:CollectionId", inbox.id), e("AirSync:ServerId", id),
        e("Options", e("AirSyncBase:BodyPreference", e("Type", "1"), e("TruncationSize", "100"))),
    )))
    assert b"\x00\x11" in got.body, "code page 17"
    for value in ("1", WORDS[:100], NAME, child_text(body, "EstimatedDataSize") or "?"):
        assert b"\x03" + value.encode() + b"\x00" in got.body, value


@case("MS-ASAIRS", "R386 R106", FROM_12)
async def a_body_comes_with_what_is_new(lab: Lab) -> None:
    for kind in ("1", "2"):
        _, item = await arrived(lab, e("AirSyncBase:BodyPreference", e("Type", kind)))
        (body,) = under(item, "Body")
        assert child_text(body, "Type") == kind
        assert WORDS in (child_text(body, "Data") or "")
        assert child_text(body, "Truncated") in (None, "0")


@case("MS-ASAIRS", "R121 R183 R207 R254 R257 R270 R286 R317", FROM_14_1)
async def a_body_part_has_each_element_once(lab: Lab) -> None:
    asked = e("AirSyncBase:BodyPartPreference", e("Type", "2"), e("TruncationSize", "60"), e("Preview", "20"))
    _, item = await arrived(lab, PREFERENCE, asked)
    (part,) = under(item, "BodyPart")
    assert {"Status", "Type", "EstimatedDataSize", "Truncated"} <= set(once(part))
    assert child_text(part, "Status") in ("1", "176")
    assert child_text(part, "Type") == "2"
    preview = child_text(part, "Preview")
    assert preview is not None
    assert 0 < len(preview) <= 20
    assert WORDS.startswith(preview)


PLACE = {
    "DisplayName": "Halle ä", "Annotation": "ring twice €", "Street": "Kai 1", "City": "Köln", "State": "NRW",
    "Country": "Germany", "PostalCode": "50667", "Latitude": "50.9413", "Longitude": "6.9583", "Accuracy": "12.5",
    "Altitude": "53.25", "AltitudeAccuracy": "1.5", "LocationUri": "https://hall.example/x",
}
DOUBLES = {"Latitude", "Longitude", "Accuracy", "Altitude", "AltitudeAccuracy"}


@case("MS-ASAIRS", "R1001 R1031 R1037 R1043 R1074 R1125 R1194 R1228 R1234 R1256 R1278 R1288 "
      "MS-ASDTYPE:R502", FROM_16)
async def each_part_of_a_place_is_of_its_type(lab: Lab) -> None:
    said = e("AirSyncBase:Location", *(e(name, value) for name, value in PLACE.items()))
    shown = await kept(lab, *timed(lab, day(), said))
    (place,) = inner(shown, "Location")
    assert set(once(place)) == set(PLACE)
    for name, value in PLACE.items():
        found = child_text(place, name) or ""
        assert float(found) == float(value) if name in DOUBLES else found == value, name
    assert lab.version >= Version.V16_0

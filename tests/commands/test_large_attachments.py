"""Attachments that are read while they are sent, and messages that come in files: the same octets as of small ones."""

from __future__ import annotations

import base64
import quopri
import random
from collections.abc import Callable

import pytest
from mail_kit import Mailroom
from test_item_operations import references
from wire import Got, Wire, e

from eas.engine.model import FolderType
from eas.engine.parts import STREAMED_FROM
from eas.protocol import http
from eas.protocol.wbxml import Element
from eas.server.spool import SPOOLED_FROM

Wires = Callable[..., Wire]

#: Without line breaks, which quoted-printable writes as those of the message.
CONTENT = random.Random(1).randbytes(STREAMED_FROM + 12_345).translate(bytes(range(256)).translate(
    bytes.maketrans(b"\r\n", b"xy")
))


def message(encoding: str) -> bytes:
    encoded = {
        "base64": base64.encodebytes(CONTENT).replace(b"\n", b"\r\n"),
        "quoted-printable": quopri.encodestring(CONTENT, quotetabs=True).replace(b"\n", b"\r\n"),
    }[encoding]
    return (
        b"From: ben@example.com\r\nTo: anna@example.com\r\nSubject: large\r\nMessage-ID: <large@example.com>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=bound\r\n\r\n"
        b"--bound\r\nContent-Type: text/plain\r\n\r\nsee below\r\n"
        b"--bound\r\nContent-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: "
        + encoding.encode() + b"\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\n" + encoded
        + b"\r\n--bound--\r\n"
    )


async def fetched(device: Wire, reference: str, *options: object, multipart: bool = False) -> Got:
    headers = {"MS-ASAcceptMultiPart": "T"} if multipart else {}
    fetch = e("Fetch", e("Store", "Mailbox"), e("AirSyncBase:FileReference", reference), *options)
    return await device.post("ItemOperations", e("ItemOperations:ItemOperations", fetch), headers=headers)


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
async def test_a_large_attachment_comes_whole(wire: Wires, room: Mailroom, encoding: str) -> None:
    device = wire(version="14.1")
    (reference,) = (await references(device, await room.deliver("anna", message(encoding)))).values()
    # An encoder of quoted-printable may end with a soft line break or without.
    got = await fetched(device, reference)
    assert got.headers["content-length"] == str(len(got.body))
    data = base64.b64decode(got.text("Response", "Fetch", "Properties", "Data"))
    assert data.rstrip(b"\r\n") == CONTENT.rstrip(b"\r\n")
    beside = await fetched(device, reference, multipart=True)
    assert beside.headers["content-length"] == str(len(beside.body))
    document, part = http.parts_of(beside.body)
    assert part == data
    assert beside.text("Response", "Fetch", "Properties", "Part") == "1"
    assert len(document) < 1000


@pytest.mark.parametrize(("first", "last"), [(0, 0), (1000, 70_000), (len(CONTENT) - 5, len(CONTENT) + 100)])
async def test_a_range_of_a_large_attachment(wire: Wires, room: Mailroom, first: int, last: int) -> None:
    device = wire(version="14.1")
    (reference,) = (await references(device, await room.deliver("anna", message("base64")))).values()
    wanted = e("Options", e("Range", f"{first}-{last}"))
    got = await fetched(device, reference, wanted)
    expected = CONTENT[first : last + 1]
    assert base64.b64decode(got.text("Response", "Fetch", "Properties", "Data")) == expected
    assert got.text("Response", "Fetch", "Properties", "Total") == str(len(CONTENT))
    assert got.text("Response", "Fetch", "Properties", "Range") == f"{first}-{first + len(expected) - 1}"
    _, part = http.parts_of((await fetched(device, reference, wanted, multipart=True)).body)
    assert part == expected


async def test_a_large_attachment_by_get_attachment(wire: Wires, room: Mailroom) -> None:
    device = wire(version="12.1")
    (reference,) = (await references(device, await room.deliver("anna", message("base64")))).values()
    got = await device.post("GetAttachment", AttachmentName=reference)
    assert (got.http, got.body) == (200, CONTENT)
    assert got.headers["content-length"] == str(len(CONTENT))


# --- On their way out ----------------------------------------------------------------------------------------------

LINES = b"".join(b"line %d of a long letter, and some more of it\r\n" % n for n in range(60_000))


def large(end: bytes) -> bytes:
    head = (
        b"From: anna@example.com\r\nTo: ben@example.com\r\nBcc: carla@example.com\r\nSubject: large\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
    )
    return (head + LINES).replace(b"\r\n", end)


@pytest.mark.parametrize("version", ["12.1", "14.1", "16.1"])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
async def test_a_large_message_is_sent_as_a_small_one(
    wire: Callable[..., Wire], room: Mailroom, version: str, end: bytes
) -> None:
    device, message = wire(version=version), large(end)
    assert len(message) > SPOOLED_FROM
    if version == "12.1":
        got = await device.post("SendMail", message, content_type="message/rfc822", SaveInSent="T")
    else:
        got = await device.post("SendMail", e(
            "ComposeMail:SendMail", e("ClientId", "1"), e("SaveInSentItems"), Element("ComposeMail:Mime", message),
        ))
    assert (got.http, got.body) == (200, b"")
    (arrived,) = await room.messages("ben")
    assert arrived.endswith(b"\r\n\r\n" + LINES)
    assert b"Bcc" not in arrived[:2000]
    (kept,) = await room.messages("anna", FolderType.SENT_ITEMS)
    assert kept == b"Bcc: carla@example.com\r\n" + arrived

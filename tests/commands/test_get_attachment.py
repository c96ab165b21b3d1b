"""GetAttachment: one attachment as it is, up to 12.1. [MS-ASCMD] GetAttachment."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from mail_kit import BOTTOMLESS, DEEP, DRAWING, PLAN, RICH, Mailroom, letter
from test_item_operations import references
from wire import Got, Wire

from eas.engine.model import FolderType, Policy

Wires = Callable[..., Wire]


async def get(device: Wire, name: str, **more: Any) -> Got:
    return await device.post("GetAttachment", AttachmentName=name, **more)


@pytest.mark.parametrize("version", ["2.5", "12.0", "12.1"])
async def test_what_is_not_there_is_a_server_error(wire: Wires, room: Mailroom, version: str) -> None:
    """R166: HTTP 500, in whatever way it is not there."""
    await room.deliver("anna", RICH)
    for name in ("", "no reference", "99:1:1", "1:99:1", "1:1:77", "1:1:" + "1." * 200, "1:1", "../x"):
        got = await get(wire(version=version), name)
        assert (got.http, b"Traceback" in got.body) == (500, False), name


@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [("plan.txt", "text/plain", PLAN), ("drawing.png", "image/png", DRAWING), (".2", "application/octet-stream", DEEP)],
)
@pytest.mark.parametrize("body", [b"", b"\x03\x01\x6a\x00"])
async def test_an_attachment_comes_as_it_is(
    wire: Wires, room: Mailroom, name: str, kind: str, content: bytes, body: bytes
) -> None:
    """R157, R160, R164: decoded, with its type. There is no body in a request; one that is there does no harm."""
    mine = await room.deliver("anna", RICH)
    device = wire(version="12.1")
    found = await references(device, mine)
    reference = found.get(name) or next(text for shown, text in found.items() if shown.endswith(".eml")) + name
    got = await device.post("GetAttachment", body, AttachmentName=reference)
    assert (got.http, got.headers["content-type"], got.body) == (200, kind, content)
    assert got.headers["content-length"] == str(len(content))


async def test_an_enclosed_message_and_a_degraded_one(wire: Wires, room: Mailroom) -> None:
    device = wire(version="12.1")
    found = await references(device, await room.deliver("anna", RICH))
    got = await get(device, next(text for name, text in found.items() if name.endswith(".eml")))
    assert (got.http, got.headers["content-type"]) == (200, "message/rfc822")
    assert got.body.startswith(b"From: Ben <ben@example.com>\r\n")
    ((_, reference),) = (await references(device, await room.deliver("anna", BOTTOMLESS))).items()
    got = await get(device, reference)
    assert (got.http, got.headers["content-type"]) == (200, "message/rfc822")
    assert got.body == (await room.messages("anna"))[-1]


async def test_a_type_from_a_message_is_no_header_of_ours(wire: Wires, room: Mailroom) -> None:
    """Whatever a message calls its part, the answer is one that can be sent."""
    device = wire(version="12.1")
    for odd in (b"te\xffxt/pl\xe4in", b"text/plain\r\n x: y", "тип/вид".encode(), b"\"a/b\"", b"a/b\0c"):
        raw = letter().replace(b"text/plain; charset=utf-8", odd + b"; name=f")
        raw = raw.replace(b"MIME-Version", b"Content-Disposition: attachment; filename=f\r\nMIME-Version")
        found = await references(device, await room.deliver("anna", raw))
        for reference in found.values():
            got = await get(device, reference)
            assert got.http == 200, odd
            assert re.fullmatch(r"[!-~]+/[!-~]+", got.headers["content-type"])


async def test_a_deleted_message_has_no_attachments(wire: Wires, room: Mailroom) -> None:
    """R166"""
    mine = await room.deliver("anna", RICH)
    device = wire(version="12.1")
    reference = (await references(device, mine))["plan.txt"]
    assert (await get(device, reference)).http == 200
    await (await room.feed("anna", FolderType.INBOX)).delete(int(mine.partition(":")[2]))
    assert (await get(device, reference)).http == 500


async def test_attachments_of_others_are_not_there(wire: Wires, room: Mailroom) -> None:
    bens = await room.deliver("ben", RICH)
    reference = (await references(wire(user="ben", password="ben-secret"), bens))["plan.txt"]
    assert (await get(wire(version="12.1", user="ben", password="ben-secret"), reference)).body == PLAN
    assert (await get(wire(version="12.1"), reference)).http == 500


@pytest.mark.parametrize(
    ("settings", "http"),
    [
        ({"AttachmentsEnabled": "0"}, 500), ({"MaxAttachmentSize": "15"}, 500), ({"MaxAttachmentSize": "16"}, 200),
        ({}, 200),
    ],
)
async def test_the_policy_decides(
    wire: Wires, room: Mailroom, world: Any, settings: dict[str, str], http: int
) -> None:
    device = wire(version="12.1")
    reference = (await references(device, await room.deliver("anna", RICH)))["plan.txt"]
    await world.store.save_policy(Policy(name="default", settings=settings))
    assert (await get(device, reference)).http == http


@pytest.mark.parametrize("version", ["14.0", "14.1", "16.0", "16.1"])
async def test_later_versions_do_not_have_it(wire: Wires, room: Mailroom, version: str) -> None:
    """R6021, R6022. The command has no answer in which a status could stand: 400 is what takes the place of 138."""
    reference = (await references(wire(), await room.deliver("anna", RICH)))["plan.txt"]
    assert (await get(wire(version=version), reference)).http == 400

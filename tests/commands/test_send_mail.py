"""SendMail: what is refused, what is sent, and that it is sent once. [MS-ASCMD] SendMail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from mail_kit import BROKEN, VERSIONS, WBXML_VERSIONS, Mailroom, is_sent, letter, said, send
from wire import Wire, e

from eas.engine.errors import Unavailable
from eas.engine.model import FolderType
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

Wires = Callable[..., Wire]

NOWHERE = letter().replace(b"To: Ben <ben@example.com>\r\n", b"")


MALFORMED: tuple[tuple[Element | bytes, str], ...] = (
    (e("ComposeMail:SendMail"), "103"),
    (e("ComposeMail:SendMail", e("ClientId", "c1")), "103"),
    (e("ComposeMail:SendMail", e("Mime", letter())), "103"),
    (e("ComposeMail:SendMail", e("ClientId", ""), e("Mime", letter())), "103"),
    (e("ComposeMail:SendMail", e("ClientId", "c" * 41), e("Mime", letter())), "103"),
    (e("ComposeMail:SmartReply", e("ClientId", "c1"), e("Mime", letter())), "103"),
    (e("ComposeMail:SendMail", e("ClientId", "c1"), e("Mime", b"")), "107"),
    (b"\x03\x01\x6a\x00\x00\x15\x45", "102"),
    (letter(), "102"),
    (b"", "101"),
)


@pytest.mark.parametrize("version", WBXML_VERSIONS)
async def test_a_malformed_request_sends_nothing(wire: Wires, room: Mailroom, version: str) -> None:
    """R4380"""
    for request, status in MALFORMED:
        got = await wire(version=version).post("SendMail", request)
        assert (got.http, got.status) == (200, status), request
    assert await room.messages("ben") == []


#: Message, status, and what takes its place before 14.0.
UNDELIVERABLE: tuple[tuple[bytes, str, int], ...] = (
    (BROKEN, "107", 400),
    (b"no header", "107", 400),
    (NOWHERE, "119", 500),
    (letter(to=""), "119", 500),
    (letter(to="undisclosed-recipients:;"), "119", 500),
    (letter(to="nobody@example.com"), "116", 500),
    (letter(to="ben@example.com, nobody@example.com"), "116", 500),
    # There is no smarthost.
    (letter(to="somebody@elsewhere.test"), "116", 500),
    # An address within which there is another line.
    (letter(to='"a\r\n b"@example.com'), "119", 500),
)


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_cannot_be_sent_is_not_sent_to_some(wire: Wires, room: Mailroom, version: str) -> None:
    """R4853 (119), R4844 (116), R4826 (107); before 14.0 HTTP says it, R7461-R7463. No copy is kept either."""
    for mime, status, http in UNDELIVERABLE:
        got = await send(wire(version=version), "SendMail", mime, save=True)
        assert said(got) == (f"HTTP {http}" if version == "12.1" else status), mime
    assert await room.messages("ben") == []
    assert await room.messages("anna", FolderType.SENT_ITEMS) == []


@pytest.mark.parametrize("version", ["12.1"])
async def test_up_to_12_1_the_body_is_the_message(wire: Wires, room: Mailroom, version: str) -> None:
    device = wire(version=version)
    wbxml = e("ComposeMail:SendMail", e("ClientId", "c1"), e("Mime", letter()))
    assert (await device.post("SendMail", wbxml)).http == 400
    assert (await device.post("SendMail", b"", content_type="message/rfc822")).http == 400
    assert (await device.post("SendMail", letter(), content_type="text/html")).http == 400
    assert await room.messages("ben") == []
    assert is_sent(await device.post("SendMail", letter(), content_type="message/rfc822"))
    # Some devices name no type.
    assert is_sent(await device.post("SendMail", letter("Second"), content_type=""))
    assert len(await room.messages("ben")) == 2


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("save", [True, False])
async def test_a_message_is_delivered_and_kept_if_asked(
    wire: Wires, room: Mailroom, version: str, save: bool
) -> None:
    """R443, R463, R4379"""
    assert is_sent(await send(wire(version=version), "SendMail", letter(text="Grüße\r\nA"), save=save))
    (got,) = await room.messages("ben")
    assert b"\r\nSubject: Lunch\r\n" in got
    assert got.endswith("\r\n\r\nGrüße\r\nA\r\n".encode())
    kept = await room.mails("anna", FolderType.SENT_ITEMS)
    assert [mail.flags.read for mail in kept] == ([True] if save else [])
    assert await room.messages("anna", FolderType.SENT_ITEMS) == ([got] if save else [])
    (arrived,) = await room.mails("ben")
    assert not arrived.flags.read


#: What the device states, what is sent.
FROM = (
    ("Anna <anna@example.com>", "Anna <anna@example.com>"),
    ("Ben <ben@example.com>", "Ben <anna@example.com>"),
    ("ben@example.com", '"Anna Arnold" <anna@example.com>'),
    ("ANNA@example.com", '"Anna Arnold" <anna@example.com>'),
    ("chief@example.com, ben@example.com", '"Anna Arnold" <anna@example.com>'),
    ("Anna as postmaster <office@example.com>", '"Anna as postmaster" <office@example.com>'),
)


@pytest.mark.parametrize("version", VERSIONS)
async def test_from_is_the_users_own(wire: Wires, room: Mailroom, world: Any, version: str) -> None:
    """R448: the user's address, whatever the device says; one of the user's other addresses may be chosen."""
    await world.admin.set_aliases("anna@example.com", ["office@example.com"])
    for stated, _ in FROM:
        mime = letter(sender=stated, more="Sender: ben@example.com\r\n")
        assert is_sent(await send(wire(version=version), "SendMail", mime))
    found = []
    for got in await room.messages("ben"):
        header = got.partition(b"\r\n\r\n")[0].decode()
        found += [line.replace('"', "") for line in header.split("\r\n") if line.startswith("From:")]
        assert "Sender:" not in header
    assert found == ["From: " + sent.replace('"', "") for _, sent in FROM]


@pytest.mark.parametrize("version", VERSIONS)
async def test_blind_copies_stay_secret(wire: Wires, room: Mailroom, version: str) -> None:
    """Whoever gets it, by To or Bcc, reads nothing of the others; the sender's own copy tells."""
    mime = letter(more="Bcc: carla@example.com,\r\n Anna <anna@example.com>\r\nBCC: carla@example.com\r\n")
    assert is_sent(await send(wire(version=version), "SendMail", mime, save=True))
    for who in ("ben", "carla", "anna"):
        (got,) = await room.messages(who)
        assert b"bcc" not in got.lower()
        assert b"carla" not in got
    (kept,) = await room.messages("anna", FolderType.SENT_ITEMS)
    assert kept.startswith(b"Bcc: carla@example.com,\r\n")
    assert kept.lower().count(b"bcc:") == 1


@pytest.mark.parametrize(
    ("version", "account", "status"),
    [("14.1", "primary", "166"), ("14.1", "anna@example.com", "166"), ("14.1", "", "sent"), ("14.0", "other", "sent")],
)
async def test_there_is_no_other_account(wire: Wires, room: Mailroom, version: str, account: str, status: str) -> None:
    """R724; R721: without one it is the primary account. 14.0 does not know the element."""
    got = await send(wire(version=version), "SendMail", letter(), e("AccountId", account))
    assert said(got) == status
    assert len(await room.messages("ben")) == (status == "sent")


# Once ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_same_again_is_not_sent_again(wire: Wires, room: Mailroom, version: str) -> None:
    """R953, R4848: 118 from 14.0 on; before, the message itself is recognised, and the device content."""
    device, again = wire(version=version), "sent" if version == "12.1" else "118"
    answers = [said(await send(device, "SendMail", letter(), save=True)) for _ in range(3)]
    assert answers == ["sent", again, again]
    assert len(await room.messages("ben")) == 1
    assert len(await room.messages("anna", FolderType.SENT_ITEMS)) == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_twice_at_once_is_sent_once(wire: Wires, room: Mailroom, version: str) -> None:
    device = wire(version=version)
    answers = await asyncio.gather(*(send(device, "SendMail", letter(), save=True) for _ in range(4)))
    again = "sent" if version == "12.1" else "118"
    assert sorted(map(said, answers), reverse=True) == ["sent", again, again, again]
    assert len(await room.messages("ben")) == 1
    assert len(await room.messages("anna", FolderType.SENT_ITEMS)) == 1


@pytest.mark.parametrize("version", WBXML_VERSIONS)
async def test_another_message_under_a_used_client_id_is_another_message(
    wire: Wires, room: Mailroom, version: str
) -> None:
    """A device that was set up anew counts from 1 again."""
    device = wire(version=version)
    assert is_sent(await send(device, "SendMail", letter("One")))
    assert is_sent(await send(device, "SendMail", letter("Two")))
    assert len(await room.messages("ben")) == 2


@pytest.mark.parametrize("version", WBXML_VERSIONS)
async def test_a_client_id_is_of_one_device(wire: Wires, room: Mailroom, version: str) -> None:
    assert is_sent(await send(wire(version=version, device="ONE"), "SendMail", letter()))
    assert is_sent(await send(wire(version=version, device="TWO"), "SendMail", letter()))
    assert len(await room.messages("ben")) == 2


@pytest.mark.parametrize("version", WBXML_VERSIONS)
async def test_a_new_client_id_for_the_same_message_sends_it_once(wire: Wires, room: Mailroom, version: str) -> None:
    """There are devices that invent one for each try. The message's own Message-ID tells."""
    device, mime = wire(version=version), letter(more="Message-ID: <mine@phone.test>\r\n")
    assert is_sent(await send(device, "SendMail", mime, client_id="first", save=True))
    assert is_sent(await send(device, "SendMail", mime, client_id="second", save=True))
    assert len(await room.messages("ben")) == 1
    assert len(await room.messages("anna", FolderType.SENT_ITEMS)) == 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("where", ["settle", "create"])
async def test_after_a_crash_the_rest_is_done_once(
    wire: Wires, room: Mailroom, world: Any, monkeypatch: pytest.MonkeyPatch, version: str, where: str
) -> None:
    """The process dies after the message has left, before (create) or after its copy was kept: the device asks again
    and hears that all is well."""
    kept: Any = world.store if where == "settle" else type(await room.feed("anna", FolderType.SENT_ITEMS))
    good = getattr(kept, where)

    async def dies(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(kept, where, good)
        raise Unavailable("the process died here")

    monkeypatch.setattr(kept, where, dies)
    device = wire(version=version)
    got = await send(device, "SendMail", letter(), save=True)
    assert said(got) == ("HTTP 503" if version == "12.1" else "111")
    assert len(await room.messages("ben")) == 1
    assert is_sent(await send(device, "SendMail", letter(), save=True))
    assert len(await room.messages("ben")) == 1
    assert len(await room.messages("anna", FolderType.SENT_ITEMS)) == 1
    assert said(await send(device, "SendMail", letter(), save=True)) == ("sent" if version == "12.1" else "118")


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_was_refused_may_be_sent_later(wire: Wires, room: Mailroom, world: Any, version: str) -> None:
    """Nothing was sent: the same request is no repetition."""
    device, mime = wire(version=version), letter(to="dora@example.com")
    assert not is_sent(await send(device, "SendMail", mime))
    account = await world.admin.add_user("dora@example.com", "dora-secret", name="Dora")
    world.ids["dora"] = account.id
    assert is_sent(await send(device, "SendMail", mime))
    assert len(await room.messages("dora")) == 1


async def test_a_copy_that_cannot_be_kept_is_no_reason_to_send_again(
    wire: Wires, room: Mailroom, world: Any
) -> None:
    await world.admin.change_user("anna@example.com", quota=1)
    assert is_sent(await send(wire(), "SendMail", letter(), save=True))
    assert len(await room.messages("ben")) == 1
    assert await room.messages("anna", FolderType.SENT_ITEMS) == []


@pytest.mark.parametrize("version", [Version.V12_1, Version.V14_0, Version.V14_1])
async def test_the_recipients_phone_rings(phone: Any, wire: Wires, version: Version) -> None:
    bens = phone("ben", version=version)
    await bens.set_up(version)
    await bens.sync()
    inbox = bens.state.folder(FolderType.INBOX)
    waiting = asyncio.create_task(bens.ping([inbox], 300))
    await asyncio.sleep(0.2)
    assert is_sent(await send(wire(version=version.text), "SendMail", letter()))
    rung = await asyncio.wait_for(waiting, 60)
    assert [int(rung.status), rung.folders] == [2, (inbox.id,)]
    await bens.sync([inbox])
    (item,) = inbox.items.values()
    assert item.text("Email:Subject") == "Lunch"
    assert item.text("Email:From") in ('"Anna" <anna@example.com>', "Anna <anna@example.com>")

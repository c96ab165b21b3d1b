"""[MS-ASCMD] SendMail; Common Status Codes 103, 107, 116, 118, 119, 166."""

from __future__ import annotations

import secrets
from typing import Any

from boxes_kit import INBOX, box, received
from lab import BEFORE_14, FROM_14, FROM_14_1, Lab, Talker, case
from mail_cases_kit import SENT_ITEMS, text_of
from wire import Got, e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element


def message(to: str, subject: str, more: str = "") -> bytes:
    head = f"To: {to}\r\n" if to else ""
    return f"{head}{more}Subject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello.\r\n".encode()


async def send(talker: Talker, mime: bytes, *more: Element, client: str = "", save: bool = False) -> Got:
    """In the form of the device's version."""
    if talker.version <= Version.V12_1:
        return await talker.post(
            "SendMail", mime, content_type="message/rfc822", **({"SaveInSent": "T"} if save else {})
        )
    parts: list[Any] = [e("ClientId", client or secrets.token_hex(8)), *more]
    parts += [e("SaveInSentItems")] if save else []
    return await talker.post("SendMail", e("ComposeMail:SendMail", *parts, e("Mime", mime)))


@case("MS-ASCMD", "R443 R463 R4379")
async def a_message_is_sent_and_kept_if_asked(lab: Lab) -> None:
    inbox = await (await box(lab, INBOX, login=lab.other)).begin()
    for save in (True, False):
        subject = lab.unique("sent")
        got = await send(lab.talker(), message(lab.other.address, subject), save=save)
        assert (got.http, got.body) == (200, b"")
        await received(lab, subject, inbox)
        kept = await (await box(lab, SENT_ITEMS)).begin()
        assert len(kept.with_text(subject)) == int(save)


@case("MS-ASCMD", "R448")
async def from_is_the_users_own_address(lab: Lab) -> None:
    inbox, subject = await (await box(lab, INBOX, login=lab.other)).begin(), lab.unique("forged")
    await send(lab.talker(), message(lab.other.address, subject, "From: The Boss <boss@example.org>\r\n"))
    shown = inbox.has[await received(lab, subject, inbox)]
    assert lab.me.address in (text_of(shown, "From") or "")
    assert "boss@" not in (text_of(shown, "From") or "")


@case("MS-ASCMD", "R443")
async def a_blind_copy_arrives_and_is_not_told(lab: Lab) -> None:
    mine, theirs = await (await box(lab, INBOX)).begin(), await (await box(lab, INBOX, login=lab.other)).begin()
    subject = lab.unique("blind")
    await send(lab.talker(lab.other), message(lab.other.address, subject, f"Bcc: {lab.me.address}\r\n"))
    shown = mine.has[await received(lab, subject, mine)]
    assert text_of(shown, "Bcc") is None
    assert lab.me.address not in (text_of(shown, "To") or "")
    if lab.version >= Version.V14_0:
        assert text_of(shown, "ReceivedAsBcc") == "1"
    other = theirs.has[await received(lab, subject, theirs)]
    assert text_of(other, "ReceivedAsBcc") in (None, "0")


@case("MS-ASCMD", "R4380 R4826 R4848 R4853", FROM_14)
async def failures_are_told_by_status(lab: Lab) -> None:
    subject, talker = lab.unique("failed"), lab.talker()
    for name, mime, expected in (
        ("no recipient", message("", subject), "119"), ("no MIME", b"", "107"),
        ("no header", b"\r\n\r\nHello.\r\n", "107"),
    ):
        got = await send(talker, mime)
        assert got.body, name
        assert got.status == expected, name
    client = secrets.token_hex(8)
    good = message(lab.other.address, subject)
    assert not (await send(talker, good, client=client)).body
    assert (await send(talker, good, client=client)).status == "118"
    inbox = await (await box(lab, INBOX, login=lab.other)).begin()
    await received(lab, subject, inbox)
    assert len(inbox.with_text(subject)) == 1


@case("MS-ASCMD", "R4817", FROM_14)
async def a_request_without_what_it_needs_is_malformed(lab: Lab) -> None:
    mime = e("Mime", message(lab.other.address, lab.unique("bad")))
    for inside in ((mime,), (e("ClientId", "1"),), (e("ClientId", ""), mime), (e("ClientId", "x" * 41), mime), ()):
        got = await lab.talker().post("SendMail", e("ComposeMail:SendMail", *inside))
        assert got.status == "103", inside


@case("MS-ASCMD", "R724 R721 R6135 R6136", FROM_14_1)
async def there_is_one_account(lab: Lab) -> None:
    subject = lab.unique("account")
    got = await send(lab.talker(), message(lab.other.address, subject), e("AccountId", "no-such-account"))
    assert got.status == "166"
    assert not (await send(lab.talker(), message(lab.other.address, subject))).body
    inbox = await (await box(lab, INBOX, login=lab.other)).begin()
    shown = inbox.has[await received(lab, subject, inbox)]
    assert lab.me.address in (text_of(shown, "From") or "")


@case("MS-ASCMD", "R6094", BEFORE_14)
async def up_to_12_1_a_refusal_is_an_http_status(lab: Lab) -> None:
    got = await send(lab.talker(), message("", lab.unique("failed")))
    assert got.http >= 400

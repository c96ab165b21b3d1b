"""[MS-ASCMD] SmartReply, SmartForward, Source, ReplaceMime; [MS-ASEMAIL] LastVerbExecuted."""

from __future__ import annotations

import secrets
from typing import Any

from boxes_kit import INBOX, Box, box, letter, received, second
from lab import BEFORE_14, FROM_14, Lab, Talker, case
from mail_cases_kit import options, preference, text_of, under
from wire import Got, e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

COMMANDS = ("SmartReply", "SmartForward")
#: What stands in the original alone.
WORDS = "Words of the original."


def message(to: str, subject: str) -> bytes:
    return (
        f"To: {to}\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nNew words.\r\n"
    ).encode()


def source(id: str, folder: str = "", **more: str) -> Element:
    parts = [e("FolderId", folder)] if folder else []
    parts += [e("ItemId", id)] if id else []
    return e("ComposeMail:Source", *parts, *(e(name, value) for name, value in more.items()))


async def smart(
    lab: Lab, command: str, from_: Element, mime: bytes, *more: Element, client: str = "",
    talker: Talker | None = None,
) -> Got:
    """In the form of the version; before 14.0 the source stands in the query."""
    talker = talker or lab.talker()
    if talker.version <= Version.V12_1:
        named = {"FolderId": "CollectionId", "ItemId": "ItemId", "LongId": "LongId", "InstanceId": "Occurrence"}
        query: dict[str, Any] = {named[one.tag.partition(":")[2]]: one.text for one in from_.elements}
        return await talker.post(command, mime, content_type="message/rfc822", **query)
    parts = (e("ClientId", client or secrets.token_hex(8)), from_, *more, e("Mime", mime))
    return await talker.post(command, e(f"ComposeMail:{command}", *parts))


async def answered(lab: Lab, subject: str) -> str:
    """What the other has got, as text."""
    inbox = await (await box(lab, INBOX, login=lab.other)).begin()
    return str(inbox.has[await received(lab, subject, inbox)])


@case("MS-ASCMD", "R532 R545 R568 R569 R580 R605 R4407 R5776")
async def the_original_is_added_by_the_server(lab: Lab) -> None:
    inbox, id, _ = await letter(lab, WORDS)
    for command in COMMANDS:
        subject = lab.unique("smart")
        got = await smart(lab, command, source(id, inbox.id), message(lab.other.address, subject))
        assert (got.http, got.body) == (200, b""), command
        told = await answered(lab, subject)
        assert "New words." in told, command
        assert WORDS in told, command


@case("MS-ASCMD", "R3775", FROM_14)
async def replace_mime_leaves_the_original_out(lab: Lab) -> None:
    inbox, id, _ = await letter(lab, WORDS)
    for command in COMMANDS:
        subject = lab.unique("replaced")
        mime = message(lab.other.address, subject)
        assert not (await smart(lab, command, source(id, inbox.id), mime, e("ReplaceMime"))).body
        told = await answered(lab, subject)
        assert "New words." in told
        assert WORDS not in told


@case("MS-ASCMD", "R532 R569")
async def the_source_is_named_in_several_ways(lab: Lab) -> None:
    inbox, id, _ = await letter(lab, WORDS)
    for from_ in (source(id, inbox.id), source(id), source("", LongId=id)):
        subject = lab.unique("source")
        got = await smart(lab, "SmartForward", from_, message(lab.other.address, subject))
        assert (got.http, got.body) == (200, b""), from_
        assert WORDS in await answered(lab, subject)


@case("MS-ASEMAIL", "R514", FROM_14)
async def the_original_tells_what_became_of_it(lab: Lab) -> None:
    for command, verb in (("SmartReply", "1"), ("SmartForward", "3")):
        inbox, id, _ = await letter(lab, WORDS)
        assert not under(inbox.has[id], "LastVerbExecuted")
        mime = message(lab.other.address, lab.unique("verb"))
        assert not (await smart(lab, command, source(id, inbox.id), mime)).body
        shown = (await second(lab, inbox)).has[id]
        assert text_of(shown, "LastVerbExecuted") == verb
        assert text_of(shown, "LastVerbExecutionTime")
        (change,) = (await _told(inbox)).values()
        assert text_of(change, "ApplicationData", "LastVerbExecuted") == verb


async def _told(inbox: Box) -> dict[str, Element]:
    return (await inbox.sure(options(preference(1)))).said("Change")


@case("MS-ASCMD", "R541 R578 R4408 R5777 R4848 R4819 R4821 R4823 R4919 R4930", FROM_14)
async def failures_are_told_by_status(lab: Lab) -> None:
    inbox, id, _ = await letter(lab)
    gone, mime = f"{inbox.id}:999999999", message(lab.other.address, lab.unique("failed"))
    rows = (
        ("a message that is not there", source(gone, inbox.id), "150"),
        ("a folder without an item", source("", inbox.id), "105"),
        ("an id that is none", source("nothing at all", inbox.id), "106"),
        ("a LongId beside an ItemId", source(id, inbox.id, LongId=id), "105"),
        ("an InstanceId that is no time", source(id, inbox.id, InstanceId="yesterday"), "104"),
        ("an instance of what does not recur", source(id, inbox.id, InstanceId="2030-03-04T08:00:00.000Z"), "146"),
    )
    seen = {}
    for command in COMMANDS:
        for name, from_, expected in rows:
            got = await smart(lab, command, from_, mime)
            assert got.body, name
            seen[command, name] = (got.status, expected)
    wrong = {key: pair for key, pair in seen.items() if pair[0] != pair[1]}
    assert not wrong, wrong
    talker, client, named = lab.talker(), secrets.token_hex(8), source(id, inbox.id)
    for expected in ("", "118"):
        got = await smart(lab, "SmartReply", named, mime, client=client, talker=talker)
        assert (got.status if got.body else "") == expected


@case("MS-ASCMD", "R6111 R6106", BEFORE_14)
async def up_to_12_1_a_refusal_is_an_http_status(lab: Lab) -> None:
    inbox, _, _ = await letter(lab)
    for command in COMMANDS:
        got = await smart(lab, command, source(f"{inbox.id}:999999999", inbox.id), message(lab.other.address, "x"))
        assert got.http >= 400, command

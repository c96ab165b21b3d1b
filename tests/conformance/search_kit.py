"""Mail that is sent and arrives, and searches for it: what the cases on Search, Find and ItemOperations share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from secrets import token_hex
from typing import Any

from lab import Lab, Login, Talker
from wire import Got, e

from eas.protocol.version import Version
from eas.protocol.wbxml import Element

INBOX, DELETED, SENT, CALENDAR, CONTACTS, TASKS = 2, 4, 5, 8, 9, 7

#: How often is looked whether a message has arrived, and the seconds between.
LOOKS, PAUSE_SECONDS = 60, 0.5


def composed(
    subject: str, text: str, *, to: str, cc: str = "", files: Mapping[str, bytes] | None = None,
    headers: Mapping[str, str] | None = None, html: str = "",
) -> bytes:
    made = EmailMessage(policy=SMTP)
    made["To"], made["Subject"] = to, subject
    made["Message-ID"] = f"<{token_hex(10)}@conformance.invalid>"
    if cc:
        made["Cc"] = cc
    for name, value in (headers or {}).items():
        del made[name]
        made[name] = value
    made.set_content(text)
    if html:
        made.add_alternative(html, subtype="html")
    for name, data in (files or {}).items():
        made.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return made.as_bytes()


_SIGNED = "multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=signed"


def signed(subject: str, to: str) -> bytes:
    """A message with a signature, which nobody checks here."""
    return (
        f"To: {to}\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: {_SIGNED}\r\n\r\n--signed\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\nSigned words.\r\n--signed\r\n"
        "Content-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment; filename=smime.p7s\r\n\r\nMIIB\r\n--signed--\r\n"
    ).encode()


async def send(talker: Talker, raw: bytes) -> None:
    """By SendMail, in the form of the version; with a copy among what was sent."""
    if talker.version >= Version.V14_0:
        parts = e("ClientId", token_hex(8)), e("SaveInSentItems"), e("Mime", raw)
        sent = await talker.post("SendMail", e("ComposeMail:SendMail", *parts))
    else:
        sent = await talker.post("SendMail", raw, content_type="message/rfc822", SaveInSent="T")
    assert (sent.http, sent.body) == (200, b""), sent


async def mail_to_me(lab: Lab, subject: str, text: str = "Hello.", **values: Any) -> bytes:
    """From the other user; what was sent."""
    raw = composed(subject, text, to=values.pop("to", lab.me.address), **values)
    await send(lab.talker(lab.other), raw)
    return raw


@dataclass(kw_only=True)
class Drawer:
    """A folder of mail as one device synchronises it; `items` by ServerId."""

    talker: Talker
    collection: str
    key: str = "0"
    items: dict[str, Element] = field(default_factory=dict)

    async def sync(self, *commands: Element) -> Got:
        first = self.key == "0"
        parts = [e("Class", "Email")] if self.talker.version <= Version.V12_1 else []
        parts += [e("SyncKey", self.key), e("CollectionId", self.collection)]
        if not first:
            preference = e("AirSyncBase:BodyPreference", e("Type", "1"), e("TruncationSize", "100"))
            parts += [e("GetChanges", "1"), e("WindowSize", "512"), e("Options", preference)]
        parts += [e("Commands", *commands)] if commands else []
        got = await self.talker.post("Sync", e("AirSync:Sync", e("Collections", e("Collection", *parts))))
        assert got.http == 200
        if not got.body:
            return got
        assert got.text("Collections", "Collection", "Status") == "1", got.root
        self.key = got.text("Collections", "Collection", "SyncKey")
        for verb in ("Add", "Change"):
            for one in got.all("Collections", "Collection", "Commands", verb):
                data = one.child("AirSync:ApplicationData")
                assert data is not None
                known = self.items.get(text_of(one, "AirSync:ServerId"))
                if verb == "Add" or known is None:
                    self.items[text_of(one, "AirSync:ServerId")] = data
        for one in got.all("Collections", "Collection", "Commands", "Delete"):
            self.items.pop(text_of(one, "AirSync:ServerId"), None)
        return got

    async def pull(self) -> dict[str, Element]:
        for _ in range(50):
            first = self.key == "0"
            got = await self.sync()
            if not first and (not got.body or got.find("Collections", "Collection", "MoreAvailable") is None):
                break
        return self.items

    async def holding(self, subject: str, count: int = 1) -> dict[str, Element]:
        """The messages with this subject in them, once there are so many."""
        for _ in range(LOOKS):
            found = {
                id: data for id, data in (await self.pull()).items() if subject in text_of(data, "Email:Subject")
            }
            if len(found) >= count:
                return found
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError(f"{subject} has not arrived")


async def drawer(lab: Lab, type: int = INBOX, login: Login | None = None) -> Drawer:
    talker = lab.talker(login)
    return Drawer(talker=talker, collection=await talker.folder(type))


def text_of(element: Element, tag: str) -> str:
    """The text of a child; "" without one."""
    found = element.child(tag)
    return found.text if found is not None else ""


# Searches -------------------------------------------------------------------------------------------------------------

STORE = ("Response", "Store")


def asked(name: str, query: Any, *options: Any) -> Element:
    """A Search. `query` is a text, or the content of Query."""
    said = e("Query", query) if isinstance(query, str) else e("Query", *query)
    return e("Search:Search", e("Store", e("Name", name), said, *((e("Options", *options),) if options else ())))


def mailbox(*criteria: Any, options: tuple[Any, ...] = ()) -> Element:
    return asked("Mailbox", (e("And", *criteria),), *options)


def words(text: str) -> Element:
    return e("FreeText", text)


async def found(talker: Talker, request: Element, count: int = 1) -> list[Element]:
    """The results of a search, once there are so many: an index may need a moment."""
    results: list[Element] = []
    for _ in range(LOOKS):
        got = await talker.post("Search", request)
        assert (got.http, got.status) == (200, "1"), got.root
        results = [r for r in got.all(*STORE, "Result") if r.child("Search:Properties") is not None]
        if len(results) >= count:
            return results
        await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError(f"{len(results)} results instead of {count}")


def properties(result: Element, space: str = "Search") -> Element:
    found = result.child(f"{space}:Properties")
    assert found is not None, result
    return found


def subjects(results: list[Element]) -> list[str]:
    return [text_of(properties(result), "Email:Subject") for result in results]

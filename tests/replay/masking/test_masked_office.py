"""What phones fetch from the demo office, masked: other parsers than the masker's find none of its words again."""

from __future__ import annotations

import email
import email.policy
import html
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from session_kit import taped

from eas import app as composition
from eas.admin import demo
from eas.client import mail, services
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.config import load
from eas.demo.model import DOMAIN, PASSWORD
from eas.demo.office import build
from eas.engine.model import FolderType
from eas.protocol.version import Version
from eas.protocol.wbxml import Element
from eas.replay.format.body import wire
from eas.replay.format.model import Binary, Body, Document, Exchange, Parts, Text
from eas.replay.format.writing import exchange_text
from eas.replay.masking.findings import Search
from eas.replay.masking.masker import Masker

pytestmark = pytest.mark.long
URL = f"http://mail.{DOMAIN}"
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
WORD = re.compile(r"[^\W\d_]{5,}|\d{5,}")
#: Domains that are nobody's, and times of the day.
STAYS = re.compile(r"[\w.-]+\.(?:example|test|invalid)\b|\b\d{8}T\d{6}Z?\b")
REPLY = f"From: anna@{DOMAIN}\r\nTo: ben@{DOMAIN}\r\nSubject: Re: stairs\r\n\r\nOak for them, please.\r\n".encode()


async def a_morning(phone: Phone) -> None:
    """Set-up, everything there is, searches, a whole message, an attachment's worth of bodies, a reply."""
    await phone.set_up()
    for _ in range(5):
        await phone.sync()
    inbox = phone.state.folder(FolderType.INBOX)
    await services.search_people(phone, "ben")
    await services.search_mailbox(phone, "stairs")
    await services.out_of_office(phone)
    for server_id in list(inbox.items)[:10]:
        await mail.fetch_item(phone, inbox, server_id)
    await mail.reply(phone, inbox, next(iter(inbox.items)), REPLY)


@pytest.fixture
async def recorded(tmp_path: Path) -> list[Exchange]:
    (tmp_path / "data").mkdir()
    settings = load(overrides={"data": tmp_path / "data", "domain": DOMAIN}, environment={})
    exchanges = []
    async with composition.build(settings) as app:
        await demo.fill(app.site, tmp_path / "data", NOW)
        for version in (Version.V14_1, Version.V16_1):
            credentials = Credentials(user=f"anna@{DOMAIN}", password=PASSWORD)
            identity = Identity(device_id="ApplDNQX0")
            async with Connection(
                URL, credentials, identity, version=version, transport=httpx.ASGITransport(app.asgi),
            ) as line:
                phone = Phone(DeviceState(url=URL, user=f"anna@{DOMAIN}", device_id="ApplDNQX0"), line)
                tape = taped(phone)
                await a_morning(phone)
                exchanges += tape.exchanges
    return exchanges


def texts(body: Body) -> Iterator[str]:
    """Everything that a body says, decoded by the standard library; tags of HTML are left out."""
    match body:
        case Document(root, _):
            yield from _leaves(root)
        case Parts(parts):
            for part in parts:
                yield from texts(part)
        case Text("mime", data):
            yield from _message(data)
        case Text(_, data) | Binary(data):
            yield data.decode("utf-8", "replace")


def _leaves(element: Element) -> Iterator[str]:
    if isinstance(element.content, tuple):
        for child in element.content:
            yield from _leaves(child)
    elif isinstance(element.content, bytes):
        yield from _message(element.content)
    elif element.content.startswith(("Received:", "From:", "Date:", "MIME-Version:", "Message-ID:")):
        yield from _message(element.content.encode())
    else:
        yield _spoken(element.content)


def _spoken(text: str) -> str:
    """Without tags."""
    return html.unescape(re.sub(r"<[^>@]*>", " ", text)) if "</" in text else text


def _message(data: bytes) -> Iterator[str]:
    for part in email.message_from_bytes(data, policy=email.policy.default).walk():
        yield " ".join(str(part[name]) for name in ("From", "To", "Cc", "Subject", "Message-ID") if part[name])
        if part.get_content_maintype() == "text":
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            yield _spoken(content.decode(part.get_content_charset() or "utf-8", "replace"))


def words_of_the_office() -> set[str]:
    office = build(NOW)
    said = [text for one in office.mails for text in _message(one.message)]
    return words([*said, *(f"{one.name} {one.title} {one.phone} {one.office}" for one in office.people)])


def words(texts: Iterable[str]) -> set[str]:
    return {word.lower() for text in texts for word in WORD.findall(STAYS.sub(" ", text))}


def shape(body: Body) -> object:
    match body:
        case Document(root, _):
            return _shape(root)
        case Text(kind, data):
            return kind, len(data), data.count(b"\r\n")
        case Parts(parts):
            return [shape(part) for part in parts]
        case None:
            return None
        case _:
            return type(body)


def _shape(element: Element) -> object:
    content = element.content
    if isinstance(content, tuple):
        return element.tag, [_shape(one) for one in content]
    if isinstance(content, bytes):
        return element.tag, len(content)
    return element.tag, len(content), len(content.encode()), content.count("\n")


async def test_no_word_of_the_office_is_left(recorded: list[Exchange]) -> None:
    masker = Masker(b"the key of this test")
    made = [masker.exchange(one) for one in recorded]
    known = words_of_the_office()
    before, after = (
        words(text for one in exchanges for text in (
            *texts(one.request.body), *texts(one.answer.body), one.request.target, one.answer.why,
        )) for exchanges in (recorded, made)
    )
    assert len(known & before) > 150, "the office was not fetched"
    pseudonyms = masker._prose.words.made
    # Of the protocol and not of people: folders that everybody has, classes, policies, hosts that are nobody's.
    protocol = {"drafts", "inbox", "items", "calendar", "contacts", "tasks", "notes", "schedule", "meeting", "request",
                "message", "content", "image", "application", "mailbox", "server", "email", "example", "localhost"}
    assert (known & before & after) - pseudonyms - protocol == set()


async def test_everything_else_is_left(recorded: list[Exchange]) -> None:
    masker = Masker(b"the key of this test")
    search = Search("office", lambda: masker.names, masked=True)
    for one in recorded:
        made = masker.exchange(one)
        assert shape(made.request.body) == shape(one.request.body)
        assert shape(made.answer.body) == shape(one.answer.body)
        assert len(wire(made.answer.body)) == len(wire(one.answer.body))
        assert len(made.request.target) == len(one.request.target)
        assert search.lines(exchange_text(made).split("\n")) == []
    assert sum(masker.counts.values()) > 1000

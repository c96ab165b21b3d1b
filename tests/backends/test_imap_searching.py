"""Searches by IMAP: what servers find is what the query means (`kql.matches`), node by node and put together."""

from __future__ import annotations

import imaplib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailhome import MailHome, mail_home

from eas.backends.embedded.prepare import message, searched_addresses, searched_header, searched_text
from eas.backends.imap import criteria, searching, spans
from eas.backends.imap.conversations import newest
from eas.backends.imap.criteria import ALL, NONE, Known, all_of, any_of, possible, spellings
from eas.backends.imap.keywords import keyword_of
from eas.backends.imap.model import Fetched
from eas.engine.model import FolderType
from eas.engine.ports import Chosen, MailQuery
from eas.items import email, headers, kql, mime
from eas.items.body import Wanted
from eas.items.kql import Property
from eas.items.native import Item, Mail, MailFlags

SERVERS = ("dovecot", "dovecot_plain", "cyrus")
#: In the past: Dovecot takes no INTERNALDATE of the future.
NOW = datetime(2024, 10, 21, 12, 0, tzinfo=UTC)


# --- Criteria, without a server ---------------------------------------------------------------------------------------


def said(query: str, known: Known | None = None) -> str:
    node = kql.parse(query, NOW, UTC)
    assert node is not None
    key = possible(node, known or Known())
    return " ".join(f'"{token.decode()}"' if isinstance(token, bytes) else token for token in key)


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("subject:plan", 'SUBJECT "plan"'),
        ("subject:Straße", None),
        ("-subject:plan", 'NOT SUBJECT "plan"'),
        ("from:anna", 'OR FROM "anna" HEADER Sender "anna"'),
        ("to:a subject:b", '(TO "a" SUBJECT "b" ALL)'),
        ("isread:true", "SEEN"), ("isread:false", "UNSEEN"), ("isflagged:yes", "FLAGGED"), ("-isflagged:yes",
                                                                                           "NOT FLAGGED"),
        ("kind:mail", "ALL"), ("kind:contact", "NOT ALL"), ("-kind:mail", "NOT ALL"), ("-kind:contact", "ALL"),
        ("hasattachment:true", "ALL"), ("hasattachment:true subject:b", 'SUBJECT "b"'),
        ("hasattachment:true OR subject:b", "ALL"), ("attachment:x", "ALL"), ("-attachment:x", "ALL"),
        ("importance:normal", "ALL"), ("-importance:high", "ALL"),
        ("received:2024-10-20", "(SINCE 19-Oct-2024 BEFORE 23-Oct-2024 ALL)"),
        ("received<2024-10-20", "BEFORE 22-Oct-2024"),
        ("-received<2024-10-20", "SINCE 19-Oct-2024"),
        ("-received:2024-10-20", "OR BEFORE 22-Oct-2024 SINCE 20-Oct-2024"),
        ("category:home", "NOT ALL"),
    ],
)
def test_criteria(query: str, key: str | None) -> None:
    if key is None:
        assert said(query) == 'OR SUBJECT "strasse" SUBJECT "straße"'
    else:
        assert said(query) == key


def test_categories_are_keywords_and_what_is_noted() -> None:
    keywords = ["\\Seen", "$Junk", "Home", "Home_office", "Work"]
    known = Known(keywords=keywords, noted={"Homely things": spans.of([3, 4])})
    assert said("category:home", known) == "OR OR KEYWORD Home KEYWORD Home_office UID 3:4"
    assert said('category:"home off"', known) == "KEYWORD Home_office"


@pytest.mark.parametrize(
    ("text", "found"),
    [("plan", ["plan"]), ("strasse", ["strasse", "straße"]), ("sss", ["sss", "ßs"]),
     ("grosse masse", ["grosse masse", "große maße", "große masse", "grosse maße"])],
)
def test_spellings(text: str, found: list[str]) -> None:
    assert sorted(spellings(text)) == sorted(found)


def test_many_spellings_are_not_tried() -> None:
    assert len(spellings("ss" * 50)) == 2 ** criteria.MAX_SHARP


def test_what_holds_always_and_never() -> None:
    seen = ("SEEN",)
    assert (all_of([]), any_of([])) == (ALL, NONE)
    assert (all_of([ALL, seen]), any_of([ALL, seen])) == (seen, ALL)
    assert (all_of([seen]), any_of([NONE, seen, seen])) == (seen, seen)


def test_the_newest() -> None:
    assert newest(((1, 5), (8, 9)), 3) == ((5, 5), (8, 9))
    assert newest(((1, 5),), 9) == ((1, 5),)
    assert newest(((1, 5),), 0) == ()


_LEAVES = st.sampled_from([
    kql.Text(Property.SUBJECT, "plan"), kql.Text(Property.ATTACHMENT, "a.pdf"), kql.HasAttachment(True),
    kql.Importance(2), kql.Importance(1), kql.IsRead(True), kql.IsFlagged(False), kql.Kind("Email"), kql.Kind("Notes"),
    kql.Received(NOW - timedelta(days=1), NOW), kql.Received(None, NOW),
])
_NODES = st.recursive(
    _LEAVES,
    lambda inner: st.builds(kql.Not, inner)
    | st.builds(lambda nodes: kql.Every(tuple(nodes)), st.lists(inner, max_size=3))
    | st.builds(lambda nodes: kql.Some(tuple(nodes)), st.lists(inner, max_size=3)),
    max_leaves=8,
)


@dataclass(frozen=True)
class Facts:
    subject: bool
    attached: bool
    importance: int
    read: bool
    flagged: bool
    received: datetime

    def candidate(self) -> kql.Candidate:
        texts = {Property.SUBJECT: "plan" * self.subject, Property.ATTACHMENT: "a.pdf" * self.attached}
        return kql.Candidate(
            item_class="Email", received=self.received, within=lambda p: texts.get(p, ""), read=self.read,
            has_attachment=self.attached, flagged=self.flagged, importance=self.importance,
        )

    def fetched(self) -> Fetched:
        raw = b"Subject: x\r\n\r\ntext"
        if self.attached:
            raw = (
                b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\n"
                b"Content-Type: application/pdf; name=a.pdf\r\n\r\nx\r\n--b--\r\n"
            )
        priority = {0: b"low", 1: b"normal", 2: b"high"}[self.importance]
        return Fetched(
            uid=1, internal_date=self.received, structure=mime.structure(raw),
            sections={"HEADER.FIELDS (IMPORTANCE)": b"Importance: %s\r\n\r\n" % priority},
        )


def server_says(key: criteria.Key, facts: Facts) -> bool:
    """An IMAP server for one message."""
    tokens = [token.decode() if isinstance(token, bytes) else token for token in key]

    def one() -> bool:
        token = tokens.pop(0)
        if token.startswith("("):
            tokens.insert(0, token[1:])
            holds = True
            while True:
                if tokens[0] == "ALL)":
                    tokens.pop(0)
                    return holds
                holds &= one()
        match token:
            case "ALL":
                return True
            case "NOT":
                return not one()
            case "OR":
                first, second = one(), one()
                return first or second
            case "SUBJECT":
                return tokens.pop(0) == "plan" and facts.subject
            case "SEEN" | "UNSEEN":
                return facts.read == (token == "SEEN")
            case "FLAGGED" | "UNFLAGGED":
                return facts.flagged == (token == "FLAGGED")
            case "SINCE" | "BEFORE":
                day = datetime.strptime(tokens.pop(0), "%d-%b-%Y").replace(tzinfo=UTC)
                return facts.received >= day if token == "SINCE" else facts.received < day
            case "HEADER":
                name, value = tokens.pop(0), tokens.pop(0)
                return name == "Importance" and value == {0: "low", 1: "normal", 2: "high"}[facts.importance]
        raise AssertionError(token)

    found = one()
    assert not tokens
    return found


@settings(max_examples=400, deadline=None)
@given(_NODES, st.builds(
    Facts, st.booleans(), st.booleans(), st.integers(0, 2), st.booleans(), st.booleans(),
    st.sampled_from([NOW - timedelta(days=3), NOW - timedelta(hours=1), NOW, NOW + timedelta(days=9)]),
))
def test_criteria_and_candidates_together_say_what_the_query_means(node: kql.Node, facts: Facts) -> None:
    plan = criteria.plan(node, Known())
    answers = {one: ((1, 1),) if server_says(possible(one, Known()), facts) else () for one in plan.asked}
    found = server_says(plan.key, facts) and (
        plan.left is None or criteria.holds(plan.left, facts.fetched(), answers)
    )
    assert found == kql.matches(node, facts.candidate())


# --- On servers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Letter:
    name: str
    folder: str
    raw: bytes
    received: datetime
    flags: MailFlags
    flagged: bool = False

    @property
    def keywords(self) -> str:
        found = [keyword_of(category) or "" for category in self.flags.categories]
        found += ["\\Seen"] if self.flags.read else []
        return " ".join([*found, *(["\\Flagged"] if self.flagged else [])])


def letter(
    name: str, text: str, *more: str, folder: str = "INBOX", sender: str = "Ben Example <ben@example.com>",
    to: str = "anna@example.com", subject: str = "", hours: float = 0, attached: str = "", read: bool = False,
    categories: tuple[str, ...] = (), flagged: bool = False, encoding: str = "8bit",
) -> Letter:
    head = [f"From: {sender}", f"To: {to}", f"Subject: {subject or name}", f"Message-ID: <{name}@example.com>", *more]
    kind = "Content-Type: text/plain; charset=utf-8"
    if attached:
        head += ["MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="bound"']
        body = ["--bound", kind, f"Content-Transfer-Encoding: {encoding}", "", text, "--bound",
                f'Content-Type: application/pdf; name="{attached}"', "Content-Transfer-Encoding: base64",
                f'Content-Disposition: attachment; filename="{attached}"', "", "AAAA", "--bound--", ""]
    else:
        head += ["MIME-Version: 1.0", kind, f"Content-Transfer-Encoding: {encoding}"]
        body = [text, ""]
    raw = "\r\n".join([*head, "", *body]).encode()
    return Letter(name, folder, raw, NOW - timedelta(hours=hours), MailFlags(read=read, categories=categories), flagged)


#: File names say nothing that is looked for elsewhere: servers do not agree on whether they are part of a body.
LETTERS = (
    letter("budget", "The budget report for the board.", hours=1, read=True, categories=("Work",)),
    letter("plan", "Nothing but a plan", "Cc: Carla <carla@example.org>", hours=30, sender="Anna <anna@example.com>",
           to="Ben <ben@example.com>", flagged=True),
    letter("report", "Quarterly figures", subject="Budget Report 2024", hours=50, attached="figures.pdf",
           categories=("Work", "Über uns")),
    letter("urgent", "Answer at once", "Importance: high", hours=2),
    letter("urgent-too", "Answer at once", "X-Priority: 1 (Highest)", hours=3, read=True),
    letter("later", "No hurry", "Importance: low", hours=100),
    letter("street", "Wir treffen uns in der Goethestra=C3=9Fe", hours=4, encoding="quoted-printable",
           subject="=?utf-8?q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?="),
    letter("hidden", "SSdtIGluIGJhc2U2NCwgYWJvdXQgYmFuYW5hcy4=", encoding="base64", hours=5),
    letter("bcc", "Quiet", "Bcc: dora@example.net", folder="Archive", hours=24 * 40, read=True),
    letter("sender", "On behalf", "Sender: Secretary <office@example.net>", folder="Archive", hours=24 * 400),
    letter("drawing", "See the drawing", folder="Archive", hours=24 * 10, attached="Sketch.pdf", read=True,
           flagged=True),
)

_FIELDS = {
    Property.FROM: (b"from", b"sender"), Property.TO: (b"to",), Property.CC: (b"cc",), Property.BCC: (b"bcc",),
    Property.RECIPIENTS: (b"to", b"cc", b"bcc"), Property.PARTICIPANTS: (b"from", b"sender", b"to", b"cc", b"bcc"),
}


def candidate(one: Letter) -> kql.Candidate:
    """As the embedded store sees it."""
    root, fields = mime.structure(one.raw), headers.parse(one.raw[: mime.header_end(one.raw)])
    attached = mime.attachments(root)
    prepared = message(one.raw, one.received).search

    @cache
    def within(property: Property) -> str:
        match property:
            case Property.SUBJECT:
                return searched_text(headers.text(fields.get(b"subject", b"")))
            case Property.BODY:
                return prepared[len(searched_header(fields)):]
            case Property.ATTACHMENT:
                return searched_text(" ".join(part.part.filename for part in attached))
            case Property.CATEGORY:
                return searched_text(" ".join(one.flags.categories))
        return searched_addresses(fields, _FIELDS[property]) if property in _FIELDS else prepared

    return kql.Candidate(
        item_class="Email", received=one.received, within=within, read=one.flags.read, flagged=one.flagged,
        has_attachment=bool(attached), importance=email.importance(fields),
    )


QUERIES = (
    "budget", "report budget", '"budget report"', "banana", "goethestraße", "GOETHESTRASSE", "grüße", "köln",
    "subject:budget", "subject:grüsse", "body:budget", "from:ben", "from:anna", "from:office", "to:anna", "to:ben",
    "cc:carla", "bcc:dora", "recipients:carla", "recipients:dora", "participants:anna", "participants:secretary",
    "from:anna from:office", "attachment:figures", "attachment:sketch", "-attachment:figures", "category:work",
    'category:"über uns"', "category:uns", "-category:work", "category:nothing",
    "received>=2024-10-21", "received<2024-10-21", "received:2024-10-20", "received:today", "received:yesterday",
    "received:2024-10-20..2024-10-21", "-received:today", "received>2024-10-21T09:30:00Z", "received<2023-11-01",
    "hasattachment:true", "hasattachment:false", "-hasattachment:true", "isread:true", "isread:false", "isflagged:true",
    "isflagged:false", "importance:high", "importance:low", "importance:normal", "-importance:high", "kind:email",
    "kind:contacts", "-kind:email", "budget OR plan", "budget -report", "NOT (budget OR plan)",
    "hasattachment:true OR subject:urgent", "(hasattachment:true body:board) OR (importance:high isread:true)",
    "NOT (hasattachment:true budget)", "from:ben received>=2024-10-20 -importance:high (budget OR isread:false)",
    "category:work OR attachment:sketch", "NOT (category:work isread:true) received>2024-10-01",
)


@dataclass
class Filled:
    home: MailHome
    folders: dict[str, str]

    async def found(self, **query: Any) -> set[str]:
        """Names of the letters."""
        await self.home.places()
        hits = await self.home.source().search(MailQuery(**query), self.home.numbers)
        names = set()
        for hit in hits:
            at = await self.home.resolve(hit.collection)
            assert at is not None
            async for mail in self.home.source().feed(at).fetch([hit.id], Wanted()):
                names.add(name_of(mail))
                assert hit.received == next(one.received for one in LETTERS if one.name == name_of(mail))
        assert len(names) == len(hits)
        return names


def name_of(mail: Item) -> str:
    assert isinstance(mail, Mail)
    return headers.message_ids(headers.parse(mail.header)[b"message-id"])[0].decode().strip("<>").partition("@")[0]


async def filled(server: Any, template: Path, folder: Path) -> AsyncIterator[Filled]:
    async with mail_home(server, template, folder) as home:
        archive = await home.make("Archive")
        names = {"INBOX": "INBOX", "Archive": archive.locator}
        with server.imap(home.login) as client:
            for one in LETTERS:
                when = imaplib.Time2Internaldate(one.received)
                assert client.append(names[one.folder], f"({one.keywords})", when, one.raw)[0] == "OK"
        yield Filled(home, names)


@pytest.mark.parametrize("name", SERVERS)
async def test_servers_find_what_the_query_means(
    name: str, request: pytest.FixtureRequest, database_template: Path, tmp_path: Path
) -> None:
    async for mail in filled(request.getfixturevalue(name), database_template, tmp_path):
        wrong = {}
        for query in QUERIES:
            node = kql.parse(query, NOW, UTC)
            assert node is not None
            expected = {one.name for one in LETTERS if kql.matches(node, candidate(one))}
            found = await mail.found(matching=node)
            if found != expected:
                wrong[query] = (sorted(found - expected), sorted(expected - found))
        assert wrong == {}


@pytest.mark.parametrize("name", SERVERS)
async def test_words_and_bounds(
    name: str, request: pytest.FixtureRequest, database_template: Path, tmp_path: Path
) -> None:
    async for mail in filled(request.getfixturevalue(name), database_template, tmp_path):
        assert await mail.found(text="budget figures") == {"report"}
        assert await mail.found(text="  Budget   BEN ") >= {"budget", "report"}
        assert await mail.found(text="nowhere") == set()
        at = NOW - timedelta(hours=2)
        assert await mail.found(since=at) == {"budget", "urgent"}
        assert await mail.found(since=at, before=NOW - timedelta(hours=1)) == {"urgent"}
        assert await mail.found(text="answer", before=at) == {"urgent-too"}
        assert await mail.found() == {one.name for one in LETTERS}
        # A conversation: here each message is one by itself.
        (hit,) = await mail.home.source().search(MailQuery(text="banana"), mail.home.numbers)
        assert hit.collection == str((await mail.home.at(FolderType.INBOX)).number)


async def test_a_word_in_octets_that_are_no_ascii_and_strange_words(
    dovecot: Any, database_template: Path, tmp_path: Path
) -> None:
    async for mail in filled(dovecot, database_template, tmp_path):
        for text in ('"', "\\", "(", ")", "*", "%", "{5}", "\x00", "\ud800", "a\r\nb", "x" * 5000, "ﬁ", "😀", "]"):
            assert isinstance(await mail.found(text=text), set)


async def test_a_mailbox_that_is_gone_has_nothing(dovecot: Any, database_template: Path, tmp_path: Path) -> None:
    async for mail in filled(dovecot, database_template, tmp_path):
        await mail.home.places()
        numbers = mail.home.numbers
        with dovecot.imap(mail.home.login) as client:
            client.delete("Archive")
        hits = await mail.home.source().search(MailQuery(), numbers)
        assert len(hits) == sum(one.folder == "INBOX" for one in LETTERS)


async def test_categories_that_have_no_keyword(dovecot: Any, database_template: Path, tmp_path: Path) -> None:
    long = "A category whose name is longer than any keyword of a server can be"
    async with mail_home(dovecot, database_template, tmp_path) as home:
        feed = await home.feed(FolderType.INBOX)
        written = await feed.create(LETTERS[0].raw, Chosen(name="c"), MailFlags(categories=(long, "Short")))
        await feed.create(LETTERS[1].raw, Chosen(name="d"), MailFlags())
        for query in ("category:longer", "category:short"):
            hits = await home.source().search(MailQuery(matching=kql.parse(query, NOW, UTC)), home.numbers)
            assert [hit.id for hit in hits] == [written.id]


async def test_no_more_than_so_many_of_one_mailbox(
    dovecot: Any, database_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MAX_HITS", 3)
    async for mail in filled(dovecot, database_template, tmp_path):
        assert await mail.found() == {one.name for one in (*LETTERS[5:8], *LETTERS[8:])}


@pytest.mark.parametrize("name", SERVERS)
async def test_bodies_are_looked_through_the_newest_first(
    name: str, request: pytest.FixtureRequest, database_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async for mail in filled(request.getfixturevalue(name), database_template, tmp_path):
        every = await mail.found(text="the")
        monkeypatch.setattr(searching, "WINDOW", 3)
        assert await mail.found(text="the") == every == {"budget", "street", "drawing"}
        assert await mail.found(matching=kql.parse("-the hasattachment:true OR body:see", NOW, UTC)) == {
            "report", "drawing"
        }
        monkeypatch.setattr(searching, "PATIENCE_SECONDS", -1.0)
        assert await mail.found(text="the") == {"drawing"}  # its mailbox is a small one

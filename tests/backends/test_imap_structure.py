"""BODYSTRUCTURE as servers tell it gives the same tree that the message itself gives."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
from imap_kit import entered, fetched

from eas.backends.imap import quick, structure
from eas.backends.imap.syntax import ImapSyntaxError, tree
from eas.items import mimescan
from eas.items.native import Part

_FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "mail"
#: Broken ones, which servers read in another way than we do.
_BROKEN = {"no_boundary_found", "no_header", "wrong_boundary"}
#: Of more than this the generator makes no difference.
GENERATED = 120


def walked(part: Part) -> Iterator[Part]:
    yield part
    for child in part.children:
        yield from walked(child)


def comparable(part: Part) -> list[Part]:
    """Without what BODYSTRUCTURE does not tell, and the ends of enclosed messages, where a line end belongs to the
    delimiter or does not."""
    return [
        replace(
            one, offset=-1, children=(), size=0 if one.type.startswith(("multipart/", "message/")) else one.size,
            params={name: value for name, value in one.params.items() if (name, value.lower()) != _ASCII},
        )
        for one in walked(part)
    ]  # fmt: skip


_ASCII = ("charset", "us-ascii")

# --- Messages of all kinds

_WORDS = ("plan", "Grüße aus Köln", "日本語 テスト", "a;b\"c\\d", "x" * 90, "Ж" * 40, "o'neil.txt")


def _parameter(random: Random, name: str) -> str:
    """In one of the ways in which mailers write what is not ASCII, or too long."""
    value = random.choice(_WORDS)
    way = random.randrange(5)
    if way == 0 and value.isascii():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}="{escaped}"'
    if way == 1:
        return f"{name}*=utf-8''{quote(value, safe='')}"
    if way == 2:
        encoded = quote(value, safe="")
        cut = [encoded[at : at + 30] for at in range(0, len(encoded), 30)]
        return ";\r\n ".join(
            f"{name}*{at}*={'utf-8' + chr(39) * 2 if not at else ''}{piece}" for at, piece in enumerate(cut)
        )
    if way == 3:
        return f'{name}="=?utf-8?B?{base64.b64encode(value.encode()).decode()}?="'
    return f"{name}=plain{random.randrange(9)}.txt"


def _leaf(random: Random) -> str:
    kind = random.choice(["text/plain", "TEXT/HTML", "image/png", "application/pdf", "text/calendar; method=REQUEST"])
    lines = [f"Content-Type: {kind}"]
    if random.random() < 0.4:
        lines[0] += "; " + _parameter(random, "name")
    if kind.lower().startswith("text") and random.random() < 0.6:
        lines[0] += f"; charset={random.choice(['utf-8', 'ISO-8859-1', 'us-ascii'])}"
    if random.random() < 0.6:
        lines.append(f"Content-Transfer-Encoding: {random.choice(['7bit', 'BASE64', 'quoted-printable', '8bit'])}")
    if random.random() < 0.5:
        lines.append(f"Content-Disposition: {random.choice(['attachment', 'inline', 'Attachment'])}; "
                     + _parameter(random, "filename"))
    if random.random() < 0.3:
        lines.append(f"Content-ID: <part{random.randrange(99)}@example.com>")
    if random.random() < 0.2:
        lines.append("Content-Location: http://example.com/(a)/b.png")
    if random.random() < 0.2:
        lines.append("Content-Description: a (nested) \"thing\"")
    body = "\r\n".join("SGFsbG8=" for _ in range(random.randrange(5)))
    return "\r\n".join(lines) + "\r\n\r\n" + body


def _entity(random: Random, depth: int) -> str:
    choice = random.random()
    if depth > 4 or choice < 0.45:
        return _leaf(random)
    if choice < 0.6:
        subject = random.choice(["inner", "=?utf-8?q?Gr=C3=BCn?=", ""])
        return f"Content-Type: message/rfc822\r\n\r\nSubject: {subject}\r\nFrom: a@example.com\r\n" + _entity(
            random, depth + 1
        )
    boundary = f"b{random.randrange(10**9)}"
    kind = random.choice(["mixed", "alternative", "related; type=\"text/html\"", "signed"])
    parts = "".join(f"--{boundary}\r\n{_entity(random, depth + 1)}\r\n" for _ in range(random.randint(1, 4)))
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n{parts}--{boundary}--\r\n'


def messages() -> dict[str, bytes]:
    found = {
        path.stem: re.sub(rb"\r?\n", b"\r\n", path.read_bytes())
        for path in sorted(_FIXTURES.glob("*.eml")) if path.stem not in _BROKEN
    }
    for number in range(GENERATED):
        found[f"generated {number}"] = (
            "From: a@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n" + _entity(Random(number), 0)
        ).encode()
    return found


@pytest.mark.server
@pytest.mark.parametrize("flavour", ["dovecot", "cyrus"])
async def test_servers_and_we_see_the_same_tree(request: pytest.FixtureRequest, flavour: str) -> None:
    server: Any = request.getfixturevalue(flavour)
    login, _ = server.new_user()
    whole = messages()
    names = dict(enumerate(whole, 1))
    wrong = {}
    async with entered(server, login) as session:
        for raw in whole.values():
            await session.append("INBOX", raw)
        await session.select("INBOX")
        async for one in session.fetch(((1, len(names)),), ["BODYSTRUCTURE"]):
            name = names.pop(one.uid)
            assert one.structure is not None, name
            ours, theirs = comparable(mimescan.structure(whole[name])), comparable(one.structure)
            if ours != theirs:
                wrong[name] = [pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]]
    assert wrong == {}
    assert names == {}


@pytest.mark.server
async def test_a_server_that_finds_no_boundary_says_so(dovecot: Any) -> None:
    raw = re.sub(rb"\r?\n", b"\r\n", (_FIXTURES / "wrong_boundary.eml").read_bytes())
    login, _ = dovecot.new_user()
    async with entered(dovecot, login) as session:
        await session.append("INBOX", raw)
        await session.append("INBOX", messages()["alternative"])
        await session.select("INBOX")
        found = await fetched(session, "BODYSTRUCTURE")
        assert [one.structure is not None and structure.empty(one.structure) for one in found] == [True, False]
    assert not structure.empty(mimescan.structure(raw))


# --- Without a server

_TEXT = b'("text" "plain" ("charset" "UTF-8") NIL NIL "7BIT" 7 1)'


def read(raw: bytes) -> Part:
    [node] = tree([raw])
    return structure.part(node)


@pytest.mark.parametrize("raw", [
    b"()", b"(())", b'("text")', b'("text" "plain" NIL NIL NIL "7bit")', b"x", b"NIL",
    b"(" + _TEXT * 2100 + b' "mixed")', b"(" * 70 + _TEXT + b' "mixed")' * 70,
])  # fmt: skip
def test_what_is_no_structure(raw: bytes) -> None:
    with pytest.raises(ImapSyntaxError):
        read(raw)
    if raw.startswith(b"("):
        assert quick.structure(raw, 0) == (None, -1)


@pytest.mark.parametrize(("raw", "expected"), [
    (_TEXT, Part(section="1", type="text/plain", size=7, params={"charset": "UTF-8"})),
    (b'("text" "plain" NIL NIL NIL NIL NIL NIL)', Part(section="1", type="text/plain", size=0)),
    (b'("APPLICATION" "OCTET-STREAM" NIL NIL NIL "" -1)', Part(
        section="1", type="application/octet-stream", size=0)),
    (b'(NIL NIL NIL NIL NIL "7bit" 3)', Part(section="1", type="text/plain", size=3)),
    (b'("image" "png" ("name") "<a@b>" "desc" "base64" 5 NIL ("inline") NIL "x.png")', Part(
        section="1", type="image/png", size=5, encoding="base64", disposition="inline",
        content_id="a@b", location="x.png")),
    (b'("image" "png" NIL NIL NIL "base64; x" 5 "md5" "attachment")', Part(
        section="1", type="image/png", size=5, encoding="base64", disposition="attachment")),
    (b'("message" "rfc822" NIL NIL NIL "7bit" 9)', Part(section="1", type="message/rfc822", size=9)),
    (b'("message" "rfc822" NIL NIL NIL "7bit" 99 (NIL "=?utf-8?q?=C3=BC?=" NIL NIL NIL NIL NIL NIL NIL NIL) '
     b'(("text" "plain" NIL NIL NIL "7bit" 7 1) "mixed") 4)', Part(
        section="1", type="message/rfc822", size=99, filename="ü", children=(Part(
            section="1.TEXT", type="multipart/mixed", size=0, children=(
                Part(section="1.1", type="text/plain", size=7),)),))),
    (b'(("text" "plain" NIL NIL NIL "7bit" 7 1)("a" "b" NIL NIL NIL "7bit" 7) "MIXED" ("boundary" "(x)") '
     b'("attachment" ("filename*" "utf-8\'\'%C3%BC")) "en" "loc")', Part(
        section="", type="multipart/mixed", size=0, params={"boundary": "(x)"}, disposition="attachment", filename="ü",
        location="loc", children=(
            Part(section="1", type="text/plain", size=7), Part(section="2", type="a/b", size=7)))),
    (b'(("text" "plain" NIL NIL NIL "7bit" 7 1))', Part(
        section="", type="multipart/mixed", size=0, children=(Part(section="1", type="text/plain", size=7),))),
])  # fmt: skip
def test_structures(raw: bytes, expected: Part) -> None:
    assert read(raw) == expected
    found, end = quick.structure(raw, 0)
    if found is not None:
        assert (found, end) == (expected, len(raw))


def test_most_structures_are_read_quickly() -> None:
    usual = (
        b'((("text" "plain" ("charset" "utf-8" "format" "flowed") NIL NIL "8bit" 17 30 NIL NIL NIL NIL)'
        b'("text" "html" ("charset" "utf-8") NIL NIL "quoted-printable" 7897 123 NIL ("inline" NIL) NIL NIL) '
        b'"alternative" ("boundary" "alt") NIL NIL NIL)("image" "png" ("name" "a.png") "<i@x>" "a" "base64" 99 NIL '
        b'("attachment" ("filename" "a.png")) ("en" "de") NIL) "mixed" ("boundary" "b") NIL NIL NIL)'
    ).replace(b'("en" "de")', b'"en"')
    found, end = quick.structure(b"BODYSTRUCTURE " + usual + b" UID 3)", len(b"BODYSTRUCTURE "))
    assert found == read(usual)
    assert end == len(b"BODYSTRUCTURE ") + len(usual)

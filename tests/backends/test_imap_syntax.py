"""What IMAP servers say, octet by octet: malformed first, then each form that a server of the field uses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.backends.imap import responses as said
from eas.backends.imap.decoder import Decoder
from eas.backends.imap.model import Fetched, Listed, Status
from eas.backends.imap.syntax import MAX_DEPTH, MAX_LINE, MAX_LITERALS, Framer, ImapSyntaxError, Node, tree


def decoded(data: bytes) -> list[object]:
    return list(Decoder().feed(data))


def one(data: bytes) -> object:
    [found] = decoded(data + b"\r\n")
    return found


@pytest.mark.parametrize("line", [
    b"HTTP/1.1 400 Bad Request", b"SSH-2.0-OpenSSH_9", b"A1 FETCH (UID 1)", b"* 1 FETCH (UID 1", b"* 1 FETCH UID 1",
    b"* 1 FETCH (UID 1))", b'* 1 FETCH (UID 1 INTERNALDATE "x)', b"* 1 FETCH (UID x)", b"* 1 FETCH (UID -1)",
    b"* 1 FETCH (UID 99999999999999999999)", b"* 1 FETCH (UID 1 FLAGS x)", b"* 1 FETCH ((UID) 1)", b"* LIST () x",
    b"* LIST x \"/\" y", b"* STATUS x", b"* STATUS x (MESSAGES many)", b"* STATUS x (MESSAGES (1))", b"* SEARCH 1 two",
    b"* ESEARCH (TAG \"A1\") UID ALL 1:x", b"* VANISHED", b"* VANISHED 1:*", b"* VANISHED (EARLIER)", b"* FLAGS x",
    b"* NAMESPACE NIL", b"* MYRIGHTS x", b"\x16\x03\x01", b"*", b"* ", b"nonsense", b"* 1 FETCH (UID 1 BODY[] ((x)",
])  # fmt: skip
def test_nonsense(line: bytes) -> None:
    with pytest.raises(ImapSyntaxError):
        decoded(line + b"\r\n")


def test_limits() -> None:
    with pytest.raises(ImapSyntaxError, match="too long"):
        Decoder().feed(b"* OK " + b"x" * MAX_LINE)
    with pytest.raises(ImapSyntaxError, match="too large"):
        Decoder().feed(b"* 1 FETCH (BODY[] {%d}\r\n" % (MAX_LITERALS + 1))
    with pytest.raises(ImapSyntaxError, match="too large"):
        Decoder().feed(b"* 1 FETCH (BODY[] {%d}\r\n" % (1 << 62))
    with pytest.raises(ImapSyntaxError, match="too large"):
        Decoder().feed(b"* LIST ({0}\r\n" + b"{0}\r\n" * 20_000)
    with pytest.raises(ImapSyntaxError, match="nested"):
        decoded(b"* 1 FETCH " + b"(" * (MAX_DEPTH + 1) + b"\r\n")


@pytest.mark.parametrize(("text", "expected"), [
    (b"a (b NIL) \"c d\"", [b"a", [b"b", None], b"c d"]),
    (b'"NIL" nil ""', [b"NIL", None, b""]),
    (rb'"a\"b\\c" x', [b'a"b\\c', b"x"]),
    (b"BODY[HEADER.FIELDS (A \"B\")]<0> BINARY.SIZE[1] body[]", [
        b'BODY[HEADER.FIELDS (A "B")]<0>', b"BINARY.SIZE[1]", b"body[]"]),
    (b"(\\Seen $x foo] {a} a\"b caf\xc3\xa9)", [[b"\\Seen", b"$x", b"foo]", b"{a}", b'a"b', b"caf\xc3\xa9"]]),
    (b"a  b ", [b"a", b"b"]),
    (b"(a)(b)()", [[b"a"], [b"b"], []]),
    (b'"a""b"', [b"a", b"b"]),
    (b'"\xff\xfe\x00"', [b"\xff\xfe\x00"]),
])  # fmt: skip
def test_trees(text: bytes, expected: list[Node]) -> None:
    assert tree([text]) == expected


NODES = st.recursive(
    st.none() | st.binary(max_size=12), lambda inner: st.lists(inner, max_size=5), max_leaves=20
)


def written(node: Node, draw: st.DrawFn) -> bytes:
    if node is None:
        return b"NIL"
    if isinstance(node, list):
        return b"(" + b" ".join(written(one, draw) for one in node) + b")"
    if draw(st.booleans()) or set(node) & set(b"\r\n\0"):
        return (b"~" if draw(st.booleans()) else b"") + b"{%d}\r\n%s" % (len(node), node)
    return b'"' + node.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[Node], bytes]:
    nodes: list[Node] = draw(st.lists(NODES, max_size=5))
    return nodes, b"* X " + b" ".join(written(node, draw) for node in nodes) + b"\r\n"


@given(answers(), st.integers(1, 9))
@settings(max_examples=150)
def test_what_is_written_is_read_however_it_comes(given: tuple[list[Node], bytes], step: int) -> None:
    nodes, data = given
    framer, found = Framer(), []
    for at in range(0, len(data), step):
        framer.feed(data[at : at + step])
        while (response := framer.next()) is not None:
            assert isinstance(response, list)
            found.append(tree(response)[2:])
    assert found == [nodes]
    assert not framer.begun


def test_a_condition_ends_with_text_for_people() -> None:
    """What looks like a literal there is none."""
    assert decoded(b"* OK see {3}\r\nA1 NO no {12}\r\n* BYE {1}\r\n") == [
        said.Said("*", "OK", text="see {3}"), said.Said("A1", "NO", text="no {12}"), said.Said("*", "BYE", text="{1}"),
    ]  # fmt: skip


@pytest.mark.parametrize(("line", "code", "args", "text"), [
    (b"* OK [UIDNEXT 7] next", "UIDNEXT", b"7", "next"),
    (b"* OK [uidnext 7]next", "UIDNEXT", b"7", "next"),
    (b"* OK [CLOSED]", "CLOSED", b"", ""),
    (b"A1 OK [READ-WRITE] done", "READ-WRITE", b"", "done"),
    (b"* OK [PERMANENTFLAGS (\\Seen a]b \\*)] ok", "PERMANENTFLAGS", b"(\\Seen a]b \\*)", "ok"),
    (b"A1 OK [COPYUID 1 2,4:5 9:11] ok", "COPYUID", b"1 2,4:5 9:11", "ok"),
    (b"A1 NO [BADCHARSET (\"UTF-8\")] no", "BADCHARSET", b'("UTF-8")', "no"),
    (b"* OK [not a code", "", b"", "[not a code"),
    (b"* NO Gr\xc3\xbc\xc3\x9fe \xff", "", b"", "Grüße \N{REPLACEMENT CHARACTER}"),
    (b"A1 OK", "", b"", ""),
])  # fmt: skip
def test_conditions(line: bytes, code: str, args: bytes, text: str) -> None:
    found = one(line)
    assert isinstance(found, said.Said)
    assert (found.code, found.args, found.text) == (code, args, text)


@pytest.mark.parametrize(("line", "expected"), [
    (b"* 23 EXISTS", said.Exists(23)),
    (b"* 23 exists", said.Exists(23)),
    (b"* 44 EXPUNGE", said.Expunged(44)),
    (b"* 3 RECENT", said.Other("RECENT")),
    (b"* VANISHED 5,1:3", said.Vanished(((1, 3), (5, 5)))),
    (b"* VANISHED (EARLIER) 41,43:116", said.Vanished(((41, 41), (43, 116)), earlier=True)),
    (b"* FLAGS (\\Seen $x a]b)", said.FlagList(frozenset({"\\Seen", "$x", "a]b"}))),
    (b"* SEARCH", said.Found(())),
    (b"* SEARCH 2 84 882 1", said.Found(((1, 2), (84, 84), (882, 882)))),
    (b"* SEARCH 2 5 (MODSEQ 917162500)", said.Found(((2, 2), (5, 5)))),
    (b'* ESEARCH (TAG "A7") UID ALL 2,10:11', said.Found(((2, 2), (10, 11)), "A7")),
    (b'* ESEARCH (TAG "A7") UID', said.Found((), "A7")),
    (b"* ESEARCH UID COUNT 2 ALL 3,7 MODSEQ 9", said.Found(((3, 3), (7, 7)))),
    (b'* ESEARCH (TAG "A7")', said.Found((), "A7")),
    (b'* LIST (\\Noselect \\Drafts) "/" INBOX', Listed(
        name="INBOX", delimiter="/", attributes=frozenset({"\\noselect", "\\drafts"}))),
    (b"* LIST () NIL inbox", Listed(name="INBOX", delimiter="")),
    (b'* LIST (\\HasChildren) "\\\\" "a\\"b" ("CHILDINFO" ("SUBSCRIBED"))', Listed(
        name='a"b', delimiter="\\", attributes=frozenset({"\\haschildren"}))),
    (b'* LIST () "." {7}\r\nGr&APw-', Listed(name="Grü", delimiter=".")),
    (b'* LIST () "/" NIL', Listed(name="NIL", delimiter="/")),
    (b'* LIST () "/" 2024', Listed(name="2024", delimiter="/")),
    (b'* LSUB (\\Noselect) "/" x', said.Subscribed("x", frozenset({"\\noselect"}))),
    (b"* STATUS &ZeVnLIqe- (MESSAGES 231 UIDNEXT 44292 HIGHESTMODSEQ 9223372036854775807 X 4)", said.Counted(
        "日本語", Status(messages=231, uid_next=44292, highest_modseq=9223372036854775807))),
    (b'* STATUS "" (MAILBOXID (F2-x) UIDVALIDITY 1)', said.Counted("", Status(uid_validity=1, mailbox_id="F2-x"))),
    (b"* STATUS x ()", said.Counted("x", Status())),
    (b"* CAPABILITY IMAP4rev1 literal+", said.Words("CAPABILITY", frozenset({"IMAP4REV1", "LITERAL+"}))),
    (b"* ENABLED QRESYNC", said.Words("ENABLED", frozenset({"QRESYNC"}))),
    (b"* ENABLED", said.Words("ENABLED", frozenset())),
    (b'* NAMESPACE (("" "/")) NIL (("Shared&-/" "/" "X" ("y"))("Public." NIL))', said.Namespaces(
        (("", "/"),), (), (("Shared&/", "/"), ("Public.", "")))),
    (b'* MYRIGHTS "INBOX" lrs', said.Rights("INBOX", "lrs")),
    (b'* ID ("name" "x")', said.Other("ID")),
    (b"* QUOTAROOT x", said.Other("QUOTAROOT")),
    (b"+ go on", said.Go(b"go on")),
    (b"+", said.Go(b"")),
    (b"+ ", said.Go(b"")),
])  # fmt: skip
def test_responses(line: bytes, expected: object) -> None:
    assert one(line) == expected


def test_empty_lines_and_bare_line_feeds_are_taken() -> None:
    assert decoded(b"\r\n* 1 EXISTS\n\n* 2 EXISTS\r\n") == [said.Exists(1), said.Exists(2)]


# --- FETCH

SEEN = frozenset({"\\Seen"})


@pytest.mark.parametrize(("line", "expected"), [
    (b"* 1 FETCH (UID 5 FLAGS (\\Seen))", Fetched(uid=5, flags=SEEN)),
    (b"* 1 FETCH (FLAGS (\\Seen) UID 5)", Fetched(uid=5, flags=SEEN)),
    (b"* 1 FETCH (FLAGS (\\Seen) UID 5 MODSEQ (7))", Fetched(uid=5, flags=SEEN, modseq=7)),
    (b"* 1 FETCH (UID 5 MODSEQ (7) FLAGS (\\Seen))", Fetched(uid=5, flags=SEEN, modseq=7)),
    (b"* 1 FETCH (MODSEQ (9223372036854775807) UID 9223372036854775807)", Fetched(
        uid=9223372036854775807, modseq=9223372036854775807)),
    (b"* 1 FETCH (UID 5 FLAGS ())", Fetched(uid=5, flags=frozenset())),
    (b"* 1 fetch (uid 5 flags (\\Seen))", Fetched(uid=5, flags=SEEN)),
    (b"* 1 FETCH (UID 5)", Fetched(uid=5)),
    (b"* 1 FETCH (UID 5 FLAGS ($a]b {x} caf\xc3\xa9))", Fetched(uid=5, flags=frozenset({"$a]b", "{x}", "café"}))),
    (b"* 1 FETCH (UID 5 X-GM-MSGID 12 FLAGS (\\Seen))", Fetched(uid=5, flags=SEEN)),
    (b'* 1 FETCH (UID 5 RFC822.SIZE 44 INTERNALDATE " 7-Feb-1994 21:52:25 -0800")', Fetched(
        uid=5, size=44, internal_date=datetime(1994, 2, 8, 5, 52, 25, tzinfo=UTC))),
    (b'* 1 FETCH (UID 5 BODY[] NIL)', Fetched(uid=5)),
    (b'* 1 FETCH (UID 5 BODY[1]<0> "a\\"b" body[header] {2}\r\nxy BODY[2.MIME] "")', Fetched(
        uid=5, sections={"1": b'a"b', "HEADER": b"xy", "2.MIME": b""})),
    (b"* 1 FETCH (BODY[1] {0}\r\n BODY[] {3}\r\n)\r\n UID 5)", Fetched(uid=5, sections={"1": b"", "": b")\r\n"})),
    (b"* 1 FETCH (UID 5 BINARY[1] ~{3}\r\n\0\r\n)", Fetched(uid=5, sections={"1": b"\0\r\n"})),
    (b'* 1 FETCH (UID 5 BODY[HEADER.FIELDS ("subject" date)] {1}\r\nx)', Fetched(
        uid=5, sections={"HEADER.FIELDS (SUBJECT DATE)": b"x"})),
    (b"* 1 FETCH (UID 5 BODYSTRUCTURE nonsense)", Fetched(uid=5)),
    (b"* 1 FETCH (UID 5 BODYSTRUCTURE ())", Fetched(uid=5)),
    (b"* 1 FETCH (FLAGS (\\Seen))", said.Other("FETCH")),
    (b"* 1 FETCH (UID 0)", said.Other("FETCH")),
    (b"* 1 FETCH ()", said.Other("FETCH")),
])  # fmt: skip
def test_fetched(line: bytes, expected: object) -> None:
    assert one(line) == expected
    # The same among lines that are read all at once, and cut anywhere.
    usual = b"* 1 FETCH (UID 1 FLAGS ())\r\n"
    assert decoded(usual * 20 + line + b"\r\n" + usual * 20)[20:-20] == [expected]
    pieces = Decoder()
    assert [found for octet in line + b"\r\n" for found in pieces.feed(bytes((octet,)))] == [expected]


@pytest.mark.parametrize("raw", [
    b"", b"nonsense", b"00-Jan-0000 00:00:00 +0000", b"31-Feb-2020 00:00:00 +0000", b"01-Foo-2020 00:00:00 +0000",
    b"01-Jan-0001 00:00:00 +2359", b"01-Jan-2020x00:00", b"01-Jan-2020",
    b"31-Dec-9999 23:59:59 -0100", b"01-Jan-2020 25:00:00 +0000",
])  # fmt: skip
def test_dates_that_are_none(raw: bytes) -> None:
    assert said.moment(raw) is None
    assert one(b'* 1 FETCH (UID 5 INTERNALDATE "%s")' % raw) == Fetched(uid=5)


def test_a_leap_second() -> None:
    assert said.moment(b"31-Dec-2016 23:59:60 +0000") == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)


LISTINGS = {
    "dovecot": b"* %d FETCH (UID %d FLAGS (%s))\r\n", "cyrus": b"* %d FETCH (FLAGS (%s) UID %d)\r\n",
    "modseq": b"* %d FETCH (UID %d FLAGS (%s) MODSEQ (77))\r\n",
    "date": b'* %d FETCH (UID %d FLAGS (%s) INTERNALDATE "01-Feb-2026 03:04:05 +0600")\r\n',
}  # fmt: skip


@pytest.mark.parametrize("form", LISTINGS)
@pytest.mark.parametrize("step", [7, 100, 65536])
def test_listings_are_whole_wherever_they_are_cut(form: str, step: int) -> None:
    flags = [b"", b"\\Seen", b"\\Seen $Forwarded"]
    lines = []
    for uid in range(1, 301):
        mine = flags[uid % 3]
        values = (uid, mine, uid) if form == "cyrus" else (uid, uid, mine)
        lines.append(LISTINGS[form] % values)
        if uid % 50 == 0:
            lines.append(b"* VANISHED 1000\r\n")
    data = b"".join(lines)
    decoder = Decoder()
    found = [one for at in range(0, len(data), step) for one in decoder.feed(data[at : at + step])]
    messages = [one for one in found if isinstance(one, Fetched)]
    assert [one.uid for one in messages] == list(range(1, 301))
    assert [len(one.flags or ()) for one in messages] == [uid % 3 for uid in range(1, 301)]
    assert {one.modseq for one in messages} == {77 if form == "modseq" else 0}
    date = datetime(2026, 1, 31, 21, 4, 5, tzinfo=UTC) if form == "date" else None
    assert {one.internal_date for one in messages} == {date}
    assert len(found) == 306


def test_a_literal_can_be_passed_on_in_pieces() -> None:
    decoder = Decoder()
    decoder.framer.pass_from = 10
    found: list[object] = []
    data = (
        b"* 1 FETCH (UID 5 BODY[1] {9}\r\n123456789 BODY[2] {26}\r\nabcdefghijklmnopqrstuvwxyz FLAGS ())\r\n"
        b"* 2 EXISTS\r\n"
    )
    for at in range(0, len(data), 10):
        found += decoder.feed(data[at : at + 10])
    pieces = [one for one in found if isinstance(one, bytes)]
    assert len(pieces) > 1
    assert b"".join(pieces) == b"abcdefghijklmnopqrstuvwxyz"
    assert found[-2:] == [
        Fetched(uid=5, flags=frozenset(), sections={"1": b"123456789", "2": b""}), said.Exists(2),
    ]  # fmt: skip


def test_only_content_is_passed_on() -> None:
    decoder = Decoder()
    decoder.framer.pass_from = 1
    assert decoder.feed(b'* LIST () "/" {4}\r\nabcd\r\n') == [Listed(name="abcd", delimiter="/")]

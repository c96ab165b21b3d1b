"""Arbitrary octets, and real answers with arbitrary damage: only ImapSyntaxError comes out, and soon."""

from __future__ import annotations

from contextlib import suppress

from fuzz_settings import examples
from hypothesis import given
from hypothesis import strategies as st

from eas.backends.imap import quick, structure
from eas.backends.imap.decoder import Decoder
from eas.backends.imap.syntax import ImapSyntaxError, tree

_TEXT = b'("text" "plain" ("charset" "utf-8") NIL NIL "8bit" 17 30 NIL NIL NIL NIL)'
_FILE = (
    b'("application" "pdf" ("name*" "utf-8\'\'%C3%BC.pdf") "<i@x>" "a \\"b\\"" "base64" 99 NIL '
    b'("attachment" ("filename" "=?utf-8?q?=C3=BC?=")) NIL "http://x/(y)")'
)
_ENVELOPE = b'("Mon, 1 Jul 2024" "s" (("n" NIL "a" "b")) NIL NIL NIL NIL NIL NIL "<m@x>")'
_MIXED = b"(" + _TEXT + _FILE + b' "mixed" ("boundary" "b") NIL NIL NIL)'
_LETTER = b'("message" "rfc822" NIL NIL NIL "7bit" 999 ' + _ENVELOPE + b" " + _MIXED + b" 12 NIL NIL NIL NIL)"
ANSWERS = [
    b"* OK [CAPABILITY IMAP4rev1 LITERAL+] ready\r\n", b"A1 NO [BADCHARSET (UTF-8)] no\r\n", b"+ go\r\n",
    b"* 1 FETCH (UID 5 FLAGS (\\Seen $x))\r\n" * 12, b"* 1 FETCH (FLAGS () UID 5 MODSEQ (12))\r\n" * 9,
    b'* 1 FETCH (UID 5 INTERNALDATE " 7-Feb-1994 21:52:25 -0800" RFC822.SIZE 5 BODY[1]<0> {5}\r\nab\r\nc '
    b'BODY[HEADER] "")\r\n',
    b"* 2 FETCH (UID 6 BODYSTRUCTURE " + _MIXED + b")\r\n", b"* 2 FETCH (UID 6 BODYSTRUCTURE " + _LETTER + b")\r\n",
    b'* LIST (\\HasChildren) "/" {3}\r\na&b\r\n', b"* STATUS &APw- (MESSAGES 5 MAILBOXID (x) HIGHESTMODSEQ 7)\r\n",
    b"* SEARCH 1 5 7 (MODSEQ 9)\r\n", b'* ESEARCH (TAG "A1") UID ALL 1:5,9\r\n', b"* VANISHED (EARLIER) 1:5,7\r\n",
    b'* NAMESPACE (("" "/")) NIL (("s" NIL))\r\n', b"* 5 EXISTS\r\n", b"* FLAGS (\\Seen)\r\n",
]  # fmt: skip
SPARKS = st.sampled_from([
    b"(", b")", b'"', b"\\", b"{3}\r\n", b"{99999}\r\n", b"~{2}\r\n", b"\r\n", b"\n", b"NIL", b" ", b"]", b"[", b"<0>",
    b"BODY[", b"* ", b"FETCH ", b"99999999999999999999", b"-1", b"\0", b"\xff", b"&", b"*", b",", b":", b"UID 7 ",
])  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Answers with some places cut out, doubled or overwritten."""
    data = b"".join(draw(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=4)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        data = data[:start] + draw(SPARKS | st.binary(max_size=5)) + data[end:]
    return data


def read(data: bytes, step: int, pass_from: int) -> list[object] | None:
    decoder, found = Decoder(), []
    decoder.framer.pass_from = pass_from
    try:
        for at in range(0, len(data), step):
            found += decoder.feed(data[at : at + step])
    except ImapSyntaxError:
        return None
    return found


@given(damaged() | st.binary(max_size=200) | st.lists(SPARKS, max_size=20).map(b"".join), st.integers(1, 50))
@examples(150)
def test_any_octets_are_answers_or_none(data: bytes, step: int) -> None:
    """And it does not matter how they are cut."""
    whole = read(data, len(data) or 1, 1 << 64)
    assert read(data, step, 1 << 64) == whole
    read(data, step, 2)


@given(damaged())
@examples(100)
def test_quickly_or_in_general_is_the_same(data: bytes) -> None:
    """What the quick way reads, the general way reads so, too."""
    at = data.find(b"BODYSTRUCTURE ")
    if at < 0:
        return
    found, end = quick.structure(data, at + 14)
    if found is not None:
        [node] = tree([data[at + 14 : end]])
        assert structure.part(node) == found


NODES = st.recursive(
    st.none() | st.binary(max_size=6) | st.sampled_from([b"text", b"message", b"rfc822", b"mixed", b"7", b"base64"]),
    lambda inner: st.lists(inner, max_size=12), max_leaves=60,
)  # fmt: skip


@given(NODES)
@examples(150)
def test_any_tree_is_a_structure_or_none(node: object) -> None:
    with suppress(ImapSyntaxError):
        structure.part(node)  # type: ignore[arg-type]

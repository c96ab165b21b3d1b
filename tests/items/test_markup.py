"""HTML to text and back."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.items.markup import clean, cut_html, declare_utf8, flat, html_of_text, inner_html, text_of_html
from eas.items.native import Unreadable
from eas.items.rtf import MAX_RTF, decompress, text_of_rtf


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<div>a</div><div>b</div>", "a\nb"),
        ("a<br>b<br/><br>c", "a\nb\n\nc"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("a   b\r\n c", "a b c"),
        ("<ul><li>one<li>two</ul>", "* one\n* two"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n3"),
        ("<pre>a  b\n c</pre>", "a  b\n c"),
        ("<head><title>t</title><style>x{}</style></head>body<script>1<2</script>", "body"),
        ("a<!-- <b> -->b", "ab"),
        ("a < b && c > d", "a < b && c > d"),
        ("&lt;b&gt; &amp;amp; &nbsp;&#8364;&#1;", "<b> &amp;  €"),
        ('<a title="x > y" href="z">link</a>', "link"),
        ("<style>never closed", ""),
        ("<o:p>Word</o:p><![if !x]>y<![endif]>", "Wordy"),
    ],
)
def test_text_of_html(html: str, text: str) -> None:
    assert text_of_html(html) == text


@given(
    st.text(
        alphabet=st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs")) | st.sampled_from("\n <&>"),
        max_size=80,
    )
)
def test_text_survives_the_way_through_html(text: str) -> None:
    lines = text.strip().split("\n")
    back = text_of_html(html_of_text(text)).split("\n")
    assert [line.rstrip() for line in back] == [line.rstrip() for line in lines]


@given(st.text(max_size=300), st.integers(0, 50))
def test_early_end_gives_a_beginning(html: str, characters: int) -> None:
    short, whole = text_of_html(html, characters), text_of_html(html)
    assert len(short) >= min(characters, len(whole))


@pytest.mark.parametrize(
    "piece",
    ["<", "<!--", "<a ", '<a "', "<script", "&", "<meta ", "<p>", " ", "<p>&nbsp;\n",
     "<body", "<style>", "</style", '<a "\'>', "<br> "],
)  # fmt: skip
def test_no_html_is_slow(piece: str) -> None:
    """100 KB of anything in well under a second (a quadratic pattern takes minutes)."""
    html = piece * (100_000 // len(piece))
    start = time.process_time()
    text_of_html(html)
    text_of_html(html, 100)
    cut_html(html, 50_000)
    declare_utf8(html)
    inner_html(html)
    flat(html, 255)
    assert time.process_time() - start < 2


def test_declared_charset_becomes_what_is_sent() -> None:
    html = '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1"><meta charset=\'koi8-r\'>'
    assert declare_utf8(html) == html.replace("iso-8859-1", "utf-8").replace("koi8-r", "utf-8")


def test_inner_html_keeps_styles() -> None:
    page = "<html><head><style>p{}</style><title>t</title></head><body bgcolor=red><p>x</p></body></html>"
    assert inner_html(page) == "<style>p{}</style><p>x</p>"
    assert inner_html("<p>x</p>") == "<p>x</p>"


def test_rtf_text() -> None:
    rtf = rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}{\*\generator x;}\f0 Gr\'fc\'dfe\par \u8364?20\tab {\b bold}\~x\\\{\}}"
    assert text_of_rtf(rtf) == "Grüße\n€20\tbold x\\{}"


def test_rtf_with_wrapped_html_shows_its_text_once() -> None:
    rtf = rb"{\rtf1\ansi\fromhtml1{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 Text\htmlrtf\par}\htmlrtf0 {\*\htmltag72 </p>}}"
    assert text_of_rtf(rtf) == "Text"


def test_rtf_that_claims_to_be_huge_is_refused() -> None:
    header = b"\0\0\0\0" + (MAX_RTF + 1).to_bytes(4, "little") + b"LZFu\0\0\0\0"
    with pytest.raises(Unreadable):
        decompress(header)


@given(st.binary(max_size=200))
def test_rtf_of_any_octets(data: bytes) -> None:
    text_of_rtf(data)
    text_of_rtf(decompress(b"\0\0\0\0" + b"\xff\x0f\0\0" + b"LZFu\0\0\0\0" + data))


@given(st.text(st.sampled_from("a \t\n\r\x00\x08\x0b\x1f\x7f\x80\x9fä\ud800\udfff\ufffd\ufffe\uffff😀"), max_size=8))
def test_what_xml_cannot_hold_is_left_out(text: str) -> None:
    """[XML] Char, and DEL; all other characters stay, whichever way they were looked through."""
    assert clean(text) == "".join(
        c for c in text
        if c in "\t\n\r" or (c >= " " and c not in "\x7f\ufffe\uffff" and not "\ud800" <= c <= "\udfff")
    )

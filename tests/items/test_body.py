"""Bodies: type, length, preview. [MS-ASAIRS] Body, BodyPreference."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_samples import HTML, MIME, RTF, TEXT, as_type, prefer

from eas.items.body import (
    Body,
    BodyPart,
    Source,
    Wanted,
    body_html,
    body_text,
    render_body,
    render_part,
    render_source,
    render_text,
)
from eas.items.native import Unreadable
from eas.protocol.schema import dump
from eas.protocol.version import Version

V = Version.V14_1
PAGE = "<html><body><p>Hällo &amp; <b>wörld</b>, this is long enough to be cut</p></body></html>"
PLAIN = "Hällo & wörld, this is long enough to be cut"


def test_no_preference_means_plain_text() -> None:
    body = render_body(None, PAGE, Wanted(), V)
    assert body is not None
    assert (body.type, body.data, body.truncated) == (TEXT, PLAIN, None)


def test_nothing_gives_no_body() -> None:
    assert render_body(None, None, Wanted(), V) is None


def test_stored_type_wins_over_the_order_of_preferences() -> None:
    """R77: by default the type that matches the stored one."""
    for preferences in ((as_type(TEXT), as_type(HTML)), (as_type(HTML), as_type(TEXT))):
        rich = render_body(None, PAGE, prefer(*preferences), V)
        plain = render_text("x", prefer(*preferences), V)
        assert rich is not None
        assert (rich.type, plain.type) == (HTML, TEXT)


def test_text_is_made_html_for_a_device_that_takes_nothing_else() -> None:
    body = render_text("a < b\r\n  c & d", prefer(as_type(HTML)), V)
    assert body.type is HTML
    assert body.data is not None
    assert "a &lt; b<br>" in body.data
    assert body_text(body) == "a < b\n  c & d"


def test_type_that_does_not_fit_all_is_passed_over() -> None:
    """R78, R80, R385: HTML over 50 octets is not cut but replaced by text, which may be cut."""
    body = render_body(None, PAGE, prefer(as_type(HTML, 50, all_or_none=True), as_type(TEXT, 20)), V)
    assert body is not None
    assert body.type is TEXT
    assert body.data == "Hällo & wörld, thi"
    assert body.truncated


def test_all_or_none_that_fits_is_whole() -> None:
    body = render_body(None, PAGE, prefer(as_type(HTML, 500, all_or_none=True)), V)
    assert body is not None
    assert (body.data, body.truncated) == (PAGE, None)


def test_none_is_a_body_without_data() -> None:
    """R377: the content is not retrieved."""
    body = render_body(None, PAGE, prefer(as_type(HTML, 50, all_or_none=True)), V)
    assert body is not None
    assert (body.data, body.truncated, body.estimated_size) == (None, True, len(PAGE.encode()))


def test_all_or_none_without_size_is_ignored() -> None:
    """R75, R401."""
    for flag in (True, False, None):
        body = render_body(None, PAGE, prefer(as_type(HTML, all_or_none=flag)), V)
        assert body is not None
        assert body.data == PAGE


def test_size_zero_gives_no_data() -> None:
    body = render_text("text", prefer(as_type(TEXT, 0)), V)
    assert (body.data, body.truncated, body.estimated_size) == (None, True, 4)


def test_whole_overrides_what_was_asked_for_but_not_the_policy() -> None:
    assert render_text("text", prefer(as_type(TEXT, 1), whole=True), V).data == "text"
    assert render_text("text", prefer(as_type(TEXT, 1), whole=True, limit_text=2), V).data == "te"


def test_policy_limits_each_type() -> None:
    wanted = prefer(as_type(TEXT, 9), as_type(HTML, 99), limit_text=2, limit_html=15)
    assert render_text("text", wanted, V).data == "te"
    rich = render_body(None, PAGE, wanted, V)
    assert rich is not None
    assert rich.data == "<html><body><p>"


@given(st.text(max_size=300), st.integers(0, 400))
def test_cut_text_is_the_longest_beginning_that_fits(text: str, size: int) -> None:
    whole = render_text(text, Wanted(), V).data or ""
    body = render_text(text, prefer(as_type(TEXT, size)), V)
    data = body.data or ""
    assert whole.startswith(data)
    assert len(data.encode()) <= size
    assert bool(body.truncated) == (data != whole)
    if data != whole:
        assert len((data + whole[len(data)]).encode()) > size
    assert body.estimated_size == len(whole.encode())


_PIECES = st.sampled_from(
    ["<b>", "</b>", "&amp;", "&#228;", "ä", "x", " ", "<!-- c > d -->", '<a href="y">', "€", "<", ">", "&"]
)


@given(st.lists(_PIECES, max_size=40).map("".join), st.integers(0, 120))
def test_cut_html_ends_outside_tags_and_entities(html: str, size: int) -> None:
    body = render_body(None, html, prefer(as_type(HTML, size)), V)
    assert body is not None
    data = body.data or ""
    assert html.startswith(data)
    assert len(data.encode()) <= size
    if body.truncated:
        assert not re.search(r"<[a-zA-Z/!?][^>]*\Z", data)
        assert not (data.endswith("<") and html[len(data)] in "ab/!?")
        assert data.count("<!--") == len(re.findall("<!--.*?-->", data))
        assert not re.search(r"&(#[a-z0-9]*|[a-z0-9]+)\Z", data)
        assert not (data.endswith("&") and html[len(data)] in "a#")


def test_preview_is_flat_plain_text_of_so_many_characters() -> None:
    """R250."""
    body = render_body(None, "<p>one\n two</p><p>thr&eacute;e</p>", prefer(as_type(HTML, preview=11)), V)
    assert body is not None
    assert body.preview == "one two thr"


def test_no_preview_beside_plain_text_data() -> None:
    """R1001036; without Data there is one."""
    assert render_text("text", prefer(as_type(TEXT, preview=10)), V).preview is None
    assert render_text("text", prefer(as_type(TEXT, 0, preview=10)), V).preview == "text"


def test_preview_starts_with_14_0() -> None:
    wanted = prefer(as_type(HTML, preview=10))
    assert render_text("text", wanted, Version.V12_1).preview is None
    assert render_text("text", wanted, Version.V14_0).preview == "text"


def test_preview_counts_astral_characters_twice() -> None:
    body = render_text("😀😀😀", prefer(as_type(HTML, preview=5)), V)
    assert body.preview == "😀😀"


def test_order_on_the_wire() -> None:
    """R112: Type, EstimatedDataSize, Truncated, Data, Preview; Truncated only where it is true (R277)."""
    body = render_body(None, PAGE, prefer(as_type(HTML, 20, preview=5)), V)
    tags = [element.tag for element in dump("AirSyncBase:Body", body, V).elements]
    assert tags == [f"AirSyncBase:{name}" for name in ("Type", "EstimatedDataSize", "Truncated", "Data", "Preview")]
    whole = render_body(None, PAGE, prefer(as_type(HTML)), V)
    tags = [element.tag for element in dump("AirSyncBase:Body", whole, V).elements]
    assert tags == [f"AirSyncBase:{name}" for name in ("Type", "EstimatedDataSize", "Data")]


def test_body_part_is_html_with_status_first() -> None:
    """R126, R256."""
    part = render_part(Source(text="some text"), as_type(HTML, 10_000, preview=4), Wanted())
    assert isinstance(part, BodyPart)
    assert (part.status, part.type, part.preview, part.truncated) == (1, HTML, "some", None)
    assert "some text" in (part.data or "")
    assert dump("AirSyncBase:BodyPart", part, V).elements[0].tag == "AirSyncBase:Status"


def test_partly_loaded_body_is_truncated_though_all_that_is_there_fits() -> None:
    body = render_source(Source(html="<p>begin", html_size=5000), prefer(as_type(HTML, 100)), V)
    assert (body.data, body.truncated, body.estimated_size) == ("<p>begin", True, 5000)
    body = render_source(Source(html="<p>begin", html_size=5000), prefer(as_type(TEXT, 100)), V)
    assert (body.data, body.truncated) == ("begin", True)
    assert body.estimated_size is not None
    assert 5 < body.estimated_size < 5000


def test_rtf_is_base64_and_reads_back() -> None:
    """[MS-ASAIRS] Data (Body) R179."""
    body = render_text("Hällo {wörld}\r\n😀 end", prefer(as_type(RTF)), V)
    assert body.type is RTF
    assert base64.b64decode(body.data or "")[8:12] == b"MELA"
    assert body_text(body) == "Hällo {wörld}\n😀 end"


def test_rtf_is_shortened_to_fit() -> None:
    body = render_text("word " * 200, prefer(as_type(RTF, 400)), V)
    assert body.truncated
    assert 200 < len(body.data or "") <= 400
    assert body_text(body).startswith("word word")


def test_mime_alone_is_plain_text_here() -> None:
    assert render_text("x", prefer(as_type(MIME)), V).type is TEXT


def test_bodies_sent_by_devices() -> None:
    compressed = bytes.fromhex(  # [MS-OXRTFCP] examples: a simple compressed stream
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    rich = Body(type=RTF, data=base64.b64encode(compressed).decode())
    assert body_text(rich) == "hello world"
    assert body_text(Body(type=TEXT, data="a\0b")) == "ab"
    assert body_text(Body(type=HTML, data="<p>a<br>b</p>")) == "a\nb"
    assert body_text(Body(type=RTF)) == ""
    assert body_text(Body(type=TEXT)) == ""
    assert body_html(Body(type=HTML, data="<p>")) == "<p>"
    assert body_html(Body(type=TEXT, data="<p>")) is None


@pytest.mark.parametrize("data", ["!", "AAAA", base64.b64encode(b"\xff" * 40).decode()])
def test_body_that_is_no_rtf_is_refused(data: str) -> None:
    with pytest.raises(Unreadable):
        body_text(Body(type=RTF, data=data))


@given(st.text(max_size=200))
def test_forbidden_characters_never_leave(text: str) -> None:
    for kind in (TEXT, HTML):
        data = render_text(text, prefer(as_type(kind)), V).data or ""
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", data)

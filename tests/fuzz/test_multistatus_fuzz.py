"""Answers of DAV servers under bytes that are nearly right: only BadXml comes out, however they are cut."""

from __future__ import annotations

from fuzz_settings import examples
from hypothesis import event, given
from hypothesis import strategies as st

from eas.backends.dav import discovery, vfreebusy, xmlbody
from eas.backends.dav.hrefs import canonical, path_of, resolved, sendable, split
from eas.backends.dav.xmlbody import CAL, BadXml, MultistatusReader, Node, Response

GOOD = b"""<?xml version="1.0" encoding="utf-8"?>
<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:s="http://calendarserver.org/ns/">
<d:response><d:href>/dav/a%40b/cal/</d:href><d:propstat><d:prop><d:displayname>K &amp; L</d:displayname>
<d:resourcetype><d:collection/><c:calendar/></d:resourcetype><s:getctag>7</s:getctag>
<d:owner><d:href>/p/</d:href></d:owner><c:supported-calendar-component-set><c:comp name="VEVENT"/>
</c:supported-calendar-component-set><d:current-user-privilege-set><d:privilege><d:read/></d:privilege>
</d:current-user-privilege-set><c:max-resource-size>10</c:max-resource-size></d:prop>
<d:status>HTTP/1.1 200 OK</d:status></d:propstat><d:propstat><d:prop><d:getetag/></d:prop>
<d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>
<d:response><d:href>/dav/a@b/cal/1.ics</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>
<d:response><d:href>/dav/a@b/cal/</d:href><d:status>HTTP/1.1 507 X</d:status>
<d:error><d:number-of-matches-within-limits/></d:error></d:response>
<d:sync-token>urn:x:1</d:sync-token></d:multistatus>"""

PIECES = st.sampled_from([
    b"<", b">", b"/", b"&", b"&#0;", b"&x;", b"]]>", b"<![CDATA[", b"<!--", b"<?x ", b"<!DOCTYPE m [<!ENTITY x 'y'>]>",
    b"\x00", b"\xff", b"\x0b", b"<d:response>", b"</d:response>", b"<d:href>", b"<d:multistatus>", b"<d:propstat>",
    b"HTTP/1.1 999 ", b"HTTP/1.1 -1", b"xmlns:d='DAV:'", b"<d:privilege>" * 50, b"//evil/", b"mailto:", b"[", b"%",
    b"<d:sync-token>", b"\xef\xbb\xbf", b"\xff\xfe<\x00", "ü".encode(), b" " * 100,
])


@st.composite
def damaged(draw: st.DrawFn, whole: bytes = GOOD) -> bytes:
    """The good one with some pieces taken out, put in, or doubled."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 60)))
        data[at:end] = draw(st.one_of(PIECES, st.just(bytes(data[at:end]) * 2), st.just(b""), st.binary(max_size=8)))
    return bytes(data)


def read(data: bytes, sizes: list[int]) -> tuple[list[Response], str] | None:
    """In pieces of these sizes; None for BadXml."""
    reader, found, at = MultistatusReader(), list[Response](), 0
    try:
        for size in sizes:
            found += reader.feed(data[at : at + size])
            at += size
        found += reader.feed(data[at:])
        found += reader.close()
    except BadXml:
        return None
    return found, reader.sync_token


@examples(300)
@given(damaged(), st.lists(st.integers(1, 200), max_size=12))
def test_a_multistatus_is_read_the_same_however_it_comes(data: bytes, sizes: list[int]) -> None:
    whole = read(data, [])
    event("refused" if whole is None else "read")
    assert read(data, sizes) == whole
    for response in whole[0] if whole else ():
        href = resolved(response.href, "/dav/a@b/cal/", "https://host")
        if href is not None:
            assert "\r" not in sendable(href)
            assert "\n" not in sendable(href)
            assert " " not in sendable(href)
            assert canonical(sendable(href)) == canonical(canonical(href))
            discovery.collection(href, response)


@examples(200)
@given(damaged(b'<C:schedule-response xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><C:response><C:recipient>'
               b"<D:href>mailto:ben@example.com</D:href></C:recipient><C:request-status>2.0;Success</C:request-status>"
               b"<C:calendar-data>BEGIN:VCALENDAR</C:calendar-data></C:response></C:schedule-response>"))
def test_small_documents(data: bytes) -> None:
    xmlbody.condition_of(data)
    try:
        root = xmlbody.document(data)
        vfreebusy.answer(root, "ben@example.com")
    except BadXml:
        event("refused")


@examples(200)
@given(st.one_of(st.text(max_size=60), st.text(st.sampled_from('/:[]%@a.#?'), max_size=12)))
def test_any_text_is_an_href_of_something_or_nothing(text: str) -> None:
    found = resolved(text, "/dav/", "https://host")
    assert found is None or found.startswith("/")
    assert path_of(text) == "" or split(text)
    owner = Node(name="{DAV:}owner", children=(Node(name="{DAV:}href", text=text),))
    types = Node(name="{DAV:}resourcetype", children=(Node(name=f"{CAL}calendar"),))
    discovery.collection("/dav/", Response(href="/dav/", status=200, found={owner.name: owner, types.name: types}))


@examples(100)
@given(st.text(max_size=40), st.sampled_from(["calendar", "addressbook"]))
def test_what_is_asked_for_is_xml_whatever_it_is_called(text: str, kind: str) -> None:
    """Names that a device sends."""
    for body in (
        xmlbody.make(kind, text, "VEVENT"), xmlbody.proppatch_name(text), xmlbody.query_uid(kind, text),
        xmlbody.sync_collection(text), xmlbody.multiget(kind, [text]),
    ):
        xmlbody.document(body)

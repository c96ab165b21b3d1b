r"""Links to documents. [MS-ASDOC] LinkId"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items.documents import Link, is_segment, parse_link

SHARE = Link(host="files", segments=("team", "a b", "ü.txt"))


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("\\\\files\\team\\a b\\ü.txt", SHARE), ("\\\\FILES\\team\\a b\\ü.txt", SHARE),
        (" \\\\files\\team\\a b\\ü.txt\\ ", SHARE), ("file://files/team/a%20b/%C3%BC.txt", SHARE),
        ("file:////files/team/a%20b/%C3%BC.txt", SHARE), ("\\\\files", Link(host="files", segments=())),
        ("https://dav.example.com/a%20b/c", Link(
            host="dav.example.com", segments=("a b", "c"), origin="https://dav.example.com")),
        ("https://DAV.example.com:443/c/", Link(
            host="dav.example.com", segments=("c",), origin="https://dav.example.com")),
        ("http://dav.example.com:8080/c", Link(
            host="dav.example.com", segments=("c",), origin="http://dav.example.com:8080")),
        ("http://[::1]:8080/c", Link(host="::1", segments=("c",), origin="http://[::1]:8080")),
    ],
)
def test_links(text: str, link: Link) -> None:
    assert parse_link(text) == link
    assert parse_link(link.text) == link


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "plan.txt", "/etc/passwd", "file:///etc/passwd", "file://", "\\\\", "\\\\files\\..\\x",
        "\\\\files\\a/b", "\\\\files\\a\0b", "file://files/a/../../b", "file://files/%2e%2e/b", "file://files/a%2Fb",
        "file://files/a%5Cb", "https://host/a?b", "https://host/a#b", "https://me@host/a", "https://me:x@host/a",
        "ftp://host/a", "gopher://host/1", "https:///a", "https://host:99999/a", "https://ho st/a", "javascript:1",
        "https://[::1/a", "\\\\files\\" + "a" * 5000, "\\\\files" + "\\a" * 100, "\\\\a@b\\c",
    ],
)
def test_what_is_no_link(text: str) -> None:
    assert parse_link(text) is None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(
    ["file:", "https:", "//", "\\\\", "\\", "/", "..", ".", "%2e", "%2f", "%5c", "%00", "host", ":80", "@", "?"]
), max_size=12).map("".join))
def test_no_link_climbs(text: str) -> None:
    link = parse_link(text)
    if link is not None:
        assert all(map(is_segment, link.segments))
        assert parse_link(link.text) == link

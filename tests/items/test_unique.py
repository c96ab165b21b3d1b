"""What is new in a message of a conversation. [MS-ASAIRS] BodyPart."""

from __future__ import annotations

import pytest

from eas.items.body import Source
from eas.items.unique import unique

ANSWER = {b"in-reply-to": b"<first@example.com>"}

HTML = [
    '<html><body><p>New.</p><div id="divRplyFwdMsg"><b>From:</b> A</div>Old.</body></html>',
    '<div>New.</div><div class="gmail_quote"><blockquote>Old.</blockquote></div>',
    '<p>New.</p><blockquote type="cite">Old.</blockquote>',
    '<p>New.</p><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt"><p>From: A</p></div>Old.',
    "<p>New.</p><hr><div><b>From:</b> A<br><b>Sent:</b> then</div>Old.",
]
TEXT = [
    "New.\r\n\r\n-----Original Message-----\r\nFrom: A\r\n\r\nOld.",
    "New.\r\n\r\nOn Tue, 3 Mar 2026 at 10:00, A wrote:\r\n> Old.\r\n",
    "New.\r\n\r\nOn Tue, 3 Mar 2026 at 10:00, Somebody with a name <a@example.com>\r\nwrote:\r\n\r\n> Old.\r\n",
    f"New.\r\n{'_' * 32}\r\nFrom: A\r\n\r\nOld.",
]


@pytest.mark.parametrize("html", HTML)
def test_html_ends_where_the_original_begins(html: str) -> None:
    assert "New." in (unique(Source(html=html), ANSWER).html or "")
    assert "Old." not in (unique(Source(html=html), ANSWER).html or "")


@pytest.mark.parametrize("text", TEXT)
def test_text_ends_where_the_original_begins(text: str) -> None:
    assert unique(Source(text=text), ANSWER).text == "New.\r\n"


@pytest.mark.parametrize("source", [Source(html=HTML[0]), Source(text=TEXT[0])])
def test_what_answers_nothing_is_new_as_a_whole(source: Source) -> None:
    assert unique(source, {}) is source


@pytest.mark.parametrize("source", [
    Source(html=HTML[0].replace("<p>New.</p>", "")), Source(text=TEXT[0].removeprefix("New.")),
    Source(text="A line.\r\nFrom: is no header here.\r\n"), Source(html="<p>Plain</p>"),
])  # fmt: skip
def test_what_would_be_left_empty_stays_whole(source: Source) -> None:
    assert unique(source, ANSWER) is source

"""What is new in a message of a conversation: its body without the earlier messages that it quotes. Pure.

Nothing in a message says where its own words end; what mail programs put between them and the original does. Where none
of that is found, or nothing would be left, the whole body is what is new. [MS-ASAIRS] BodyPart R118.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from eas.items import conversation, markup
from eas.items.body import Source

#: Where the original begins in HTML: Outlook's and Exchange's marks, Gmail's, Apple's, Thunderbird's, Yahoo's, ours.
_HTML_MARKS = re.compile(
    r"<(?:div|hr|a|span)\b[^>]{0,300}\b(?:id|name)\s*=\s*[\"']?(?:divRplyFwdMsg|appendonsend|_MailOriginal|"
    r"mail-editor-reference-message-container|OLK_SRC_BODY_SECTION|ms-outlook-mobile-reference-message)"
    r"|<(?:div|blockquote)\b[^>]{0,300}\bclass\s*=\s*[\"']?(?:gmail_quote|yahoo_quoted|moz-cite-prefix|protonmail_quote)"
    r"|<div\b[^>]{0,300}border-top:\s*solid\s+#(?:E1E1E1|B5C4DF)"
    r"|<blockquote\b[^>]{0,300}\btype\s*=\s*[\"']?cite"
    r"|<hr\b[^>]{0,200}>\s*(?:<[^>]{1,200}>\s*){0,6}From:",
    re.IGNORECASE,
)
#: ... and in text: a line of Outlook's, the line above the quoted header, "On ... wrote:" above quoted lines.
_TEXT_MARKS = re.compile(
    r"^(?:-{3,} ?(?:Original (?:Message|Appointment)|Ursprüngliche Nachricht|Message d'origine) ?-{3,}[ \t]*\r?$"
    r"|_{20,}[ \t]*\r?\n(?:\r?\n)?[A-Z][\w ]{1,20}: "
    r"|(?:(?:On|Am|Le|El|Il|Op|Den|Em) [^\r\n]{1,200}\r?\n)?(?!>)[^\r\n]{1,200}:[ \t]*\r?\n(?:\r?\n)?>)",
    re.MULTILINE,
)
#: Octets in which the mark is looked for: nobody writes more before the quote.
_SEARCHED = 512 * 1024


def unique(source: Source, fields: Mapping[bytes, bytes]) -> Source:
    """`source` as a device sees it that shows whole conversations; `fields` is the header of the message."""
    if not _answers(fields):
        return source
    if source.html is not None:
        return _cut_html(source, source.html)
    return _cut_text(source, source.text or "")


def _answers(fields: Mapping[bytes, bytes]) -> bool:
    thread = conversation.thread_index(fields)
    return bool(conversation.ancestors(fields)) or (thread is not None and len(thread) > len(_FIRST))


#: The Thread-Index of the first message of a conversation is as long as this.
_FIRST = bytes(22)


def _cut_html(source: Source, html: str) -> Source:
    found = _HTML_MARKS.search(html, 0, _SEARCHED)
    if found is None:
        return source
    own = html[: found.start()]
    if not markup.text_of_html(own).strip():
        return source
    end = "</body></html>" if re.search(r"<body\b", own, re.IGNORECASE) else ""
    return Source(html=own + end)


def _cut_text(source: Source, text: str) -> Source:
    found = _TEXT_MARKS.search(text, 0, _SEARCHED)
    if found is None or not text[: found.start()].strip():
        return source
    return Source(text=text[: found.start()].rstrip() + "\r\n")

"""The text and parts of a message with those of the one that it answers or forwards: MIME content, built as bytes.

Everything of ours is UTF-8 ([MS-ASCMD] SmartForward R548); attachments are carried over in the encoding they have.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

from eas.items import headers, markup, mime, rawheader
from eas.items.attachments import display_name
from eas.items.body import Source
from eas.items.mailbody import Loaded, description, source_of
from eas.items.native import Part, Unreadable

CRLF = "\r\n"


@dataclass(frozen=True, slots=True)
class _Message:
    """One of the two: its text, HTML if it has any, and its parts that are no text, as MIME entities.

    `calendar` is the same message in the words of calendars: (), or one entity.
    """

    source: Source
    inline: tuple[bytes, ...]
    attached: tuple[bytes, ...]
    calendar: tuple[bytes, ...]


def merged(raw: bytes, original: bytes, *, is_mail: bool, instance: datetime | None, forwards: bool) -> bytes | None:
    """Content-Type field and content (from there on) of the joined message; None if `raw` is better left as it is."""
    root = mime.structure(raw)
    if mime.smime_class(root) or root.type == "multipart/encrypted":
        return None  # whatever is added would break the seal, or stand outside it
    new = _read(raw, root)
    if not is_mail:
        return _with_calendar(new, original, instance, forwards)
    try:
        old_root = mime.structure(original)
    except Unreadable:
        return _with_enclosed(new, original) if forwards else None
    if mime.smime_class(old_root) or old_root.type == "multipart/encrypted":
        # Taken apart it could be neither verified nor read.
        return _with_enclosed(new, original) if forwards else _content(new, _quoted(original, None))
    old = _read(original, old_root)
    below = _quoted(original, old.source, marked=not forwards)
    inline = old.inline if below.html is not None or forwards else ()
    return _content(new, below, old.attached if forwards else (), inline, old.calendar if forwards else ())


def _read(raw: bytes, root: Part) -> _Message:
    plan = mime.layout(root)
    listed = {item.part.section for item in plan.attached}
    calendar = plan.calendar if plan.calendar is not None and plan.calendar.section not in listed else None
    return _Message(
        source_of(Loaded(root, plan, {}, raw)),
        tuple(_carried(raw, item.part, "inline") for item in plan.attached if item.inline),
        tuple(_carried(raw, item.part, "attachment") for item in plan.attached if not item.inline),
        () if calendar is None else (_carried(raw, calendar, ""),),
    )


# --- Text -------------------------------------------------------------------------------------------------------------

#: What is told of the original above its text.
_TOLD = (("From", b"from"), ("Sent", b"date"), ("To", b"to"), ("Cc", b"cc"), ("Subject", b"subject"))
_LINE = "_" * 32


def _quoted(original: bytes, source: Source | None, *, marked: bool = True) -> Source:
    """The original's text (and HTML, if it has any) below a block that tells whose it is. `marked`: with "> "."""
    fields = headers.parse(original[: mime.header_end(original)])
    told = [(label, _told(fields.get(name, b""), name)) for label, name in _TOLD if fields.get(name)]
    block = CRLF.join([_LINE, *(f"{label}: {value}" for label, value in told)])
    if source is None:
        return Source(text=block)
    text = source.as_text()
    lines = [f"> {line}" if line and not line.startswith(">") else f">{line}" for line in text.splitlines()]
    quoted = CRLF.join([block, "", *(lines if marked else text.splitlines())])
    if source.html is None:
        return Source(text=quoted)
    rows = "<br>".join(f"<b>{label}:</b> {markup.fragment_of_text(value)}" for label, value in told)
    inner = markup.inner_html(source.as_html())
    inner = f'<blockquote type="cite">{inner}</blockquote>' if marked else inner
    return Source(text=quoted, html=f"<hr><div>{rows}</div><br>{inner}")


def _told(value: bytes, name: bytes) -> str:
    if name in (b"from", b"to", b"cc"):
        return "; ".join(box.full for box in headers.addresses(value[:_MAX_TOLD]))
    return headers.text(value[:_MAX_TOLD])


#: Octets of a header field that are repeated in the text: of 3,000 recipients the first ones do.
_MAX_TOLD = 4096


def _joined(above: Source, below: Source) -> Source:
    """One text below the other; as HTML as well if either is."""
    text = f"{above.as_text().rstrip()}{CRLF}{CRLF}{below.as_text()}{CRLF}"
    if above.html is None and below.html is None:
        return Source(text=text)
    page = above.as_html()
    addition = below.html if below.html is not None else f"<div>{markup.fragment_of_text(below.text or '')}</div>"
    end = page.lower().rfind("</body>")
    page = f"{page}{addition}" if end < 0 else f"{page[:end]}{addition}{page[end:]}"
    return Source(text=text, html=page)


# --- Parts ------------------------------------------------------------------------------------------------------------

#: Transfer encodings in which a part can be handed on as it is.
_HANDED_ON = frozenset(("base64", "quoted-printable", "7bit", "8bit"))


def _carried(raw: bytes, part: Part, disposition: str) -> bytes:
    """A part of a message as an entity of ours, its content in the encoding that it has. "" for no disposition."""
    body = mime.cut_from(raw, part)
    if part.type.startswith(("message/", "multipart/")):
        encoding, body = ("7bit" if body.isascii() else "8bit"), rawheader.crlf(body)
    elif part.encoding in _HANDED_ON and (part.encoding != "7bit" or body.isascii()):
        encoding, body = part.encoding, rawheader.crlf(body)
    else:
        encoding, body = "base64", base64_lines(mime.decode_section(part, body))
    name = display_name(part)
    kept = [(key, value) for key, value in part.params.items() if key not in ("name", "boundary")]
    fields = [
        ("Content-Type", rawheader.params(part.type, [*kept, ("name", name)] if disposition else kept)),
        ("Content-Transfer-Encoding", encoding),
    ]
    if disposition:
        fields.append(("Content-Disposition", rawheader.params(disposition, [("filename", name)])))
    if part.content_id:
        fields.append(("Content-ID", f"<{part.content_id}>"))
    if part.location:
        fields.append(("Content-Location", part.location))
    return entity(fields, body)


_MESSAGE = "message/rfc822"


def _with_enclosed(new: _Message, original: bytes) -> bytes:
    """With the original as an attached message; as a mere file, if as a message it could not be read (nested too
    deeply, say): then neither could the one around it."""
    content = _content(new, None, [_enclosed(original)])
    try:
        mime.structure(content)
    except Unreadable:
        return _content(new, None, [_enclosed(original, sealed=True)])
    return content


def _enclosed(original: bytes, *, sealed: bool = False) -> bytes:
    """The original as an attached message, or `sealed` as a file."""
    try:
        fields = headers.parse(original[: mime.header_end(original)])
    except Unreadable:
        fields = {}
    subject = headers.text(fields.get(b"subject", b""))
    name = display_name(Part(section="", type=_MESSAGE, size=len(original), filename=subject))
    body = rawheader.crlf(_without_bcc(original))
    return entity(
        [
            ("Content-Type", rawheader.params("application/octet-stream" if sealed else _MESSAGE, [("name", name)])),
            ("Content-Disposition", rawheader.params("attachment", [("filename", name)])),
            ("Content-Transfer-Encoding", "base64" if sealed else "7bit" if body.isascii() else "8bit"),
        ],
        base64_lines(body) if sealed else body,
    )


def _without_bcc(original: bytes) -> bytes:
    """What the user once sent tells in its Bcc what is nobody else's business."""
    try:
        end = mime.header_end(original)
    except Unreadable:
        return original
    fields = rawheader.fields_of(original[:end])
    kept = rawheader.without(fields, (b"bcc", b"resent-bcc"))
    return original if len(kept) == len(fields) else rawheader.joined(kept) + original[end:]


def entity(fields: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """Fields, a blank line, the body. Values are one field each, whatever they hold."""
    head = "".join(f"{name}: {_FOLD_OR_BREAK.sub(_one_field, value)}\r\n" for name, value in fields)
    return head.encode("ascii", "replace") + b"\r\n" + body


_FOLD_OR_BREAK = re.compile(r"\r\n\t|[\r\n\0]+")


def _one_field(found: re.Match[str]) -> str:
    return found[0] if found[0] == "\r\n\t" else " "


def base64_lines(data: bytes) -> bytes:
    return b"".join(binascii.b2a_base64(data[i : i + 57], newline=False) + b"\r\n" for i in range(0, len(data), 57))


def text_entity(kind: str, text: str) -> bytes:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", CRLF)
    return entity(
        [("Content-Type", f"text/{kind}; charset=utf-8"), ("Content-Transfer-Encoding", "quoted-printable")],
        binascii.b2a_qp(lines.encode("utf-8", "replace"), istext=True),
    )


def multipart(kind: str, parts: Sequence[bytes]) -> bytes:
    """The parts in one; a single one stays alone."""
    if len(parts) == 1:
        return parts[0]
    boundary, body = delimited(kind, parts)
    return entity([("Content-Type", f'multipart/{kind};\r\n\tboundary="{boundary}"')], body)


def delimited(kind: str, parts: Sequence[bytes]) -> tuple[str, bytes]:
    """A boundary, and the parts between such. It follows from the content: equal input, equal output."""
    digest = blake2b(digest_size=12)
    for part in parts:
        digest.update(part)
    boundary = f"=_{kind}_{digest.hexdigest()}"
    limit = f"--{boundary}\r\n".encode("ascii")
    return boundary, b"".join(limit + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode("ascii")


def _content(
    new: _Message,
    below: Source | None,
    extra: Sequence[bytes] = (),
    inline: Sequence[bytes] = (),
    calendar: Sequence[bytes] = (),
) -> bytes:
    """Text, HTML with what it refers to, and attachments: as few multiparts around them as will do."""
    source = new.source if below is None else _joined(new.source, below)
    bodies = [text_entity("plain", source.as_text())]
    attached = [*new.attached, *extra]
    if source.html is not None:
        bodies.append(multipart("related", [text_entity("html", source.as_html()), *new.inline, *inline]))
    else:
        attached = [*new.inline, *inline, *attached]
    bodies += new.calendar or calendar
    return multipart("mixed", [multipart("alternative", bodies), *attached])


def _with_calendar(new: _Message, ics: bytes, instance: datetime | None, forwards: bool) -> bytes:
    """An appointment: what it says is quoted, and in a forward its iCalendar object attached."""
    lines = [_LINE]
    if instance is not None:
        lines.append(f"{instance.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    lines += [description(ics)]
    if not forwards:
        return _content(new, Source(text=CRLF.join(lines)))
    invite = entity(
        [
            ("Content-Type", 'text/calendar; charset=utf-8; name="invite.ics"'),
            ("Content-Disposition", 'attachment; filename="invite.ics"'),
            ("Content-Transfer-Encoding", "base64"),
        ],
        base64_lines(ics),
    )
    return _content(new, Source(text=CRLF.join(lines)), [invite])

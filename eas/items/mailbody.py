"""The body of a message: from its structure and the sections at hand to what `eas.items.body` renders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.generator import Generator
from email.policy import compat32
from io import StringIO

from eas.items import charset, markup, mime, smime
from eas.items.body import Body, BodyPreference, BodyType, Source, Wanted, preview
from eas.items.native import Mail, Part, Unreadable
from eas.protocol.version import Version


@dataclass(frozen=True, slots=True)
class Loaded:
    """A message with what was loaded of it. `raw` is the message itself, perhaps cut short; None if not asked for."""

    root: Part
    plan: mime.Layout
    sections: Mapping[str, bytes]
    raw: bytes | None

    def octets(self, part: Part) -> bytes | None:
        """The encoded octets of a part, as many as are at hand; None if none are."""
        found = self.sections.get(part.section)
        if found is None and self.raw is not None and 0 <= part.offset <= len(self.raw):
            found = mime.cut_from(self.raw, part)
        return found

    def decoded(self, part: Part) -> bytes | None:
        found = self.octets(part)
        return None if found is None else mime.decode_section(part, found)


def loaded(mail: Mail) -> Loaded:
    """Raises Unreadable if the message has no structure."""
    raw = mail.sections.get("")
    root = mail.structure
    # A tree from BODYSTRUCTURE has no offsets: the parts must be found in the message, unless they came beside it.
    if raw is not None and (root is None or (root.offset < 0 and (len(mail.sections) == 1 or len(raw) >= mail.size))):
        root = mime.structure(raw)
    if root is None:
        raise Unreadable("the message could not be parsed")
    return Loaded(root, mime.layout(root), mail.sections, raw)


def source_of(message: Loaded) -> Source:
    """The body as text, HTML or both. Parts that were not loaded are left out, and counted in the sizes."""
    segments = message.plan.segments
    text, text_size = _joined_text(message, [segment.plain for segment in segments])
    if message.plan.native is BodyType.TEXT:
        return Source(text=text or "", text_size=text_size)
    html, html_size = _joined_html(message, [part for segment in segments for part in segment.rich or segment.plain])
    if not all(segment.plain for segment in segments):
        text, text_size = None, None  # parts of it exist as HTML only: all of it is made from HTML
    return Source(text=text, html=html, text_size=text_size, html_size=html_size)


def unsealed(message: Loaded) -> Loaded | None:
    """The message within an opaque-signed one, as far as it is at hand whole; None for others."""
    root = message.root
    if not mime.is_sealed_text(root):
        return None
    octets = message.octets(root)
    content = smime.signed_content(mime.decode_section(root, octets)) if octets and len(octets) >= root.size else None
    if content is None:
        return None
    try:
        inner = mime.structure(content)
    except Unreadable:
        return None
    return Loaded(inner, mime.layout(inner), {}, content)


def _joined_text(message: Loaded, stretches: Iterable[tuple[Part, ...]]) -> tuple[str | None, int | None]:
    """The text parts one below the other (None if none was loaded), and the size of the whole if not all is there."""
    pieces: list[str] = []
    size, whole, any_loaded = 0, True, False
    for part in (part for stretch in stretches for part in stretch):
        data = message.octets(part)
        any_loaded = any_loaded or data is not None
        piece = mime.text_of(part, data) if data else ""
        if data is None or len(data) < part.size:
            whole = False
            size += mime.decoded_size(part)
        else:
            size += markup.size(piece)
        pieces.append(markup.text_of_html(piece) if part.type == "text/html" else piece)
    text = pieces[0] if len(pieces) == 1 else "\n\n".join(piece.strip("\r\n") for piece in pieces if piece.strip())
    return (text if any_loaded else None), None if whole else size


def _joined_html(message: Loaded, parts: list[Part]) -> tuple[str, int | None]:
    """As above in HTML. Documents one behind the other are shown one below the other by every reader."""
    pieces: list[str] = []
    size, whole = 0, True
    for part in parts:
        data = message.octets(part)
        piece = mime.text_of(part, data) if data else ""
        if part.type != "text/html" and piece:
            piece = f"<div>{markup.fragment_of_text(piece)}</div>"
        if data is None or len(data) < part.size:
            whole = False
            size += mime.decoded_size(part)
        else:
            size += markup.size(piece)
        pieces.append(piece)
    return "".join(pieces), None if whole else size


def mime_body(message: Loaded, wanted: Wanted, version: Version, size: int) -> Body | None:
    """The message as MIME (Type 4), if the device wants it so and it was loaded; None otherwise.

    `size` counts the octets of the message. [MS-ASCMD] MIMESupport.
    """
    preference = mime.wants_mime(message.root, wanted)
    if preference is None or message.raw is None or (version > Version.V2_5 and not wanted.preferences):
        return None
    limit = preference.truncation_size
    raw = message.raw if limit is None else message.raw[:limit]
    truncated = len(raw) < size
    if truncated and preference.all_or_none and limit is not None:
        return None
    body = Body(
        type=BodyType.MIME,
        estimated_size=max(size, len(raw)),
        truncated=truncated or None,
        data=text_of_mime(raw, cut=truncated) or None,
    )
    length = next((p.preview for p in (preference, *wanted.preferences) if p.preview), None)
    if not length or version < Version.V14_0:
        return body
    return replace(body, preview=preview(source_of(message), length) or None)


def text_of_mime(raw: bytes, *, cut: bool = False) -> str:
    """A message as a string, which is what travels. Octets that are no UTF-8 are put into a 7-bit transfer encoding.

    A message in UTF-8 stays as it is, and so does each in ASCII, signed ones among them.
    """
    try:
        return markup.clean(raw.decode("ascii" if raw.isascii() else "utf-8"))
    except UnicodeDecodeError as error:
        if cut and error.end == len(raw) and error.start >= len(raw) - 3:
            return markup.clean(raw[: error.start].decode("utf-8"))
    try:
        out = StringIO()
        # Written as text, the generator gives 8-bit bodies a 7-bit encoding and a charset parameter.
        Generator(out, mangle_from_=False, policy=compat32.clone(max_line_length=0, linesep="\r\n")).flatten(
            message_from_bytes(raw)
        )
        return markup.clean(out.getvalue())
    except (ValueError, LookupError, TypeError, RecursionError, AttributeError, KeyError):
        # The standard library gives up on some broken messages; Latin-1 keeps at least every octet apart.
        return markup.clean(raw.decode("latin-1"))


def text_preference(wanted: Wanted) -> Wanted:
    """For 2.5, which has plain text only: the same limits, no other types."""
    plain = [p for p in wanted.preferences if p.type is BodyType.TEXT] or [
        BodyPreference(type=BodyType.TEXT, truncation_size=p.truncation_size) for p in wanted.preferences[:1]
    ]
    return replace(wanted, preferences=tuple(plain))


_DESCRIPTION = re.compile(rb"^DESCRIPTION(?:;[^:\r\n]*)?:(.*)$", re.MULTILINE | re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]")
_ESCAPE = re.compile(r"\\([\\;,nN])")


def description(ics: bytes) -> str:
    """The text of the first DESCRIPTION in an iCalendar object, "" if it has none."""
    found = _DESCRIPTION.search(_FOLD.sub(b"", ics))
    if found is None:
        return ""
    text = charset.decode(found[1].rstrip(b"\r"), "utf-8")
    return _ESCAPE.sub(lambda escaped: "\r\n" if escaped[1] in "nN" else escaped[1], text)

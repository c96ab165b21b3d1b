"""Messages in parts: which are the text, which the attachments, what must be loaded to show them, and decoding.

`structure` and `header_end` (from `mimescan`) read whole messages; backends that have IMAP's BODYSTRUCTURE make the
same `Part` tree from that. Everything here works on the tree and on raw sections, whole or cut short.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from eas.items import charset, headers
from eas.items.body import BodyPreference, BodyType, Wanted, candidates, limit_of
from eas.items.mimescan import header_end, structure
from eas.items.native import Part

__all__ = [
    "Attached",
    "Layout",
    "Segment",
    "attachments",
    "cut_from",
    "decode_section",
    "decoded_size",
    "encoded_enough",
    "header_end",
    "is_sealed_text",
    "layout",
    "part_at",
    "sections_wanted",
    "smime_class",
    "structure",
    "text_of",
    "walk",
    "wants_mime",
]  # fmt: skip


# --- Sections ---------------------------------------------------------------------------------------------------------


def walk(part: Part) -> Iterator[Part]:
    """The part and all below it, in the order of the message."""
    pending = [part]
    while pending:
        at = pending.pop()
        yield at
        pending.extend(reversed(at.children))


def part_at(root: Part, section: str) -> Part | None:
    """The part with an IMAP section number; None if there is none."""
    return next((part for part in walk(root) if part.section == section), None)


def cut_from(raw: bytes, part: Part, octets: int | None = None) -> bytes:
    """A part's still encoded body, or its first octets, out of the whole message."""
    size = part.size if octets is None else min(part.size, octets)
    return raw[part.offset : part.offset + size]


def decode_section(part: Part, data: bytes) -> bytes:
    """The decoded octets of a part from its encoded ones, perhaps cut short. Damage is passed over; never fails."""
    return _DECODERS.get(part.encoding, bytes)(data)


#: The end of quoted-printable that was cut within an escape.
_CUT_ESCAPE = re.compile(rb"=(?:[0-9A-Fa-f]|\r)?\Z")


def _quoted_printable(data: bytes) -> bytes:
    return binascii.a2b_qp(_CUT_ESCAPE.sub(b"", data))


def _uuencoded(data: bytes) -> bytes:
    out = []
    _, begin, rest = data.partition(b"begin ")
    for line in rest.splitlines()[1:] if begin else []:
        if line.strip() in (b"end", b"`", b""):
            break
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Some encoders pad a line wrongly: take as much as its length says.
            octets = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                out.append(binascii.a2b_uu(line[:octets]))
            except binascii.Error:
                break
    return b"".join(out)


_DECODERS = {
    "base64": headers.base64_bytes,
    "quoted-printable": _quoted_printable,
    "x-uuencode": _uuencoded,
    "uuencode": _uuencoded,
    "x-uue": _uuencoded,
}

#: Encodings that are decoded only as a whole: rare, and never of large parts.
WHOLE_ONLY = frozenset(_DECODERS) - {"base64", "quoted-printable"}

#: Decoded octets for one encoded, about: base64 in lines of 76 and a CRLF; quoted-printable in western text.
_DECODED_SHARE = {"base64": 57 / 78, "quoted-printable": 0.95, "x-uuencode": 45 / 63, "uuencode": 45 / 63}


def decoded_size(part: Part) -> int:
    """How many octets a part has when decoded: an estimate."""
    return round(part.size * _DECODED_SHARE.get(part.encoding, 1))


#: Encoded octets for one decoded, at most: quoted-printable may escape every one, and break lines every 75.
_ENCODED_MOST = {"base64": 1.4, "quoted-printable": 3.2, "x-uuencode": 1.45, "uuencode": 1.45}


def encoded_enough(part: Part, characters: int) -> int | None:
    """How many encoded octets hold so many octets of UTF-8 for certain; None if that is all of the part."""
    declared = part.params.get("charset", "")
    octets = characters * charset.octets_per_character(declared) + 64
    needed = int(octets * _ENCODED_MOST.get(part.encoding, 1)) + 4
    return None if needed >= part.size else needed


def text_of(part: Part, data: bytes) -> str:
    """The text of a text part from its encoded octets, which may be cut short."""
    octets = decode_section(part, data)
    declared = part.params.get("charset", "")
    if not declared and part.type == _HTML and (found := _META_CHARSET.search(octets, 0, 1024)):
        declared = found[1].decode("ascii")
    return charset.decode(octets, declared, cut=len(data) < part.size)


_META_CHARSET = re.compile(rb"<meta\b[^>]{0,200}?charset\s*=\s*[\"']?\s*([a-zA-Z0-9_.:-]{1,40})", re.IGNORECASE)


# --- What is text, what is attached -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the body. `plain` and `rich` say the same; `rich` is () where there is no HTML.

    Each may hold parts of both types (text around an HTML part), in the order in which they are read.
    """

    plain: tuple[Part, ...] = ()
    rich: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Attached:
    """An attachment. `inline`: the HTML refers to it."""

    part: Part
    inline: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """What the parts of a message are for. `reports` are the machine-readable parts of delivery and read reports."""

    segments: tuple[Segment, ...]
    attached: tuple[Attached, ...]
    calendar: Part | None = None
    reports: tuple[Part, ...] = ()

    @property
    def native(self) -> BodyType:
        return BodyType.HTML if any(segment.rich for segment in self.segments) else BodyType.TEXT


_PLAIN, _HTML = "text/plain", "text/html"
_REPORTS = frozenset(("message/delivery-status", "message/disposition-notification", "message/global-delivery-status"))


def layout(root: Part) -> Layout:
    """Which parts are the body, which are attachments."""
    if root.type in (_PLAIN, _HTML) and root.disposition != "attachment":
        return Layout((Segment(rich=(root,)) if root.type == _HTML else Segment((root,)),), ())
    chosen = _Choice()
    segments = chosen.visit(root, "", first=True)
    return Layout(tuple(segments), tuple(chosen.attached), chosen.calendar, tuple(chosen.reports))


def attachments(root: Part) -> list[Attached]:
    """The attachments of a message in the order of its parts; an enclosed message is one, whatever it holds."""
    return list(layout(root).attached)


class _Choice:
    def __init__(self) -> None:
        self.attached: list[Attached] = []
        self.calendar: Part | None = None
        self.reports: list[Part] = []

    def visit(self, part: Part, within: str, *, first: bool) -> list[Segment]:
        """The segments of a part. `within` is the type of the enclosing multipart; `first`: no text came before."""
        if part.type == "multipart/alternative":
            return self._alternative(part)
        if part.type == "multipart/related":
            return self._related(part)
        if part.type.startswith("multipart/"):
            segments: list[Segment] = []
            for child in part.children:
                segments += self.visit(child, part.type, first=first and not segments)
            return segments
        if part.type in (_PLAIN, _HTML) and _is_body(part, first or not within):
            return [Segment(rich=(part,)) if part.type == _HTML else Segment((part,))]
        self._leaf(part, within)
        return []

    def _leaf(self, part: Part, within: str) -> None:
        if part.type in _REPORTS:
            self.reports.append(part)
        if part.type == "text/calendar":
            is_message = "method" in part.params or not within or within == "multipart/alternative"
            if is_message and (self.calendar is None or "method" not in self.calendar.params):
                self.calendar = part
            if within == "multipart/alternative" or (not within and part.disposition != "attachment"):
                return  # it is the message itself, in the words of calendars
        if part.type.startswith("multipart/"):
            return
        self.attached.append(Attached(part, _is_inline(part, within)))

    def _alternative(self, part: Part) -> list[Segment]:
        """The last one with HTML and the first one without; what is neither is kept as an attachment (or calendar)."""
        plain: tuple[Part, ...] = ()
        rich: tuple[Part, ...] = ()
        for child in part.children:
            segments = self.visit(child, part.type, first=True)
            if any(segment.rich for segment in segments):
                rich = tuple(p for segment in segments for p in segment.rich or segment.plain)
            elif not plain:
                plain = tuple(p for segment in segments for p in segment.plain)
        return [Segment(plain, rich)] if plain or rich else []

    def _related(self, part: Part) -> list[Segment]:
        """The root (RFC 2387: `start`, else the first part) is the body, the others belong to it."""
        start = part.params.get("start", "").strip("<> ")
        root = next((child for child in part.children if start and child.content_id == start), None)
        if root is None:
            root = next(iter(part.children), None)
        segments: list[Segment] = []
        for child in part.children:
            if child is root or (child.type.startswith("multipart/") and not segments):
                segments += self.visit(child, part.type, first=True)
            elif child.type.startswith("multipart/"):
                self.visit(child, part.type, first=False)
            else:
                self._leaf(child, part.type)
        return segments


def _is_body(part: Part, first: bool) -> bool:
    """A text without a name is body wherever it stands; one with a name only where it comes first."""
    return part.disposition != "attachment" and (not part.filename or first)


def _is_inline(part: Part, within: str) -> bool:
    """Only what the HTML can refer to; everything else must be listed, or nobody would find it."""
    if not part.content_id and not part.location:
        return False
    return within == "multipart/related" or part.disposition == "inline"


# --- What must be loaded ----------------------------------------------------------------------------------------------

_PKCS7_MIME = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime"))
_PKCS7_SIGNATURE = frozenset(("application/pkcs7-signature", "application/x-pkcs7-signature"))


def smime_class(root: Part) -> str:
    """The message class of an S/MIME message, "" for others. [MS-ASEMAIL] MessageClass R591-R593."""
    if root.type in _PKCS7_MIME:
        receipt = root.params.get("smime-type", "").lower() == "signed-receipt"
        return "IPM.Note.Receipt.SMIME" if receipt else "IPM.Note.SMIME"
    if root.type == "multipart/signed":
        signature = root.children[-1].type if root.children else ""
        if root.params.get("protocol", "").lower() in _PKCS7_SIGNATURE or signature in _PKCS7_SIGNATURE:
            return "IPM.Note.SMIME.MultipartSigned"
    return ""


def is_sealed_text(root: Part) -> bool:
    """Whether the message is one PKCS #7 object that may be signed text; what is encrypted says so."""
    return root.type in _PKCS7_MIME and root.params.get("smime-type", "signed-data").lower() == "signed-data"


def wants_mime(root: Part | None, wanted: Wanted) -> BodyPreference | None:
    """The preference by which the message is sent as MIME; None if it is not.

    [MS-ASCMD] MIMESupport: 2 all messages, 1 S/MIME messages; from 12.0 only with a BodyPreference of Type 4. Where
    there are no preferences at all (2.5) MIMESupport alone decides.
    """
    if wanted.mime_support != 2 and not (wanted.mime_support == 1 and root is not None and smime_class(root)):
        return None
    asked = next((p for p in wanted.preferences if p.type is BodyType.MIME), None)
    if asked is None and wanted.preferences:
        return None
    asked = asked or BodyPreference(type=BodyType.MIME)
    sizes = [s for s in (asked.truncation_size, wanted.mime_truncation) if s is not None]
    return replace(asked, truncation_size=None if wanted.whole else min(sizes, default=None))


#: An invitation is a few kilobytes, 20 or 50 with attendees; one with its attachments inside is no invitation to show.
MAX_CALENDAR = 512 * 1024
#: The signed text of an opaque-signed message, its attachments included, that is taken out for those who cannot.
MAX_SEALED = 4 * 1024 * 1024
#: What a report says stands at its beginning.
_REPORT_OCTETS = 16 * 1024
#: HTML has about this much markup for one octet of text ...
_MARKUP = 8
#: ... after a head with styles.
_HEAD = 8 * 1024
#: A text alternative this short says nothing ("see HTML version" is longer); the HTML is loaded too.
_NO_TEXT = 8


def sections_wanted(root: Part, wanted: Wanted) -> dict[str, int | None]:
    """Which sections must be loaded, and how many encoded octets of each at most (None: all), to render as wanted.

    The whole message is "" (its limit counts from the header on). Attachments are never among them.
    """
    plan = layout(root)
    need: dict[str, int | None] = {}
    mime = wants_mime(root, wanted)
    if mime is not None:
        need[""] = mime.truncation_size
        if mime.truncation_size is None:
            return need
    if plan.calendar is not None and plan.calendar.size <= MAX_CALENDAR:
        need[plan.calendar.section] = None
    for report in plan.reports:
        _add(need, report, _REPORT_OCTETS)
    if is_sealed_text(root) and root.size <= MAX_SEALED:
        need[root.section] = None
    if mime is None or mime.all_or_none:
        for preference in candidates(plan.native, wanted):
            _add_body(need, plan, preference, wanted)
            if not (preference.all_or_none and preference.truncation_size is not None):
                break
    if wanted.part_preference is not None:
        _add_body(need, plan, wanted.part_preference, wanted)
    preview = [p.preview for p in (*wanted.preferences, wanted.part_preference) if p is not None and p.preview]
    if preview:
        _add_text(need, plan, 4 * max(preview))
    return need


def _add(need: dict[str, int | None], part: Part, octets: int | None) -> None:
    if octets is not None and octets >= part.size:
        octets = None
    before = need.get(part.section, 0)
    need[part.section] = None if octets is None or before is None else max(before, octets)


def _add_body(need: dict[str, int | None], plan: Layout, preference: BodyPreference, wanted: Wanted) -> None:
    limit = limit_of(preference, wanted)
    if preference.type is not BodyType.HTML:
        _add_text(need, plan, limit)
        return
    for segment in plan.segments:
        _add_parts(need, segment.rich or segment.plain, limit)


def _add_text(need: dict[str, int | None], plan: Layout, limit: int | None) -> None:
    """For so many octets of plain text."""
    for segment in plan.segments:
        _add_parts(need, segment.plain, limit)
        if sum(part.size for part in segment.plain) <= _NO_TEXT:
            _add_parts(need, segment.rich, None if limit is None else limit * _MARKUP + _HEAD)


def _add_parts(need: dict[str, int | None], parts: Iterable[Part], limit: int | None) -> None:
    left = limit
    for part in parts:
        if left is not None and left <= 0:
            break
        _add(need, part, None if left is None else encoded_enough(part, left))
        if left is not None:
            left -= decoded_size(part)

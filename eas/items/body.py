"""Bodies: what the device prefers, and what it gets. [MS-ASAIRS] BodyPreference, Body, BodyPart."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from enum import IntEnum

from eas.items import markup, rtf
from eas.items.native import Unreadable
from eas.protocol.schema import FLAG, INT, element, enum
from eas.protocol.version import Version


class BodyType(IntEnum):
    """[MS-ASAIRS] Type."""

    TEXT = 1
    HTML = 2
    RTF = 3
    MIME = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPreference:
    """[MS-ASAIRS] BodyPreference, BodyPartPreference. `truncation_size` in bytes, None for the whole."""

    type: BodyType = element("AirSyncBase:Type", enum(BodyType))
    truncation_size: int | None = element("AirSyncBase:TruncationSize", INT, default=None)
    all_or_none: bool | None = element("AirSyncBase:AllOrNone", FLAG, default=None)
    preview: int | None = element("AirSyncBase:Preview", INT, since=Version.V14_0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """[MS-ASAIRS] Body, as answered and as sent by devices. `data` is text; None where there is none (yet).

    `part` is the index of a multipart answer's part that holds the data instead.
    """

    type: BodyType = element("AirSyncBase:Type", enum(BodyType))
    estimated_size: int | None = element("AirSyncBase:EstimatedDataSize", INT, default=None)
    truncated: bool | None = element("AirSyncBase:Truncated", FLAG, default=None)
    data: str | None = element("AirSyncBase:Data", default=None)
    part: int | None = element("ItemOperations:Part", INT, default=None)
    preview: str | None = element("AirSyncBase:Preview", since=Version.V14_0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPart:
    """[MS-ASAIRS] BodyPart: the text of one message of a conversation. Only for devices with a BodyPartPreference.

    `status` is 1; 176 would say that the part is too large, which it is not here: it is truncated.
    """

    status: int = element("AirSyncBase:Status", INT, default=1)
    type: BodyType = element("AirSyncBase:Type", enum(BodyType), default=BodyType.HTML)
    estimated_size: int = element("AirSyncBase:EstimatedDataSize", INT, default=0)
    truncated: bool | None = element("AirSyncBase:Truncated", FLAG, default=None)
    data: str | None = element("AirSyncBase:Data", default=None)
    preview: str | None = element("AirSyncBase:Preview", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a device wants of the items of a class: its Options, in our words.

    `mime_support`: 0 never, 1 only S/MIME messages, 2 all. `mime_truncation` in characters, None for no limit.
    No preferences at all mean plain text. `whole` overrides every truncation that was asked for (Sync's Fetch).
    `limit_text` and `limit_html` are the policy's limits in bytes, None for none.
    """

    preferences: tuple[BodyPreference, ...] = ()
    part_preference: BodyPreference | None = None
    mime_support: int = 0
    mime_truncation: int | None = None
    whole: bool = False
    limit_text: int | None = None
    limit_html: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a body is made from. Either may be None; both are there in multipart/alternative.

    `text_size` and `html_size` are estimates of the whole, in octets of UTF-8, for what was loaded only in part; None
    for what is whole.
    """

    text: str | None = None
    html: str | None = None
    text_size: int | None = None
    html_size: int | None = None

    @property
    def uses_text(self) -> bool:
        """Whether plain text is at hand, and need not be made from HTML."""
        return self.text is not None and (self.html is None or bool(self.text.strip()))

    @property
    def native(self) -> BodyType:
        """[MS-ASAIRS] NativeBodyType: HTML wherever there is some."""
        return BodyType.TEXT if self.html is None else BodyType.HTML

    def as_text(self, at_least: int | None = None) -> str:
        """Plain text. `at_least`: so many characters do, if the text has to be made from HTML."""
        if self.text is not None and self.uses_text:
            return markup.clean(self.text)
        return markup.text_of_html(markup.clean(self.html or ""), at_least)

    def as_html(self) -> str:
        if self.html is None:
            return markup.html_of_text(markup.clean(self.text or ""))
        return markup.declare_utf8(markup.clean(self.html))


def render_text(text: str, wanted: Wanted, version: Version) -> Body:
    """The body of an item whose notes are plain text (contacts, appointments, tasks, notes)."""
    return render_source(Source(text=text), wanted, version)


def render_body(text: str | None, html: str | None, wanted: Wanted, version: Version) -> Body | None:
    """The body of an item that has text, HTML or both; None if it has neither. Never of Type 4."""
    return None if text is None and html is None else render_source(Source(text=text, html=html), wanted, version)


def render_source(source: Source, wanted: Wanted, version: Version) -> Body:
    """The body in the type and length that the device prefers.

    The stored type if the device takes it, else the next of its types in its order, RTF last. A type with AllOrNone
    that does not fit is passed over ([MS-ASAIRS] AllOrNone (BodyPreference) R78, R80); if none is left, without Data.
    """
    usable = candidates(source.native, wanted)
    for preference in usable:
        body = _render(source, preference, wanted)
        if not (body.truncated and preference.all_or_none and preference.truncation_size is not None):
            break
    else:
        preference = usable[0]
        body = _render(source, preference, wanted)
        body = Body(type=body.type, estimated_size=body.estimated_size, truncated=True)
    length = next((p.preview for p in (preference, *usable) if p.preview), None)
    if not length or version < Version.V14_0 or (body.type is BodyType.TEXT and body.data):
        return body  # [MS-ASAIRS] Preview (Body) R1001036: no Preview beside plain text
    return Body(
        type=body.type,
        estimated_size=body.estimated_size,
        truncated=body.truncated,
        data=body.data,
        preview=preview(source, length) or None,
    )


def render_part(source: Source, preference: BodyPreference, wanted: Wanted) -> BodyPart:
    """The BodyPart for a BodyPartPreference, always HTML. `source` is what is new in the message."""
    body = _render(source, BodyPreference(type=BodyType.HTML, truncation_size=preference.truncation_size), wanted)
    refused = body.truncated and preference.all_or_none and preference.truncation_size is not None
    return BodyPart(
        estimated_size=body.estimated_size or 0,
        truncated=body.truncated,
        data=None if refused else body.data,
        # [MS-ASAIRS] Preview (BodyPart) R256
        preview=preview(source, preference.preview) if preference.preview else None,
    )


#: [MS-ASAIRS] Preview (BodyPreference) R266.
MAX_PREVIEW = 255
#: The order of types where a device has named them all the same: MIME is not made here, RTF only for want of better.
_RANK = {BodyType.TEXT: 0, BodyType.HTML: 0, BodyType.RTF: 1}
_PLAIN_TEXT = BodyPreference(type=BodyType.TEXT)


def candidates(native: BodyType, wanted: Wanted) -> list[BodyPreference]:
    """The preferences that can be met, best first; plain text where the device has said nothing that can be."""
    usable = [p for p in wanted.preferences if p.type in _RANK]
    return sorted(usable, key=lambda p: (p.type is not native, _RANK[p.type])) or [_PLAIN_TEXT]


def preview(source: Source, characters: int) -> str:
    """The first characters of the plain text, on one line. [MS-ASAIRS] Preview (Body) R250."""
    characters = min(characters, MAX_PREVIEW)
    return markup.flat(source.as_text(characters), characters)


def _render(source: Source, preference: BodyPreference, wanted: Wanted) -> Body:
    """In the type of the preference, cut at its TruncationSize and the policy's limit, whichever is less."""
    if preference.type is BodyType.RTF:
        return _render_rtf(source, preference, wanted)
    is_html = preference.type is BodyType.HTML
    whole = source.as_html() if is_html else source.as_text()
    limit = limit_of(preference, wanted)
    octets = markup.size(whole)
    cut = markup.cut_html if is_html else markup.cut_text
    data = whole if limit is None or octets <= limit else cut(whole, limit)
    full = _full_size(source, preference.type, octets)
    return Body(
        type=preference.type,
        estimated_size=full,
        # [MS-ASAIRS] Truncated (Body) R277: left out where nothing is missing (Windows Phone 8 needs it so).
        truncated=True if len(data) < len(whole) or full > octets else None,
        data=data or None,
    )


def _full_size(source: Source, kind: BodyType, octets: int) -> int:
    """The size of the whole in `kind`, of which `octets` are at hand: more than those if something is missing."""
    from_text = source.html is None or (kind is BodyType.TEXT and source.uses_text)
    estimate = source.text_size if from_text else source.html_size
    if estimate is None:
        return octets
    if kind is not (BodyType.TEXT if from_text else BodyType.HTML):  # converted: in the same proportion
        have = markup.size((source.text if from_text else source.html) or "")
        estimate = octets * estimate // have if have else 0
    return max(octets + 1, estimate)


def limit_of(preference: BodyPreference, wanted: Wanted) -> int | None:
    """Octets of Data at most: the least of TruncationSize (unless the whole is wanted) and the policy's limit for the
    type; None for no limit."""
    policy = wanted.limit_html if preference.type is BodyType.HTML else wanted.limit_text
    asked = None if wanted.whole else preference.truncation_size
    given = [limit for limit in (asked, policy) if limit is not None]
    return min(given, default=None)


def _render_rtf(source: Source, preference: BodyPreference, wanted: Wanted) -> Body:
    """Base64 of compressed RTF, [MS-ASAIRS] Data (Body) R179. Cut RTF is no RTF: to fit, the text is shortened."""
    text = source.as_text()
    data = base64.b64encode(rtf.compressed_of_text(text)).decode("ascii")
    full, limit = len(data), limit_of(preference, wanted)
    while limit is not None and len(data) > limit and text:
        text = text[: min(len(text) - 1, len(text) * limit // len(data))]
        data = base64.b64encode(rtf.compressed_of_text(text)).decode("ascii")
    fits = limit is None or len(data) <= limit
    truncated = not fits or len(data) < full or _full_size(source, BodyType.TEXT, 0) > 0
    return Body(
        type=BodyType.RTF, estimated_size=full, truncated=truncated or None, data=data if text and fits else None
    )


def body_text(body: Body) -> str:
    """What a device sent as a body, as plain text; "" where it sent none. Raises Unreadable for RTF that is none."""
    data = markup.clean(body.data or "")
    if body.type is BodyType.HTML:
        return markup.text_of_html(data)
    if body.type is BodyType.RTF and data.strip():
        try:
            return rtf.text_of_compressed(base64.b64decode(data))
        except binascii.Error as error:
            raise Unreadable("RTF body is not base64") from error
    return data


def body_html(body: Body) -> str | None:
    """What a device sent as a body, if it sent HTML; None otherwise."""
    return markup.clean(body.data or "") if body.type is BodyType.HTML else None

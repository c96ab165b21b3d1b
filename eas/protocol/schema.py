"""How typed messages are spelled on the wire: dataclass <-> Element, for a given version.

A field of a message declares its spellings; the version of the request picks one. This file is the only place that
asks "does this element exist in this version?".

Absent, empty and valued elements are three things (ghosting gives absence a meaning, [MS-ASCMD] Supported R659-R661).
A field's value is None (or an empty tuple) both for an absent and for an empty element; `stated(cls, element, version)`
names the fields whose element was there, and `dump(..., empty=names)` writes the named fields as empty elements.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, datetime
from enum import IntEnum
from functools import cache, partial
from typing import Any, TypeVar

from .version import Spoken, Version
from .wbxml import Element

M = TypeVar("M")
E = TypeVar("E", bound=IntEnum)

Content = str | bytes | tuple[Element, ...]


class SchemaError(ValueError):
    """A well-formed document that is not the message that was expected; `tag` is the element at fault."""

    def __init__(self, message: str, tag: str = "") -> None:
        super().__init__(message)
        self.tag = tag


@dataclass(frozen=True, slots=True)
class Codec:
    """A value as it stands in Python, and as element content. `load` raises SchemaError on what is no such value."""

    load: Callable[[Element, Version], Any]
    dump: Callable[[Any, Version], Content]


def plain(parse: Callable[[str], Any], show: Callable[[Any], str] = str) -> Codec:
    """A codec of text content from a parser that raises ValueError."""

    def load(element: Element, version: Version) -> Any:
        try:
            return parse(element.text)
        except ValueError:
            raise SchemaError(f"{element.tag}: {element.text[:80]!r} is not valid", element.tag) from None

    return Codec(load, lambda value, version: show(value))


def _integer(text: str) -> int | None:
    """An empty element has no number: None. Only ASCII digits with a sign, unlike int()."""
    text = text.strip()
    if not text:
        return None
    if not text.lstrip("+-").isascii() or not text.lstrip("+-").isdigit() or len(text) > 20:
        raise ValueError(text)
    return int(text)


_FLAGS = {"": True, "1": True, "0": False, "true": True, "false": False}


def _flag(text: str) -> bool:
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise ValueError(text) from None


def _dashed(text: str) -> datetime | None:
    """`2000-12-25T08:35:00.000Z`; the compact form is taken too, since devices mix them up. [MS-ASDTYPE] dateTime."""
    text = text.strip()
    if not text:
        return None
    stamp = text.removesuffix("Z").partition(".")[0]
    form = "%Y-%m-%dT%H:%M:%S" if "-" in stamp else "%Y%m%dT%H%M%S"
    return datetime.strptime(stamp, form).replace(tzinfo=UTC)


def _show_dashed(moment: datetime) -> str:
    # isoformat, since strftime("%Y") writes the year 1 as "1".
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def _show_compact(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19].replace("-", "").replace(":", "") + "Z"


TEXT = Codec(lambda element, version: element.text, lambda value, version: str(value))
INT = plain(_integer)
#: A boolean; present and empty is true ([MS-ASDTYPE] boolean).
FLAG = plain(_flag, lambda value: "1" if value else "0")
#: An element whose presence is its value: true when there, written without content; leave it None when false.
PRESENCE = Codec(lambda element, version: True, lambda value, version: "")
#: Aware datetime in UTC <-> `2000-12-25T08:35:00.000Z`.
DASHED = plain(_dashed, _show_dashed)
#: Aware datetime in UTC <-> `20001225T083500Z`. Both codecs read both forms.
COMPACT = plain(_dashed, _show_compact)
#: bytes that travel as WBXML opaque data; text content is taken as UTF-8.
OPAQUE = Codec(
    lambda element, version: element.text.encode() if isinstance(element.content, str | tuple) else element.content,
    lambda value, version: value,
)
#: The element itself, for content whose class another element decides (ApplicationData).
ELEMENT = Codec(lambda element, version: element, lambda value, version: value.content)


def enum(kind: type[E]) -> Codec:
    """An IntEnum by its number; other numbers raise SchemaError. Empty is None."""
    return plain(lambda text: None if (n := _integer(text)) is None else kind(n), lambda member: str(int(member)))


def message(cls: type) -> Codec:
    """A nested message."""
    return Codec(lambda element, version: load(cls, element, version), lambda value, version: content(value, version))


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to write a field: `tag`, in an enclosing element `within`, as `codec`."""

    tag: str
    codec: Codec = TEXT
    within: str | None = None
    spoken: Spoken = Spoken()
    many: bool = False
    #: For `choices`: tag -> message class, any of which may stand here, in any order.
    classes: Mapping[str, type] | None = None
    #: Write the enclosing (or own) element even if there is no value, as with `<Flag/>` and `<Categories/>` of Email.
    keep: bool = False


def spelled(*spellings: Spelling, default: Any = MISSING) -> Any:
    """A message field; earlier spellings win where ranges of versions overlap."""
    if default is MISSING:
        return field(metadata={"spellings": spellings})
    return field(metadata={"spellings": spellings}, default=default)


def element(
    tag: str,
    codec: Codec = TEXT,
    *,
    within: str | None = None,
    since: Version = Version.V2_5,
    until: Version = Version.V16_1,
    keep: bool = False,
    default: Any = MISSING,
) -> Any:
    """The usual case: a field with one spelling. Without a default the element is required."""
    return spelled(Spelling(tag, codec, within, Spoken(since, until), keep=keep), default=default)


def elements(
    tag: str,
    codec: Codec = TEXT,
    *,
    within: str | None = None,
    since: Version = Version.V2_5,
    until: Version = Version.V16_1,
    keep: bool = False,
) -> Any:
    """A field that holds a tuple, one element for each member."""
    return spelled(Spelling(tag, codec, within, Spoken(since, until), many=True, keep=keep), default=())


def choices(classes: Mapping[str, type], *, within: str | None = None) -> Any:
    """A field that holds a tuple of messages of several classes in document order, told apart by their tags."""
    return spelled(Spelling("", within=within, many=True, classes=classes), default=())


def load(cls: type[M], root: Element, version: Version) -> M:
    """Read a message; unknown elements are passed over. Raises SchemaError if a required element is missing, or one is
    wrong."""
    kind: type = cls
    plan = _reading(kind, version)
    found: dict[str, list[Any]] = {}
    entered: set[str] = set()
    for child in root.elements:
        place = plan.places.get(child.tag)
        if place is None:
            continue
        for name, load_value in place.fields:
            found.setdefault(name, []).append(load_value(child, version))
        # Of several enclosing elements with the same tag the first counts.
        if place.inner and child.tag not in entered:
            entered.add(child.tag)
            for inner in child.elements:
                for name, load_value in place.inner.get(inner.tag, ()):
                    found.setdefault(name, []).append(load_value(inner, version))
    values: dict[str, Any] = {name: values[0] for name, values in found.items()}
    for name in plan.many:
        values[name] = tuple(found.get(name, ()))
    for name, tag in plan.required:
        if name not in values:
            raise SchemaError(f"{root.tag} without {tag}", tag)
    return cls(**values)


def stated(cls: type, root: Element, version: Version) -> frozenset[str]:
    """The names of the fields whose element (for lists: the enclosing element) stands in `root`, empty or not."""
    tags = {child.tag for child in root.elements}
    return frozenset(name for name, marks in _marks(cls, version) if not marks.isdisjoint(tags))


def dump(tag: str, value: object, version: Version, empty: Collection[str] = ()) -> Element:
    """Write a message as element `tag`; fields that are None or () are left out, those named in `empty` are written as
    empty elements."""
    return Element(tag, content(value, version, empty))


def content(value: object, version: Version, empty: Collection[str] = ()) -> tuple[Element, ...]:
    """The children that `dump` would write, in the order of the fields."""
    out: list[Element] = []
    kind: type = type(value)
    for name, spelling, codec_dump in _writers(kind, version):
        member = getattr(value, name)
        if member is None or member == ():
            if spelling.keep or name in empty:
                out.append(Element(spelling.within or spelling.tag))
            continue
        if spelling.classes is not None:
            tag_of = {cls: tag for tag, cls in spelling.classes.items()}
            written = [Element(tag_of[type(m)], content(m, version)) for m in member]
        elif spelling.many:
            written = [Element(spelling.tag, codec_dump(m, version)) for m in member]
        else:
            written = [Element(spelling.tag, codec_dump(member, version))]
        if spelling.within is None:
            out += written
        elif out and out[-1].tag == spelling.within:
            # Neighbouring fields that share an enclosing element share one.
            out[-1] = Element(spelling.within, (*out[-1].elements, *written))
        else:
            out.append(Element(spelling.within, tuple(written)))
    return tuple(out)


@dataclass(frozen=True, slots=True)
class _Planned:
    name: str
    spelling: Spelling
    required: bool


#: How the elements of one tag are read: the fields that each of them fills.
_Readers = tuple[tuple[str, Callable[[Element, Version], Any]], ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """What an element fills: fields by itself, and fields by its children (which name it in `within`)."""

    fields: _Readers = ()
    inner: Mapping[str, _Readers] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A message as `load` meets it: by the tags of the children, so that each child is looked at once."""

    places: Mapping[str, _Place]
    many: tuple[str, ...]
    required: tuple[tuple[str, str], ...]  # (field, tag)


@cache
def _reading(cls: type, version: Version) -> _Reading:
    plans = _plan(cls, version)
    own: dict[str, _Readers] = {}
    inner: dict[str, dict[str, _Readers]] = {}
    for plan in plans:
        within = plan.spelling.within
        at = own if within is None else inner.setdefault(within, {})
        for tag, read in _readers(plan.spelling):
            at[tag] = (*at.get(tag, ()), (plan.name, read))
    return _Reading(
        places={tag: _Place(own.get(tag, ()), inner.get(tag, {})) for tag in own | inner},
        many=tuple(plan.name for plan in plans if plan.spelling.many),
        required=tuple((p.name, p.spelling.tag) for p in plans if p.required and not p.spelling.many),
    )


def _readers(spelling: Spelling) -> list[tuple[str, Callable[[Element, Version], Any]]]:
    """The tags that a spelling takes, and how each is read."""
    if spelling.classes is None:
        return [(spelling.tag, spelling.codec.load)]
    return [(tag, partial(load, cls)) for tag, cls in spelling.classes.items()]


@cache
def _plan(cls: type, version: Version) -> tuple[_Planned, ...]:
    """The fields that exist in `version`, with the spelling in force. Made once for a class and version."""
    return tuple(
        _Planned(f.name, spelling, f.default is MISSING and f.default_factory is MISSING)
        for f in fields(cls)
        if "spellings" in f.metadata
        if (spelling := next((s for s in f.metadata["spellings"] if version in s.spoken), None))
    )


@cache
def _marks(cls: type, version: Version) -> tuple[tuple[str, frozenset[str]], ...]:
    """For each field the tags of which any says that it is stated."""
    return tuple(
        (plan.name, frozenset({s.within} if s.within else s.classes or {s.tag}))
        for plan in _plan(cls, version)
        for s in (plan.spelling,)
    )


@cache
def _writers(cls: type, version: Version) -> tuple[tuple[str, Spelling, Callable[[Any, Version], Content]], ...]:
    return tuple((p.name, p.spelling, p.spelling.codec.dump) for p in _plan(cls, version))

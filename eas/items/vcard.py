"""Rules that tie one field of a contact to its place in a vCard. RFC 6350, RFC 2426, versit vCard 2.1.

A rule has a `load` and a `dump` that undo each other; a new property is a new row in a table of rules (contacts.VCARD),
a new kind of property is a new rule here. `load` gives None (or ()) for what is absent, empty or not to be understood;
`dump` writes into the card that is there, and None (or ()) removes only what `load` had found. Whatever no rule finds
stays as it is.

Names beside those of the RFCs are the ones that Outlook, Apple's Contacts, Evolution, KAddressBook, Roundcube and
Android write; the first name of a rule is the one that is written where the card has none.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Protocol

from .contentline import LEGACY, Component, Line, Params, clean, escape, split, unescape

#: The year that stands for none: Apple's, which iOS writes to vCards and shows as a birthday without a year. It is a
#: leap year, so that 29 February exists.
NO_YEAR = 1604
#: A parameter that keeps a value in its place when an earlier one is missing (an Email2Address without Email1Address).
SLOT = "X-EAS-SLOT"

#: Which kind of phone or address a line is: the first row whose types it carries all. A kind is what TYPE says of it
#: when it is written; kinds that no rule names (other faxes, modems) are left alone. A number of no kind that we know
#: shows as a home number, since many address books write plain TEL lines and ActiveSync has no other place for them.
KINDS: Mapping[str, tuple[tuple[str, frozenset[str]], ...]] = {
    "TEL": tuple(
        (kind, frozenset(types.split()))
        for kind, types in (
            ("HOME FAX", "HOME FAX"),
            ("WORK FAX", "WORK FAX"),
            ("FAX", "FAX"),
            ("PAGER", "PAGER"),
            ("CAR", "CAR"),
            ("X-RADIO", "X-RADIO"),
            ("X-RADIO", "RADIO"),
            ("X-ASSISTANT", "X-ASSISTANT"),
            ("X-ASSISTANT", "ASSISTANT"),
            ("X-ASSISTANT", "X-EVOLUTION-ASSISTANT"),
            ("X-COMPANY", "X-COMPANY"),
            ("X-COMPANY", "COMPANY"),
            ("X-COMPANY", "X-EVOLUTION-COMPANY"),
            ("X-COMPANY", "MAIN"),
            *((other, other) for other in ("MODEM", "ISDN", "BBS", "VIDEO", "TEXTPHONE", "TTYTDD", "TTY-TDD")),
            *((other, other) for other in ("TLX", "CALLBACK", "X-EVOLUTION-CALLBACK", "X-EVOLUTION-TTYTDD")),
            ("CELL", "CELL"),
            ("CELL", "IPHONE"),
            ("WORK", "WORK"),
            ("HOME", "HOME"),
            ("HOME", ""),
        )
    ),
    "ADR": (("HOME", frozenset({"HOME"})), ("WORK", frozenset({"WORK"})), ("OTHER", frozenset())),
}

#: Apple's labels of grouped lines (`item1.X-ABLabel:_$!<HomeFAX>!$_`) as types.
LABEL_TYPES = {
    "HOME": frozenset({"HOME"}),
    "WORK": frozenset({"WORK"}),
    "MOBILE": frozenset({"CELL"}),
    "IPHONE": frozenset({"CELL"}),
    "MAIN": frozenset({"MAIN"}),
    "HOMEFAX": frozenset({"HOME", "FAX"}),
    "WORKFAX": frozenset({"WORK", "FAX"}),
    "OTHERFAX": frozenset({"FAX"}),
    "PAGER": frozenset({"PAGER"}),
    "CAR": frozenset({"CAR"}),
    "RADIO": frozenset({"X-RADIO"}),
    "ASSISTANT": frozenset({"X-ASSISTANT"}),
}

#: How many parts a structured value has at least when it is written.
WIDTH = {"N": 5, "ADR": 7}


class Rule(Protocol):
    def load(self, card: Component) -> Any: ...
    def dump(self, value: Any, card: Component) -> None: ...


@dataclass(slots=True)
class Snapshot(Component):
    """A card that is only read: it knows its lines by name, and its version."""

    by_name: dict[str, list[Line]] = field(default_factory=dict)

    def find(self, name: str, types: Iterable[str] = ()) -> list[Line]:
        lines = self.by_name.get(name)
        if not lines or not types:
            return list(lines or ())
        return [line for line in lines if line.types.issuperset(types)]

    def first(self, name: str) -> Line | None:
        lines = self.by_name.get(name)
        return lines[0] if lines else None


def load(rules: Mapping[str, Rule], card: Component) -> dict[str, Any]:
    """What the rules find in the card, by the names of the rules; as a contact has seventy of them, it is indexed."""
    by_name = dict[str, list[Line]]()
    for line in card.lines:
        by_name.setdefault(line.name, []).append(line)
    snapshot = Snapshot(card.name, card.items, by_name=by_name)
    return {name: rule.load(snapshot) for name, rule in rules.items()}


@dataclass(frozen=True, slots=True)
class Text:
    """A text property. Of several names the first that has a value counts; `modern` is what version 4.0 calls it.

    `uri`: the value is one, so that commas and semicolons are written as they are.
    """

    names: tuple[str, ...]
    modern: str = ""
    uri: bool = False

    def load(self, card: Component) -> str | None:
        line = next(iter(self._lines(card)), None)
        return line.text(card.version) if line else None

    def dump(self, value: str | None, card: Component) -> None:
        old = self.load(card)
        lines = [line for line in self._lines(card) if line.text(card.version) == old]
        for line in lines:
            if value:
                card.replace(line, self._with(line, value, card))
            else:
                drop(card, line)
        if value and not lines:
            name = self.modern if self.modern and card.version == "4.0" else self.names[0]
            put(card, self._with(card.first(name) or Line(name, ""), value, card))

    def _lines(self, card: Component) -> list[Line]:
        names = (self.modern, *self.names) if self.modern else self.names
        lines = [line for name in names for line in card.find(name) if line.text(card.version)]
        return sorted(lines, key=preference) if len(lines) > 1 else lines

    def _with(self, line: Line, value: str, card: Component) -> Line:
        return with_uri(line, value, card) if self.uri else line.with_text(value, card.version)


@dataclass(frozen=True, slots=True)
class Nth:
    """The n-th of the `of` shown properties of one kind, e.g. the second TEL;TYPE=HOME. Preferred ones come first."""

    names: tuple[str, ...]
    n: int = 0
    of: int = 1
    kind: str = ""

    def load(self, card: Component) -> str | None:
        line = self._slots(card).get(self.n)
        return self._read(line, card) if line else None

    def dump(self, value: str | None, card: Component) -> None:
        wanted = self._slots(card)
        line = wanted.pop(self.n, None)
        if value and line:
            wanted[self.n] = self._with(line, value, card)
            card.replace(line, wanted[self.n])
        elif value:
            wanted[self.n] = self._with(Line(self._name(value), "", self._type()), value, card)
            card.add(wanted[self.n])
        elif line:
            drop(card, line)
        # Lines that would change places by this say from now on where they belong, the one that was written first.
        for n in (self.n, *sorted(wanted.keys() - {self.n})):
            if n in wanted and n < self.of and self._slots(card).get(n) is not wanted[n]:
                card.replace(wanted[n], _in_slot(wanted[n], n))

    def _slots(self, card: Component) -> dict[int, Line]:
        """Slot -> line. Lines that say where they belong stand there; the others fill the free slots in their order."""
        found = [line for name in self.names for line in card.find(name) if self._read(line, card)]
        if not found:
            return {}
        if self.kind:
            kinds = KINDS[self.names[0]]
            found = [line for line in found if kind_of(line, card, kinds) == self.kind]
        wanted = frozenset(self.kind.split())
        found.sort(key=lambda line: (not wanted <= types_of(line, card), preference(line)))
        slots, rest = dict[int, Line](), list[Line]()
        for line in found:
            slot = _slot(line)
            if slot is None or slot in slots:
                rest.append(line)
            else:
                slots[slot] = line
        free = (n for n in range(len(found) + len(slots) + 1) if n not in slots)
        return {**slots, **dict(zip(free, rest, strict=False))}

    def _read(self, line: Line, card: Component) -> str:
        text = line.text(card.version)
        is_uri = (line.param("VALUE") or "").upper() == "URI"
        return text[4:] if is_uri and text[:4].lower() == "tel:" else text

    def _with(self, line: Line, value: str, card: Component) -> Line:
        if (line.param("VALUE") or "").upper() == "URI":
            line = line.with_params(tuple(p for p in line.params if p[0] != "VALUE"))
        return line.with_text(value, card.version)

    def _name(self, value: str) -> str:
        return self.names[0]

    def _type(self) -> Params:
        return (("TYPE", tuple(self.kind.split())),) if self.kind else ()


@dataclass(frozen=True, slots=True)
class Im(Nth):
    """The n-th address for instant messages: IMPP for addresses with a scheme (RFC 4770), else Outlook's property."""

    names: tuple[str, ...] = (
        "X-MS-IMADDRESS", "IMPP", "X-JABBER", "X-AIM", "X-ICQ", "X-MSN", "X-YAHOO", "X-SKYPE", "X-SKYPE-USERNAME",
        "X-GOOGLE-TALK", "X-GADUGADU", "X-GROUPWISE", "X-QQ", "X-TWITTER", "X-KADDRESSBOOK-X-IMADDRESS",
    )  # fmt: skip

    def _with(self, line: Line, value: str, card: Component) -> Line:
        if line.name == "IMPP" and self._name(value) != "IMPP":
            line = replace(line, name=self._name(value), head="", raw=b"")
        return with_uri(line, value, card)

    def _name(self, value: str) -> str:
        return "IMPP" if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", value) else "X-MS-IMADDRESS"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a structured property: N, ADR, ORG. Its other parts stay as they are written.

    A card without N shows its FN as the last name, unless that is the company or an address, since phones show neither
    FN nor FileAs; from the first change of a name on it stands in N.
    """

    name: str
    index: int
    kind: str = ""

    def load(self, card: Component) -> str | None:
        pieces = self._pieces(self._line(card), card)
        return (unescape(pieces[self.index], card.version) or None) if self.index < len(pieces) else None

    def dump(self, value: str | None, card: Component) -> None:
        line = self._line(card)
        pieces = self._pieces(line, card)
        pieces += [""] * (max(WIDTH.get(self.name, 0), self.index + 1) - len(pieces))
        pieces[self.index] = escape(value or "", card.version)
        while self.name not in WIDTH and pieces and not pieces[-1]:
            pieces.pop()
        if line is None:
            line = Line(self.name, "", (("TYPE", tuple(self.kind.split())),) if self.kind else ())
            card.add(line)
        if line.param("LABEL") is not None:
            # RFC 6350 6.3.1: the address as it is printed, which is now another.
            bare = line.with_params(tuple(p for p in line.params if p[0] != "LABEL"))
            card.replace(line, bare)
            line = bare
        card.replace(line, line.with_escaped(";".join(pieces), card.version))

    def _line(self, card: Component) -> Line | None:
        # A line that this edit has emptied stays the one meant until `tidy`, else the next one would be emptied too.
        lines = [line for line in card.find(self.name) if not is_blank(line) or not line.raw]
        if self.kind:
            lines = [line for line in lines if kind_of(line, card, KINDS[self.name]) == self.kind]
        return min(lines, key=preference, default=None)

    def _pieces(self, line: Line | None, card: Component) -> list[str]:
        if line is not None:
            return split(line.decoded(), ";")
        formatted = Text(("FN",)).load(card) if self.name == "N" else None
        known = [unescape(part, card.version) for org in card.find("ORG") for part in split(org.decoded(), ";")[:1]]
        known += [email.text(card.version) for email in card.find("EMAIL")]
        return [escape(formatted, card.version)] if formatted and formatted not in known else []


@dataclass(frozen=True, slots=True)
class Day:
    """A date, whose time is of no interest; one without a year has the year NO_YEAR. `label` is Apple's for X-ABDATE.

    Dates without day or month, and those in words, are not understood.
    """

    names: tuple[str, ...]
    modern: str
    label: str = ""

    def load(self, card: Component) -> date | None:
        return next((day for _, day in self._found(card)), None)

    def dump(self, value: date | None, card: Component) -> None:
        found = self._found(card)
        for line, day in found:
            if day == found[0][1]:
                if value:
                    card.replace(line, _dated(line, value, card.version))
                else:
                    drop(card, line)
        if value and not found:
            name = self.modern if card.version == "4.0" else self.names[0]
            put(card, _dated(card.first(name) or Line(name, ""), value, card.version))

    def _found(self, card: Component) -> list[tuple[Line, date]]:
        lines = [line for name in (self.modern, *self.names) for line in card.find(name)]
        if self.label:
            lines += [line for line in card.find("X-ABDATE") if label_of(line, card) == self.label]
        unique = {id(line): line for line in lines}.values()
        return [(line, day) for line in unique if (day := _day(line, card.version))]


@dataclass(frozen=True, slots=True)
class Each:
    """A property with a list of values, perhaps spread over several lines: CATEGORIES."""

    name: str

    def load(self, card: Component) -> tuple[str, ...]:
        pieces = [piece for line in card.find(self.name) for piece in split(line.decoded(), ",")]
        return tuple(dict.fromkeys(text for piece in pieces if (text := unescape(piece, card.version).strip())))

    def dump(self, value: tuple[str, ...] | None, card: Component) -> None:
        lines = card.find(self.name)
        words = dict.fromkeys(word for text in value or () if (word := clean(text).strip()))
        for line in lines[1:] if words else lines:
            drop(card, line)
        pieces = [escape(word, card.version) for word in words]
        if card.version in LEGACY:
            # Version 2.1 has no escape for a comma, but without one the list would fall apart here.
            pieces = [piece.replace(",", "\\,") for piece in pieces]
        if pieces:
            put(card, (lines[0] if lines else Line(self.name, "")).with_escaped(",".join(pieces), card.version))


@dataclass(frozen=True, slots=True)
class Related:
    """The name of somebody who belongs to the contact: the X- properties in use, RELATED as text (RFC 6350 6.6.6), and
    Apple's X-ABRELATEDNAMES by its label. What RELATED refers to by URI is left alone."""

    names: tuple[str, ...]
    relation: str
    #: Written as RELATED in version 4.0; the RFC knows spouse and child, but neither manager nor assistant.
    standard: bool = False

    def load(self, card: Component) -> str | None:
        return next((line.text(card.version) for line in self.lines(card)), None)

    def dump(self, value: str | None, card: Component) -> None:
        old = self.load(card)
        lines = [line for line in self.lines(card) if line.text(card.version) == old]
        for line in lines:
            if not value:
                drop(card, line)
            elif line.name == "RELATED" and line.param("VALUE") is None:
                # Its value is a URI unless it is said to be text.
                text = line.with_params((*line.params, ("VALUE", ("text",))))
                card.replace(line, text.with_text(value, card.version))
            else:
                card.replace(line, line.with_text(value, card.version))
        if value and not lines:
            card.add(self.new(value, card))

    def lines(self, card: Component) -> list[Line]:
        found = [line for name in self.names for line in card.find(name)]
        found += [line for line in card.find("RELATED", {self.relation}) if not _is_uri(line)]
        found += [line for line in card.find("X-ABRELATEDNAMES") if label_of(line, card) == self.relation]
        return [line for line in found if line.text(card.version)]

    def new(self, value: str, card: Component) -> Line:
        if self.standard and card.version == "4.0":
            line = Line("RELATED", "", (("VALUE", ("text",)), ("TYPE", (self.relation.lower(),))))
        else:
            line = Line(self.names[0], "")
        return line.with_text(value, card.version)


@dataclass(frozen=True, slots=True)
class EachRelated:
    """All names of one relation, a line each: children."""

    one: Related

    def load(self, card: Component) -> tuple[str, ...]:
        return tuple(line.text(card.version) for line in self.one.lines(card))

    def dump(self, value: tuple[str, ...] | None, card: Component) -> None:
        wanted = [text for name in value or () if (text := clean(name))]
        left = list(wanted)
        for line in self.one.lines(card):
            if (text := line.text(card.version)) in left:
                left.remove(text)
            else:
                drop(card, line)
        for name in left:
            card.add(self.one.new(name, card))
        if list(self.load(card)) != wanted:
            for line in self.one.lines(card):
                drop(card, line)
            for name in wanted:
                card.add(self.one.new(name, card))


@dataclass(frozen=True, slots=True)
class Photo:
    """The octets of an inline picture: base64 (2.1, 3.0) or a data URI (4.0, and some 3.0). Other URIs are neither
    shown nor fetched; a picture that replaces one takes its line."""

    name: str = "PHOTO"

    def load(self, card: Component) -> bytes | None:
        return next(inline_octets(card, self.name), None)

    def dump(self, value: bytes | None, card: Component) -> None:
        lines = card.find(self.name)
        shown = next((line for line in lines if _picture(line, card.version)), None)
        if not value:
            if shown:
                drop(card, shown)
            return
        kind = next((kind for magic, kind in _PICTURES if value.startswith(magic)), "jpeg")
        packed = base64.b64encode(value).decode()
        old = shown or (lines[0] if lines else None)
        as_uri = card.version == "4.0" or (shown is not None and shown.encoding != "BASE64")
        if as_uri:
            new = Line(self.name, f"data:image/{kind};base64,{packed}")
        else:
            coding = "BASE64" if card.version in LEGACY else "b"
            new = Line(self.name, packed, (("ENCODING", (coding,)), ("TYPE", (kind.upper(),))))
        if old:
            card.replace(old, replace(new, group=old.group))
        else:
            card.add(new)


@dataclass(frozen=True, slots=True)
class FileAs:
    """The filing string: FN, and a property of its own (Evolution's) where it is something else, such as "Doe, John".

    FN is how the name reads everywhere else, and so a filing string is never written to it. To be dumped after FN.
    """

    names: tuple[str, ...] = ("X-EVOLUTION-FILE-AS", "X-FILE-AS")

    def load(self, card: Component) -> str | None:
        return Text((*self.names, "FN")).load(card)

    def dump(self, value: str | None, card: Component) -> None:
        formatted = Text(("FN",)).load(card)
        Text(self.names).dump(None if value == formatted else value, card)


def inline_octets(card: Component, name: str) -> Iterator[bytes]:
    """What stands in the lines of that name as base64 or as a data URI."""
    return (octets for line in card.find(name) if (octets := _picture(line, card.version)))


def rename(card: Component, formatted: str) -> None:
    """Set FN, which versions 3.0 and 4.0 require, so that it may be empty but not absent."""
    line = card.first("FN")
    if line is None:
        card.add(Line("FN", "").with_text(formatted, card.version))
    elif line.text(card.version) != formatted:
        card.replace(line, line.with_text(formatted, card.version))


def tidy(card: Component) -> None:
    """Take out the structured lines that an edit has emptied."""
    for line in [line for line in card.lines if line.name in ("ADR", "ORG") and not line.raw and is_blank(line)]:
        drop(card, line)


def drop(card: Component, line: Line) -> None:
    """Remove a line, and Apple's label with it if the label has nothing else to stand for."""
    card.remove(line)
    if line.group:
        group = [other for other in card.lines if other.group.upper() == line.group.upper()]
        if all(other.name in ("X-ABLABEL", "X-ABADR") for other in group):
            for other in group:
                card.remove(other)


def put(card: Component, line: Line) -> None:
    """Write a property that stands once: in the place of the one that is there, else as a new line."""
    old = card.first(line.name)
    if old is None:
        card.add(line)
    else:
        card.replace(old, line)


def kind_of(line: Line, card: Component, kinds: Iterable[tuple[str, frozenset[str]]]) -> str:
    types = types_of(line, card)
    return next((kind for kind, required in kinds if required <= types), "")


def types_of(line: Line, card: Component) -> frozenset[str]:
    return line.types | LABEL_TYPES.get(label_of(line, card), frozenset())


def label_of(line: Line, card: Component) -> str:
    """Apple's label of a grouped line in upper case, without its `_$!<` `>!$_`; "" without one."""
    if not line.group:
        return ""
    group = line.group.upper()
    label = next((other.value for other in card.find("X-ABLABEL") if other.group.upper() == group), "")
    return label.strip().removeprefix("_$!<").removesuffix(">!$_").upper()


def preference(line: Line) -> int:
    """1 for the most preferred, 101 for lines without preference. RFC 6350 5.3; TYPE=pref before."""
    number = line.param("PREF")
    if number is not None and re.fullmatch("[0-9]{1,3}", number):
        return int(number)
    return 1 if "PREF" in line.types else 101


def with_uri(line: Line, value: str, card: Component) -> Line:
    """The line with a URI as its value: only backslashes and line breaks are escaped, not its commas and semicolons."""
    value = clean(value).replace("\\", "\\\\")
    return line.with_escaped(value if card.version in LEGACY else value.replace("\n", "\\n"), card.version)


def is_blank(line: Line) -> bool:
    """Whether a structured value has nothing in any of its parts."""
    return not line.decoded().replace(";", "")


_PICTURES = ((b"\xff\xd8", "jpeg"), (b"\x89PNG", "png"), (b"GIF8", "gif"), (b"BM", "bmp"))
_DATA_URI = re.compile(r"data:[^,]*;base64,(.*)", re.DOTALL | re.IGNORECASE)
_DATE = re.compile(r"([0-9]{4}|--)-?([0-9]{2})-?([0-9]{2})(?:[T ].*)?")


def _picture(line: Line, version: str) -> bytes | None:
    if line.encoding == "BASE64":
        return line.octets()
    found = _DATA_URI.fullmatch(line.text(version).strip())
    return Line("", found[1]).octets() if found else None


def _day(line: Line, version: str) -> date | None:
    found = _DATE.fullmatch(line.text(version).strip())
    if found is None:
        return None
    omitted = found[1] in ("--", line.param("X-APPLE-OMIT-YEAR"))
    try:
        return date(NO_YEAR if omitted else int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


def _dated(line: Line, day: date, version: str) -> Line:
    """The line with another date: as RFC 6350 4.3.1 has it in version 4.0, else in RFC 2426's extended form."""
    params = tuple(p for p in line.params if p[0] not in ("VALUE", "X-APPLE-OMIT-YEAR", "CALSCALE"))
    if version == "4.0":
        text = f"--{day:%m%d}" if day.year == NO_YEAR else f"{day.year:04d}{day:%m%d}"
    else:
        text = f"{day.year:04d}-{day:%m-%d}"
        if day.year == NO_YEAR:
            params = (*params, ("X-APPLE-OMIT-YEAR", (str(NO_YEAR),)))
    return (line if params == line.params else line.with_params(params)).with_escaped(text, version)


def _slot(line: Line) -> int | None:
    number = line.param(SLOT)
    return int(number) - 1 if number is not None and re.fullmatch("[1-9]", number) else None


def _in_slot(line: Line, n: int) -> Line:
    return line.with_params((*(p for p in line.params if p[0] != SLOT), (SLOT, (str(n + 1),))))


def _is_uri(line: Line) -> bool:
    kind = (line.param("VALUE") or "").upper()
    return kind != "TEXT" and (kind == "URI" or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:\S", line.value) is not None)

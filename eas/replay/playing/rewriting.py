"""A recorded request in the live server's words: ids and keys bound anew, dates moved, the user's own address replaced.

What the live server lacks is left out with the smallest part that is about it (one Change of a Sync, one Move); where
nothing is left, the request is skipped. What nothing was learned of is sent as it was recorded, and said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta

from eas.protocol.wbxml import Element
from eas.replay.format.model import Answer, Body, Document, Headers, Parts, Request, Text

from .binding import Binding, Missing, Unknown, Who
from .learning import collection_id
from .moments import moved, moved_message
from .roles import CONTAINERS, HOLDERS, HOLLOW, ROLES, UNITS, UNMOVED, Kind
from .targets import live_target, spelled_out

_FROM = re.compile(rb"^(From:[ \t]*(?:[^<\r\n]*<)?)([^<>\s\r\n]+@[^<>\s\r\n]+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """`request` is None where nothing is to be sent: `skipped` says why. `notes` are for people."""

    request: Request | None
    notes: tuple[str, ...] = ()
    skipped: str = ""


def live_request(request: Request, binding: Binding, version: str = "") -> Rewritten:
    """`version` is the one to speak instead of the recorded one, "" for that."""
    words = _Words(binding)
    try:
        target = live_target(request.target, words.bound, binding.who, version)
        headers = _headers(request.headers, words, version)
        headers += tuple(spelled_out(target, request.target, words.bound, version).items())
        body = words.body(request.body)
    except Missing as missing:
        return Rewritten(None, tuple(words.notes), f"{missing} is not there")
    if words.skipped:
        return Rewritten(None, tuple(words.notes), words.skipped)
    made = replace(request, target=target, headers=headers, body=body)
    return Rewritten(made, tuple(dict.fromkeys(words.notes)))


def expected_answer(answer: Answer, binding: Binding) -> Answer:
    """The recorded answer as it would be now: in the live server's ids as far as they are known, its dates moved, the
    user's own address replaced."""
    words = _Words(binding, lenient=True)
    return replace(answer, body=words.body(answer.body))


def moved_document(root: Element, binding: Binding) -> Element:
    """An element of the recorded server as it would be now, as `expected_answer`."""
    return _Words(binding, ids=False).document(root)


_VERSION, _POLICY = "ms-asprotocolversion", "x-ms-policykey"


def _headers(headers: Headers, words: _Words, version: str) -> Headers:
    out = []
    for name, value in headers:
        lower = name.lower()
        if lower == "authorization":
            continue  # the line's own
        if lower == _POLICY:
            value = str(words.bound(Kind.POLICY, value, ""))
        elif lower == _VERSION and version:
            value = version
        elif lower in ("content-encoding", "host"):
            continue  # bodies are unpacked in sessions, and hosts are others
        out.append((name, value))
    return tuple(out)


def _own(who: Who) -> re.Pattern[str] | None:
    """The recorded user's address, where it is another now."""
    if not who.recorded_address or not who.address or who.recorded_address.casefold() == who.address.casefold():
        return None
    return re.compile(re.escape(who.recorded_address), re.IGNORECASE)


@dataclass(slots=True)
class _Words:
    """One message on its way. `ids` False: ids and keys stay; `lenient`: what is not known stays, without a word."""

    binding: Binding
    ids: bool = True
    lenient: bool = False
    notes: list[str] = field(default_factory=list)
    skipped: str = ""
    _left_out: int = 0
    _kept: int = 0

    @property
    def by(self) -> timedelta:
        return self.binding.by

    # -- bodies

    def body(self, body: Body) -> Body:
        match body:
            case Document(root, _):
                made = self.document(root)
                return body if made is root else Document(made)
            case Text("mime", data):
                return Text("mime", self.message(data))
            case Text(kind, data) if (own := _own(self.binding.who)):
                address = self.binding.who.address
                text = data.decode("utf-8", "surrogateescape")
                return Text(kind, own.sub(lambda _: address, text).encode("utf-8", "surrogateescape"))
            case Parts(parts):
                return Parts(tuple(self.body(part) for part in parts))
        return body

    def document(self, root: Element) -> Element:
        self._left_out = self._kept = 0
        made = self.element(root, "")
        if self._left_out and not self._kept and root.tag in HOLLOW:
            self.skipped = self.notes.pop().removesuffix(": left out") if self.notes else "nothing is left of it"
        return made or Element(root.tag)

    def element(self, element: Element, holder: str) -> Element | None:
        """None where nothing is left of it. Raises Missing."""
        content = element.content
        if not isinstance(content, tuple):
            return self._leaf(element, holder)
        if not content:
            return element
        holder = _holder(element) or holder
        out, changed = [], False
        for child in content:
            made = self._unit(child, holder) if child.tag in UNITS and child.elements else self.element(child, holder)
            changed = changed or made is not child
            if made is not None:
                out.append(made)
        if not changed:
            return element
        return None if element.tag in CONTAINERS and not out else Element(element.tag, tuple(out))

    def _unit(self, unit: Element, holder: str) -> Element | None:
        """One thing that is asked: without what it is about, it is not asked."""
        try:
            made = self.element(unit, holder)
        except Missing as missing:
            self._left_out += 1
            self.notes.append(f"{unit.tag.partition(':')[2]}: {missing} is not there: left out")
            return None
        self._kept += 1
        return made

    def _leaf(self, element: Element, holder: str) -> Element:
        kind, content = ROLES.get(element.tag), element.content
        if kind is not None:
            assert not isinstance(content, tuple)
            value = self.bound(kind, content, holder if kind in (Kind.ITEM, Kind.KEY) else "")
        elif isinstance(content, bytes):
            value = self.message(content) if element.tag == "ComposeMail:Mime" else content
        else:
            assert isinstance(content, str)
            value = self.text(element.tag, content)
        return element if value == content else Element(element.tag, value)

    # -- values

    def bound(self, kind: Kind, value: str | bytes, holder: str) -> str | bytes:
        if not self.ids:
            return value
        try:
            return self.binding.live(kind, value, holder)
        except Missing:
            if not self.lenient:
                raise
            return value
        except Unknown as unknown:
            if self.lenient:
                return value
            self.notes.append(f"{unknown} was never seen: sent as recorded")
            return value

    def text(self, tag: str, text: str) -> str:
        text = text if tag in UNMOVED else moved(text, self.by)
        if tag in ("AirSyncBase:Data", "Email:MIMEData") and self.by and "\n" in text:
            text = moved_message(text.encode("utf-8", "surrogateescape"), self.by).decode("utf-8", "surrogateescape")
        own = _own(self.binding.who)
        return own.sub(lambda _: self.binding.who.address, text) if own else text

    def message(self, data: bytes) -> bytes:
        """A MIME message: its dates, and who it is from."""
        data = moved_message(data, self.by)
        who = self.binding.who
        if own := _own(who):
            # Addresses are ASCII; whatever else a message is stays as it is, byte for byte.
            pattern = re.compile(own.pattern.encode(), re.IGNORECASE)
            return pattern.sub(who.address.encode(), data)
        if who.address and not who.recorded_address and self.ids and not self.lenient:
            head, blank, rest = data.partition(b"\r\n\r\n")
            return _FROM.sub(lambda found: found[1] + who.address.encode(), head, count=1) + blank + rest
        return data


def _holder(element: Element) -> str:
    """The folder that stands beside items in an element, as recorded; "" where none does."""
    for child in element.elements:
        if child.tag in HOLDERS:
            return child.text
    if element.tag == "AirSync:Collection":
        return collection_id(element)
    return ""



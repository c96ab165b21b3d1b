"""What a session is made of. Values only; how they are written stands in `writing`, how they are read in `reading`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from eas.protocol.wbxml import Element

#: Of the format that this program writes; `reading` takes this and every older one.
FORMAT = 1

Headers: TypeAlias = tuple[tuple[str, str], ...]


class SessionError(ValueError):
    """Not a session file, or not one any more; `line` counts from 1, 0 where no line is to blame."""

    def __init__(self, message: str, line: int = 0, file: str = "") -> None:
        at = f"{file or 'line'}{':' if file else ' '}{line}: " if line else f"{file}: " if file else ""
        super().__init__(f"{at}{message}")
        self.message, self.line, self.file = message, line, file


# Bodies: what a message carries. `body.wire` gives the bytes back. ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Document:
    """A WBXML document. `exact` are its bytes where encoding `root` anew gives others, else None."""

    root: Element
    exact: bytes | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """Text of one of the KINDS; `data` are its bytes, in whatever charset."""

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Binary:
    """What is no text, and WBXML that cannot be decoded (then `why` says what is wrong with it)."""

    data: bytes
    why: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """A MultiPartResponse: the WBXML document first, then what it refers to."""

    parts: tuple[Body, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Content that was not recorded: `length` in bytes, -1 where that is not known either."""

    length: int
    why: str = ""


Body: TypeAlias = "Document | Text | Binary | Parts | LeftOut | None"

#: Kinds of Text, by what a person expects to see.
KINDS = ("mime", "xml", "json", "form", "html", "text")


# Exchanges -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`target` is path and query as the request line has them, percent-encoded; a base64 query stays base64 in it."""

    method: str
    target: str
    headers: Headers = ()
    body: Body = None

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`status` is HTTP's, None where no answer came; `seconds` from the request to the end of the answer; `why` a word
    on what became of it ("the client went away")."""

    status: int | None
    seconds: float
    headers: Headers = ()
    body: Body = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what was answered. `time` is when the request began, aware, in UTC; `comments` are lines without
    their `#` that stand before it."""

    number: int
    time: datetime
    request: Request
    answer: Answer
    comments: tuple[str, ...] = ()


#: Names of the head that the program knows, in the order in which they are written; others are kept behind them.
DEVICE, DEVICE_TYPE, USER, CLIENT, SERVER, PROTOCOL, STARTED, ORIGIN, MASKED, NOTE = HEAD = (
    "device", "device type", "user", "client", "server", "protocol", "started", "origin", "masked", "note",
)


@dataclass(frozen=True, slots=True)
class Meta:
    """The head of a session: names and one-line values; a name may come again (notes do)."""

    fields: tuple[tuple[str, str], ...] = ()
    format: int = field(default=FORMAT, compare=False)

    def get(self, name: str) -> str:
        """The first value of that name, "" without one."""
        return next((value for known, value in self.fields if known == name), "")

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for known, value in self.fields if known == name)

    def with_(self, changes: Mapping[str, str]) -> Meta:
        """Those names with these values, once each; an empty value takes the name away."""
        kept = [(name, value) for name, value in self.fields if name not in changes]
        kept += [(name, value) for name, value in changes.items() if value]
        return replace(self, fields=_in_order(kept))

    def noting(self, *notes: str) -> Meta:
        return replace(self, fields=_in_order([*self.fields, *((NOTE, note) for note in notes)]))


def _in_order(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(fields, key=lambda one: HEAD.index(one[0]) if one[0] in HEAD else len(HEAD)))


def header(headers: Headers, name: str) -> str:
    """The first value of a header, whatever its case; "" without one."""
    wanted = name.lower()
    return next((value for known, value in headers if known.lower() == wanted), "")

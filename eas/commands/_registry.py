"""The table of commands: what the dispatcher, the OPTIONS answer and the client read.

A command is one file: its statuses, its messages, its handler. What is not straight about a command (bodies that are
MIME, bodies that may be missing, raw answers) stands here as data, so that neither dispatcher nor handler asks twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from eas.engine.activity import FolderNote
from eas.engine.session import Session
from eas.protocol.query import Query
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Spoken
from eas.protocol.wbxml import Later

Q = TypeVar("Q")


class CommonFault(Exception):
    """The whole request fails with a common status; older versions get the HTTP status that stands for it."""

    def __init__(self, status: CommonStatus, detail: str = "") -> None:
        super().__init__(detail or status.name)
        self.status = status


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is not WBXML (GetAttachment)."""

    content_type: str
    body: bytes | Later


@dataclass(frozen=True, slots=True)
class Multipart:
    """An answer whose binary parts follow the document; its Part elements count them from 1 (ItemOperations)."""

    response: object
    parts: tuple[bytes | Later, ...]


#: What there is a number of: its name, then what tells it apart (a class of items, a verb), few words each.
Figure = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """A response with the number of items that it carries, for the log, with figures, and with what became of each
    folder that was asked for."""

    response: object | None
    items: int
    figures: Mapping[Figure, int] = field(default_factory=dict)
    folders: tuple[FolderNote, ...] = ()


#: What a handler gives: a message to be dumped under the command's root, None for an empty body, or one of the above.
Answer = object | Raw | Multipart | Counted | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Generic[Q]):
    """`malformed` is the root Status for a request that does not fit the schema; None for the common one (103).

    `when_empty` makes the request of an empty body (None: a body is required). `from_mime` makes it of a message/rfc822
    body in the versions `mime`. `bare`: there is no body at all (GetAttachment). `gated`: refused before provisioning.
    `spooled`: what is opaque in a large request may lie in a file (eas.items.octets).
    """

    name: str
    root: str
    request: type[Q]
    handle: Callable[[Q, Session], Awaitable[Answer]]
    spoken: Spoken = Spoken()
    malformed: int | None = None
    when_empty: Callable[[], Q] | None = None
    from_mime: Callable[[bytes, Query], Q] | None = None
    mime: Spoken | None = None
    bare: Callable[[Query], Q] | None = None
    gated: bool = True
    spooled: bool = False


COMMANDS: dict[str, Command[Any]] = {}


def command(
    name: str,
    root: str,
    request: type[Q],
    *,
    spoken: Spoken = Spoken(),
    malformed: int | None = None,
    when_empty: Callable[[], Q] | None = None,
    from_mime: Callable[[bytes, Query], Q] | None = None,
    mime: Spoken | None = None,
    bare: Callable[[Query], Q] | None = None,
    gated: bool = True,
    spooled: bool = False,
) -> Callable[[Callable[[Q, Session], Awaitable[Answer]]], Callable[[Q, Session], Awaitable[Answer]]]:
    """Register a handler; it stays an ordinary function."""

    def register(handle: Callable[[Q, Session], Awaitable[Answer]]) -> Callable[[Q, Session], Awaitable[Answer]]:
        COMMANDS[name] = Command(
            name=name, root=root, request=request, handle=handle, spoken=spoken, malformed=malformed,
            when_empty=when_empty, from_mime=from_mime, mime=mime, bare=bare, gated=gated,
            spooled=spooled,
        )
        return handle

    return register

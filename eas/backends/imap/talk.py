"""The state of a logged-in connection: what it can do, which mailbox is open, what the server tells by the way.

News come at any time (RFC 3501, Server Responses): each goes through `news`, whatever command is under way, so that
what has vanished is noted before any MODSEQ is advanced (RFC 7162).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from . import spans
from .commands import Piece
from .connection import Connection
from .model import Bad, Fetched, Journal, Selected, Spans, Status
from .responses import Exists, Expunged, FlagList, Said, Untagged, Vanished, Words, words
from .syntax import ImapSyntaxError, number, tree

R = TypeVar("R", bound=Untagged)


@dataclass(slots=True)
class Opening:
    """What SELECT has told so far."""

    messages: int = 0
    uid_validity: int = 0
    uid_next: int = 0
    highest_modseq: int = 0
    flags: frozenset[str] = frozenset()
    permanent: frozenset[str] | None = None
    mailbox_id: str = ""
    changed: list[Fetched] = field(default_factory=list)
    vanished: list[tuple[int, int]] = field(default_factory=list)

    def hear(self, response: Untagged) -> None:
        if isinstance(response, Exists):
            self.messages = response.count
        elif isinstance(response, Fetched):
            self.changed.append(response)
        elif isinstance(response, Vanished):
            self.vanished += response.uids
        elif isinstance(response, FlagList):
            self.flags = response.flags
        elif isinstance(response, Said):
            self._code(response)

    def _code(self, said: Said) -> None:
        if said.code in _NUMBERS:
            setattr(self, _NUMBERS[said.code], number_in(said))
        elif said.code == "PERMANENTFLAGS":
            self.permanent = _words_in(said)
        elif said.code == "MAILBOXID":
            self.mailbox_id = next(iter(_words_in(said)), "")


_NUMBERS = {"UIDVALIDITY": "uid_validity", "UIDNEXT": "uid_next", "HIGHESTMODSEQ": "highest_modseq"}


def number_in(said: Said) -> int:
    """The number behind a code; 0 for nonsense."""
    try:
        return number(said.args)
    except ImapSyntaxError:
        return 0


def _words_in(said: Said) -> frozenset[str]:
    try:
        found = tree([said.args])
        return words(found[0]) if found and isinstance(found[0], list) else frozenset()
    except ImapSyntaxError:
        return frozenset()


class Talk:
    """What all commands of a session share."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.enabled: frozenset[str] = frozenset()
        self.selected: Selected | None = None
        #: A message was expunged by its sequence number, so that nobody knows which: to be found by comparing. Stays
        #: true until the mailbox is left, or somebody who has compared makes it false.
        self.expunged = False
        #: It is not like new any more (NOTIFY was set), and not to be used for anything else.
        self.special = False
        #: What STATUS last told of the open mailbox, as long as no other command came after it; and whether the server
        #: has said nothing of that mailbox since this was last made true.
        self.counted: Status | None = None
        self.quiet = True
        self.journal: Journal | None = None
        self._vanished: list[tuple[int, int]] = []
        self._opening: Opening | None = None

    @property
    def capabilities(self) -> frozenset[str]:
        return self.connection.capabilities

    @property
    def can_resync(self) -> bool:
        return "QRESYNC" in self.enabled

    @property
    def can_condstore(self) -> bool:
        return self.can_resync or "CONDSTORE" in self.capabilities

    def take_vanished(self) -> Spans:
        found = spans.joined(self._vanished)
        self._vanished = []
        return found

    async def settle(self) -> None:
        """Reads what is left of an answer that was abandoned. Raises Lost."""
        await self.connection.settle(self.news)

    def offers(self, *capabilities: str) -> bool:
        return all(capability in self.capabilities for capability in capabilities)

    async def ask(self, *pieces: Piece) -> Said:
        """A command of which only the end matters. Raises No, Bad, Lost."""
        return self.done(await self.connection.command(*pieces, hear=self.news))

    async def gather(self, kind: type[R], *pieces: Piece) -> tuple[Said, list[R]]:
        """A command, and what was said of one kind to it. Raises No, Bad, Lost."""
        found: list[R] = []
        said = await self.connection.command(*pieces, hear=self.gathering(kind, found.append))
        return self.done(said), found

    def gathering(self, kind: type[R], take: Callable[[R], None]) -> Callable[[Untagged], bool]:
        def hear(response: Untagged) -> bool:
            if isinstance(response, kind):
                take(response)
                return True
            return self.news(response)

        return hear

    def done(self, said: Said) -> Said:
        """A tagged answer, which may have news in its code."""
        self.counted = None
        if said.code and self._opening is None:
            self._code(said)
        return said

    def needs(self, *capabilities: str) -> None:
        """Raises Bad for what the server does not offer."""
        for capability in capabilities:
            if capability not in self.capabilities:
                raise Bad(f"the server does not offer {capability}")

    def opened(self) -> Selected:
        if self.selected is None:
            raise Bad("no mailbox is selected")
        return self.selected

    # News.

    def left(self) -> None:
        """No mailbox is open any more."""
        self.selected = None
        self.expunged = False
        self.journal = None
        self._vanished = []

    def news(self, response: Untagged) -> bool:
        if isinstance(response, Said) and response.code == "CLOSED" and self._opening is not None:
            # What came before was about the mailbox that is left. RFC 7162, CLOSED.
            self._opening = Opening()
            return False
        if isinstance(response, Words):
            if response.kind == "CAPABILITY":
                self.connection.capabilities = response.words
            else:
                self.enabled |= response.words
            return False
        if self._opening is not None:
            self._opening.hear(response)
            return True
        if self.selected is not None:
            self._of_selected(self.selected, response)
        return False

    def _of_selected(self, selected: Selected, response: Untagged) -> None:
        self.quiet = False
        if self.journal is not None:
            self._note(self.journal, response)
        if isinstance(response, Exists):
            self.selected = replace(selected, messages=response.count)
        elif isinstance(response, Vanished):
            self._vanished += response.uids
            if not response.earlier:
                left = max(0, selected.messages - spans.count(response.uids))
                self.selected = replace(selected, messages=left)
        elif isinstance(response, Expunged):
            self.expunged = True
            self.selected = replace(selected, messages=max(0, selected.messages - 1))
        elif isinstance(response, FlagList):
            self.selected = replace(selected, flags=response.flags)
        elif isinstance(response, Said) and response.code:
            self._code(response)

    def _note(self, journal: Journal, response: Untagged) -> None:
        if isinstance(response, Fetched):
            journal.note(response)
            journal.complete = journal.complete and (response.flags is None or response.modseq > 0)
        elif isinstance(response, Vanished | Expunged):
            journal.vanished = True

    def _code(self, said: Said) -> None:
        if said.code == "CAPABILITY":
            self.connection.capabilities = frozenset(said.args.decode("ascii", "replace").upper().split())
        elif self.selected is None:
            return
        elif said.code == "HIGHESTMODSEQ":
            self.quiet = False
            self.selected = replace(self.selected, highest_modseq=number_in(said))
        elif said.code == "UIDNEXT":
            self.selected = replace(self.selected, uid_next=number_in(said))
        elif said.code == "PERMANENTFLAGS":
            permanent = _words_in(said)
            self.selected = replace(self.selected, permanent=permanent, new_keywords="\\*" in permanent)

"""Commands about mailboxes: which there are, what is in them, making and removing them. RFC 3501; 5258, 5819, 6154."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from . import commands, names, spans
from .commands import Piece
from .model import Journal, Listed, No, Resync, Selected, Status
from .responses import Counted, Namespaces, Rights, Subscribed
from .talk import Opening, Talk

#: Mailboxes for which a single STATUS is sent each rather than a LIST with all their names.
_FEW = 2
#: Names of mailboxes in one LIST.
_MANY = 100
#: Codes of a refusal to make a mailbox for a special use, as opposed to making it at all. RFC 6154.
_NOT_FOR_USE = frozenset(("USEATTR", "CANNOT", "ALREADYEXISTS"))


#: Within the class, `list` is the command.
_Listing = list[Listed]


class Mailboxes(Talk):
    _namespaces: Mapping[str, Sequence[tuple[str, str]]] | None = None

    # Which there are.

    async def namespaces(self) -> Mapping[str, Sequence[tuple[str, str]]]:
        """See `model.Session`. Asked for once."""
        if self._namespaces is None:
            found: list[Namespaces] = []
            if self.offers("NAMESPACE"):
                _, found = await self.gather(Namespaces, b"NAMESPACE")
            told = found[0] if found else Namespaces((("", ""),), (), ())
            self._namespaces = {"personal": told.personal, "other": told.other, "shared": told.shared}
        return self._namespaces

    async def list(self, *, subscribed: bool = False) -> Sequence[Listed]:
        """See `model.Session`. `subscribed`: those alone that are subscribed to and exist."""
        namespaces = await self.namespaces()
        prefixes = [prefix for kind in ("personal", "other", "shared") for prefix, _ in namespaces[kind] if prefix]
        extended = self.offers("LIST-EXTENDED")
        found = await self._listed("", extended)
        seen = [one.name for one in found]
        for prefix in prefixes:
            # Some list everything under "*", others (Courier) what is one's own.
            if not any(name.startswith(prefix) for name in seen):
                found += await self._listed(prefix, extended)
        by_name: dict[str, Listed] = {}
        for one in found:
            earlier = by_name.get(one.name)
            by_name[one.name] = (
                one if earlier is None else replace(earlier, attributes=earlier.attributes | one.attributes)
            )
        if not extended:
            by_name = await self._with_subscriptions(by_name, prefixes)
        listed = [one for one in by_name.values() if "\\nonexistent" not in one.attributes]
        return [one for one in listed if not subscribed or "\\subscribed" in one.attributes]

    async def _listed(self, prefix: str, extended: bool) -> _Listing:
        pattern = names.encoded(prefix) + b"*"
        if not extended:
            _, found = await self.gather(Listed, b'LIST "" ', commands.string(pattern))
            return found
        uses = b" SPECIAL-USE" if self.offers("SPECIAL-USE") else b""
        _, found = await self.gather(
            Listed, b'LIST "" ', commands.string(pattern), b" RETURN (SUBSCRIBED CHILDREN" + uses + b")"
        )
        return found

    async def _with_subscriptions(self, by_name: dict[str, Listed], prefixes: Sequence[str]) -> dict[str, Listed]:
        subscribed: set[str] = set()
        for prefix in ["", *prefixes]:
            _, lines = await self.gather(Subscribed, b'LSUB "" ', commands.string(names.encoded(prefix) + b"*"))
            # \Noselect in LSUB: not itself, but something below it.
            subscribed.update(line.name for line in lines if "\\noselect" not in line.attributes)
        return {
            name: replace(one, attributes=one.attributes | {"\\subscribed"}) if name in subscribed else one
            for name, one in by_name.items()
        }

    async def rights(self, name: str) -> str:
        if not self.offers("ACL"):
            return ""
        _, found = await self.gather(Rights, b"MYRIGHTS ", commands.mailbox(name))
        return found[-1].rights if found else ""

    # What is in them.

    def _counts(self) -> bytes:
        """Not MAILBOXID: Cyrus 3.6 answers with octets of something else, parentheses and all. SELECT tells it."""
        wanted = ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"]
        if self.can_condstore:
            wanted.append("HIGHESTMODSEQ")
        return " ".join(wanted).encode("ascii")

    async def status(self, name: str) -> Status:
        """Of a mailbox that is open servers tell what the session has seen of it (Dovecot, RFC 3501 6.3.10): so it is
        made to look first, and if nothing has happened since the last STATUS that one still holds."""
        is_open = self.selected is not None and self.selected.name == name
        if is_open:
            before, self.quiet = self.counted, True
            await self.ask(b"NOOP")
            if before is not None and self.quiet:
                self.counted = before
                return before
        found = await self._status(name)
        if is_open:
            self.counted = found
        return found

    async def _status(self, name: str) -> Status:
        _, found = await self.gather(
            Counted, b"STATUS ", commands.mailbox(name), b" (", self._counts(), b")"
        )
        same = [one.status for one in found if one.name == name]
        return same[-1] if same else found[-1].status if found else Status()

    async def statuses(self, names_: Sequence[str]) -> Mapping[str, Status]:
        """See `model.Session`."""
        found: dict[str, Status] = {}
        # A name with a wildcard in it would list others too.
        plain = [name for name in names_ if not set(name) & set("*%")]
        single = [name for name in names_ if set(name) & set("*%")]
        if len(plain) <= _FEW or not self.offers("LIST-STATUS", "LIST-EXTENDED"):
            single, plain = [*plain, *single], []
        if self.selected is not None and self.selected.name in plain:
            await self.ask(b"NOOP")  # see `status`
        for start in range(0, len(plain), _MANY):
            wanted: list[Piece] = []
            for name in plain[start : start + _MANY]:
                wanted += [b" " if wanted else b"", commands.mailbox(name)]
            _, counted = await self.gather(
                Counted, b'LIST "" (', *wanted, b") RETURN (STATUS (" + self._counts() + b"))"
            )
            found.update((one.name, one.status) for one in counted)
        for name in single:
            with suppress(No):
                found[name] = await self.status(name)
        return found

    # Opening and leaving.

    async def select(self, name: str, resync: Resync | None = None, *, read_only: bool = False) -> Selected:
        """Always says SELECT, or EXAMINE, even if it is open already. Raises No (and then nothing is open)."""
        more = b""
        asks = resync is not None and self.can_resync and resync.modseq > 0
        if resync is not None and asks:
            more = b" (QRESYNC (%d %d))" % (resync.uid_validity, resync.modseq)
        elif self.can_condstore and not self.enabled & {"QRESYNC", "CONDSTORE"}:
            more = b" (CONDSTORE)"
        await self.settle()
        self._opening = Opening()
        try:
            said = await self.ask(b"EXAMINE " if read_only else b"SELECT ", commands.mailbox(name), more)
            told = self._opening
        finally:
            self._opening = None
            self.left()
        assert told is not None
        same = resync is not None and told.uid_validity == resync.uid_validity
        resynced = asks and same and told.highest_modseq > 0
        uid_next = told.uid_next or (await self.status(name)).uid_next or 0
        self.selected = Selected(
            name=name, uid_validity=told.uid_validity, uid_next=uid_next, messages=told.messages,
            highest_modseq=told.highest_modseq, read_only=read_only or said.code == "READ-ONLY", flags=told.flags,
            permanent=told.permanent, new_keywords="\\*" in (told.permanent or ()), mailbox_id=told.mailbox_id,
            resynced=resynced, changed=tuple(told.changed) if resynced else (),
            vanished=spans.joined(told.vanished) if resynced else (),
        )  # fmt: skip
        self.journal = Journal(told.highest_modseq) if self.can_resync and told.highest_modseq else None
        return self.selected

    async def unselect(self) -> None:
        """Without expunging anything."""
        if self.selected is None:
            return
        if self.offers("UNSELECT"):
            await self.ask(b"UNSELECT")
        else:
            # CLOSE would expunge; what was opened by EXAMINE is spared. RFC 3501, CLOSE Command.
            if not self.selected.read_only:
                await self.select(self.selected.name, read_only=True)
            await self.ask(b"CLOSE")
        self.left()

    # Making and removing.

    async def create(self, name: str, *, use: str = "") -> None:
        """See `model.Session`. Where the use is not granted, it is made without."""
        wanted = [b" (USE (", commands.plain(use), b"))"] if use and self.offers("CREATE-SPECIAL-USE") else []
        try:
            await self.ask(b"CREATE ", commands.mailbox(name), *wanted)
        except No as error:
            if not wanted or error.code not in _NOT_FOR_USE:
                raise
            await self.ask(b"CREATE ", commands.mailbox(name))
        with suppress(No):
            await self.subscribe(name)

    async def rename(self, name: str, to: str) -> None:
        """Subscriptions, which are to names, go along; those of mailboxes below too."""
        if self.selected is not None and self.selected.name == name:
            await self.unselect()
        below = await self._subscribed_below(name)
        await self.ask(b"RENAME ", commands.mailbox(name), b" ", commands.mailbox(to))
        for old in below:
            with suppress(No):
                await self.subscribe(to + old.removeprefix(name))
            with suppress(No):
                await self.subscribe(old, False)

    async def _subscribed_below(self, name: str) -> Sequence[str]:
        """It and its children, as far as they are subscribed to."""
        _, lines = await self.gather(Subscribed, b'LSUB "" ', commands.string(names.encoded(name) + b"*"))
        delimiters = {delimiter for some in (await self.namespaces()).values() for _, delimiter in some}
        return [
            line.name
            for line in lines
            if "\\noselect" not in line.attributes
            and (line.name == name or line.name.removeprefix(name)[:1] in delimiters)
        ]

    async def delete(self, name: str) -> None:
        if self.selected is not None and self.selected.name == name:
            await self.unselect()
        await self.ask(b"DELETE ", commands.mailbox(name))
        with suppress(No):
            await self.subscribe(name, False)

    async def subscribe(self, name: str, on: bool = True) -> None:
        await self.ask(b"SUBSCRIBE " if on else b"UNSUBSCRIBE ", commands.mailbox(name))

"""Commands about the messages of the selected mailbox, and APPEND. RFC 3501; 4315, 6851 (UIDPLUS, MOVE), 7162."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, suppress
from datetime import datetime

from . import commands, decoding, spans
from .commands import Piece
from .model import Bad, Fetched, ImapError, No, Placed, Spans, Stored
from .responses import UNTOLD, Found, Said, Untagged, section_name
from .talk import Talk

_MESSAGES_ALONE = {Fetched}
#: Of COPYUID: more pairs than this are nobody's answer to a command of ours.
_MAX_PLACED = 1_000_000


class Messages(Talk):
    async def fetch(
        self, spans: Spans, items: Sequence[str], *, changed_since: int = 0, vanished: bool = False
    ) -> AsyncGenerator[Fetched, None]:
        """See `model.Session`. Whatever else the server tells of other messages by the way is passed over; of those
        that were asked for, an answer that has flags alone counts only if nothing else was wanted."""
        self.opened()
        if changed_since and not self.can_condstore:
            raise Bad("the server does not offer CONDSTORE")
        if vanished and not (changed_since and self.can_resync):
            raise Bad("VANISHED needs QRESYNC and CHANGEDSINCE")
        since = b""
        if changed_since:
            since = b" (CHANGEDSINCE %d%s)" % (changed_since, b" VANISHED" if vanished else b"")
        more = _more_than_flags(items)
        wanted = commands.fetch_items(items)
        for batch in _batches(spans):
            answers = self.connection.answers(b"UID FETCH ", _text(batch), b" ", wanted, since, hear=self.news)
            first, last, several = batch[0][0], batch[-1][1], len(batch) > 1
            async with aclosing(answers):
                async for responses in answers:
                    self._hear(responses)
                    self._note_all(responses)
                    for one in responses:
                        if (
                            type(one) is Fetched
                            and first <= one[0] <= last
                            and not (more and one.sections is UNTOLD)
                            and not (several and not _holds(batch, one[0]))
                        ):
                            yield one

    def _note_all(self, responses: Sequence[Untagged | bytes]) -> None:
        """Changes of flags among what was asked for; they have a MODSEQ, whether it was asked for or not."""
        if (journal := self.journal) is not None:
            for one in responses:
                if type(one) is Fetched and one.modseq:
                    journal.note(one)

    def _hear(self, responses: Sequence[Untagged | bytes]) -> None:
        """What is no message: at once, since nobody may be there any more when the messages have been handed out."""
        if set(map(type, responses)) == _MESSAGES_ALONE:
            return
        for one in responses:
            if type(one) is not Fetched and not isinstance(one, bytes):
                self.connection.heard(one, self.news)

    async def stream(self, uid: int, section: str, *, binary: bool = False) -> AsyncGenerator[bytes, None]:
        """See `model.Session`. `binary`: the transfer encoding is undone, by ourselves where the server cannot."""
        if binary and self.offers("BINARY"):
            begun = False
            try:
                async with aclosing(self._pieces(uid, "BINARY", section)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except No as error:
                # Not only UNKNOWN-CTE: servers give it other codes, or none. Nothing came, so that it can be tried.
                if begun or error.code in ("NONEXISTENT", "EXPUNGEISSUED"):
                    raise
        undo: decoding.Undo = decoding.plain
        if binary:
            undo = decoding.of(await self._encoding(uid, section))
        async with aclosing(self._pieces(uid, "BODY", section)) as raw, aclosing(undo(raw)) as decoded:
            async for piece in decoded:
                yield piece

    async def _encoding(self, uid: int, section: str) -> str:
        async for fetched in self.fetch(((uid, uid),), ["BODYSTRUCTURE"]):
            parts = [fetched.structure] if fetched.structure else []
            while parts:
                part = parts.pop()
                if part.section == section:
                    return part.encoding
                parts += part.children
        return ""

    async def _pieces(self, uid: int, item: str, section: str) -> AsyncGenerator[bytes, None]:
        self.opened()
        answers = self.connection.answers(
            b"UID FETCH %d (" % uid, commands.plain(f"{item}.PEEK[{section}]"), b")", hear=self.news, pass_from=1
        )
        async with aclosing(answers):
            async for responses in answers:
                self._hear(responses)
                self._note_all(responses)
                for response in responses:
                    if isinstance(response, bytes):
                        yield response
                    elif isinstance(response, Fetched):
                        # As a quoted string, or empty: otherwise it has been passed on, and this is what is left.
                        content = response.sections.get(section_name(section.encode("ascii")), b"")
                        if content and response.uid == uid:
                            yield content

    # Flags.

    async def store(
        self, spans: Spans, how: str, flags: Sequence[str], *, unchanged_since: int | None = None
    ) -> Stored:
        self.opened()
        condition = b""
        if unchanged_since is not None:
            if not self.can_condstore:
                raise Bad("the server does not offer CONDSTORE")
            condition = b" (UNCHANGEDSINCE %d)" % unchanged_since
        if how not in ("+FLAGS", "-FLAGS", "FLAGS"):
            raise Bad(f"no way to store flags: {how}")
        given = commands.flags(flags)
        modified: list[tuple[int, int]] = []
        fetched: list[Fetched] = []
        for batch in _batches(spans):
            hear = self.gathering(Fetched, fetched.append)
            try:
                said = self.done(
                    await self.connection.command(
                        b"UID STORE ", _text(batch), condition, b" ", commands.plain(how), b" ", given, hear=hear
                    )
                )
            except No as error:
                if error.code != "MODIFIED":
                    raise
                modified += _listed(error.detail)
            else:
                modified += _listed(said.args) if said.code == "MODIFIED" else []
        if (journal := self.journal) is not None:
            for one in fetched:
                journal.note(one)
                journal.complete = journal.complete and one.modseq > 0
        return Stored(modified=_joined(modified), fetched=tuple(one for one in fetched if _holds(spans, one.uid)))

    # Searching.

    async def search(self, criteria: Sequence[str | bytes], *, charset: str = "") -> Spans:
        self.opened()
        pieces: list[Piece] = [b"UID SEARCH"]
        if self.offers("ESEARCH"):
            pieces.append(b" RETURN (ALL)")
        if charset:
            pieces.append(b" CHARSET " + commands.plain(charset))
        _, found = await self.gather(Found, *pieces, *commands.criteria(criteria))
        return _joined([span for one in found for span in one.uids])

    # Putting and moving.

    async def append(
        self, name: str, content: bytes, flags: Sequence[str] = (), received: datetime | None = None
    ) -> Placed:
        pieces: list[Piece] = [b"APPEND ", commands.mailbox(name), b" "]
        if flags:
            pieces += [commands.flags(flags), b" "]
        if received is not None:
            pieces += [commands.moment(received), b" "]
        # NUL is only allowed in a literal8. RFC 3516.
        pieces.append(commands.Literal(content, binary=self.offers("BINARY") and b"\0" in content))
        said = await self.ask(*pieces)
        validity, placed = _placed(said, "APPENDUID")
        return Placed(uid_validity=validity, uids={0: placed[0][1]} if placed else {})

    async def copy(self, spans: Spans, to: str) -> Placed:
        self.opened()
        return await self._put(b"UID COPY ", spans, to)

    async def move(self, spans: Spans, to: str) -> Placed:
        self.opened()
        if self.offers("MOVE"):
            return await self._put(b"UID MOVE ", spans, to)
        placed = await self._put(b"UID COPY ", spans, to)
        await self.expunge(spans)
        return placed

    async def _put(self, verb: bytes, what: Spans, to: str) -> Placed:
        """COPYUID stands in the tagged answer of COPY, before it in that of MOVE."""
        validity, uids = 0, dict[int, int]()
        for batch in _batches(what):
            untagged: list[Said] = []

            def hear(response: Untagged, untagged: list[Said] = untagged) -> bool:
                if isinstance(response, Said) and response.code == "COPYUID":
                    untagged.append(response)
                return self.news(response)

            said = self.done(
                await self.connection.command(verb, _text(batch), b" ", commands.mailbox(to), hear=hear)
            )
            for one in [*untagged, said]:
                told, pairs = _placed(one, "COPYUID")
                validity = told or validity
                uids.update(pairs)
        return Placed(uid_validity=validity, uids=uids)

    async def expunge(self, spans: Spans) -> None:
        self.opened()
        if not spans:
            return
        if self.offers("UIDPLUS"):
            await self._mark(spans, True)
            for batch in _batches(spans):
                await self.ask(b"UID EXPUNGE ", _text(batch))
            return
        others = _without(await self.search(["DELETED"]), spans)
        try:
            await self._mark(others, False)
            await self._mark(spans, True)
            await self.ask(b"EXPUNGE")
        finally:
            with suppress(ImapError):
                await self._mark(others, True)

    async def _mark(self, which: Spans, deleted: bool) -> None:
        for batch in _batches(which):
            await self.ask(b"UID STORE ", _text(batch), b" +" if deleted else b" -", b"FLAGS.SILENT (\\Deleted)")

    async def noop(self) -> None:
        await self.ask(b"NOOP")


# The methods have arguments that are called `spans`.
_holds, _joined, _without = spans.holds, spans.joined, spans.without


def _batches(which: Spans) -> Iterator[Spans]:
    return spans.batches(which, commands.SET_ROOM)


def _text(batch: Spans) -> bytes:
    return spans.text(batch).encode("ascii")


def _listed(raw: bytes) -> list[tuple[int, int]]:
    try:
        return spans.as_listed(raw)
    except ValueError:
        return []


def _more_than_flags(items: Sequence[str]) -> bool:
    return any(item.upper() not in ("UID", "FLAGS", "MODSEQ") for item in items)


def _placed(said: Said, code: str) -> tuple[int, list[tuple[int, int]]]:
    """APPENDUID's and COPYUID's UIDVALIDITY, and pairs of UIDs (from 0 for APPENDUID). RFC 4315, Additional Response
    Codes. Sets are in the order in which messages were copied."""
    fields = said.args.split()
    try:
        if said.code != code or len(fields) != (2 if code == "APPENDUID" else 3):
            return 0, []
        sets = [spans.as_listed(field) for field in fields[1:]]
        if max(spans.count(tuple(one)) for one in sets) > _MAX_PLACED:
            return 0, []
        there = list(spans.numbers(tuple(sets[-1])))
        here = [0] * len(there) if code == "APPENDUID" else list(spans.numbers(tuple(sets[0])))
        return int(fields[0]), list(zip(here, there, strict=True))
    except ValueError:
        return 0, []

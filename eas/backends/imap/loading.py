"""Messages as far as they are wanted, and no further: a preview never loads an attachment.

One FETCH brings the beginning of each message. What fits into that is parsed here, like messages of the embedded store.
Of larger ones the tree is the server's (BODYSTRUCTURE), and the wanted sections are cut out of the beginning where they
lie in it; only what does not is asked for, by section and length.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from eas.items import headers, mime, mimescan
from eas.items.body import Wanted
from eas.items.native import Part, Unreadable

from . import prints, spans
from .model import Fetched, Session
from .prints import Print

#: Octets of a message that are fetched before it is known what is wanted of it: most mail without attachments fits.
PREFIX = 32 << 10
#: Messages of one FETCH: a usual window. With PREFIX that bounds what is held at a time to 3 MiB.
BATCH = 100
#: Octets of sections that are fetched together, beside the beginnings.
_TOGETHER = 4 << 20
_HEADER = f"BODY.PEEK[HEADER]<0.{mimescan.MAX_HEADER + 1}>"
FLAGS_ONLY = ("FLAGS", "INTERNALDATE", "RFC822.SIZE")
_PREFIX = (*FLAGS_ONLY, f"BODY.PEEK[]<0.{PREFIX}>")
#: Of so many messages BODYSTRUCTURE is fetched with the rest, to save a command; of more, only that of the large ones:
#: it is a fifth of the work for a message that does not need it.
_FEW = 4


@dataclass(slots=True, kw_only=True)
class Loaded:
    """A message as it was read. `missing` are the sections that are still to be fetched, with their limits; the header
    stands there under "HEADER"."""

    fetched: Fetched
    header: bytes = b""
    structure: Part | None = None
    sections: dict[str, bytes] = field(default_factory=dict)
    missing: dict[str, int | None] = field(default_factory=dict)
    size: int = 0

    @property
    def print(self) -> Print | None:
        at = self.fetched.internal_date
        return None if at is None else prints.print_of(self.fetched.uid, self.header, self.size, at)


async def begin(
    session: Session, uids: Sequence[int], wanted: Wanted | None, sync: Callable[[], Awaitable[None]]
) -> list[Loaded]:
    """In the order of the UIDs, at most BATCH of them; those that are gone are left out. `wanted` None: flags only.
    What is not found is looked for once more after a `sync`."""
    found: dict[int, Loaded] = {}
    await _begin(session, uids, wanted, found)
    if missing := [uid for uid in uids if uid not in found]:
        await sync()
        await _begin(session, missing, wanted, found)
    return [found[uid] for uid in uids if uid in found]


async def _begin(session: Session, uids: Sequence[int], wanted: Wanted | None, found: dict[int, Loaded]) -> None:
    few = len(uids) <= _FEW
    items = FLAGS_ONLY if wanted is None else (*_PREFIX, "BODYSTRUCTURE") if few else _PREFIX
    large: dict[int, Fetched] = {}
    async for fetched in session.fetch(spans.of(uids), items):
        if fetched.size is None or fetched.internal_date is None or fetched.flags is None:
            continue  # news of another kind
        if wanted is None:
            found[fetched.uid] = Loaded(fetched=fetched, size=fetched.size)
        elif few or is_whole(fetched):
            found[fetched.uid] = begun(fetched, wanted)
        else:
            large[fetched.uid] = fetched
    if large and wanted is not None:
        async for fetched in session.fetch(spans.of(large), ("BODYSTRUCTURE",)):
            if fetched.uid in large:
                told = large[fetched.uid]._replace(structure=fetched.structure)
                found[fetched.uid] = begun(told, wanted)


def is_whole(fetched: Fetched) -> bool:
    return len(fetched.sections.get("", b"")) < PREFIX or (fetched.size or 0) <= PREFIX


def begun(fetched: Fetched, wanted: Wanted) -> Loaded:
    """What can be said from the beginning of a message. Pure."""
    prefix, size = fetched.sections.get("", b""), fetched.size or 0
    if is_whole(fetched):
        return _whole(fetched, prefix, wanted)
    loaded = Loaded(fetched=fetched, structure=fetched.structure, size=size)
    try:
        end = mimescan.header_end(prefix)
    except Unreadable:
        end = len(prefix)
    if end < len(prefix):
        loaded.header = prefix[:end]
    else:
        loaded.missing["HEADER"] = mimescan.MAX_HEADER + 1
    if loaded.structure is not None:
        _divide(loaded, prefix, mime.sections_wanted(loaded.structure, wanted))
    return loaded


def _whole(fetched: Fetched, raw: bytes, wanted: Wanted) -> Loaded:
    loaded = Loaded(fetched=fetched, size=len(raw))
    try:
        root = mimescan.structure(raw)
    except Unreadable:
        loaded.header = raw[: headers.MAX_BLOCK].partition(b"\r\n\r\n")[0]
        return loaded
    loaded.structure, loaded.header = root, raw[: mimescan.header_end(raw)]
    for section, limit in mime.sections_wanted(root, wanted).items():
        if not section:
            loaded.sections[""] = raw if limit is None else raw[:limit]
        elif (part := mime.part_at(root, section)) is not None and part.offset >= 0:
            loaded.sections[section] = mime.cut_from(raw, part, limit)
    return loaded


def _divide(loaded: Loaded, prefix: bytes, needed: Mapping[str, int | None]) -> None:
    """What is needed lies in the beginning, or is missing."""
    assert loaded.structure is not None
    try:
        seen = {part.section: part for part in mime.walk(mimescan.structure(prefix))}
    except Unreadable:
        seen = {}
    for section, limit in needed.items():
        if not section:
            length, at, have = loaded.size, 0, len(prefix)
        else:
            part, cut = mime.part_at(loaded.structure, section), seen.get(section)
            if part is None:
                continue
            length, at, have = part.size, 0, -1
            if cut is not None and cut.offset >= 0 and cut.type == part.type:
                at, have = cut.offset, cut.size
        length = length if limit is None else min(length, limit)
        if have >= length:
            loaded.sections[section] = prefix[at : at + length]
        else:
            loaded.missing[section] = limit


def groups(loaded: Sequence[Loaded]) -> Iterator[list[Loaded]]:
    """Parts of the list of which what is missing may be held together."""
    group: list[Loaded] = []
    octets = 0
    for one in loaded:
        more = sum(_expected(one, section, limit) for section, limit in one.missing.items())
        if group and octets + more > _TOGETHER:
            yield group
            group, octets = [], 0
        group.append(one)
        octets += more
    if group:
        yield group


def _expected(loaded: Loaded, section: str, limit: int | None) -> int:
    if section == "HEADER":
        return 2 * PREFIX
    part = mime.part_at(loaded.structure, section) if section and loaded.structure is not None else None
    size = loaded.size if part is None else part.size
    return size if limit is None else min(size, limit)


async def complete(session: Session, group: Sequence[Loaded]) -> None:
    """Messages that lack the same are asked about together."""
    lacking: dict[tuple[tuple[str, int | None], ...], dict[int, Loaded]] = {}
    for one in group:
        if one.missing:
            lacking.setdefault(tuple(sorted(one.missing.items(), key=repr)), {})[one.fetched.uid] = one
    for missing, some in lacking.items():
        items = [_item(section, limit) for section, limit in missing]
        async for fetched in session.fetch(spans.of(some), items):
            if (loaded := some.get(fetched.uid)) is not None and fetched.sections:
                _add(loaded, fetched)


def _item(section: str, limit: int | None) -> str:
    return f"BODY.PEEK[{section}]" + ("" if limit is None else f"<0.{limit}>")


def _add(loaded: Loaded, fetched: Fetched) -> None:
    for section, octets in fetched.sections.items():
        if section == "HEADER" and "HEADER" in loaded.missing:
            _set_header(loaded, octets)
        elif section in loaded.missing:
            loaded.sections[section] = octets


def _set_header(loaded: Loaded, octets: bytes) -> None:
    """A header without an end, or too long to be one, makes the message unreadable: it is shown by its beginning."""
    if len(octets) > mimescan.MAX_HEADER:
        loaded.header, loaded.structure = octets[: headers.MAX_BLOCK], None
        loaded.sections.clear()
    else:
        loaded.header = octets

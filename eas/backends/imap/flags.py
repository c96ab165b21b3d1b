"""Flags and keywords of a message, with what is kept of it by us, <-> what devices see. Pure.

    read \\Seen · draft \\Draft · an active follow-up \\Flagged, a completed one $FollowUpDone · replied \\Answered, to
    all $RepliedToAll beside it · forwarded $Forwarded · categories by `keywords`

What IMAP has no place for is the note: dates and names of a follow-up, which verb was the last one and when, categories
for which the server takes no keyword. $EasNote says that there is a note, so that it is looked for by Message-ID when
another program has moved the message. Flags that say nothing here are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from eas.backends.embedded.codec import dump_flags, flags_version, load_flags
from eas.engine.ports import ItemVersion
from eas.items.followup import ACTIVE, COMPLETE
from eas.items.native import FollowUp, MailFlags

from .keywords import category_of, keyword_of

SEEN, ANSWERED, FLAGGED, DRAFT = "\\Seen", "\\Answered", "\\Flagged", "\\Draft"
DONE, TO_ALL, FORWARDED, NOTED = "$FollowUpDone", "$RepliedToAll", "$Forwarded", "$EasNote"
_FORWARDED_TOO = frozenset((FORWARDED.lower(), "forwarded"))

REPLIED, REPLIED_TO_ALL, FORWARDED_ON = 1, 2, 3

NOTHING = MailFlags()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be stored: `add` and `remove` on the server, `note` with us (instead of any before)."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    note: MailFlags = NOTHING


def seen(flags: Collection[str], note: MailFlags = NOTHING) -> MailFlags:
    """What devices see. The same for flags in any order and case."""
    lower = {flag.lower() for flag in flags}
    verb, at = _verb(lower), None
    if note.last_verb:
        verb, at = note.last_verb, note.last_verb_time
    names = {name for flag in flags if (name := category_of(flag)) is not None}
    return MailFlags(
        read="\\seen" in lower, draft="\\draft" in lower, follow_up=_follow_up(lower, note.follow_up),
        last_verb=verb, last_verb_time=at, categories=tuple(sorted(names.union(note.categories))),
    )


def _follow_up(lower: set[str], kept: FollowUp | None) -> FollowUp | None:
    """What others flag is active, whatever we know of an earlier flag; what they take the flag off is not."""
    status = kept.status if kept is not None else 0
    if "\\flagged" in lower:
        return kept if status == ACTIVE else FollowUp(status=ACTIVE)
    if status == COMPLETE:
        return kept
    return FollowUp(status=COMPLETE) if DONE.lower() in lower else None


def _verb(lower: set[str]) -> int:
    """The last verb as far as flags alone tell."""
    if "\\answered" in lower:
        return REPLIED_TO_ALL if TO_ALL.lower() in lower else REPLIED
    return FORWARDED_ON if lower & _FORWARDED_TOO else 0


def change(
    flags: Collection[str], note: MailFlags, wanted: MailFlags, storable: Callable[[str], bool]
) -> Change:
    """How to come from `flags` and `note` to what is `wanted`. `storable`: whether the server takes a keyword."""
    there = {flag.lower(): flag for flag in flags}
    status = wanted.follow_up.status if wanted.follow_up is not None else 0
    turned: dict[str, bool] = {
        SEEN: wanted.read, DRAFT: wanted.draft, FLAGGED: status == ACTIVE, DONE: status == COMPLETE,
    }
    if wanted.last_verb != seen(flags, note).last_verb:
        turned |= _VERBS.get(wanted.last_verb, {})
    overflow = list[str]()
    for name in wanted.categories:
        keyword = keyword_of(name)
        if keyword is not None and (keyword.lower() in there or storable(keyword)):
            turned[keyword] = True
        elif name not in (category_of(flag) for flag in flags):
            overflow.append(name)
    spelled = {keyword.lower() for keyword in turned}
    for flag in flags:
        shown = category_of(flag)
        if shown is not None and shown not in wanted.categories and flag.lower() not in spelled:
            turned[flag] = False
    kept = _note(_after(there, turned, storable), wanted, tuple(overflow))
    turned[NOTED] = kept != NOTHING
    add = [flag for flag, on in turned.items() if on and flag.lower() not in there and _can(flag, storable)]
    remove = [there[flag.lower()] for flag, on in turned.items() if not on and flag.lower() in there]
    return Change(add=tuple(add), remove=tuple(remove), note=kept)


#: What a verb turns on and off. A forwarded message stays answered: other programs show both.
_VERBS: Mapping[int, Mapping[str, bool]] = {
    0: {ANSWERED: False, TO_ALL: False, FORWARDED: False, "Forwarded": False},
    REPLIED: {ANSWERED: True, TO_ALL: False},
    REPLIED_TO_ALL: {ANSWERED: True, TO_ALL: True},
    FORWARDED_ON: {FORWARDED: True},
}


def _can(flag: str, storable: Callable[[str], bool]) -> bool:
    return flag.startswith("\\") or storable(flag)


def _after(there: Mapping[str, str], turned: Mapping[str, bool], storable: Callable[[str], bool]) -> set[str]:
    off = {flag.lower() for flag, on in turned.items() if not on}
    return (there.keys() - off) | {flag.lower() for flag, on in turned.items() if on and _can(flag, storable)}


def _note(after: set[str], wanted: MailFlags, overflow: tuple[str, ...]) -> MailFlags:
    """What `after` does not say."""
    kept = MailFlags(categories=tuple(sorted(overflow)))
    follow_up = wanted.follow_up
    if follow_up is not None and follow_up.status in (ACTIVE, COMPLETE) and follow_up != _follow_up(after, None):
        kept = replace(kept, follow_up=follow_up)
    if wanted.last_verb and (wanted.last_verb_time is not None or wanted.last_verb != _verb(after)):
        kept = replace(kept, last_verb=wanted.last_verb, last_verb_time=wanted.last_verb_time)
    return kept


# --- Versions ---------------------------------------------------------------------------------------------------------


def version(flags: MailFlags, content: int = 0) -> ItemVersion:
    """`content` counts how often the message behind the id was replaced: only that tells contents apart, since what has
    a UID never changes."""
    named = flags_version(dump_flags(flags))
    return f"{named}~{content}" if flags.draft else named


class Versions:
    """Versions of a whole listing, in which few different ones occur."""

    def __init__(self, notes: Mapping[int, str]) -> None:
        """`notes` by item id, as stored."""
        self._notes = notes
        self._found: dict[tuple[frozenset[str], str, int], ItemVersion] = {}
        self._seen: dict[tuple[frozenset[str], str], MailFlags] = {}

    def of(self, id: int, flags: frozenset[str], content: int = 0) -> ItemVersion:
        key = (flags, self._notes.get(id, ""), content)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = version(self.flags(id, flags), content)
        return found

    def flags(self, id: int, flags: frozenset[str]) -> MailFlags:
        key = (flags, self._notes.get(id, ""))
        found = self._seen.get(key)
        if found is None:
            found = self._seen[key] = seen(flags, load_flags(key[1]))
        return found

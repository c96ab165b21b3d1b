"""Sync keys and generations: what the device holds and what it means by a key, decided without I/O.

A device proves that it received an answer only by asking with the answer's key. Until then the server keeps both the
generation that was proven and those that were issued after it. Two or more may be issued beside each other: a different
request with the proven key is decided anew, and what was issued before stays valid until one of them is used, so that a
late copy or a second program under the same device id does not kill the key that the phone holds. The same holds for
key 0: it starts a new line beside the present one.

[MS-ASCMD] SyncKey (Sync); docs/design.md, "Keys and generations".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from hashlib import blake2b

from .errors import NotPrimed, StaleKey

#: The key of a first request, and the parent of what answers it.
ZERO = "0"

#: Generations issued beside each other. More than a few can only come from a program that never reads its answers.
MAX_ISSUED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The small part of a generation: all that a Sync or Ping without news reads.

    `parent` is the key that was asked with; `request` the digest of that request. `token` is how far the feed has been
    read (it may move without a new key while nothing visible happens). `edge` is the FilterType's date as ISO text, ""
    for none. `options` are the collection's options in force, as text. `pending` and `answers` say whether the body has
    any. `base`, `listing` number the blobs that the body builds on, 0 for none; `cursor` is how far the listing is
    sent. `doubt` is when a listing first lacked so many items that it is read again before it is believed, as ISO text.
    `month` is when items were last looked at that look otherwise in time (eas.engine.render LAID_OUT), "" for never.
    `top` is the highest id that the device was ever told since key 0, 0 for none (or not counted yet); `line` is equal
    for what descends from one answer to key 0 and was listed with one filter. Both go into the key (`told_key`).
    """

    key: str
    parent: str
    request: str = ""
    token: str = ""
    edge: str = ""
    options: str = ""
    pending: bool = False
    answers: bool = False
    base: int = 0
    listing: int = 0
    cursor: int = 0
    doubt: str = ""
    month: str = ""
    top: int = 0
    line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What a key says of itself, for when the state does not know it any more: when it was made (epoch milliseconds),
    the highest id that was told with it or before, the line; and of a collection `more` is "1" if all there was had
    been told by then (`ALL_TOLD`), of the hierarchy a second highest id in base 36."""

    at: int
    top: int
    line: str
    more: str


ALL_TOLD = "1"

#: With the usual ids some 55 characters; a SyncKey has at most 64.
_TOLD = re.compile(r"[0-9a-z]{1,32}-([0-9a-z]{1,8})-([0-9a-z]{1,12})-([0-9a-f]{0,5})-([0-9a-z]{0,5})")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def told_key(random: str, hint: Hint) -> str:
    """A key that nobody can guess, and that tells what it is."""
    return f"{random}-{based(hint.at)}-{based(hint.top)}-{hint.line}-{hint.more}"


def line_of(random: str) -> str:
    """The name of a line that begins with this key."""
    return blake2b(random.encode(), digest_size=3).hexdigest()[:5]


def hint_of(key: str) -> Hint | None:
    """None for what says nothing."""
    found = _TOLD.fullmatch(key)
    if found is None:
        return None
    return Hint(at=int(found[1], 36), top=int(found[2], 36), line=found[3], more=found[4])


def millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def based(number: int) -> str:
    """In base 36, as int(..., 36) reads it."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class LostTime:
    """What a state has forgotten, since it was put back to what a backup held: the lost time lies between them.

    Keys made after `after` and not after `before` (epoch milliseconds) were made in it. `elsewhere`: the items stand on
    another server, which was not put back. Ids from `first` on may have been handed out in it (0: not known); of the
    hierarchy these are numbers of folders, and from `first_kept` on those of folders that were put back, too, whose
    ids begin with `prefix`.
    """

    after: int
    before: int
    elsewhere: bool = False
    first: int = 0
    first_kept: int = 0
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the server keeps of one collection on one device: heads, oldest first. `row` is the stored row's version.

    `named` is the key that the device named last, where that is not the newest: several may be in play at once. `lost`
    is set from when a backup was put back until the device names a key that is known (eas.engine.repair).
    """

    row: int = 0
    proven: Head | None = None
    issued: tuple[Head, ...] = ()
    named: str = ""
    lost: LostTime | None = None

    @property
    def heads(self) -> tuple[Head, ...]:
        return (*((self.proven,) if self.proven else ()), *self.issued)

    @property
    def present(self) -> Head | None:
        """The generation that the device holds as far as can be told: the one it named last, else the newest."""
        heads = self.heads
        return next((head for head in heads if head.key == self.named), heads[-1] if heads else None)


class Asked(Enum):
    START = auto()   # key 0: begin a new line
    NEXT = auto()    # an issued key: its answer arrived
    AGAIN = auto()   # the proven key with another request: decide anew from what was proven
    REPEAT = auto()  # the proven key (or 0) with the same request: the answer was lost


@dataclass(frozen=True, slots=True)
class Verdict:
    """`base` is the generation to decide from; for REPEAT the one whose answer is to be given again."""

    asked: Asked
    base: Head


def judge(held: Held | None, key: str, request: str) -> Verdict:
    """Say what the device means by `key` with a request of this digest.

    Raises NotPrimed if nothing was ever issued, StaleKey for a key that is neither proven nor issued.
    """
    if key == ZERO:
        return _repeated(held, ZERO, request) or Verdict(Asked.START, Head(key=ZERO, parent=ZERO))
    if held is None or not held.heads:
        raise NotPrimed
    for head in held.issued:
        if head.key == key:
            return Verdict(Asked.NEXT, head)
    if held.proven is not None and held.proven.key == key:
        return _repeated(held, key, request) or Verdict(Asked.AGAIN, held.proven)
    raise StaleKey


def _repeated(held: Held | None, key: str, request: str) -> Verdict | None:
    for head in reversed(held.issued if held else ()):
        # A folder that is begun anew brings what the device has put into it since (eas.engine.moves), too.
        if head.parent == key and head.request == request and not (key == ZERO and head.top):
            return Verdict(Asked.REPEAT, head)
    return None


def advance(held: Held | None, verdict: Verdict, new: Head) -> Held:
    """What to keep once `new` is on its way as the answer to a request judged as `verdict`."""
    held = held or Held()
    if verdict.asked is Asked.NEXT:
        return replace(held, proven=verdict.base, issued=(new,), named="", lost=None)
    # START and AGAIN leave what was issued valid beside the new one; the oldest goes when there are too many.
    issued = (*held.issued, new)
    return replace(
        held, issued=issued[-MAX_ISSUED:], named="", lost=held.lost if len(issued) <= MAX_ISSUED else None
    )


def revise(held: Held, head: Head) -> Held:
    """The same after the device named `head`'s key and got no new one; the head may be in another state (its token
    moved, its options changed)."""
    return replace(
        held,
        named="" if held.heads[-1].key == head.key else head.key,
        proven=head if held.proven and held.proven.key == head.key else held.proven,
        issued=tuple(head if h.key == head.key else h for h in held.issued),
        lost=None,
    )

"""What becomes of an item that may have changed: decided from what the device holds and what is there. Pure.

`gone`, `outside`, `version` come from a look at the backend; `known` is what the device holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from eas.items.native import ItemId

from .known import Known, Pending
from .ports import Delta, Look
from .ranges import RangeSet
from .render import DOUBTED, LAID_OUT, UNLIKE, digest_part, version_part


class Verb(StrEnum):
    ADD = "Add"
    CHANGE = "Change"
    DELETE = "Delete"
    SOFT_DELETE = "SoftDelete"


#: A listing that lacks more than this many of the known items, and more than half of them, is read again before it is
#: believed: a server that answers half a listing must not empty a phone.
DOUBTFUL_LOSS = 20


def classify(known: str | None, version: str | None, outside: bool, is_mail: bool) -> Verb | None:
    """The verb for one item, None if the device need not hear of it.

    `known` is None for an item that the device does not hold, DOUBTED for one that it may or may not hold. `version` is
    None for one that is not within its horizon (outside) or does not exist. A record in another version, or one that
    time alone may have changed (LAID_OUT), is a CHANGE only if its looks differ, too: the caller compares them when it
    has rendered the item.
    """
    if known is not None and digest_part(known) == DOUBTED:
        return Verb.DELETE
    if version is None:
        if known is None:
            return None
        return Verb.SOFT_DELETE if outside else Verb.DELETE
    if known is None:
        return Verb.ADD
    if is_mail:
        return None if version == known else Verb.CHANGE
    settled = digest_part(known) != UNLIKE and not known.endswith(LAID_OUT)
    return None if version == version_part(known) and settled else Verb.CHANGE


def classify_all(ids: Iterable[ItemId], known: Known, look: Look, is_mail: bool) -> Mapping[ItemId, Verb]:
    verbs = {}
    for id in ids:
        verb = classify(known.version(id), look.versions.get(id), id in look.outside, is_mail)
        if verb is not None:
            verbs[id] = verb
    return verbs


def absorb(known: Known, pending: Pending, delta: Delta, is_mail: bool) -> Pending:
    """What is to be looked at after a delta. A complete one is compared with what the device holds: a repair."""
    if not delta.complete:
        held = (id for id in delta.outside if known.version(id) is not None)
        return pending.with_news((*delta.touched, *held), delta.gone)
    ids = known.ids()
    if not ids:
        return Pending.all_of(RangeSet.of(delta.touched))
    differing = RangeSet.of(
        id for id, version in delta.touched.items() if classify(known.version(id), version, False, is_mail)
    )
    # An item that is merely outside the horizon is told from one that is gone by the look that follows.
    missing = ids - RangeSet.of(delta.touched)
    return Pending.all_of(differing | missing)


def doubtful(known: Known, delta: Delta) -> bool:
    """Whether a whole listing lacks suspiciously many of the items that the device holds."""
    if not delta.complete:
        return False
    ids = known.ids()
    lost = len(ids - RangeSet.of(delta.touched))
    return lost > DOUBTFUL_LOSS and lost * 2 > len(ids)

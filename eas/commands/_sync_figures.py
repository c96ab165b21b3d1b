"""What a Sync has moved, as figures: the server counts them, this only says how many of what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from eas.engine.activity import FolderNote
from eas.engine.apply import Done, ItemStatus
from eas.engine.collection import CollectionAnswer

from ._registry import Figure
from ._sync_messages import CollectionResponse

#: A first request that is repeated is no other start.
STARTS = frozenset(("first", "again"))


def figures(answers: Iterable[CollectionAnswer | CollectionResponse]) -> Mapping[Figure, int]:
    """"items" by class, direction and change; "item failures" by class and status; "starts" by class and whether it is
    the first one; "degraded" by class; "failures" of collections by status."""
    found: Counter[Figure] = Counter()
    for answer in answers:
        if isinstance(answer, CollectionResponse):
            found["failures", str(int(answer.status))] += 1
        else:
            _add(found, answer)
    return found


def notes(answers: Iterable[CollectionAnswer | CollectionResponse]) -> tuple[FolderNote, ...]:
    """What became of each folder."""
    return tuple([
        FolderNote(answer.collection_id, int(answer.status))
        if isinstance(answer, CollectionResponse)
        else FolderNote(
            answer.collection_id, 1, len(answer.said), len(answer.results), answer.more, answer.again, answer.begun
        )
        for answer in answers
    ])


def _add(found: Counter[Figure], answer: CollectionAnswer) -> None:
    name = answer.item_class
    for said in answer.said:
        found["items", name, "to_device", said.verb.value] += 1
    for result, _ in answer.results:
        direction = "to_device" if result.verb is Done.FETCH else "from_device"
        if result.status == ItemStatus.SUCCESS:
            found["items", name, direction, result.verb.value] += 1
        else:
            found["item failures", name, str(int(result.status))] += 1
    if answer.begun in STARTS:
        found["starts", name, answer.begun] += 1
    if answer.degraded:
        found["degraded", name] += answer.degraded

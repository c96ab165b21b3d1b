"""What a device is taken to hold of an item that it moved: decided from generations, without a store."""

from __future__ import annotations

from collections.abc import Mapping

from eas.engine.keys import ZERO, Head
from eas.engine.known import Answers, Known, Pending
from eas.engine.moves import Brought, had, taken
from eas.engine.ranges import RangeSet
from eas.engine.render import doubted, unlike
from eas.engine.repair import Generation


def generation(
    known: Mapping[int, str], *, listing: str = "", cursor: int = 0, parent: str = "k0", top: int = 0
) -> Generation:
    pending = Pending(listing=RangeSet.parse(listing), cursor=cursor)
    return Generation(Head(key="k1", parent=parent, top=top), Known(changed=dict(known)), pending, Answers())


def test_what_it_had() -> None:
    assert had([generation({7: "r"}), generation({7: "r", 8: "u"})], 7) == "r"
    assert had([generation({}), generation({7: "etag digest"})], 7) == "etag digest", "it names what it has"


def test_where_it_cannot_be_told_it_is_to_hear_of_it() -> None:
    assert had([], 7) == had([generation({})], 7) == unlike("?")
    assert had([generation({7: "u"}), generation({7: "r"})], 7) == unlike("?")
    assert had([generation({7: "e1 a"}), generation({7: "e2 b"})], 7) == unlike("e2"), "its next change is no conflict"
    assert had([generation({7: doubted("e1")})], 7) == unlike("e1")


def test_it_is_held_and_looked_at() -> None:
    after = taken(generation({3: "r"}, top=3), {9: Brought("u", sure=True)})
    assert dict(after.known.items()) == {3: "r", 9: "u"}
    assert (list(after.pending.newest()), after.head.pending, after.head.top) == ([9], True, 9)


def test_how_high_a_line_has_come() -> None:
    """0 of a line means that it was not counted, of an answer to key 0 that nothing was told."""
    brought = {9: Brought("u", sure=True)}
    assert taken(generation({3: "r"}), brought).head.top == 0
    assert taken(generation({}, parent=ZERO), brought).head.top == 9
    assert taken(generation({12: "r"}, top=12), brought).head.top == 12


def test_what_is_known_or_still_to_come_is_left_alone() -> None:
    brought = {9: Brought("u", sure=True)}
    for before in (generation({9: "r"}), generation({}, listing="1-20", cursor=15)):
        assert taken(before, brought) is before
    passed = generation({}, listing="1-20", cursor=5)
    assert taken(passed, brought).known.version(9) == "u"


def test_a_move_that_is_asked_for_again() -> None:
    again = {9: Brought("e2 b", sure=False)}
    assert taken(generation({9: "e1 a"}), again).known.version(9) == unlike("e1")
    assert taken(generation({}), again).known.version(9) == unlike("e2")
    begun_anew = generation({}, listing="1-20", cursor=15)
    assert taken(begun_anew, again) is begun_anew

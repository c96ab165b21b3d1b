"""What the head of a case says, and when a case holds."""

from __future__ import annotations

import pytest
from test_session_diff import exchange

from eas.replay.comparing.outcome import Difference, Kind, Outcome
from eas.replay.format.model import Meta, SessionError
from eas.replay.testing.cases import Case, Known
from eas.replay.testing.target import Target

STATUS = Difference("Sync/Collections/Collection[Inbox]/Status", Kind.STATUS, "1", "3", "Status is '3', not '1'")
MISSING = Difference("Sync/Commands/Add[2]", Kind.MISSING, "<Add/>", "", "Add of 'Re: lunch' is missing")


def outcome(number: int, *differences: Difference, skipped: str = "", notes: tuple[str, ...] = ()) -> Outcome:
    return Outcome(exchange=exchange(number, "Sync", None, None), differences=differences, skipped=skipped, notes=notes)


def head(*lines: str) -> Meta:
    return Meta(tuple((name, value) for name, _, value in (line.partition(": ") for line in lines)))


@pytest.mark.parametrize(("lines", "outcomes", "said"), [
    (["expects: same"], [outcome(1), outcome(2)], []),
    (["expects: same"], [outcome(1), outcome(2, STATUS)],
     ["2: Status is '3', not '1' (Sync/Collections/Collection[Inbox]/Status)"]),
    (["expects: same"], [outcome(1, skipped="the folder 'Old' is not there")],
     ["1: not played: the folder 'Old' is not there"]),
    (["expects: 2 status Sync/Collections/Collection[Inbox]/Status"], [outcome(2, STATUS)], []),
    (["expects: 2 missing Sync/Commands/Add[7]"], [outcome(2, MISSING)], []),
    (["expects: 2 missing Sync/Commands/Add"], [outcome(2, MISSING, MISSING)],
     ["2: Add of 'Re: lunch' is missing (Sync/Commands/Add[2])"]),
    (["expects: 2 missing Sync/Commands/Add", "expects: 3 missing Sync/Commands/Add"],
     [outcome(2, MISSING), outcome(3)],
     ["3: does not differ any more, take it out of the head: 3 missing Sync/Commands/Add"]),
])
def test_verdicts(lines: list[str], outcomes: list[Outcome], said: list[str]) -> None:
    assert Case.of(head(*lines)).verdict(outcomes) == said


@pytest.mark.parametrize("lines", [
    [], ["device: A1"], ["expects: same", "expects: 2 status Sync/Status"], ["expects: other"],
    ["expects: 2 wrong Sync/Status"], ["expects: "],
])
def test_heads_of_no_case(lines: list[str]) -> None:
    with pytest.raises(SessionError, match="expects"):
        Case.of(head(*lines))


def test_heads_come_back() -> None:
    case = Case((Known.of(2, STATUS), Known.of(3, MISSING)), ("email:Preview",))
    meta = case.head(head("device: A1", "expects: same", "note: x"))
    assert Case.of(meta) == case
    assert (meta.get("device"), meta.get("note")) == ("A1", "x")
    assert Case.of(Case().head(meta)) == Case()


def test_a_difference_that_is_to_stay() -> None:
    target, before = Target.of(2, STATUS), [outcome(1), outcome(2, STATUS, MISSING)]
    renamed = Difference("Sync/Collections/Collection[5]/Status", Kind.STATUS, "1", "3", "")
    other = Difference("Sync/Collections/Collection[Inbox]/Status", Kind.STATUS, "1", "8", "")
    assert target.still_in(before, [outcome(2, renamed)])
    assert not target.still_in(before, [outcome(2, MISSING)])
    assert not target.still_in(before, [outcome(2, other)])
    assert not target.still_in(before, [outcome(1, MISSING), outcome(2, STATUS)])  # fails for another reason
    assert not target.still_in(before, [outcome(2, STATUS, notes=("sent as it was recorded",))])

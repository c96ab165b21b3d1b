"""The states of a wipe as a table: what leads where, what leads nowhere, and what the partnership says meanwhile."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from eas.engine.model import Wipe
from eas.engine.partnership import PENDING
from eas.engine.wipes import (
    IN_FORCE,
    NEXT,
    OPEN,
    STAGE_OF,
    UNDER_WAY,
    WIPE_OF,
    NoSuchTurn,
    Order,
    Rules,
    Stage,
    Turn,
    may_approve,
    turned,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
OVER = frozenset((Stage.CANCELLED, Stage.DECLINED, Stage.EXPIRED, Stage.READMITTED))


def order(stage: Stage = Stage.WAITING, asked_by: str = "Anna", expires: datetime | None = None) -> Order:
    return Order(
        id=1, user_id="u", device_id="D", account_only=False, stage=stage, asked_by=asked_by, asked_role="admin",
        asked=NOW, expires=expires,
    )


def test_what_is_in_no_row_cannot_be() -> None:
    for stage, turn in itertools.product(Stage, Turn):
        if (stage, turn) in NEXT:
            assert turned(stage, turn) is NEXT[stage, turn]
        else:
            with pytest.raises(NoSuchTurn):
                turned(stage, turn)


def test_what_is_over_stays_so() -> None:
    assert {stage for stage, _ in NEXT} == set(Stage) - OVER


def test_nothing_that_waits_for_a_second_person_reaches_the_device_but_by_approval() -> None:
    ways = {turn: next for (stage, turn), next in NEXT.items() if stage is Stage.WAITING}
    assert {turn for turn, stage in ways.items() if stage in UNDER_WAY} == {Turn.APPROVE}


def test_every_wipe_can_be_cancelled_until_it_is_done() -> None:
    assert {stage for (stage, turn) in NEXT if turn is Turn.CANCEL} == OPEN


def test_what_a_device_reports_ends_every_wipe_that_is_under_way() -> None:
    for stage in UNDER_WAY:
        assert turned(stage, Turn.ACKNOWLEDGE) is Stage.DONE
        assert turned(stage, Turn.FAIL) is Stage.FAILED


def test_the_partnership_says_the_same_as_the_order() -> None:
    assert set(WIPE_OF) == IN_FORCE
    assert {WIPE_OF[stage] for stage in UNDER_WAY} == PENDING
    assert {STAGE_OF[wipe]: wipe for wipe in Wipe if wipe is not Wipe.NONE} == dict(WIPE_OF)


@pytest.mark.parametrize(
    ("name", "may"),
    [("Ben", True), ("Anna", False), ("anna", False), (" ANNA ", False), ("", False), ("  ", False), ("anna2", True)],
)
def test_nobody_agrees_with_themselves(name: str, may: bool) -> None:
    assert may_approve(order(), name) is may


@pytest.mark.parametrize(
    ("two_persons", "by_owner", "waits"),
    [(True, False, True), (True, True, False), (False, False, False), (False, True, False)],
)
def test_ones_own_phone_needs_no_second_person(two_persons: bool, by_owner: bool, waits: bool) -> None:
    rules = Rules(two_persons=two_persons, approval=timedelta(hours=2))
    assert rules.waits_until(NOW, by_owner=by_owner) == (NOW + timedelta(hours=2) if waits else None)


def test_time_ends_what_waits_and_nothing_else() -> None:
    later = NOW + timedelta(hours=24)
    assert order(expires=later).stands(NOW) is Stage.WAITING
    assert order(expires=later).stands(later) is Stage.EXPIRED
    for stage in set(Stage) - {Stage.WAITING}:
        assert order(stage, expires=later).stands(later) is stage
    assert order().stands(later) is Stage.WAITING

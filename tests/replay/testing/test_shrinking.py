"""What is left when everything is left out that can be: a known least set, found in few attempts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_compare import folders, mail, sync
from test_session_diff import exchange

from eas.replay.format.model import Document, SessionError
from eas.replay.testing.cutting import Cut
from eas.replay.testing.shrinking import Shrunk, shrink, units_of, with_units


def least(count: int, needed: set[int], attempts: int = 10_000) -> tuple[Shrunk[int], int]:
    ran = 0

    async def fails(parts: Sequence[int]) -> bool:
        nonlocal ran
        ran += 1
        return needed <= set(parts)

    return asyncio.run(shrink(range(count), fails, attempts)), ran


@given(st.integers(1, 120), st.data())
def test_the_least_is_found(count: int, data: st.DataObject) -> None:
    needed = data.draw(st.sets(st.integers(0, count - 1), max_size=6))
    found, ran = least(count, needed)
    assert set(found.least) == needed
    assert list(found.least) == sorted(found.least)
    assert (found.complete, found.attempts) == (True, ran)
    assert ran <= 4 * (len(needed) + 1) * (log2(count) + 2)


def test_what_depends_on_another_is_kept_with_it() -> None:
    """Number 90 fails only after 3 (the key), which only counts after 1 (the folders)."""
    async def fails(parts: Sequence[int]) -> bool:
        return 90 in parts and 3 in parts[: parts.index(90)] and 1 in parts[: parts.index(3)]

    assert asyncio.run(shrink(range(1, 121), fails, 500)).least == (1, 3, 90)


def test_attempts_are_bounded_and_what_was_reached_is_kept() -> None:
    found, ran = least(1000, {5, 500, 995}, attempts=12)
    assert ran == found.attempts == 12
    assert not found.complete
    assert {5, 500, 995} <= set(found.least)
    assert len(found.least) < 1000


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []

    async def fails(parts: Sequence[int]) -> bool:
        return 7 in parts

    asyncio.run(shrink(range(16), fails, 99, lambda made, left: told.append((made, left))))
    assert told[0] == (1, 8)
    assert told[-1][1] == 1
    assert [made for made, _ in told] == list(range(1, len(told) + 1))


def test_items_inside_of_messages() -> None:
    commands = "".join(mail(number, f"No. {number}") for number in range(6))
    one = replace(exchange(1, "Sync", sync(""), sync(commands)), number=1)
    units = units_of([one])
    assert len(units) == 1 + 1 + 6  # a collection each, and mails
    (same,) = with_units([one], units)
    assert same == one
    kept = [unit for unit in units if not unit.answer or len(unit.way) == 2 or unit.way[-1] == 4]
    (less,) = with_units([one], kept)
    assert less.answer.body == Document(sync(mail(4, "No. 4")))
    (nothing,) = with_units([one], [])
    assert isinstance(nothing.answer.body, Document)
    assert nothing.answer.body.root.elements[0].elements == ()


def test_folders_are_counted_anew() -> None:
    one = exchange(1, "FolderSync", None, folders("Inbox", "Sent", "Trash"))
    (less,) = with_units([one], units_of([one])[1:])
    assert less.answer.body == Document(folders("Sent", "Trash", start=2))


@pytest.mark.parametrize(("text", "numbers"), [
    ("", range(1, 13)), ("3", [3]), ("3,7-9", [3, 7, 8, 9]), ("-2", [1, 2]), ("11-", [11, 12]), (" 1 , 2 ,", [1, 2]),
])
def test_cuts(text: str, numbers: Sequence[int]) -> None:
    whole = [exchange(number, "Ping", None, None) for number in range(1, 13)]
    assert [one.number for one in Cut.of(text).of_session(whole)] == list(numbers)


@pytest.mark.parametrize("text", ["x", "3-1", "1-2-3", "-", ",", "1;2", "0x3"])
def test_cuts_that_are_none(text: str) -> None:
    with pytest.raises(SessionError, match="no numbers of exchanges"):
        Cut.of(text)

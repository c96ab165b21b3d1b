"""That whatever is done to the audit log behind its back is found, and where it began."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.store.audit import START, Entry, chained, row_of
from eas.store.audit_chain import NOTHING, Check, Mark, Verdict, mark_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
FIELDS = (
    "at", "actor", "role", "face", "address", "action", "about_user", "about_device", "details", "outcome", "number"
)

Rows = list[tuple[dict[str, Any], str]]


def chain(count: int, before: Mark = NOTHING) -> Rows:
    rows: Rows = []
    for number in range(before.number + 1, before.number + 1 + count):
        entry = Entry(
            at=NOW + timedelta(minutes=number), actor=f"a{number % 3}", role="admin", face="cli", address="",
            action="device.block", about_user="anna", about_device=f"D{number % 2}", details={"n": number},
        )
        row = row_of(entry, number)
        made = chained(rows[-1][1] if rows else before.hash, row)
        rows.append((row, made))
    return rows


def head_of(rows: Rows) -> Mark:
    return Mark(rows[-1][0]["number"], rows[-1][1]) if rows else NOTHING


def verdict(rows: Rows, head: Mark, seal: Mark = NOTHING, noted: Mark | None = None) -> Verdict:
    check = Check(seal, noted)
    for row, made in rows:
        check.row(row["number"], row, made)
    return check.end(head)


counts = st.integers(1, 12)


@given(counts)
def test_a_log_as_it_was_written_is_whole(count: int) -> None:
    rows = chain(count)
    found = verdict(rows, head_of(rows), noted=head_of(rows))
    assert (found.broken, found.problem, found.rows, found.head) == (0, "", count, head_of(rows))
    assert verdict([], NOTHING).broken == 0


@given(counts, st.data())
def test_any_change_of_any_field_is_found_where_it_was_made(count: int, data: st.DataObject) -> None:
    rows = chain(count)
    head, at = head_of(rows), data.draw(st.integers(0, count - 1))
    row, made = dict(rows[at][0]), rows[at][1]
    name = data.draw(st.sampled_from((*FIELDS, "hash")))
    if name == "hash":
        made = data.draw(st.text("0123456789abcdef", min_size=64, max_size=64).filter(lambda h: h != rows[at][1]))
    elif name == "number":
        row[name] = data.draw(st.integers(-3, count + 5).filter(lambda n: n != at + 1))
    else:
        row[name] = data.draw(st.text().filter(lambda text: text != rows[at][0][name]))
    changed = [*rows[:at], (row, made), *rows[at + 1:]]
    if name == "number":
        changed.sort(key=lambda pair: pair[0]["number"])
    found = verdict(changed, head)
    assert found.broken
    if name != "number":
        assert found.broken == at + 1


@given(counts, st.data())
def test_whatever_is_taken_out_is_missed(count: int, data: st.DataObject) -> None:
    rows = chain(count)
    gone = data.draw(st.sets(st.integers(1, count), min_size=1))
    left = [pair for pair in rows if pair[0]["number"] not in gone]
    assert verdict(left, head_of(rows)).broken == min(gone)


@given(st.integers(2, 12), st.data())
def test_rows_that_change_places_are_found(count: int, data: st.DataObject) -> None:
    """With the numbers of the places, or with their own."""
    rows = chain(count)
    one, other = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=2, max_size=2)))
    swapped = list(rows)
    (first, first_made), (second, second_made) = rows[one], rows[other]
    swapped[one] = ({**second, "number": one + 1}, second_made)
    swapped[other] = ({**first, "number": other + 1}, first_made)
    assert verdict(swapped, head_of(rows)).broken == one + 1
    swapped[one], swapped[other] = rows[other], rows[one]
    assert verdict(swapped, head_of(rows)).broken == one + 1


@given(counts, st.data())
def test_a_row_that_is_put_in_is_found(count: int, data: st.DataObject) -> None:
    """Even with a hash that fits what stands before it."""
    rows = chain(count)
    at = data.draw(st.integers(0, count))
    before = rows[at - 1][1] if at else START
    forged = {**rows[min(at, count - 1)][0], "actor": "mallory", "number": at + 1}
    longer = [*rows[:at], (forged, chained(before, forged)), *rows[at:]]
    assert verdict(longer, head_of(rows)).broken == at + 1


@given(counts, st.data())
def test_a_log_that_was_cut_off_and_written_on_is_found_by_a_head_that_was_noted(
    count: int, data: st.DataObject
) -> None:
    """Whoever owns the database makes the head fit; not what was noted elsewhere."""
    rows = chain(count)
    noted = rows[data.draw(st.integers(0, count - 1))]
    noted_mark = Mark(noted[0]["number"], noted[1])
    kept = data.draw(st.integers(0, noted_mark.number - 1))
    base = rows[:kept]
    written = {**rows[kept][0], "actor": "mallory"}
    again = [*base, (written, chained(base[-1][1] if base else START, written))]
    for forged in (base, again):
        assert verdict(forged, head_of(forged)).broken == 0
        found = verdict(forged, head_of(forged), noted=noted_mark)
        assert found.broken in (noted_mark.number, len(forged) + 1)


@given(st.integers(1, 6), st.integers(1, 6))
def test_what_was_removed_is_sealed(old: int, young: int) -> None:
    gone = chain(old)
    seal = head_of(gone)
    rows = chain(young, seal)
    whole = verdict(rows, head_of(rows), seal)
    assert (whole.broken, whole.sealed, whole.rows) == (0, old, young)
    assert verdict(rows, head_of(rows)).broken == 1
    assert verdict(rows[1:], head_of(rows), seal).broken == old + 1
    assert verdict(rows, head_of(rows), Mark(seal.number, "0" * 64)).broken == old + 1
    assert verdict([*gone[-1:], *rows], head_of(rows), seal).broken == old
    assert verdict(rows, head_of(rows), seal, noted=seal).broken == 0
    assert verdict(rows, head_of(rows), seal, noted=Mark(seal.number, "0" * 64)).broken == old
    older = verdict(rows, head_of(rows), seal, noted=Mark(old - 1, "0" * 64)) if old > 1 else None
    assert older is None or (older.broken == 0 and "older than what is kept" in older.unchecked)


def test_a_head_that_does_not_fit_is_found() -> None:
    rows = chain(3)
    assert verdict(rows, Mark(3, "0" * 64)).broken == 3
    assert verdict(rows, Mark(2, rows[1][1])).broken == 3
    assert verdict(rows, Mark(5, "0" * 64)).broken == 4
    assert verdict([], Mark(2, "0" * 64)).broken == 1
    assert verdict(rows, NOTHING).broken == 1


def test_a_mark_as_text() -> None:
    mark = Mark(17, "ab" * 32)
    assert mark_of(str(mark)) == mark
    assert mark_of(f"  {mark}\n") == mark
    for text in ("", "17", "x:" + "ab" * 32, f"17:{'zz' * 32}", "17:" + "ab" * 31, f"-1:{'ab' * 32}"):
        with pytest.raises(ValueError, match="no head"):
            mark_of(text)


@pytest.mark.parametrize("make", [lambda rows: rows[:1], lambda rows: rows])
def test_nothing_is_read_behind_what_is_broken(make: Callable[[Rows], Sequence[Any]]) -> None:
    check = Check()
    row, _ = chain(1)[0]
    assert not check.row(1, row, "0" * 64)
    assert not check.row(2, row, "0" * 64)
    assert check.end(None).rows == 1

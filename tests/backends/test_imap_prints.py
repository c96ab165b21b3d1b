"""Fingerprints, their rows, and matching under a new UIDVALIDITY; tokens; listings that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, insert
from worlds import letter

from eas.backends.embedded.tables import UserRow
from eas.backends.imap import listing, prints, spans, tokens
from eas.backends.imap.epochs import matched
from eas.backends.imap.prints import MAX_RECORDS, Print, keep, load, missing, pack, unpack
from eas.backends.imap.tokens import Stand
from eas.backends.standards.tables import PlaceRow
from eas.db import Base

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def _print(uid: int) -> Print:
    return Print(uid, uid.to_bytes(16, "big"), (uid % 7).to_bytes(16, "big"))


@pytest.fixture(scope="module")
def engine_connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        connection.execute(insert(UserRow).values(id="u", login="u", address="u@example.com"))
        connection.execute(insert(PlaceRow).values(number=1, user_id="u", source="imap", locator="INBOX"))
        yield connection
    engine.dispose()


UIDS = st.sets(st.integers(1, 3000), max_size=400)


@given(UIDS)
def test_records_come_back(uids: set[int]) -> None:
    some = [_print(uid) for uid in sorted(uids)]
    assert list(unpack(pack(some))) == some
    assert list(unpack(pack(some) + b"cut off")) == some


@settings(max_examples=30)
@given(st.lists(UIDS, max_size=6))
def test_what_is_kept_in_any_order_is_found(engine_connection: Connection, batches: list[set[int]]) -> None:
    prints.drop(engine_connection, 1, 1)
    every = set[int]()
    for uids in batches:
        assert missing(engine_connection, 1, 1, uids) == uids - every
        keep(engine_connection, 1, 1, [_print(uid) for uid in uids])
        every |= uids
        assert load(engine_connection, 1, 1) == {uid: _print(uid) for uid in every}
    assert load(engine_connection, 1, 2) == {}


def test_the_first_print_of_a_message_stays(engine_connection: Connection) -> None:
    prints.drop(engine_connection, 1, 1)
    keep(engine_connection, 1, 1, [_print(5)])
    keep(engine_connection, 1, 1, [Print(5, b"x" * 16, b"y" * 16)])
    assert load(engine_connection, 1, 1) == {5: _print(5)}


def test_rows_stay_small_and_new_messages_fill_them(engine_connection: Connection) -> None:
    prints.drop(engine_connection, 1, 1)
    for uid in range(1, 3 * MAX_RECORDS + 1):
        keep(engine_connection, 1, 1, [_print(uid)])
    rows = prints._rows(engine_connection, 1, 1, [1, 5000])
    assert [len(data) // 36 for data in rows.values()] == [MAX_RECORDS] * 3


def test_a_print_tells_messages_apart_and_knows_the_conversation() -> None:
    one = prints.print_of(1, letter("a", message_id="a@x"), 100, AT)
    assert one.mark == prints.print_of(9, letter("b", message_id="a@x"), 100, AT).mark
    assert one.mark != prints.print_of(1, letter("a", message_id="b@x"), 100, AT).mark
    assert one.mark != prints.print_of(1, letter("a", message_id="a@x"), 101, AT).mark
    answer = prints.print_of(2, letter("Re: a", message_id="c@x", headers=("References: <a@x>",)), 100, AT)
    assert answer.conversation == one.conversation


MARKS = st.dictionaries(st.integers(1, 50), st.binary(min_size=1, max_size=1), max_size=20)


@given(MARKS, MARKS)
def test_matching_is_one_to_one_and_never_guesses(before: dict[int, bytes], now: dict[int, bytes]) -> None:
    found = matched(before, now)
    assert len(set(found.values())) == len(found)
    for id, uid in found.items():
        assert before[id] == now[uid]
        assert list(before.values()).count(before[id]) == list(now.values()).count(now[uid]) == 1


# --- Tokens -----------------------------------------------------------------------------------------------------------

NUMBERS = st.integers(0, 2**63 - 1)
STANDS = st.builds(
    Stand, epoch=NUMBERS, validity=NUMBERS, modseq=NUMBERS, uid_next=NUMBERS, messages=NUMBERS, counter=NUMBERS,
    digest=st.text("0123456789abcdef", max_size=24),
)


@given(STANDS)
def test_a_token_comes_back(stand: Stand) -> None:
    assert tokens.parse(str(stand)) == stand


@given(st.text(max_size=60) | st.from_regex(r"i1(:[0-9a-f١]{0,25}){5,8}", fullmatch=True))
def test_what_is_no_token_is_none(text: str) -> None:
    found = tokens.parse(text)
    assert found is None or tokens.parse(str(found)) == found


@given(STANDS)
def test_a_token_from_the_future_cannot_be_followed(stand: Stand) -> None:
    assert stand.can_follow(stand)
    for name in ("epoch", "validity", "modseq", "uid_next", "counter"):
        assert not replace(stand, **{name: getattr(stand, name) + 1}).can_follow(stand)


# --- Listings ---------------------------------------------------------------------------------------------------------

LISTINGS = st.dictionaries(
    st.integers(1, 40), st.frozensets(st.sampled_from(("\\Seen", "\\Flagged", "Red", "\\Recent"))), max_size=30
)


@given(LISTINGS, LISTINGS)
def test_two_listings_tell_what_has_changed(
    before: dict[int, frozenset[str]], now: dict[int, frozenset[str]]
) -> None:
    def plain(some: frozenset[str]) -> frozenset[str]:
        return some - {"\\Recent"}

    digest, kept = listing.dump(before)
    touched, gone = listing.changes(kept, now)
    expected = {uid for uid, some in now.items() if uid not in before or plain(before[uid]) != plain(some)}
    assert touched == expected
    assert set(spans.numbers(gone)) == before.keys() - now.keys()
    assert listing.digest_of(kept) == digest
    assert (listing.dump(now)[0] == digest) == (not touched and not gone)

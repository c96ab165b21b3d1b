"""The recipient information cache: ranks that grow, entries that are read as they were written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items.body import Wanted
from eas.items.native import Unreadable, Viewer
from eas.items.recipients import HALF_LIFE, Recipient, from_native, read, to_native, written_to
from eas.protocol.version import Version

NOW = datetime(2026, 3, 1, tzinfo=UTC)
VIEWER = Viewer(addresses=("anna@example.com",), name="Anna", zone="UTC", now=NOW)

names = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=40).map(str.strip)


@settings(max_examples=50)
@given(name=names, rank=st.integers(1, 10**6))
def test_an_entry_is_read_as_it_was_written(name: str, rank: int) -> None:
    entry = Recipient(address="ben@example.com", name=name, rank=rank)
    found = read(to_native(entry, "uid"))
    assert (found.address, found.rank) == (entry.address, entry.rank)
    assert found.name.split() == (name or entry.address).split()


@settings(max_examples=50)
@given(days=st.lists(st.integers(0, 400), min_size=1, max_size=20))
def test_each_message_raises_the_rank(days: list[int]) -> None:
    entry, at = None, NOW
    for more in days:
        at += timedelta(days=more)
        before, entry = entry, written_to(entry, "ben@example.com", "", at)
        assert before is None or entry.rank >= before.rank


def test_a_message_counts_half_after_a_while() -> None:
    """Two messages then are as good as one now."""
    then = NOW - HALF_LIFE
    twice = written_to(written_to(None, "a@x", "", then), "a@x", "", then)
    assert twice.rank == written_to(None, "b@x", "", NOW).rank
    assert written_to(twice, "a@x", "", then).rank > twice.rank


def test_clocks_that_go_back_lower_no_rank() -> None:
    entry = written_to(None, "a@x", "", NOW)
    assert written_to(entry, "a@x", "", NOW - timedelta(days=3650)).rank >= entry.rank
    assert written_to(None, "a@x", "", datetime(1990, 1, 1, tzinfo=UTC)).rank >= 1


def test_the_latest_name_is_kept() -> None:
    entry = written_to(None, "a@x", "Ann", NOW)
    assert written_to(entry, "a@x", "", NOW).name == "Ann"
    assert written_to(entry, "a@x", "Anna", NOW).name == "Anna"


def test_a_device_sees_these_elements_alone() -> None:
    """[MS-ASCNTC] R514"""
    card = to_native(Recipient(address="ben@example.com", name="", rank=7), "uid")
    contact = from_native(card, Wanted(), VIEWER, Version.V14_1)
    assert (contact.email1, contact.file_as, contact.weighted_rank) == ("ben@example.com", "ben@example.com", 7)
    assert contact.alias is contact.first_name is contact.body is None


@pytest.mark.parametrize("card", [b"", b"no card", b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nEND:VCARD\r\n"])
def test_what_is_no_entry_cannot_be_read(card: bytes) -> None:
    with pytest.raises(Unreadable):
        read(card)

"""Ids of an expected answer that is in the server's own already."""

from __future__ import annotations

from eas.replay.comparing.ids import Ids


def test_an_id_that_was_learned_later_is_no_other_ones() -> None:
    """First seen as recorded, then, when it is known what stands for it, in the server's words."""
    ids = Ids(settled=True)
    assert ids.same("item", "1:3", "12:3", "12")
    assert ids.same("item", "12:3", "12:3", "12")
    assert not ids.same("item", "12:2", "12:3", "12")


def test_two_sessions_have_ids_of_their_own() -> None:
    ids = Ids()
    assert ids.same("item", "1:3", "12:3", "12")
    assert not ids.same("item", "12:3", "12:3", "12")

"""Ghosting: what a Change leaves alone by not naming it. [MS-ASCMD] Supported, Change."""

from __future__ import annotations

from dataclasses import fields

import pytest

from eas.items import contacts, notes
from eas.items.contacts import Contact
from eas.items.ghosting import kept_fields
from eas.items.notes import Note
from eas.protocol.version import Version

ALL = frozenset(f.name for f in fields(Contact))
#: Spelled by no version of 12.0 and later, and by none up to 12.1.
OLD, RECIPIENTS = {"body_size", "body_truncated"}, {"alias", "weighted_rank"}


def test_without_supported_only_body_and_picture_stay() -> None:
    """R5906, R5912; R878 and [MS-ASCNTC] R461 for Body and Picture."""
    kept = kept_fields(Contact, None, contacts.ALWAYS_KEPT, Version.V14_1)
    assert kept == {"body", "picture"} | OLD


def test_empty_supported_ghosts_everything() -> None:
    """R5909, R5911."""
    assert kept_fields(Contact, (), frozenset(), Version.V14_1) == ALL


def test_listed_elements_are_managed_and_all_others_ghosted() -> None:
    """R661, R5907, R5908, R4537; Picture stays even if it is listed, R878."""
    supported = ("Contacts:FirstName", "Contacts2:NickName", "Contacts:Categories", "Contacts:Picture", "Tasks:Subject")
    kept = kept_fields(Contact, supported, contacts.ALWAYS_KEPT, Version.V14_1)
    assert ALL - kept == {"first_name", "nickname", "categories"}


def test_supported_with_nothing_of_the_class_still_ghosts_the_rest() -> None:
    assert kept_fields(Contact, ("Calendar:UID",), frozenset(), Version.V14_1) == ALL


@pytest.mark.parametrize(("version", "unknown"), [
    (Version.V2_5, RECIPIENTS),
    (Version.V12_1, RECIPIENTS | OLD),
    (Version.V16_1, OLD),
])
def test_what_the_version_cannot_spell_stays(version: Version, unknown: set[str]) -> None:
    assert kept_fields(Contact, None, frozenset(), version) == unknown


def test_note_without_body_and_subject_keeps_them_and_loses_its_categories() -> None:
    """[MS-ASNOTE] R112, R113, R10003."""
    kept = kept_fields(Note, None, notes.ALWAYS_KEPT, Version.V14_0)
    assert {"body", "subject"} <= kept
    assert "categories" not in kept


def test_names_that_are_no_fields_are_not_kept() -> None:
    assert "nonsense" not in kept_fields(Contact, None, frozenset({"nonsense"}), Version.V14_1)

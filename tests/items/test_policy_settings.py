"""The table of settings: whole, by its bounds, and in words.

Set EAS_SPEC to a folder with `classes.md` (a table of EASProvisionDoc) to compare the names with the specification's.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.engine.families import FAMILIES, ignoring, refusing
from eas.items.policy import digest, document
from eas.items.policy_settings import BY_NAME, SETTINGS, Choice, Flag, Group, Lines, Number
from eas.protocol.codepages import TOKEN_OF
from eas.protocol.version import Version

SPEC = os.environ.get("EAS_SPEC")

#: What else has a token on the page of Provision: the command's own elements.
OF_COMMAND = frozenset((
    "Provision", "Policies", "Policy", "PolicyType", "PolicyKey", "Data", "Status", "RemoteWipe", "EASProvisionDoc",
    "AccountOnlyRemoteWipe",
    "DocumentBrowseEnabled",  # a token of 12.0 that no schema of the document has
))


def test_every_element_of_the_document_is_a_setting() -> None:
    tokens = {tag.partition(":")[2] for tag in TOKEN_OF if tag.startswith("Provision:")} - OF_COMMAND
    entries = {setting.entry for setting in SETTINGS if setting.entry}
    assert {setting.name for setting in SETTINGS} | entries == tokens
    assert len(SETTINGS) == 42


@pytest.mark.skipif(SPEC is None, reason="EAS_SPEC names no folder with the tables of the specification")
def test_every_setting_of_the_specification_is_there() -> None:
    assert SPEC is not None
    text = (Path(SPEC) / "classes.md").read_text(encoding="utf-8")
    section = text[text.index("EASProvisionDoc, sequence order") :]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("|") and "element" not in line]
    names = {name for row in rows for name in re.findall(r"[A-Z][A-Za-z]+[a-z][A-Za-z]*", row)}
    assert names - {setting.entry for setting in SETTINGS} == {setting.name for setting in SETTINGS}


def test_each_says_what_it_is_and_what_its_owner_notices() -> None:
    for setting in BY_NAME.values():
        assert setting.title
        assert setting.help.endswith((".", "!"))
        assert len(setting.help) > 30
        assert setting.kind.bounds
        assert not (setting.default is not None and setting.wrong(setting.default)), setting.name
    assert {setting.group for setting in BY_NAME.values()} == set(Group)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_the_bounds_are_kept_on_both_sides(name: str) -> None:
    setting = BY_NAME[name]
    match setting.kind:
        case Flag():
            right, wrong = ["0", "1"], ["", "2", "true", "yes"]
        case Number(low, high, empty):
            right, wrong = [str(low), str(high)], [str(low - 1), str(high + 1), "1.5", "x", "٣"]
            (right if empty else wrong).append("")
        case Choice(values):
            right, wrong = [value for value, _ in values], ["", "9", "x"]
        case Lines():
            right, wrong = ["", "a", "a\nb"], ["x" * 261, "\n".join("x" * 1001)]
    assert [text for text in right if setting.wrong(text)] == []
    assert [text for text in wrong if not setting.wrong(text)] == []


@given(st.sampled_from(sorted(BY_NAME)), st.text(max_size=12))
def test_a_value_that_is_right_can_be_said_in_words(name: str, text: str) -> None:
    if not BY_NAME[name].wrong(text):
        assert BY_NAME[name].words(text)


def test_what_is_insisted_on_is_told_to_a_version_that_has_no_words_for_it() -> None:
    stated = {"AllowCamera": "0"}
    names = [element.tag for element in document(stated, Version.V12_0, ("AllowCamera",)).elements]
    assert "Provision:AllowCamera" in names
    assert "Provision:AllowWiFi" not in names
    assert digest(stated, Version.V12_0, ("AllowCamera",)) != digest(stated, Version.V12_0)


def test_families_speak_of_settings_that_there_are_and_say_whence_it_is_known() -> None:
    names = {setting.name for setting in SETTINGS}
    for family in FAMILIES:
        assert family.evidence
        assert family.refuses <= names
        assert (family.follows or frozenset()) <= names
    assert refusing("AllowBrowser") == ("Symbian",)
    assert "Gmail for Android" in ignoring("AllowBluetooth")
    assert not any(ignoring(setting.name) for setting in SETTINGS if setting.kept)

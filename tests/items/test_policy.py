"""The provisioning document as data. [MS-ASPROV] EASProvisionDoc."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items.policy import SETTINGS, digest, document, problems
from eas.protocol import wbxml
from eas.protocol.codepages import SPOKEN, TOKEN_OF
from eas.protocol.version import Version

FROM_12 = [version for version in Version if version >= Version.V12_0]


def _texts(settings: dict[str, str], version: Version = Version.V14_1) -> dict[str, str]:
    return {e.tag.removeprefix("Provision:"): e.text for e in document(settings, version).elements}


def test_an_empty_policy_restricts_nothing() -> None:
    texts = _texts({})
    assert texts["DevicePasswordEnabled"] == "0"
    assert texts["AllowSimpleDevicePassword"] == "1"
    assert texts["MaxAttachmentSize"] == ""
    assert "RequireSignedSMIMEAlgorithm" not in texts


def test_a_setting_that_was_taken_back_is_undone() -> None:
    """The element is there with its default, or empty. R652"""
    assert _texts({"AllowCamera": "0"})["AllowCamera"] == "0"
    assert _texts({})["AllowCamera"] == "1"
    assert _texts({"MinDevicePasswordLength": "6"})["MinDevicePasswordLength"] == "6"
    assert _texts({})["MinDevicePasswordLength"] == ""


def test_lists_have_one_element_an_entry() -> None:
    apps = {"UnapprovedInROMApplicationList": "one.exe\ntwo.exe"}
    listed = document(apps, Version.V14_1).child("Provision:UnapprovedInROMApplicationList")
    assert listed is not None
    assert [e.tag for e in listed.elements] == ["Provision:ApplicationName"] * 2
    assert [e.text for e in listed.elements] == ["one.exe", "two.exe"]


def test_settings_are_in_the_order_of_the_schema_and_can_be_written() -> None:
    everything = {s.name: s.default or ("0" if not s.entry else "x") for s in SETTINGS}
    for version in FROM_12:
        root = document(everything, version)
        assert wbxml.decode(wbxml.encode(root)) == root
        order = [e.tag for e in root.elements]
        assert order == [f"Provision:{s.name}" for s in SETTINGS if f"Provision:{s.name}" in order]


def test_every_setting_is_an_element_of_its_versions() -> None:
    """Against the code pages, which were made from another table than this one."""
    for setting in SETTINGS:
        tag = f"Provision:{setting.name}"
        assert tag in TOKEN_OF
        if tag in SPOKEN:
            assert SPOKEN[tag].since <= setting.spoken.since, tag


def test_12_0_gets_only_what_it_knows() -> None:
    names = set(_texts({"AllowCamera": "0"}, Version.V12_0))
    assert "AllowCamera" not in names
    assert "DevicePasswordEnabled" in names


def test_what_a_version_does_not_know_does_not_change_its_digest() -> None:
    assert digest({"AllowCamera": "0"}, Version.V12_0) == digest({}, Version.V12_0)
    assert digest({"AllowCamera": "0"}, Version.V12_1) != digest({}, Version.V12_1)


def test_a_stated_default_is_as_good_as_none() -> None:
    assert digest({"AllowCamera": "1"}, Version.V14_1) == digest({}, Version.V14_1)


def test_the_digest_outlives_an_upgrade_of_the_device() -> None:
    policy = {"DevicePasswordEnabled": "1", "AllowCamera": "0"}
    assert digest(policy, Version.V12_1) == digest(policy, Version.V16_1)


def test_a_policy_file_is_checked() -> None:
    assert problems({"DevicePasswordEnabled": "1", "MinDevicePasswordLength": "", "AllowBluetooth": "2"}) == ()
    wrong = problems(
        {
            "DevicePaswordEnabled": "1",
            "AllowCamera": "yes",
            "MinDevicePasswordLength": "17",
            "MaxDevicePasswordFailedAttempts": "3",
            "AllowBluetooth": "3",
            "MaxEmailAgeFilter": "6",
            "DevicePasswordHistory": "",
            "ApprovedApplicationList": "x" * 300,
        }
    )
    assert [line.split()[0] for line in wrong] == [
        "DevicePaswordEnabled", "AllowCamera", "MinDevicePasswordLength", "MaxDevicePasswordFailedAttempts",
        "AllowBluetooth", "MaxEmailAgeFilter", "DevicePasswordHistory", "ApprovedApplicationList",
    ]


def test_no_default_is_a_problem() -> None:
    assert problems({s.name: s.default for s in SETTINGS if s.default is not None}) == ()


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from([s.name for s in SETTINGS]), st.text(max_size=8)))
def test_what_has_no_problems_can_be_written(stated: dict[str, str]) -> None:
    if not problems(stated):
        wbxml.encode(document(stated, Version.V14_1))

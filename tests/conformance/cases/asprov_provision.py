"""[MS-ASPROV] Provision: both phases, their refusals, and what is in the document."""

from __future__ import annotations

from lab import ALL, FROM_12, FROM_14, FROM_14_1, Lab, case
from provision_kit import (
    TEXT_POLICY,
    WBXML_POLICY,
    folder_sync,
    information,
    offered,
    phase_1,
    phase_2,
    policies,
    policy_type,
    provisioned,
    tags,
)
from wire import e

from eas.protocol.version import Spoken, Version

UP_TO_2_5 = Spoken(until=Version.V2_5)

# Malformed ----------------------------------------------------------------------------------------------------------


@case("MS-ASPROV", "R395 R450 R497 R679 R391 R393 MS-ASCMD:R4989")
async def a_policy_without_a_type_is_a_protocol_error(lab: Lab) -> None:
    beside = (information(),) if lab.version >= Version.V14_1 else ()
    got = await lab.talker().post("Provision", e("Provision:Provision", *beside, policies()))
    assert (got.http, got.status) == (200, "2")
    assert got.find("Policies") is None


@case("MS-ASPROV", "R450 R497")
async def an_element_that_does_not_belong_is_a_protocol_error(lab: Lab) -> None:
    beside = (information(),) if lab.version >= Version.V14_1 else ()
    malformed = (
        e("Provision:Provision", *beside, policies(e("PolicyType", policy_type(lab.version)), e("Status", "perhaps"))),
        e("Provision:Provision", e("RemoteWipe", e("Status", "perhaps"))),
        folder_sync(),
    )
    for body in malformed:
        got = await lab.talker().post("Provision", body)
        assert (got.http, got.status) == (200, "2"), body


@case("MS-ASPROV", "R380 R471 R502 R377")
async def an_unknown_type_of_policy_is_said_to_be_unknown(lab: Lab) -> None:
    for unknown in ("InvalidType", WBXML_POLICY if lab.version is Version.V2_5 else TEXT_POLICY):
        got = await lab.talker().post("Provision", phase_1(lab.version, unknown))
        assert (got.status, got.text("Policies", "Policy", "Status")) == ("1", "3")
        assert got.find("Policies", "Policy", "Data") is None


@case("MS-ASPROV", "R682 R458 R685", FROM_14)
async def an_acknowledgement_without_a_key_is_refused(lab: Lab) -> None:
    talker = lab.talker()
    await offered(talker)
    assert (await talker.post("Provision", phase_2(lab.version, ""))).status == "141"


@case("MS-ASCMD", "R4954", FROM_14_1)
async def a_first_request_without_device_information_is_refused(lab: Lab) -> None:
    got = await lab.talker().post("Provision", e("Provision:Provision", policies(e("PolicyType", WBXML_POLICY))))
    assert got.status == "165"


@case("MS-ASPROV", "R382 R475 R761 R507 R692 R657 R658 R695 R708")
async def a_wrong_key_is_not_acknowledged(lab: Lab) -> None:
    """Neither one that was never issued, nor that of an offer that a later one has replaced."""
    talker = lab.talker()
    older = (await offered(talker)).text("Policies", "Policy", "PolicyKey")
    newer = (await offered(talker)).text("Policies", "Policy", "PolicyKey")
    for wrong in (str(int(newer) ^ 1), older):
        got = await talker.post("Provision", phase_2(lab.version, wrong), headers={"X-MS-PolicyKey": wrong})
        assert (got.status, got.text("Policies", "Policy", "Status")) == ("1", "5")
        assert got.find("Policies", "Policy", "PolicyKey") is None


@case("MS-ASPROV", "R382 R507")
async def the_key_of_one_device_is_not_another_devices(lab: Lab) -> None:
    key = (await offered(lab.talker())).text("Policies", "Policy", "PolicyKey")
    got = await lab.talker().post("Provision", phase_2(lab.version, key), headers={"X-MS-PolicyKey": key})
    assert (got.status, got.text("Policies", "Policy", "Status")) == ("1", "5")


# Phase 1 ------------------------------------------------------------------------------------------------------------


@case("MS-ASPROV", "R60010 R209 R303 R304 R306 R307 R308 R310 R313 R318 R319 R320 R374 R375 R378 R390 R394 R417 R441 "
      "R466 R486 R495 R370 R759 R606 R678 R688 R703 R711 MS-ASCMD:R4990 MS-ASCMD:R4992 MS-ASCMD:R5026")
async def a_first_request_brings_the_policy_and_a_temporary_key(lab: Lab) -> None:
    got = await offered(lab.talker())
    assert got.headers["content-type"].startswith("application/vnd.ms-sync")
    assert got.root.tag == "Provision:Provision"
    wanted = ["Status", "Policies"]
    assert tags(got.root) == (["DeviceInformation", *wanted] if lab.version >= Version.V14_1 else wanted)
    (one,) = got.all("Policies")
    assert tags(one) == ["Policy"]
    (policy,) = got.all("Policies", "Policy")
    assert sorted(tags(policy)) == ["Data", "PolicyKey", "PolicyType", "Status"]
    assert got.text("Policies", "Policy", "PolicyType") == policy_type(lab.version)
    assert got.text("Policies", "Policy", "Status") == "1"
    key = got.text("Policies", "Policy", "PolicyKey")
    assert key.isdigit()
    assert 0 < int(key) < 2**32


@case("MS-ASPROV", "R366 R534 R535", FROM_14_1)
async def device_information_is_answered_where_the_version_has_it(lab: Lab) -> None:
    got = await offered(lab.talker())
    (answered,) = got.all("DeviceInformation")
    assert answered.tag == "Settings:DeviceInformation"
    assert [(child.tag, child.text) for child in answered.elements] == [("Settings:Status", "1")]


@case("MS-ASPROV", "R208 R210 R232 R233 R234 R235 R888 R966 R971", FROM_12)
async def the_data_is_one_document_of_settings(lab: Lab) -> None:
    got = await offered(lab.talker())
    assert got.text("Policies", "Policy", "PolicyType") == WBXML_POLICY
    (data,) = got.all("Policies", "Policy", "Data")
    (document,) = data.elements
    assert document.tag == "Provision:EASProvisionDoc"
    found = tags(document)
    assert set(found) <= SETTINGS.keys() | LISTS.keys()
    assert len(set(found)) == len(found)


FLAG, AGE = ("0", "1"), ("0", "1", "2", "3", "4", "5")
FLAGS = """
    AllowBrowser AllowCamera AllowConsumerEmail AllowDesktopSync AllowHTMLEmail AllowInternetSharing AllowIrDA
    AllowPOPIMAPEmail AllowRemoteDesktop AllowSimpleDevicePassword AllowSMIMESoftCerts AllowStorageCard
    AllowTextMessaging AllowUnsignedApplications AllowUnsignedInstallationPackages AllowWiFi
    AlphanumericDevicePasswordRequired AttachmentsEnabled DevicePasswordEnabled PasswordRecoveryEnabled
    RequireDeviceEncryption RequireEncryptedSMIMEMessages RequireManualSyncWhenRoaming RequireSignedSMIMEAlgorithm
    RequireSignedSMIMEMessages RequireStorageCardEncryption
"""
NUMBERS = """
    DevicePasswordExpiration DevicePasswordHistory MaxAttachmentSize MaxDevicePasswordFailedAttempts
    MaxEmailBodyTruncationSize MaxEmailHTMLBodyTruncationSize MaxInactivityTimeDeviceLock MinDevicePasswordLength
"""

#: The values that a setting may have; None for a number, empty where nothing is limited.
SETTINGS: dict[str, tuple[str, ...] | None] = {
    **dict.fromkeys(FLAGS.split(), FLAG), **dict.fromkeys(NUMBERS.split()),
    "AllowBluetooth": ("0", "1", "2"), "AllowSMIMEEncryptionAlgorithmNegotiation": ("0", "1", "2"),
    "MaxCalendarAgeFilter": ("0", "4", "5", "6", "7"), "MaxEmailAgeFilter": AGE,
    "MinDevicePasswordComplexCharacters": ("1", "2", "3", "4"), "RequireEncryptionSMIMEAlgorithm": AGE[:5],
}
LISTS = {"ApprovedApplicationList": "Hash", "UnapprovedInROMApplicationList": "ApplicationName"}


@case("MS-ASPROV", "R106 R205 R245 R257 R266 R272 R333 R356 MS-ASDTYPE:R5 MS-ASDTYPE:R8", FROM_12)
async def every_setting_has_a_value_that_it_may_have(lab: Lab) -> None:
    (document,) = (await offered(lab.talker())).all("Policies", "Policy", "Data", "EASProvisionDoc")
    for child in document.elements:
        name = child.tag.partition(":")[2]
        if name in LISTS:
            assert set(tags(child)) <= {LISTS[name]}
            continue
        assert not child.elements, name
        values = SETTINGS[name]
        assert child.text in values if values else child.text.removeprefix("-").isdigit() or not child.text, name


@case("MS-ASPROV", "R318", UP_TO_2_5)
async def the_data_of_2_5_is_a_text_of_xml(lab: Lab) -> None:
    got = await offered(lab.talker())
    assert got.text("Policies", "Policy", "PolicyType") == TEXT_POLICY
    text = got.text("Policies", "Policy", "Data")
    assert text.startswith("<wap-provisioningdoc>")
    assert '<characteristic type="SecurityPolicy"><parm name="4131" value="' in text


# Phase 2 ------------------------------------------------------------------------------------------------------------


@case("MS-ASPROV", "R419 R601 R605 R659 R661 R662 MS-ASCMD:R4996 MS-ASCMD:R5028")
async def an_acknowledgement_brings_the_final_key(lab: Lab) -> None:
    talker = lab.talker()
    first = await offered(talker)
    temporary = first.text("Policies", "Policy", "PolicyKey")
    got = await talker.post("Provision", phase_2(lab.version, temporary), headers={"X-MS-PolicyKey": temporary})
    assert tags(got.root) == ["Status", "Policies"]
    (policy,) = got.all("Policies", "Policy")
    assert sorted(tags(policy)) == ["PolicyKey", "PolicyType", "Status"]
    assert (got.status, got.text("Policies", "Policy", "Status")) == ("1", "1")
    final = got.text("Policies", "Policy", "PolicyKey")
    assert final != temporary
    assert 0 < int(final) < 2**32
    talker.key = final
    assert (await talker.post("FolderSync", folder_sync())).status == "1"


@case("MS-ASPROV", "R662")
async def a_final_key_is_replaced_by_the_next_one(lab: Lab) -> None:
    talker = lab.talker()
    await provisioned(talker)
    before = talker.key
    await provisioned(talker)
    assert talker.key != before
    assert (await talker.post("FolderSync", folder_sync())).status == "1"


# Wipes --------------------------------------------------------------------------------------------------------------


@case("MS-ASPROV", "R493 R654 R66614 R66615")
async def an_empty_request_of_a_device_that_is_not_to_be_wiped_brings_a_status(lab: Lab) -> None:
    got = await lab.talker().post("Provision", e("Provision:Provision"))
    assert tags(got.root) == ["Status"]
    assert got.status == "1"


@case("MS-ASPROV", "R653 R654 R66612 R66614", ALL)
async def no_answer_has_a_wipe_that_nobody_asked_for(lab: Lab) -> None:
    talker = lab.talker()
    for got in (await offered(talker), await provisioned(talker)):
        assert not {"RemoteWipe", "AccountOnlyRemoteWipe"} & set(tags(got.root))
    unasked = await talker.post("Provision", e("Provision:Provision", e("RemoteWipe", e("Status", "1"))))
    assert tags(unasked.root) == ["Status"]
    assert (await talker.post("FolderSync", folder_sync())).status == "1"

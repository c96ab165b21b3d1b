"""[MS-ASCMD] Settings: out of office, device information, user information, the recovery password."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lab import FROM_12, FROM_14_1, Lab, Talker, case
from provision_kit import information, provisioned, tags
from wire import Got, e

from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

WITHOUT_ACCOUNTS = Spoken(since=Version.V12_0, until=Version.V14_0)
BEFORE_RIGHTS = WITHOUT_ACCOUNTS


def oof_get(*parts: Element) -> Element:
    return e("Oof", e("Get", *parts))


def oof_set(*parts: Element) -> Element:
    return e("Oof", e("Set", *parts))


def reply(audience: str, *parts: Element) -> Element:
    return e("OofMessage", e(f"AppliesTo{audience}"), *parts)


def text(words: str, kind: str = "Text") -> tuple[Element, Element]:
    return e("ReplyMessage", words), e("BodyType", kind)


ON, OFF = e("Enabled", "1"), e("Enabled", "0")
START, END = e("StartTime", "2031-12-20T08:00:00.000Z"), e("EndTime", "2032-01-04T08:00:00.000Z")
AUDIENCES = ("Internal", "ExternalKnown", "ExternalUnknown")
GET_TEXT = oof_get(e("BodyType", "Text"))


async def ask(talker: Talker, *properties: Element) -> Got:
    got = await talker.post("Settings", e("Settings:Settings", *properties))
    assert got.http == 200, got.http
    return got


async def ready(lab: Lab) -> Talker:
    """A device that has provisioned, if the server wants that."""
    talker = lab.talker()
    await provisioned(talker)
    return talker


@asynccontextmanager
async def away(lab: Lab) -> AsyncIterator[Talker]:
    """A device that may change the user's out-of-office reply; it is off again at the end."""
    talker = await ready(lab)
    try:
        yield talker
    finally:
        off = [reply(audience, OFF) for audience in AUDIENCES]
        await ask(talker, oof_set(e("OofState", "0"), *off))


def shown(got: Got) -> dict[str, dict[str, str]]:
    """What each audience is told, by name."""
    found = {}
    for message in got.all("Oof", "Get", "OofMessage"):
        audience, *others = message.elements
        found[audience.tag.partition("AppliesTo")[2]] = {c.tag.partition(":")[2]: c.text for c in others}
    return found


# Malformed ----------------------------------------------------------------------------------------------------------


@case("MS-ASCMD", "R4388 R483 R4386", FROM_12)
async def a_request_that_is_no_settings_request_is_refused_as_a_whole(lab: Lab) -> None:
    talker = await ready(lab)
    doubled = e("Settings:Settings", GET_TEXT, GET_TEXT)
    for body in (doubled, e("FolderHierarchy:FolderSync", e("SyncKey", "0"))):
        got = await talker.post("Settings", body)
        assert (got.http, got.status) == (200, "2")
        assert tags(got.root) == ["Status"]


@case("MS-ASCMD", "R4388", BEFORE_RIGHTS)
async def rights_management_is_a_protocol_error_where_the_version_lacks_it(lab: Lab) -> None:
    got = await ask(await ready(lab), e("RightsManagementInformation", e("Get")))
    assert got.status == "2"


#: What is asked of Oof, and the status of that property.
WRONG_OOF: tuple[tuple[Element, str], ...] = (
    (oof_get(), "2"),  # R816: a Get has a BodyType
    (oof_set(e("OofState", "on")), "2"),
    (oof_set(e("OofState", "2"), START), "2"),
    (oof_set(e("OofState", "2"), END), "2"),
    (oof_set(e("OofState", "3")), "5"),
    (oof_set(e("OofState", "2"), e("StartTime", END.text), e("EndTime", START.text)), "6"),
    (oof_set(reply("Internal", ON, e("ReplyMessage", "away"))), "2"),
    (oof_set(reply("Internal", ON), reply("Internal", OFF)), "6"),
)


@case("MS-ASCMD", "R5845 R5702 R5582 R5385 R5583 R3992 R5827 R3785 R3526 R4391 R2272 R5681 R3530 R4398", FROM_12)
async def what_is_wrong_with_a_property_is_said_in_its_own_status(lab: Lab) -> None:
    talker = await ready(lab)
    for asked, status in WRONG_OOF:
        got = await ask(talker, asked)
        assert got.status == "1", asked
        assert got.text("Oof", "Status") == status, asked
        assert got.find("Oof", "Get") is None, asked


@case("MS-ASCMD", "R4400 R5702 R4395 R4398", FROM_12)
async def a_recovery_password_has_its_limits(lab: Lab) -> None:
    talker = await ready(lab)
    got = await ask(talker, e("DevicePassword", e("Set", e("Password", "x" * 256))))
    assert got.text("DevicePassword", "Status") == "5"
    got = await ask(talker, e("DevicePassword"))
    assert got.text("DevicePassword", "Status") == "2"


@case("MS-ASCMD", "R5702", FROM_12)
async def device_information_has_its_limits(lab: Lab) -> None:
    talker = await ready(lab)
    got = await ask(talker, information(Model="x" * 1025))
    assert got.text("DeviceInformation", "Status") == "5"


# The request as a whole ---------------------------------------------------------------------------------------------


@case("MS-ASCMD", "R482 R4387 R4392 R4396 R2755", FROM_12)
async def properties_are_answered_in_their_order(lab: Lab) -> None:
    async with away(lab) as talker:
        on = oof_set(e("OofState", "1"), reply("Internal", ON, *text("before")))
        got = await ask(talker, information(), e("UserInformation", e("Get")), on)
        assert got.root.elements[0].tag == "Settings:Status"
        assert tags(got.root) == ["Status", "DeviceInformation", "UserInformation", "Oof"]
        for answered in got.root.elements[1:]:
            assert (tags(answered)[0], answered.elements[0].text) == ("Status", "1")


# Out of office ------------------------------------------------------------------------------------------------------


@case("MS-ASCMD", "R3505 R1069 R781 R782 R791 R792 R800 R785 R786 R787 R794 R795 R796 R1075 R2251 R2252", FROM_12)
async def all_three_audiences_are_always_named(lab: Lab) -> None:
    talker = await ready(lab)
    got = await ask(talker, GET_TEXT)
    messages = got.all("Oof", "Get", "OofMessage")
    assert [message.elements[0].tag for message in messages] == [f"Settings:AppliesTo{name}" for name in AUDIENCES]
    for message in messages:
        assert not message.elements[0].content
        assert set(tags(message)[1:]) <= {"Enabled", "ReplyMessage", "BodyType"}
        assert message.child("Settings:Enabled").text in ("0", "1")  # type: ignore[union-attr]


@case("MS-ASCMD", "R783 R793 R802 R5866 R5867 R2251 R2252 R826 R1106", FROM_12)
async def each_audience_has_its_own_reply(lab: Lab) -> None:
    words = lab.unique("away & <well>")
    async with away(lab) as talker:
        got = await ask(talker, oof_set(
            e("OofState", "1"), reply("Internal", ON, *text(words)),
            reply("ExternalKnown", ON, *text("known")), reply("ExternalUnknown", OFF),
        ))
        assert got.text("Oof", "Status") == "1"
        got = await ask(talker, GET_TEXT)
        assert got.text("Oof", "Get", "OofState") == "1"
        found = shown(got)
        assert (found["Internal"]["Enabled"], found["Internal"]["ReplyMessage"]) == ("1", words)
        assert found["Internal"]["BodyType"].upper() == "TEXT"
        assert (found["ExternalKnown"]["Enabled"], found["ExternalKnown"]["ReplyMessage"]) == ("1", "known")
        assert found["ExternalUnknown"]["Enabled"] == "0"


@case("MS-ASCMD", "R821 R826", FROM_12)
async def a_reply_is_got_as_text_or_as_html(lab: Lab) -> None:
    async with away(lab) as talker:
        await ask(talker, oof_set(e("OofState", "1"), reply("Internal", ON, *text("<p>a &amp; b</p>", "HTML"))))
        as_text, as_html = [
            shown(await ask(talker, oof_get(e("BodyType", kind))))["Internal"] for kind in ("Text", "HTML")
        ]
        assert as_text["ReplyMessage"].strip() == "a & b"
        assert "a &amp; b" in as_html["ReplyMessage"]
        assert (as_text["BodyType"].upper(), as_html["BodyType"].upper()) == ("TEXT", "HTML")


@case("MS-ASCMD", "R3530 R3535 R7544", FROM_12)
async def a_time_span_is_kept_for_the_state_that_has_one(lab: Lab) -> None:
    async with away(lab) as talker:
        assert (await ask(talker, oof_set(e("OofState", "2"), START, END))).text("Oof", "Status") == "1"
        got = await ask(talker, GET_TEXT)
        assert got.text("Oof", "Get", "OofState") == "2"
        assert (got.text("Oof", "Get", "StartTime"), got.text("Oof", "Get", "EndTime")) == (START.text, END.text)
        assert (await ask(talker, oof_set(e("OofState", "1"), START, END))).text("Oof", "Status") == "1"
        got = await ask(talker, GET_TEXT)
        assert got.text("Oof", "Get", "OofState") == "1"
        assert got.find("Oof", "Get", "StartTime") is None


@case("MS-ASCMD", "R3530", FROM_12)
async def switching_the_state_off_keeps_the_texts(lab: Lab) -> None:
    words = lab.unique()
    async with away(lab) as talker:
        await ask(talker, oof_set(e("OofState", "1"), reply("Internal", ON, *text(words))))
        await ask(talker, oof_set(e("OofState", "0")))
        got = await ask(talker, GET_TEXT)
        assert got.text("Oof", "Get", "OofState") == "0"
        assert shown(got)["Internal"]["ReplyMessage"] == words


# The device and the user --------------------------------------------------------------------------------------------

VALUES = {"Model": "Fold 7", "IMEI": "353918051234567", "FriendlyName": "Fold", "OS": "Conformance 1",
          "OSLanguage": "English", "PhoneNumber": "+15550100"}


@case("MS-ASCMD", "R2618 R3944", FROM_12)
async def device_information_is_taken(lab: Lab) -> None:
    stated = dict(VALUES)
    stated |= {"UserAgent": "conformance/1"} if lab.version >= Version.V12_1 else {}
    stated |= {"EnableOutboundSMS": "0", "MobileOperator": "Example"} if lab.version >= Version.V14_0 else {}
    talker = await ready(lab)
    for values in (stated, {"Model": "Fold 8"}, {"PhoneNumber": ""}):
        assert (await ask(talker, information(**values))).text("DeviceInformation", "Status") == "1"


@case("MS-ASCMD", "R1595 R4387", WITHOUT_ACCOUNTS)
async def addresses_stand_by_themselves_up_to_14_0(lab: Lab) -> None:
    got = await ask(await ready(lab), e("UserInformation", e("Get")))
    assert got.text("UserInformation", "Status") == "1"
    addresses = [found.text for found in got.all("UserInformation", "Get", "EmailAddresses", "SMTPAddress")]
    assert lab.me.address.lower() in [address.lower() for address in addresses]
    assert got.find("UserInformation", "Get", "Accounts") is None


@case("MS-ASCMD", "R1595 R5903 R5435 R5436 R5913 R4702", FROM_14_1)
async def addresses_are_those_of_an_account_from_14_1(lab: Lab) -> None:
    """The one that the user is logged in to: it has no id, and may send."""
    got = await ask(await ready(lab), e("UserInformation", e("Get")))
    assert got.find("UserInformation", "Get", "EmailAddresses") is None
    path = ("UserInformation", "Get", "Accounts", "Account")
    assert got.text(*path, "EmailAddresses", "PrimarySmtpAddress").lower() == lab.me.address.lower()
    addresses = [found.text.lower() for found in got.all(*path, "EmailAddresses", "SMTPAddress")]
    assert lab.me.address.lower() in addresses
    assert got.find(*path, "AccountId") is None
    assert got.text(*path, "SendDisabled") == "0"
    assert 0 < len(got.text(*path, "UserDisplayName")) <= 512


@case("MS-ASCMD", "R3660 R3661 R4396", FROM_12)
async def a_recovery_password_is_kept_and_cleared(lab: Lab) -> None:
    talker = await ready(lab)
    for password in ("x" * 255, "new", ""):
        got = await ask(talker, e("DevicePassword", e("Set", e("Password", password))))
        assert got.text("DevicePassword", "Status") == "1"

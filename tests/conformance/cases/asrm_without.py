"""[MS-ASRM] on a server without rights management: nothing is protected, and nothing that shall be is sent bare.

A server that has rights management is not what these cases are about: they do not apply to it.
"""

from __future__ import annotations

from lab import FROM_14_1, Inapplicable, Lab, Talker, case
from provision_kit import folder_sync, provisioned, tags
from wire import Got, e, sync

from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

#: Versions that know the commands, and no rights management.
FROM_14_BEFORE = Spoken(since=Version.V14_0, until=Version.V14_0)
BEFORE = Spoken(since=Version.V12_0, until=Version.V14_0)

NO_RESTRICTION = "00000000-0000-0000-0000-000000000000"
TEMPLATE = "6b3c1d0e-1f57-4f0c-9a52-0d5a4c0f9e11"
SUPPORT = e("RightsManagement:RightsManagementSupport", "1")


async def ready(lab: Lab) -> Talker:
    talker = lab.talker()
    await provisioned(talker)
    return talker


async def without(talker: Talker) -> Got:
    """What Settings says of rights management. Raises Inapplicable where there is some."""
    got = await talker.post("Settings", e("Settings:Settings", e("RightsManagementInformation", e("Get"))))
    if got.text("RightsManagementInformation", "Status") == "1":
        raise Inapplicable("the server has rights management")
    return got


def message(lab: Lab, subject: str) -> bytes:
    me = lab.me.address
    return f"From: {me}\r\nTo: {me}\r\nSubject: {subject}\r\n\r\nHello\r\n".encode()


def send(lab: Lab, command: str, mime: bytes, *more: Element, source: str = "") -> Element:
    folder, _, _ = source.partition(":")
    where = (e("Source", e("FolderId", folder), e("ItemId", source)),) if source else ()
    client_id = e("ClientId", lab.unique()[-30:])
    return e(f"ComposeMail:{command}", client_id, *where, e("SaveInSentItems"), e("Mime", mime), *more)


def template(id: str) -> Element:
    return e("RightsManagement:TemplateID", id)


async def mails(talker: Talker, *options: Element) -> Got:
    """A first Sync of the inbox, with options."""
    inbox = await talker.folder(2)
    key = (await talker.post("Sync", sync("0", inbox))).text("Collections", "Collection", "SyncKey")
    stated = e("Options", e("FilterType", "0"), *options)
    return await talker.post("Sync", sync(key, inbox, e("GetChanges", "1"), e("WindowSize", "100"), stated))


def server_id(got: Got, subject: str) -> str:
    for add in got.all("Collections", "Collection", "Commands", "Add"):
        data = add.child("AirSync:ApplicationData")
        found = data.child("Email:Subject") if data else None
        if found is not None and found.text == subject:
            return add.child("AirSync:ServerId").text  # type: ignore[union-attr]
    raise AssertionError(f"no {subject}")


@case("MS-ASRM", "R196 MS-ASCMD:R4960", FROM_14_1)
async def settings_say_that_there_is_none(lab: Lab) -> None:
    got = await without(await ready(lab))
    assert got.status == "1"
    assert got.text("RightsManagementInformation", "Status") == "168"
    assert not got.all("RightsManagementInformation", "Get", "RightsManagementTemplates", "RightsManagementTemplate")


@case("MS-ASRM", "R418", BEFORE)
async def its_elements_are_malformed_in_an_older_version(lab: Lab) -> None:
    talker = await ready(lab)
    assert (await talker.post("FolderSync", folder_sync())).status == "1"
    assert (await mails(talker, SUPPORT)).status == "4"


@case("MS-ASRM", "R418", FROM_14_BEFORE)
async def a_template_is_malformed_in_an_older_version(lab: Lab) -> None:
    talker = await ready(lab)
    got = await talker.post("SendMail", send(lab, "SendMail", message(lab, lab.unique()), template(NO_RESTRICTION)))
    assert got.status == "103"


@case("MS-ASRM", "R196", FROM_14_1)
async def what_shall_be_protected_is_not_sent(lab: Lab) -> None:
    talker = await ready(lab)
    await without(talker)
    subject = lab.unique()
    got = await talker.post("SendMail", send(lab, "SendMail", message(lab, subject), template(TEMPLATE)))
    assert (got.http, got.status) == (200, "168")
    inbox = await mails(talker)
    subjects = [found.text for found in inbox.all("Collections", "Collection", "Commands", "Add", "ApplicationData",
                                                   "Subject")] if inbox.body else []
    assert subject not in subjects


@case("MS-ASRM", "R196 R217 R366", FROM_14_1)
async def a_message_without_protection_is_read_answered_and_passed_on(lab: Lab) -> None:
    """Whether the device supports rights management or not; with a template the answer is refused."""
    talker = await ready(lab)
    await without(talker)
    subject = lab.unique()
    sent = await talker.post("SendMail", send(lab, "SendMail", message(lab, subject), template(NO_RESTRICTION)))
    assert (sent.http, sent.body) == (200, b"")
    for options in ((SUPPORT,), (e("RightsManagement:RightsManagementSupport", "0"),), ()):
        got = await mails(talker, *options)
        id = server_id(got, subject)
        for data in got.all("Collections", "Collection", "Commands", "Add", "ApplicationData"):
            assert "RightsManagementLicense" not in tags(data)
    for command in ("SmartReply", "SmartForward"):
        mime = message(lab, lab.unique())
        refused = await talker.post(command, send(lab, command, mime, template(TEMPLATE), source=id))
        assert (refused.http, refused.status) == (200, "168")
        taken = await talker.post(command, send(lab, command, mime, source=id))
        assert (taken.http, taken.body) == (200, b"")

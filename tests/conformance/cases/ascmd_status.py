"""[MS-ASCMD] Common status codes that any server can be made to give."""

from __future__ import annotations

from lab import FROM_14, FROM_14_1, Lab, Talker, case
from provision_kit import provisioned
from wire import e, sync

from eas.protocol.wbxml import Element


async def ready(lab: Lab) -> Talker:
    talker = lab.talker()
    await provisioned(talker)
    return talker


def message(lab: Lab, subject: str) -> bytes:
    me = lab.me.address
    return f"From: {me}\r\nTo: {me}\r\nSubject: {subject}\r\n\r\nHello\r\n".encode()


def send(client_id: str, mime: bytes, *more: Element) -> Element:
    return e("ComposeMail:SendMail", e("ClientId", client_id), *more, e("Mime", mime))


def reply(lab: Lab, *source: Element) -> Element:
    mime = message(lab, lab.unique())
    return e("ComposeMail:SmartReply", e("ClientId", lab.unique()[-30:]), e("Source", *source), e("Mime", mime))


async def mail_id(lab: Lab, talker: Talker) -> str:
    """The id of a message in the inbox that was sent for this."""
    subject = lab.unique()
    sent = await talker.post("SendMail", send(lab.unique()[-30:], message(lab, subject)))
    assert (sent.http, sent.body) == (200, b"")
    inbox = await talker.folder(2)
    key = (await talker.post("Sync", sync("0", inbox))).text("Collections", "Collection", "SyncKey")
    got = await talker.post("Sync", sync(key, inbox, e("GetChanges", "1"), e("WindowSize", "512")))
    for add in got.all("Collections", "Collection", "Commands", "Add"):
        data = add.child("AirSync:ApplicationData")
        assert data is not None
        if any(child.tag == "Email:Subject" and child.text == subject for child in data.elements):
            return add.child("AirSync:ServerId").text  # type: ignore[union-attr]
    raise AssertionError(f"{subject} did not arrive")


@case("MS-ASCMD", "R7465 R4848", FROM_14)
async def a_client_id_is_good_for_one_message(lab: Lab) -> None:
    talker = await ready(lab)
    client_id = lab.unique()[-30:]
    once = send(client_id, message(lab, lab.unique()))
    assert (await talker.post("SendMail", once)).body == b""
    again = await talker.post("SendMail", once)
    assert (again.http, again.status) == (200, "118")


@case("MS-ASCMD", "R4823 R4824 R4930", FROM_14)
async def an_id_that_is_none_is_not_an_id_of_nothing(lab: Lab) -> None:
    talker = await ready(lab)
    id = await mail_id(lab, talker)
    folder = await talker.folder(2)
    garbage = await talker.post("SmartReply", reply(lab, e("FolderId", folder), e("ItemId", "no id at all")))
    assert (garbage.http, garbage.status) == (200, "106")
    head, _, number = id.rpartition(":")
    nothing = f"{head}:{int(number) + 90_000}" if number.isdigit() and head else ""
    if nothing:
        got = await talker.post("SmartReply", reply(lab, e("FolderId", folder), e("ItemId", nothing)))
        assert (got.http, got.status) == (200, "150")


@case("MS-ASCMD", "R4819", FROM_14)
async def an_instance_that_is_no_time_is_refused(lab: Lab) -> None:
    talker = await ready(lab)
    id, folder = await mail_id(lab, talker), await talker.folder(2)
    source = (e("FolderId", folder), e("ItemId", id), e("InstanceId", "tomorrow"))
    got = await talker.post("SmartReply", reply(lab, *source))
    assert (got.http, got.status) == (200, "104")


@case("MS-ASCMD", "R4956", FROM_14_1)
async def an_account_that_is_not_there_is_refused(lab: Lab) -> None:
    talker = await ready(lab)
    mime = message(lab, lab.unique())
    got = await talker.post("SendMail", send(lab.unique()[-30:], mime, e("AccountId", lab.unique())))
    assert (got.http, got.status) == (200, "166")


@case("MS-ASCMD", "R4953 R4954", FROM_14_1)
async def provisioning_without_device_information_is_refused(lab: Lab) -> None:
    policies = e("Policies", e("Policy", e("PolicyType", "MS-EAS-Provisioning-WBXML")))
    assert (await lab.talker().post("Provision", e("Provision:Provision", policies))).status == "165"

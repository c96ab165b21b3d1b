"""[MS-ASCMD] GetHierarchy and GetAttachment, which end with 12.1, and what of them is refused later."""

from __future__ import annotations

from lab import BEFORE_14, FROM_14, Lab, case
from old_kit import INBOX, SENT, child, device, mime, shown, text
from wire import Got, e

from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

ONLY_2_5 = Spoken(until=Version.V2_5)
FROM_12_BEFORE_14 = Spoken(since=Version.V12_0, until=Version.V12_1)


def folders(got: Got) -> dict[str, tuple[str, str, str]]:
    """ServerId -> name, type, parent."""
    assert (got.http, got.root.tag) == (200, "FolderHierarchy:Folders"), (got.http, got.body)
    found = {}
    for folder in got.root.elements:
        assert folder.tag == "FolderHierarchy:Folder"
        name, id, type, parent = (part.text for part in folder.elements)
        assert shown(folder) == [f"FolderHierarchy:{part}" for part in ("DisplayName", "ServerId", "Type", "ParentId")]
        found[id] = (name, type, parent)
    return found


@case("MS-ASCMD", "R6024 R6025 R6026 R6030 R7506 R6031 R6046 R6047 R6927 R7150 R7505 R7507", BEFORE_14)
async def the_folders_of_mail_are_listed(lab: Lab) -> None:
    """The same ids as FolderSync's, twice; types 1 to 6; those that cannot be deleted among them."""
    one = await device(lab)
    listed = folders(await one.talker.post("GetHierarchy"))
    assert listed == folders(await one.talker.post("GetHierarchy"))
    known = {folder["ServerId"]: folder for folder in await one.folders()}
    assert set(listed) <= set(known)
    assert {id for id, folder in known.items() if folder["Type"] in ("2", "3", "4", "5", "6", "12")} <= set(listed)
    for id, (name, type, parent) in listed.items():
        assert 0 < len(id) <= 64
        assert name == known[id]["DisplayName"]
        assert type in {"1", "2", "3", "4", "5", "6"}
        assert parent in ("0", *listed)
        assert type == known[id]["Type"] or (type, known[id]["Type"]) == ("1", "12")
    key = (await one.talker.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))).text("SyncKey")
    for special in ("4", "5"):
        id = next(id for id, (_, type, _) in listed.items() if type == special)
        got = await one.talker.post("FolderDelete", e(
            "FolderHierarchy:FolderDelete", e("SyncKey", key), e("ServerId", id)))
        assert got.status == "3", special


@case("MS-ASCMD", "R6025 R6032", BEFORE_14)
async def a_folder_that_was_made_is_listed_below_its_parent(lab: Lab) -> None:
    one = await device(lab)
    key = (await one.talker.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))).text("SyncKey")
    made = []
    for type, mail in (("12", True), ("12", True), ("13", False)):
        parent = made[0] if made else "0"
        got = await one.talker.post("FolderCreate", e(
            "FolderHierarchy:FolderCreate", e("SyncKey", key), e("ParentId", parent), e("DisplayName", lab.unique()),
            e("Type", type)))
        key = got.text("SyncKey")
        made.append(got.text("ServerId"))
        listed = folders(await one.talker.post("GetHierarchy"))
        assert (made[-1] in listed) == mail
        if mail:
            assert listed[made[-1]][1:] == ("1", parent)
    got = await one.talker.post("FolderDelete", e(
        "FolderHierarchy:FolderDelete", e("SyncKey", key), e("ServerId", made[0])))
    assert got.status == "1"


@case("MS-ASCMD", "R6022 R6021 R6023 R6049 R6050 R6051", FROM_14)
async def later_versions_have_neither(lab: Lab) -> None:
    """They have no element in which a Status could stand: an HTTP status says it."""
    talker = lab.talker()
    for command in ("GetHierarchy", "GetAttachment"):
        assert (await talker.post(command, AttachmentName="1:1:1")).http in (400, 501), command


async def _with_file(lab: Lab) -> Element:
    """A message with a file, as the inbox has it."""
    one = await device(lab)
    inbox, subject = await one.kept(INBOX), lab.unique()
    message = mime(subject, to=one.address, sender=one.address, attachment=b"what is attached")
    assert (await one.mail(message)).http == 200
    return inbox.items[await inbox.arrived(subject)]


@case("MS-ASCMD", "R5501 R157 R160", FROM_12_BEFORE_14)
async def an_attachment_is_named_and_then_fetched(lab: Lab) -> None:
    """Its content is not in the message; its name serves GetAttachment as it serves ItemOperations."""
    data = await _with_file(lab)
    listed = child(data, "Attachments")
    assert listed is not None
    assert [one.tag for one in listed.elements] == ["AirSyncBase:Attachment"]
    assert "what is attached" not in str(data)
    reference = text(listed, "Attachment", "FileReference") or ""
    got = await lab.talker().post("GetAttachment", AttachmentName=reference)
    assert (got.http, got.body.strip()) == (200, b"what is attached")
    got = await lab.talker().post("ItemOperations", e("ItemOperations:ItemOperations", e(
        "Fetch", e("Store", "Mailbox"), e("AirSyncBase:FileReference", reference))))
    assert got.text("Response", "Fetch", "Status") == "1"


@case("MS-ASCMD", "R157 R160", ONLY_2_5)
async def an_attachment_of_2_5_is_named_and_then_fetched(lab: Lab) -> None:
    data = await _with_file(lab)
    listed = child(data, "Attachments")
    assert listed is not None
    assert listed.tag == "Email:Attachments"
    (only,) = listed.elements
    assert set(shown(only)) == {f"Email:{name}" for name in ("AttName", "AttSize", "AttMethod", "DisplayName")}
    got = await lab.talker().post("GetAttachment", AttachmentName=text(only, "AttName") or "")
    assert (got.http, got.body.strip()) == (200, b"what is attached")


@case("MS-ASCMD", "R166", BEFORE_14)
async def what_was_deleted_is_500(lab: Lab) -> None:
    one = await device(lab)
    sent, subject = await one.kept(SENT), lab.unique()
    message = mime(subject, to=one.address, sender=one.address, attachment=b"soon gone")
    assert (await one.mail(message, save=True)).http == 200
    id = await sent.arrived(subject)
    names = [text(sent.items[id], "Attachments", "Attachment", name) for name in ("FileReference", "AttName")]
    reference = next(filter(None, names))
    assert (await one.talker.post("GetAttachment", AttachmentName=reference)).http == 200
    await sent.sync(e("DeletesAsMoves", "0"), e("Commands", e("Delete", e("ServerId", id))))
    assert (await one.talker.post("GetAttachment", AttachmentName=reference)).http == 500

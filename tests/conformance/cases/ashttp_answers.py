"""[MS-ASHTTP] HTTP POST Response: status line, headers, body."""

from __future__ import annotations

from base64 import b64encode

from lab import BEFORE_14, FROM_12_1, FROM_14, Inapplicable, Lab, case
from lxml import etree
from old_kit import INBOX, WRONG, coded, device, mime, text
from wire import Got, basic, e, unzipped

from eas.protocol import http, wbxml
from eas.protocol.version import Spoken, Version

FOLDER_SYNC = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
UP_TO_12_0 = Spoken(until=Version.V12_0)

#: Queries that nobody can understand, with the device's own version header.
GIBBERISH = ("%%%", "Cmd", "jAAJ", b64encode(b"\xff" * 12).decode())


def _login(lab: Lab) -> dict[str, str]:
    return {"Authorization": basic(lab.me.user, lab.me.password)}


# Status line ---------------------------------------------------------------------------------------------------------


@case("MS-ASHTTP", "R176 R177 R188")
async def what_cannot_be_understood_is_400_again_and_again(lab: Lab) -> None:
    talker = lab.talker()
    for query in GIBBERISH:
        for _ in range(2):
            assert (await talker.post("", FOLDER_SYNC, query=query)).http == 400, query
    for version in ("19.1", "", "sixteen"):
        for _ in range(2):
            got = await talker.post("FolderSync", FOLDER_SYNC, headers={"MS-ASProtocolVersion": version})
            assert got.http == 400, version


@case("MS-ASHTTP", "R176 R177 R188", FROM_12_1)
async def a_version_that_does_not_exist_is_400_in_base64_too(lab: Lab) -> None:
    token = b64encode(bytes((191, 9, 9, 4, 4)) + b"CONF" + bytes((0, 4)) + b"Test").decode()
    for _ in range(2):
        got = await lab.talker().post("", FOLDER_SYNC, query=token, headers={"MS-ASProtocolVersion": ""})
        assert got.http == 400


@case("MS-ASHTTP", "R178 R523")
async def a_command_wants_a_login(lab: Lab) -> None:
    talker = lab.talker()
    for stated in ("", basic(lab.me.user, WRONG), basic(f"nobody-{lab.me.user}", WRONG), "Bearer x"):
        got = await talker.post("FolderSync", FOLDER_SYNC, headers={"Authorization": stated})
        assert got.http == 401, stated
        assert got.headers["www-authenticate"].startswith("Basic ")


@case("MS-ASHTTP", "R182 R441")
async def elsewhere_there_is_nothing(lab: Lab) -> None:
    talker = lab.talker()
    for path in ("/NotSupport/Microsoft-Server-ActiveSync", "/Microsoft-Server-ActiveSync/NotSupport"):
        got = await talker.ask("POST", f"{path}?Cmd=FolderSync", _login(lab), wbxml.encode(FOLDER_SYNC))
        assert got.http == 404, path


@case("MS-ASHTTP", "R186 R465 R443 MS-ASCMD:R7558")
async def commands_and_methods_that_do_not_exist_are_501(lab: Lab) -> None:
    """Among them what devices had before 2.5."""
    talker = lab.talker()
    for command in ("NotExist", "CreateCollection", "DeleteCollection", "MoveCollection", "Foldersyncs"):
        assert (await talker.post(command, FOLDER_SYNC)).http == 501, command
    for method in ("PUT", "DELETE", "PROPFIND"):
        got = await talker.ask(method, f"{http.PATH}?Cmd=FolderSync", _login(lab))
        assert got.http == 501, method


@case("MS-ASCMD", "R7559", BEFORE_14)
async def a_command_of_a_later_version_is_400_before_14(lab: Lab) -> None:
    later = {Version.V2_5: ("Settings", "ItemOperations", "Find")}.get(lab.version, ("Find",))
    for command in later:
        assert (await lab.talker().post(command, e(f"{command}:{command}"))).http == 400, command


@case("MS-ASHTTP", "R184 MS-ASCMD:R166", BEFORE_14)
async def an_attachment_that_is_gone_is_500(lab: Lab) -> None:
    got = await lab.talker().post("GetAttachment", AttachmentName=lab.unique("gone"))
    assert got.http == 500


@case("MS-ASCMD", "R7545 R7546 R7547 R7461", BEFORE_14)
async def a_body_that_does_not_fit_is_400_before_14(lab: Lab) -> None:
    """No body, a body of another type, no WBXML, and XML of another command: HTTP in the place of 101, 102 and 103."""
    talker = lab.talker()
    wbxml_of_another = wbxml.encode(FOLDER_SYNC)
    for body, kind in ((b"", ""), (wbxml_of_another, "text/plain"), (b"<MoveItems/>", http.WBXML)):
        assert (await talker.post("MoveItems", body, content_type=kind)).http == 400, kind
    assert (await talker.post("MoveItems", FOLDER_SYNC)).http == 400


@case("MS-ASCMD", "R4811 R4815 R4817", FROM_14)
async def a_body_that_does_not_fit_has_its_status_from_14(lab: Lab) -> None:
    """HTTP 200, and in the command's own root element nothing but the Status."""
    talker = lab.talker()
    asked: tuple[tuple[object, str, str], ...] = (
        (b"", "", "101"),
        (wbxml.encode(FOLDER_SYNC), "text/plain", "101"),
        (b"<MoveItems/>", http.WBXML, "102"),
        (b"\x03\x01\x6a\x00", http.WBXML, "102"),
        (FOLDER_SYNC, http.WBXML, "103"),
    )
    for body, kind, status in asked:
        got = await talker.post("MoveItems", body, content_type=kind)  # type: ignore[arg-type]
        assert (got.http, got.root) == (200, e("Move:MoveItems", e("Status", status))), (kind, status)


@case("MS-ASCMD", "R4828 R4830", FROM_14)
async def a_device_without_id_or_type_has_its_status_from_14(lab: Lab) -> None:
    talker = lab.talker()
    for device_id, kind, status in (
        ("", "Phone", "108"), ("a/b", "Phone", "108"), ("x" * 35, "Phone", "108"), (talker.device, "", "109"),
        (talker.device, "x" * 35, "109"), (talker.device, "a\nb", "109"),
    ):
        got = await talker.post("FolderSync", FOLDER_SYNC, **_device(device_id, kind))
        assert (got.http, got.status) == (200, status), (device_id, kind)


@case("MS-ASHTTP", "R188", BEFORE_14)
async def a_device_without_id_or_type_is_400_before_14(lab: Lab) -> None:
    talker = lab.talker()
    for device_id, kind in (("", "Phone"), ("a/b", "Phone"), (talker.device, "")):
        assert (await talker.post("FolderSync", FOLDER_SYNC, **_device(device_id, kind))).http == 400


def _device(id: str, type: str) -> dict[str, str]:
    return {"DeviceId": id, "DeviceType": type}


# Headers -------------------------------------------------------------------------------------------------------------


@case("MS-ASHTTP", "R1 R281 R401 R167 R169 R170 R172 R175 R199 R201 R212 R216 R218 R219 R228 R229 R261 R476 R521 R522")
async def an_answer_is_wbxml_with_its_length(lab: Lab) -> None:
    got = await lab.talker().post("FolderSync", FOLDER_SYNC)
    assert (got.http, got.headers["content-type"]) == (200, "application/vnd.ms-sync.wbxml")
    assert int(got.headers["content-length"]) == len(got.body) > 0
    assert got.body[:3] == b"\x03\x01\x6a", "WBXML 1.3, unknown document, UTF-8"
    assert got.root.tag == "FolderHierarchy:FolderSync"


@case("MS-ASHTTP", "R199 R212 R216")
async def an_answer_without_a_body_has_a_length_and_no_type(lab: Lab) -> None:
    one = await device(lab)
    got = await one.mail(mime(lab.unique(), to=one.address, sender=one.address))
    assert (got.http, got.body, got.headers["content-length"]) == (200, b"", "0")
    assert "content-type" not in got.headers


@case("MS-ASHTTP", "R1104 R1202")
async def the_first_foldersync_says_what_is_offered(lab: Lab) -> None:
    """And no other: elsewhere X-MS-RP makes a device throw away what it has."""
    talker = lab.talker()
    got = await talker.post("FolderSync", FOLDER_SYNC)
    offer = await talker.ask("OPTIONS", http.PATH, _login(lab))
    for name in ("ms-asprotocolversions", "ms-asprotocolcommands"):
        assert got.headers[name] == offer.headers[name]
    assert got.headers["x-ms-rp"] == offer.headers["ms-asprotocolversions"]
    again = await talker.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", got.text("SyncKey"))))
    assert "x-ms-rp" not in again.headers


@case("MS-ASHTTP", "R197 R214")
async def what_is_compressed_says_so(lab: Lab) -> None:
    got = await _long(lab, "gzip, deflate")
    if "content-encoding" not in got.headers:
        raise Inapplicable("this server does not compress")
    assert got.headers["content-encoding"] == "gzip"
    assert len(got.body) > int(got.headers["content-length"])
    assert wbxml.decode(unzipped(got.body)).tag == "AirSync:Sync"


@case("MS-ASHTTP", "R412 R215")
async def what_is_not_compressed_does_not_say_so(lab: Lab) -> None:
    for accepted in ("", "identity", "gzip;q=0"):
        got = await _long(lab, accepted)
        assert "content-encoding" not in got.headers, accepted
        assert int(got.headers["content-length"]) == len(got.body)
        assert got.root.tag == "AirSync:Sync"


async def _long(lab: Lab, accepted: str) -> Got:
    """An answer of some length: a new message of many equal words."""
    one = await device(lab)
    subject = lab.unique()
    inbox = await one.kept(INBOX)
    assert (await one.mail(mime(subject, "words " * 2000, to=one.address, sender=one.address))).http == 200
    await inbox.arrived(subject)
    again = await device(lab)
    first = await again.talker.post("Sync", inbox.request(key="0"), headers={"Accept-Encoding": accepted})
    key = first.text("Collections", "Collection", "SyncKey")
    return await again.talker.post("Sync", inbox.request(key=key), headers={"Accept-Encoding": accepted})


# Body ----------------------------------------------------------------------------------------------------------------


@case("MS-ASHTTP", "R230 R490 R115 R487 R220 MS-ASCMD:R157 MS-ASCMD:R160", BEFORE_14)
async def an_attachment_comes_as_it_is(lab: Lab) -> None:
    one = await device(lab)
    inbox, subject = await one.kept(INBOX), lab.unique()
    message = mime(subject, to=one.address, sender=one.address, attachment=b"what is attached")
    assert (await one.mail(message)).http == 200
    data = inbox.items[await inbox.arrived(subject)]
    names = [text(data, "Attachments", "Attachment", element) for element in ("FileReference", "AttName")]
    name = next(filter(None, names))
    got = await one.talker.post("GetAttachment", AttachmentName=name)
    assert (got.http, got.headers["content-type"], got.body.strip()) == (200, "text/plain", b"what is attached")
    if lab.version in FROM_12_1:
        got = await coded(lab).post("GetAttachment", AttachmentName=name)
        assert (got.http, got.body.strip()) == (200, b"what is attached")


@case("MS-ASHTTP", "R482 R515", FROM_12_1)
async def sync_and_ping_have_no_body_where_there_is_nothing_to_say(lab: Lab) -> None:
    one = await device(lab)
    inbox = await one.kept(INBOX)
    assert (await one.talker.post("Sync", inbox.request())).body == b""
    subject = lab.unique()
    asked = e("Ping:Ping", e("HeartbeatInterval", "60"), e("Folders", e(
        "Folder", e("Id", inbox.id), e("Class", "Email"))))
    assert (await one.mail(mime(subject, to=one.address, sender=one.address))).http == 200
    assert (await one.talker.post("Ping", asked)).status == "2"
    again = await one.talker.post("Ping")
    assert (again.status, again.text("Folders", "Folder")) == ("2", inbox.id), "the Ping before, without a body"


AUTODISCOVER = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006"><Request>
<EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>
http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006
</AcceptableResponseSchema></Request></Autodiscover>"""


@case("MS-ASHTTP", "R144 R145 R445")
async def autodiscover_is_xml_under_either_type(lab: Lab) -> None:
    body = AUTODISCOVER.format(address=lab.me.address).encode()
    for kind in ("text/xml", "text/html"):
        got = await lab.talker().ask(
            "POST", "/autodiscover/autodiscover.xml", {**_login(lab), "Content-Type": kind}, body
        )
        assert (got.http, got.headers["content-type"].partition(";")[0]) == (200, "text/xml"), kind
        root = etree.fromstring(got.body)
        assert etree.QName(root).localname == "Autodiscover"
        assert [node.text for node in root.iter("{*}Type")] == ["MobileSync"]

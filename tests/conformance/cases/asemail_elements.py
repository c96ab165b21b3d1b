"""[MS-ASEMAIL] what is shown of a message: header, kinds, attachments; [MS-ASAIRS] Attachment."""

from __future__ import annotations

import re
from base64 import b64decode, encodebytes

from boxes_kit import INBOX, Box, box, child_text, received, send_mime
from lab import BEFORE_14, FROM_12, FROM_12_1, FROM_14, FROM_14_BEFORE_16, Lab, case
from mail_cases_kit import options, preference, text_of, under
from wire import e

from eas.protocol.wbxml import Element

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


PLAIN = "text/plain; charset=utf-8"


async def shown(lab: Lab, head: str, body: str = "Hello.\r\n", *, content: str = PLAIN) -> Element:
    """A message with these header lines, as I see it on a new device."""
    return (await sent(lab, head, body, content=content))[1]


async def sent(
    lab: Lab, head: str, body: str = "Hello.\r\n", *, content: str = PLAIN
) -> tuple[Box, Element, str]:
    mark = lab.unique("element")
    to = "" if "\nTo:" in f"\n{head}" else f"To: <{lab.me.address}>\r\n"
    mime = (
        f"From: <{lab.other.address}>\r\n{to}{head}Keywords: {mark}\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: {content}\r\n\r\n{body}"
    )
    mime = mime if "Subject:" in head else f"Subject: {mark}\r\n{mime}"
    await send_mime(lab, lab.other, mime.replace("MARK", mark).encode(), mark)
    inbox = await (await box(lab, INBOX)).begin(options(preference(1), preference(2)))
    id = await received(lab, mark, inbox)
    return inbox, inbox.has[id], id


@case(
    "MS-ASEMAIL",
    "R328 R330 R399 R710 R786 R483 R364 R71 R72 R51 R53",
    FROM_12_1,
)
async def the_header_is_told(lab: Lab) -> None:
    content = await shown(
        lab,
        f'To: "Me, Myself" <{lab.me.address}>, Second <{lab.other.address}>\r\nCc: Carl <{lab.other.address}>\r\n'
        "Reply-To: Office <office@example.com>\r\nSubject: Re: MARK\r\nImportance: High\r\n",
    )
    to = text_of(content, "To") or ""
    assert lab.me.address in to
    assert "Second" in to
    assert text_of(content, "DisplayTo") == "Me, Myself; Second"
    assert (text_of(content, "Cc") or "") == f'"Carl" <{lab.other.address}>'
    assert "office@example.com" in (text_of(content, "ReplyTo") or "")
    assert lab.other.address in (text_of(content, "From") or "")
    subject = text_of(content, "Subject") or ""
    assert subject.startswith("Re: ")
    assert text_of(content, "ThreadTopic") == subject.removeprefix("Re: ")
    assert text_of(content, "Importance") == "2"
    assert STAMP.fullmatch(text_of(content, "DateReceived") or "")
    assert (text_of(content, "MessageClass"), text_of(content, "ContentClass")) == (
        "IPM.Note", "urn:content-classes:message"
    )
    assert text_of(content, "InternetCPID") == "65001"


@case("MS-ASEMAIL", "R483", FROM_12_1)
async def importance_is_one_of_three(lab: Lab) -> None:
    heads = {"": "1", "Importance: low\r\n": "0", "X-Priority: 1\r\n": "2", "Priority: x\r\n": "1"}
    for head, expected in heads.items():
        assert text_of(await shown(lab, head), "Importance") == expected, head


@case("MS-ASEMAIL", "R1003 R348", FROM_14)
async def a_message_names_its_conversation(lab: Lab) -> None:
    first = await shown(lab, "Message-ID: <MARK@example.com>\r\n")
    known = under(first, "ConversationId")[0].content
    assert isinstance(known, bytes)
    assert len(known) == 16
    index = under(first, "ConversationIndex")[0].content
    assert isinstance(index, bytes)
    assert len(index) == 5
    topic = text_of(first, "Subject")
    answer = await shown(lab, f"Subject: Re: {topic} MARK\r\nIn-Reply-To: <{topic}@example.com>\r\n")
    assert under(answer, "ConversationId")[0].content == known


@case("MS-ASEMAIL", "R352 R1054", FROM_14)
async def each_answer_adds_a_level(lab: Lab) -> None:
    """By References; a Thread-Index says more than how many there were."""
    before: list[str] = []
    for depth in range(3):
        head = f"References: {' '.join(before)}\r\n" if before else ""
        name = f"<{lab.unique('id')}@example.com>"
        content = await shown(lab, f"{head}Message-ID: {name}\r\n")
        before.append(name)
        index = under(content, "ConversationIndex")[0].content
        assert len(index) == 5 * (depth + 1)


@case("MS-ASEMAIL", "R1280", BEFORE_14)
async def before_14_no_conversation_is_named(lab: Lab) -> None:
    content = await shown(lab, "")
    for name in ("ConversationId", "ConversationIndex", "Categories", "Sender", "IsDraft", "Bcc", "ReceivedAsBcc"):
        assert not under(content, name), name


@case("MS-ASEMAIL", "R1281 R1282", FROM_14_BEFORE_16)
async def before_16_nothing_is_said_of_drafts(lab: Lab) -> None:
    content = await shown(lab, "")
    for name in ("IsDraft", "Bcc"):
        assert not under(content, name), name


REPORT = (
    "--b\r\nContent-Type: text/plain\r\n\r\nReport.\r\n--b\r\nContent-Type: message/{part}\r\n\r\n{said}\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: original\r\n\r\nOriginal.\r\n--b--\r\n"
)
SIGNED = (
    "--b\r\nContent-Type: text/plain\r\n\r\nSigned words.\r\n--b\r\n"
    "Content-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
    "--b--\r\n"
)
STATUS = "Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; x@example.com\r\nAction: {action}\r\nStatus: 5.1.1"
READ = "Final-Recipient: rfc822; x@example.com\r\nDisposition: manual-action/MDN-sent-manually; {what}"


def _delivery(action: str) -> tuple[str, str]:
    body = REPORT.format(part="delivery-status", said=STATUS.format(action=action))
    return "multipart/report; report-type=delivery-status; boundary=b", body


def _read(what: str) -> tuple[str, str]:
    body = REPORT.format(part="disposition-notification", said=READ.format(what=what))
    return "multipart/report; report-type=disposition-notification; boundary=b", body


#: MessageClass -> content type and body.
CLASSES = {
    "IPM.Note": ("text/plain", "Hello.\r\n"),
    "IPM.Note.SMIME": ("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", "AAAA\r\n"),
    "IPM.Note.SMIME.MultipartSigned": (
        'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary=b', SIGNED
    ),
    "IPM.Note.Receipt.SMIME": ("application/pkcs7-mime; smime-type=signed-receipt; name=smime.p7m", "AAAA\r\n"),
    "REPORT.IPM.NOTE.NDR": _delivery("failed"),
    "REPORT.IPM.NOTE.DR": _delivery("delivered"),
    "REPORT.IPM.NOTE.DELAYED": _delivery("delayed"),
    "REPORT.IPM.NOTE.IPNRN": _read("displayed"),
    "REPORT.IPM.NOTE.IPNNRN": _read("deleted"),
}


@case("MS-ASEMAIL", "R588 R601 R602", FROM_12_1)
async def the_class_follows_from_the_message(lab: Lab) -> None:
    for expected, (content, body) in CLASSES.items():
        told = text_of(await shown(lab, "", body, content=content), "MessageClass") or ""
        assert told.upper() == expected.upper()


@case("MS-ASEMAIL", "R804 R811 R814 R827 R829 R878 R930 R931 R932 R933 R802 R808 R879 R844", FROM_14)
async def a_voice_message_says_who_called_and_how_long(lab: Lab) -> None:
    parts = "".join(
        f"--b\r\nContent-Type: audio/wav; name={n}.wav\r\nContent-Disposition: attachment; filename={n}.wav\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n" for n in ("first", "second")
    )
    body = f"--b\r\nContent-Type: text/plain\r\n\r\nA call.\r\n{parts}--b--\r\n"
    call, kind = "Content-Class: voice\r\n", "multipart/mixed; boundary=b"
    told = await shown(
        lab, f"{call}X-CallingTelephoneNumber: +4915100000\r\nX-VoiceMessageDuration: 42\r\n", body, content=kind
    )
    assert (text_of(told, "MessageClass") or "").startswith("IPM.Note.Microsoft.Voicemail")
    assert [one.text for one in under(told, "UmCallerID")] == ["+4915100000"]
    assert len(under(told, "UmUserNotes")) <= 1
    lists = under(told, "Attachments", "Attachment")
    assert [text_of(one, "UmAttOrder") for one in lists] == ["2", "1"]
    assert text_of(lists[1], "UmAttDuration") == "42"
    private = await shown(lab, f"{call}X-VoiceMessageDuration: 42\r\n", body, content=kind)
    assert not text_of(private, "UmCallerID")
    ordinary = await shown(lab, "X-CallingTelephoneNumber: +4915100000\r\nX-VoiceMessageDuration: 42\r\n", body,
                           content=kind)
    assert not under(ordinary, "UmCallerID")
    assert not under(ordinary, "UmUserNotes")
    for one in under(ordinary, "Attachments", "Attachment"):
        assert not under(one, "UmAttOrder")
        assert not under(one, "UmAttDuration")


CONTENT = bytes(range(256)) * 4
RICH = (
    "--o\r\nContent-Type: multipart/related; boundary=i\r\n\r\n"
    "--i\r\nContent-Type: text/html\r\n\r\n<p><img src=\"cid:pic@x\"></p>\r\n"
    "--i\r\nContent-Type: image/png; name=pic.png\r\nContent-ID: <pic@x>\r\nContent-Location: pic.png\r\n"
    "Content-Disposition: inline; filename=pic.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0K\r\n--i--\r\n"
    "--o\r\nContent-Type: application/octet-stream; name=data.bin\r\nContent-Disposition: attachment; filename=data.bin"
    "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encodebytes(CONTENT).decode().replace("\n", "\r\n") +
    "--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nHello.\r\n"
    "--o\r\nContent-Type: application/oleobject; name=sheet.ole\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--o--\r\n"
)


@case(
    "MS-ASAIRS",
    "R91 R92 R93 R87 R160 R1343 R198 R10020 R100299 R100298 R225 R2299 R230 R224 R211 R213 R164 R169 R192 R199 "
    "R218 R222",
    FROM_12_1,
)
async def attachments_are_listed_and_fetched(lab: Lab) -> None:
    _, content, _ = await sent(lab, "", RICH, content="multipart/mixed; boundary=o")
    listed = {text_of(one, "DisplayName"): one for one in under(content, "Attachments", "Attachment")}
    assert set(listed) == {"pic.png", "data.bin", "message.eml", "sheet.ole"} or "inner.eml" in listed, listed
    for one in listed.values():
        assert text_of(one, "FileReference")
        assert int(text_of(one, "EstimatedDataSize") or 0) > 0
        names = [child.tag for child in one.elements]
        assert len(names) == len(set(names))
    methods = {name: text_of(one, "Method") for name, one in listed.items()}
    assert (methods["pic.png"], methods["data.bin"], methods["sheet.ole"]) == ("1", "1", "6")
    assert [m for name, m in methods.items() if (name or "").endswith(".eml")] == ["5"]
    picture = listed["pic.png"]
    assert (text_of(picture, "ContentId"), text_of(picture, "IsInline")) == ("pic@x", "1")
    assert text_of(listed["data.bin"], "IsInline") in (None, "0")
    assert f"cid:{text_of(picture, 'ContentId')}" in (text_of(content, "Body", "Data") or "")
    reference = text_of(listed["data.bin"], "FileReference") or ""
    got = await lab.talker().post("ItemOperations", e(
        "ItemOperations:ItemOperations",
        e("Fetch", e("Store", "Mailbox"), e("AirSyncBase:FileReference", reference)),
    ))
    (fetch,) = got.all("Response", "Fetch")
    assert child_text(fetch, "Status") == "1"
    assert b64decode(under(fetch, "Properties", "Data")[0].text) == CONTENT


@case("MS-ASEMAIL", "R589 R603", FROM_12)
async def what_is_signed_in_the_clear_is_read_by_all(lab: Lab) -> None:
    content, body = CLASSES["IPM.Note.SMIME.MultipartSigned"]
    told = await shown(lab, "", body, content=content)
    assert "Signed words." in (text_of(told, "Body", "Data") or "")
    assert text_of(told, "MessageClass") == "IPM.Note.SMIME.MultipartSigned"


@case("MS-ASEMAIL", "R589", FROM_12_1)
async def smime_is_passed_whole_where_it_is_wanted(lab: Lab) -> None:
    content, body = CLASSES["IPM.Note.SMIME.MultipartSigned"]
    _, _, id = await sent(lab, "", body, content=content)
    for support, expected in (("0", "1"), ("1", "4"), ("2", "4")):
        again = await (await box(lab, INBOX)).begin(
            options(e("AirSync:MIMESupport", support), preference(1), preference(4))
        )
        assert text_of(again.has[id], "Body", "Type") == expected, support
        if expected == "4":
            assert "smime.p7s" in (text_of(again.has[id], "Body", "Data") or "")

"""Messages as devices see them. [MS-ASEMAIL]."""

from __future__ import annotations

import email
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from mail_samples import HTML, JANE, MIME, NOW, TEXT, as_type, mail, names, prefer, raw, reference, show

from eas.items.body import Wanted
from eas.items.email import Categories, Email, degraded, parse_change, render, render_flags
from eas.items.followup import FollowUpFlag
from eas.items.native import FollowUp, MailFlags, Refused, Unreadable
from eas.protocol.schema import content, load, stated
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

ALL = list(Version)


def tags(message: Email, version: Version = Version.V14_1) -> list[str]:
    return [element.tag for element in content(message, version)]


# --- Header -----------------------------------------------------------------------------------------------------------


def test_envelope() -> None:
    """To and Cc by commas (R787, R331), ReplyTo and DisplayTo by semicolons (R711, R400)."""
    message = show(
        raw("bulk_sender").replace(b"Jane Doe <jane@example.com>", b'"Doe, Jane" <jane@example.com>, x@y.org')
    )
    assert message.to == '"Doe, Jane" <jane@example.com>, x@y.org'
    assert message.display_to == "Doe, Jane; x@y.org"
    assert message.cc == "bob@example.net"
    assert message.sender_from == '"Anna Berg" <anna@example.org>'
    assert message.reply_to == '"Desk" <desk@example.org>; team@example.org'
    assert message.subject == "On behalf"
    assert message.date_received == NOW
    assert message.internet_cpid == "65001"


def test_sender_is_told_only_if_it_is_not_from() -> None:
    """R724, R726, R1065."""
    assert show("bulk_sender").sender == '"Assistant" <assist@example.org>'
    assert show("plain").sender is None
    assert show(b"Sender: <ANNA@example.org>\r\n" + raw("plain")).sender is None


@pytest.mark.parametrize(
    ("field", "importance"),
    [
        (b"Importance: high", 2), (b"Importance: Low", 0), (b"X-Priority: 1 (Highest)", 2), (b"X-Priority: 5", 0),
        (b"Priority: urgent", 2), (b"X-MSMail-Priority: Low", 0), (b"Importance: what", 1), (b"X-Other: high", 1),
    ],
)  # fmt: skip
def test_importance_is_always_told(field: bytes, importance: int) -> None:
    assert show(field + b"\r\n" + raw("plain")).importance == importance


def test_blind_copy_is_told() -> None:
    """R649: not included unless it is one."""
    assert show("plain").received_as_bcc is None
    assert show(raw("plain").replace(b"jane@example.com", b"other@example.com")).received_as_bcc is True
    assert show(raw("plain").replace(b"jane@example.com", b"J.Doe@Example.com")).received_as_bcc is None
    assert show(raw("bulk_sender").replace(b"jane@example.com", b"list@example.org")).received_as_bcc is None


def test_subjects_in_any_charset() -> None:
    assert show("latin1_8bit").subject == "Grüße"
    assert show("koi8r").subject == "Привет"
    assert show("gb2312").subject == "会议通知"
    assert show("iso2022jp").subject == "会議のお知らせ"
    assert show("raw_8bit_header").subject == "Übergrößen — Rückfrage"
    assert show("raw_8bit_header").sender_from == '"Jürgen Müller" <juergen@example.org>'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("latin1_8bit", "Schöne Grüße aus Köln"), ("utf8_called_latin1", "Schöne Grüße aus Köln – 20 €"),
        ("latin1_called_utf8", "Schöne Grüße aus Köln"), ("unknown_charset", "café crème"),
        ("gb2312", "明天下午三点开会，请准时参加。镕"), ("iso2022jp", "明日の会議は三時からです。"),
        ("koi8r", "Привет, как дела?"), ("utf16", "Grüße – ok"), ("bad_base64", "Hello, world!"),
    ],
)  # fmt: skip
def test_bodies_in_any_charset(name: str, text: str) -> None:
    body = show(name).body
    assert body is not None
    assert (body.data or "").strip() == text


def test_crowd_is_cut_and_quick() -> None:
    """R477: 32,768 characters. The time is the promise; the measured cost is some milliseconds."""
    item = mail(raw("crowd"), Wanted())
    start = time.process_time()
    message = render(item, Wanted(), JANE, Version.V14_1, reference)
    assert time.process_time() - start < 1
    assert message.to is not None
    assert 32_000 < len(message.to) <= 32_768
    assert message.to.endswith(">")


def test_huge_header_is_read() -> None:
    assert show("huge_header").subject == "Huge"


# --- Kinds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("plain", "IPM.Note"),
        ("smime_encrypted", "IPM.Note.SMIME"),
        ("smime_opaque", "IPM.Note.SMIME"),
        ("smime_signed", "IPM.Note.SMIME.MultipartSigned"),
        ("smime_receipt", "IPM.Note.Receipt.SMIME"),
        ("dsn_failed", "REPORT.IPM.NOTE.NDR"),
        ("dsn_delayed", "REPORT.IPM.NOTE.DELAYED"),
        ("dsn_delivered", "REPORT.IPM.NOTE.DR"),
        ("dsn_meeting", "REPORT.IPM.SCHEDULE.MEETING.REQUEST.NDR"),
        ("dsn_smime", "REPORT.IPM.NOTE.SMIME.NDR"),
        ("mdn_read", "REPORT.IPM.NOTE.IPNRN"),
        ("mdn_unread", "REPORT.IPM.NOTE.IPNNRN"),
        ("invitation", "IPM.Schedule.Meeting.Request"),
        ("invitation_alone", "IPM.Schedule.Meeting.Request"),
        ("cancellation", "IPM.Schedule.Meeting.Canceled"),
        ("accepted", "IPM.Schedule.Meeting.Resp.Pos"),
        ("tentative", "IPM.Schedule.Meeting.Resp.Tent"),
        ("declined", "IPM.Schedule.Meeting.Resp.Neg"),
        ("voicemail", "IPM.Note.Microsoft.Voicemail.UM.CA"),
        ("winmail", "IPM.Note"),
    ],
)
def test_message_class(name: str, kind: str) -> None:
    """R590-R593, R604-R613."""
    assert show(name).message_class == kind


def test_content_class_of_mail_and_meetings() -> None:
    """R342."""
    assert show("plain").content_class == "urn:content-classes:message"
    assert show("invitation").content_class == "urn:content-classes:calendarmessage"


def test_invitation_has_a_meeting_request_and_its_text() -> None:
    message = show("invitation")
    assert message.meeting_request is not None
    assert message.meeting_request.organizer == '"Anna Berg" <anna@example.org>'
    assert message.body is not None
    assert message.body.data == "You are invited"
    alone = show("invitation_alone")
    assert alone.body is not None
    assert alone.body.data == "Bring the figures, please.\r\nThank you"


def test_calendar_part_that_cannot_be_read_is_attached() -> None:
    message = show(raw("invitation").replace(b"BEGIN:VEVENT", b"BEGIN:NONSENSE"))
    assert (message.meeting_request, message.message_class) == (None, "IPM.Note")
    assert [a.display_name for a in message.attachments] == ["invite.ics"]


def test_voice_mail() -> None:
    """R803, R809."""
    message = show("voicemail")
    assert message.um_caller_id == "+4930123456"
    assert [(a.um_duration, a.um_order) for a in message.attachments] == [(17, 1)]


# --- Body and attachments ---------------------------------------------------------------------------------------------


def test_html_says_its_charset_is_what_is_sent() -> None:
    body = show("alternative", prefer(as_type(HTML))).body
    assert body is not None
    assert "charset=utf-8" in (body.data or "")
    assert "Café" in (body.data or "")


def test_native_type() -> None:
    """[MS-ASAIRS] NativeBodyType R2411, R2412."""
    for wanted in (prefer(as_type(HTML)), prefer(as_type(TEXT))):
        assert show("alternative", wanted).native_body_type is HTML
        assert show("plain", wanted).native_body_type is TEXT


def test_text_alternative_is_preferred_to_converted_html() -> None:
    wanted = prefer(as_type(TEXT))
    body = show("alternative", wanted).body
    assert body is not None
    assert (body.type, body.data) == (TEXT, "Café opens at 8")


@pytest.mark.parametrize("size", [0, 1, 10, 25, 60, 100, 5000])
def test_cut_sections_render_as_the_whole_message_would(size: int) -> None:
    text = "".join(f"<p>Zeile {i} mit <b>Ümläuten</b> &amp; mehr</p>\r\n" for i in range(200))
    message = b"Content-Type: text/html; charset=utf-8\r\n\r\n" + text.encode()
    body = show(message, prefer(as_type(HTML, size, preview=40))).body
    assert body is not None
    data = body.data or ""
    assert text.startswith(data)
    assert size - 20 <= len(data.encode()) <= size
    assert (body.truncated, body.estimated_size) == (True, len(text.encode()))
    assert body.preview == "Zeile 0 mit Ümläuten & mehr Zeile 1 mit "


def test_mime_is_the_message_itself() -> None:
    """[MS-ASCMD] MIMESupport; a signed message arrives octet by octet."""
    wanted = prefer(as_type(MIME), as_type(HTML), mime_support=1)
    for name in ("smime_signed", "smime_encrypted"):
        body = show(name, wanted).body
        assert body is not None
        assert (body.type, body.truncated, body.estimated_size) == (MIME, None, len(raw(name)))
        assert (body.data or "").encode() == raw(name)
    plain = show("plain", wanted).body
    assert plain is not None
    assert plain.type is HTML


def test_mime_is_cut_and_previewed() -> None:
    wanted = prefer(as_type(MIME, 300, preview=10), mime_support=2)
    body = show("alternative", wanted).body
    assert body is not None
    assert (body.data or "").encode() == raw("alternative")[:300]
    assert (body.truncated, body.preview) == (True, "Café opens")


def test_mime_that_is_no_utf8_is_reencoded() -> None:
    body = show("latin1_8bit", prefer(as_type(MIME), mime_support=2)).body
    assert body is not None
    again = email.message_from_bytes((body.data or "").encode())
    assert again.get_payload(decode=True).decode("latin-1").strip() == "Schöne Grüße aus Köln"  # type: ignore[union-attr]


def test_body_part() -> None:
    """[MS-ASAIRS] BodyPart; from 14.1."""
    wanted = prefer(as_type(TEXT), part_preference=as_type(HTML, 50, preview=9))
    message = show("alternative", wanted)
    assert message.body_part is not None
    assert message.body_part.preview == "Café open"
    assert message.body_part.truncated
    assert "AirSyncBase:BodyPart" in tags(message)
    assert "AirSyncBase:BodyPart" not in tags(show("alternative", wanted, Version.V14_0), Version.V14_0)
    assert show("alternative", prefer(as_type(TEXT))).body_part is None


def test_attachments() -> None:
    """[MS-ASAIRS] Attachment."""
    logo, pdf = show("inline_image").attachments
    assert (logo.display_name, logo.method, logo.is_inline, logo.content_id) == (
        "logo.png",
        1,
        True,
        "logo@example.org",
    )
    assert (pdf.display_name, pdf.is_inline, pdf.file_reference) == ("Prüfbericht.pdf", None, "7:2")
    assert abs(pdf.estimated_size - 16) <= 3
    (enclosed,) = show("forwarded").attachments
    assert (enclosed.display_name, enclosed.method) == ("Der Plan für _morgen.eml", 5)
    (ole,) = show("ole").attachments
    assert ole.method == 6


# --- Versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("name", names())
def test_every_message_in_every_version(name: str, version: Version) -> None:
    message = show(name, prefer(as_type(HTML, 500, preview=50), as_type(TEXT, 500)), version)
    found = tags(message, version)
    assert len(found) == len(set(found))
    assert ("Email2:ConversationId" in found) == (version >= Version.V14_0)
    assert ("Email:Body" in found) == (version < Version.V12_0)
    assert ("AirSyncBase:Body" in found) == (version >= Version.V12_0)
    assert ("Email:Flag" in found) == (version >= Version.V12_0)
    assert ("Email:Categories" in found) == (version >= Version.V14_0)
    assert ("Email2:IsDraft" in found) == (version >= Version.V16_0)
    for always in ("Email:Importance", "Email:Read", "Email:MessageClass", "Email:InternetCPID", "Email:DateReceived"):
        assert always in found


def test_old_version_has_its_own_elements() -> None:
    message = show("inline_image", version=Version.V2_5)
    found = {element.tag: element for element in content(message, Version.V2_5)}
    assert found["Email:Body"].text == "See the logo"
    assert found["Email:BodyTruncated"].text == "0"
    first = found["Email:Attachments"].elements[0]
    assert [e.tag for e in first.elements] == ["Email:AttName", "Email:AttSize", "Email:AttMethod", "Email:DisplayName"]
    mime_form = show("plain", Wanted(mime_support=2), Version.V2_5)
    assert (mime_form.mime_data or "").encode() == raw("plain")
    assert (mime_form.mime_truncated, mime_form.old_body) == (False, None)


def test_empty_flag_and_categories_stand_as_empty_elements() -> None:
    """R437, R318."""
    found = {element.tag: element for element in content(show("plain"), Version.V14_1)}
    assert found["Email:Flag"].content == ()
    assert found["Email:Categories"].content == ()


# --- Flags ------------------------------------------------------------------------------------------------------------


def test_change_of_flags_tells_only_what_changed() -> None:
    """R75, R76, R96."""
    flags = MailFlags(read=True, categories=("Red",), last_verb=1, last_verb_time=NOW)
    assert tags(render_flags(replace(flags, last_verb=0), Version.V14_1, {"read"})) == ["Email:Read"]
    assert tags(render_flags(replace(flags, last_verb=0), Version.V14_1, {"flag"})) == ["Email:Flag"]
    assert set(tags(render_flags(flags, Version.V14_1))) == {
        "Email:Read", "Email:Flag", "Email:Categories", "Email2:LastVerbExecuted", "Email2:LastVerbExecutionTime",
    }  # fmt: skip
    assert tags(render_flags(flags, Version.V2_5), Version.V2_5) == ["Email:Read"]


def test_draft() -> None:
    message = show(b"Bcc: x@y.org\r\n" + raw("plain"), flags=MailFlags(draft=True), version=Version.V16_1)
    assert (message.is_draft, message.bcc) == (True, "x@y.org")


def change(*elements: Element, flags: MailFlags | None = None) -> MailFlags:
    data = Element("AirSync:ApplicationData", elements)
    item = load(Email, data, Version.V14_1)
    return parse_change(item, stated(Email, data, Version.V14_1), flags or MailFlags())


def test_device_changes_read_flag_and_categories() -> None:
    changed = change(
        Element("Email:Read", "1"),
        Element("Email:Flag", (Element("Email:Status", "2"), Element("Email:FlagType", "Flag for follow up"))),
        Element("Email:Categories", (Element("Email:Category", "Red"), Element("Email:Category", "Red"))),
    )
    assert changed.read
    assert changed.follow_up == FollowUp(status=2, flag_type="Flag for follow up")
    assert changed.categories == ("Red",)


def test_what_is_absent_is_unchanged_and_what_is_empty_is_cleared() -> None:
    """R319, R320."""
    before = MailFlags(read=True, follow_up=FollowUp(status=2), categories=("Red",))
    assert change(flags=before) == before
    assert change(Element("Email:Flag"), flags=before) == replace(before, follow_up=None)
    assert change(Element("Email:Categories"), flags=before) == replace(before, categories=())
    assert change(Element("Email:Flag", (Element("Email:Status", "0"),)), flags=before).follow_up is None


@pytest.mark.parametrize(
    "element",
    [
        Element("Email:Subject", "new"), Element("Email2:ConversationId", b"x"), Element("Email2:Sender", "a@b"),
        Element("Email2:ReceivedAsBcc", "1"), Element("Email2:UmCallerID", "1"), Element("Email2:UmUserNotes", "x"),
    ],
)  # fmt: skip
def test_nothing_else_is_the_devices_to_change(element: Element) -> None:
    """R347, R648, R723, R817, R835."""
    with pytest.raises(Refused):
        change(element)


DAY = datetime(2024, 7, 5, tzinfo=UTC)
LATER = datetime(2024, 7, 6, tzinfo=UTC)
DATES = {"start": DAY, "due": LATER, "utc_start": DAY, "utc_due": LATER}


@pytest.mark.parametrize(
    "flag",
    [
        FollowUpFlag(status=3), FollowUpFlag(status=-1),
        FollowUpFlag(status=1), FollowUpFlag(status=1, complete_time=DAY), FollowUpFlag(status=1, date_completed=DAY),
        FollowUpFlag(status=2, date_completed=DAY),
        *(FollowUpFlag(status=2, **{**DATES, name: None}) for name in DATES),
        FollowUpFlag(status=2, **{**DATES, "due": datetime(2024, 7, 4, tzinfo=UTC)}),
        FollowUpFlag(status=2, reminder_set=True),
    ],
)  # fmt: skip
def test_flag_without_its_companions_is_refused(flag: FollowUpFlag) -> None:
    """R757, R334, R358, R359, R409, R407, R702."""
    with pytest.raises(Refused):
        parse_change(Email(flag=flag), frozenset(("flag",)), MailFlags())


@pytest.mark.parametrize(
    "follow_up",
    [
        FollowUp(status=2),
        FollowUp(status=2, **DATES, reminder_set=True, reminder_time=DAY, ordinal_date=NOW, sub_ordinal_date="5555"),
        FollowUp(status=1, date_completed=DAY, complete_time=DAY, subject="x", flag_type="for Follow Up"),
    ],
)
def test_flag_comes_back_as_it_went(follow_up: FollowUp) -> None:
    flags = MailFlags(follow_up=follow_up)
    sent = Element("AirSync:ApplicationData", content(render_flags(flags, Version.V14_1), Version.V14_1))
    item = load(Email, sent, Version.V14_1)
    assert parse_change(item, frozenset(("flag",)), MailFlags()) == flags


def test_categories_type_is_kept_apart_from_absence() -> None:
    assert parse_change(
        Email(categories=Categories(names=("a", "", "b"))), frozenset(("categories",)), MailFlags()
    ).categories == ("a", "b")


# --- Degraded ---------------------------------------------------------------------------------------------------------


def test_message_without_structure_is_unreadable_and_shown_degraded() -> None:
    item = replace(mail(raw("plain"), Wanted()), structure=None, sections={})
    with pytest.raises(Unreadable):
        render(item, Wanted(), JANE, Version.V14_1, reference)
    for version in ALL:
        message = degraded(item, "nested too deeply", JANE, version, reference)
        assert message.subject == "Lunch on Friday"
        assert message.sender_from == '"Anna Berg" <anna@example.org>'
        assert content(message, version)
    message = degraded(item, "nested too deeply", JANE, Version.V14_1, reference)
    assert message.body is not None
    assert "nested too deeply" in (message.body.data or "")
    (original,) = message.attachments
    assert (original.display_name, original.method, original.file_reference) == ("Lunch on Friday.eml", 5, "7:")


def test_degraded_survives_any_header() -> None:
    item = replace(mail(raw("plain"), Wanted()), header=b'\xff\0\r\n: :\r\nTo: <<>>"\r\nDate: x', structure=None)
    assert degraded(item, "broken", JANE, Version.V14_1, reference).body is not None

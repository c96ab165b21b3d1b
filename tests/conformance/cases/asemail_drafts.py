"""[MS-ASEMAIL] Sync Command Request, Send, IsDraft, Bcc; [MS-ASAIRS] Attachments, Add, Delete: drafts."""

from __future__ import annotations

from boxes_kit import INBOX, box, child_text, commands, data, received
from lab import BEFORE_16, FROM_16, Lab, case
from mail_cases_kit import (
    DRAFTS,
    SENT_ITEMS,
    add_draft,
    attach,
    attachments,
    body,
    change_draft,
    detach,
    drafts,
    options,
    preference,
    text_of,
    under,
)
from wire import e

from eas.protocol.wbxml import Element

INVALID = (
    # Not among what a device may say of a draft. R1489
    ("a conversation", e("Email2:ConversationId", b"0123456789abcdef")),
    ("a sender", e("Email2:Sender", "x@example.com")),
    ("IsDraft", e("Email2:IsDraft", "1")),
    ("a message class", e("Email:MessageClass", "IPM.Note")),
    ("From", e("Email:From", "x@example.com")),
    ("an importance that is none", e("Email:Importance", "7")),
    ("an attachment of an unknown method", attachments(attach("1", "a.txt", b"a", method="9"))),
)


@case("MS-ASEMAIL", "R1489 R1490 R1276", FROM_16)
async def what_a_draft_cannot_have_is_refused(lab: Lab) -> None:
    mine = await drafts(lab)
    subject = lab.unique("draft")
    given = [add_draft(str(n), e("Email:Subject", subject), wrong) for n, (_, wrong) in enumerate(INVALID)]
    answer = await mine.sure(commands(*given))
    assert answer.statuses("Add") == ["6"] * len(INVALID), answer.element
    id = await mine.add(data(e("Email:Subject", subject)))
    for name, wrong in INVALID:
        assert (await mine.sure(commands(change_draft(id, wrong)))).statuses("Change") == ["6"], name
    assert mine.with_text(subject) == [id]


@case("MS-ASEMAIL", "R14890 R14900", FROM_16)
async def beside_mime_only_some_elements_are_allowed(lab: Lab) -> None:
    mine, subject = await drafts(lab), lab.unique("draft")
    mime = f"To: <{lab.other.address}>\r\nSubject: {subject}\r\n\r\nAll in one.\r\n"
    for tag in ("To", "Cc", "Subject", "ReplyTo"):
        given = add_draft("1", e(f"Email:{tag}", lab.other.address), body(mime, 4))
        assert (await mine.sure(commands(given))).statuses("Add") == ["6"], tag
    allowed = (e("Email:Importance", "2"), e("Email:Read", "1"), e("Email:Flag", e("Status", "0")))
    answer = await mine.sure(commands(add_draft("2", *allowed, body(mime, 4), attachments(attach("1", "a.txt", b"a")))))
    assert answer.statuses("Add") == ["1"], answer.element
    (added,) = answer.inside("Responses", "Add")
    id = child_text(added, "ServerId") or ""
    seen = (await drafts(lab)).has[id]
    assert text_of(seen, "Subject") == subject
    assert lab.other.address in (text_of(seen, "To") or "")
    assert text_of(seen, "Importance") == "2"
    assert [a.text for a in under(seen, "Attachments", "Attachment", "DisplayName")] == ["a.txt"]
    other = f"To: <{lab.other.address}>\r\nSubject: {subject}-2\r\n\r\nNew.\r\n"
    assert (await mine.sure(commands(change_draft(id, body(other, 4))))).statuses("Change") in ([], ["1"])
    seen = (await drafts(lab)).has[id]
    assert text_of(seen, "Subject") == f"{subject}-2"
    assert (text_of(seen, "Body", "Data") or "").strip().find("New.") >= 0


@case(
    "MS-ASEMAIL",
    "R1494 R1489 R1278 R1184 R11850 R1190 R11910 R1277 R1283 R12840 R1488 R14880", FROM_16
)
async def a_draft_is_added_and_seen_by_another_device(lab: Lab) -> None:
    mine, subject = await drafts(lab), lab.unique("draft")
    answer = await mine.sure(commands(add_draft(
        "1", e("Email:To", f'"Ben B." <{lab.other.address}>'), e("Email:Cc", "carl@example.com"),
        e("Email2:Bcc", "secret@example.com"), e("Email:Subject", subject), e("Email:ReplyTo", "reply@example.com"),
        e("Email:Importance", "2"), e("Email:Read", "1"), body("<p>Hello <b>you</b></p>", 2),
    )))
    assert answer.statuses("Add") == ["1"], answer.element
    (added,) = answer.inside("Responses", "Add")
    told = under(added, "ApplicationData")
    assert [len(under(one, name)) for one in told for name in ("ConversationId", "ConversationIndex")] == [1, 1], added
    id = child_text(added, "ServerId") or ""
    seen = (await drafts(lab)).has[id]
    assert lab.other.address in (text_of(seen, "To") or "")
    assert "Ben B." in (text_of(seen, "To") or "")
    assert "carl@example.com" in (text_of(seen, "Cc") or "")
    assert "secret@example.com" in (text_of(seen, "Bcc") or "")
    assert "reply@example.com" in (text_of(seen, "ReplyTo") or "")
    assert (text_of(seen, "Subject"), text_of(seen, "Importance")) == (subject, "2")
    assert text_of(seen, "IsDraft") == "1"
    assert text_of(seen, "Body", "Type") == "2"
    assert "<b>you</b>" in (text_of(seen, "Body", "Data") or "")
    assert under(seen, "ConversationId")[0].content == under(told[0], "ConversationId")[0].content
    # Nothing was sent. R1494
    inbox = await (await box(lab, INBOX, login=lab.other)).begin()
    assert not inbox.with_text(subject)


@case("MS-ASEMAIL", "R1490", FROM_16)
async def a_change_keeps_what_it_does_not_name(lab: Lab) -> None:
    mine, subject = await drafts(lab), lab.unique("draft")
    id = await mine.add(data(
        e("Email:To", lab.other.address), e("Email:Cc", "carl@example.com"), e("Email:Subject", subject),
        body("First words."),
    ))
    other = await drafts(lab)
    assert id in other.has
    await mine.sure(commands(change_draft(id, e("Email:Cc", ""), body("Second words."))))
    answer = await other.sure()
    # The same item, whole, to those who have it.
    (change,) = answer.said("Change").values()
    assert child_text(change, "ServerId") == id
    seen = under(change, "ApplicationData")[0]
    assert text_of(seen, "Subject") == subject
    assert lab.other.address in (text_of(seen, "To") or "")
    assert text_of(seen, "Cc") is None
    assert "Second words." in (text_of(seen, "Body", "Data") or "")
    assert (await mine.go()) is None, "a device is not told of its own change"


@case("MS-ASEMAIL", "R1279 R1384 R1386 R1387 R1389", FROM_16)
async def a_draft_is_sent_and_goes(lab: Lab) -> None:
    mine, subject = await drafts(lab), lab.unique("draft")
    inbox = await (await box(lab, INBOX, login=lab.other)).begin()
    id = await mine.add(data(e("Email:To", lab.other.address), e("Email:Subject", subject), body("First words.")))
    given = commands(change_draft(id, e("Email2:Bcc", lab.me.address), body("Last words."), send=True))
    key = mine.key
    answer = await mine.sure(given)
    assert answer.statuses("Change") in ([], ["1"]), answer.element
    # The answer was lost: the same again brings the same, and sends nothing.
    mine.key = key
    again = await mine.sure(given)
    assert again.statuses("Change") == answer.statuses("Change")
    await mine.pull()
    assert id not in mine.has
    assert id not in (await drafts(lab)).has
    arrived = await received(lab, subject, inbox)
    assert len(inbox.with_text(subject)) == 1
    assert "Last words." in str(inbox.has[arrived])
    assert text_of(inbox.has[arrived], "Bcc") is None
    assert text_of(inbox.has[arrived], "IsDraft") == "0"
    sent = await (await box(lab, SENT_ITEMS)).begin()
    assert len(sent.with_text(subject)) == 1


@case("MS-ASEMAIL", "R1384 R1386 R1389", FROM_16)
async def what_was_never_a_draft_is_sent_at_once(lab: Lab) -> None:
    mine, subject = await drafts(lab), lab.unique("draft")
    inbox = await (await box(lab, INBOX, login=lab.other)).begin()
    given = add_draft(
        "1", e("Email:To", lab.other.address), e("Email:Subject", subject), body("At once."),
        attachments(attach("a", "note.txt", b"Some text.")), send=True,
    )
    key = mine.key
    answer = await mine.sure(commands(given))
    assert answer.statuses("Add") == ["1"], answer.element
    mine.key = key
    assert (await mine.sure(commands(given))).statuses("Add") == ["1"]
    arrived = await received(lab, subject, inbox)
    assert len(inbox.with_text(subject)) == 1
    names = under(inbox.has[arrived], "Attachments", "Attachment", "DisplayName")
    assert [name.text for name in names] == ["note.txt"]
    assert not (await drafts(lab)).with_text(subject)


@case("MS-ASCMD", "R7472", FROM_16)
async def a_draft_without_fit_recipients_is_not_sent(lab: Lab) -> None:
    mine, subject = await drafts(lab), lab.unique("draft")
    for number, to in enumerate(("", "nobody", "no body@example.com", f"{lab.other.address}, nobody")):
        fields = (e("Email:To", to),) if to else ()
        new = add_draft(f"n{number}", *fields, e("Email:Subject", subject), body("x"), send=True)
        assert (await mine.sure(commands(new))).statuses("Add") == ["183"], to
        id = await mine.add(data(*fields, e("Email:Subject", subject), body("x")))
        answer = await mine.sure(commands(change_draft(id, body("y"), send=True)))
        assert answer.statuses("Change") == ["183"], to
        assert id in mine.has, to
    inbox = await (await box(lab, INBOX, login=lab.other)).begin()
    assert not inbox.with_text(subject)


@case(
    "MS-ASAIRS",
    "R1325 R1006 R1009 R1010 R1014 R1016 R1020 R1000919 R1082 R1336 R1079 R1081 R1368 R1001000 R1092 R10920912 R1086 "
    "R1000965 R1138 R1141 R1145 R1000985 R1166 R1374 R1372 R1170 R1001002 R1393 R1382 R1383 R1339 R1242 R1001022 "
    "R1359 R1000987 R1096 R1000967 R1117 R1000975 R1188 R1001008",
    FROM_16,
)
async def attachments_are_added_and_deleted(lab: Lab) -> None:
    mine, subject = await drafts(lab), lab.unique("draft")
    png, text = b"\x89PNG not really", b"Plain \xff text"
    answer = await mine.sure(commands(add_draft(
        "1", e("Email:Subject", subject), body('<p><img src="cid:pic@x"></p>', 2),
        attachments(
            attach("one", "one.txt", text, e("ContentType", "text/plain")),
            attach("two", "pic.png", png, e("ContentId", "pic@x"), e("ContentType", "image/png"), e("IsInline")),
            attach("three", "three.bin", b"3"),
        ),
    )))
    assert answer.statuses("Add") == ["1"], answer.element
    (added,) = answer.inside("Responses", "Add")
    told = {
        text_of(one, "ClientId"): text_of(one, "FileReference") or ""
        for one in under(added, "ApplicationData", "Attachments", "Attachment")
    }
    assert set(told) == {"one", "two", "three"}, added
    id = child_text(added, "ServerId") or ""
    seen = (await drafts(lab)).has[id]
    shown = {text_of(one, "DisplayName"): one for one in under(seen, "Attachments", "Attachment")}
    assert {name: text_of(one, "FileReference") for name, one in shown.items()} == {
        "one.txt": told["one"], "pic.png": told["two"], "three.bin": told["three"]
    }
    assert text_of(shown["pic.png"], "ContentId") == "pic@x"
    assert text_of(shown["pic.png"], "IsInline") == "1"
    assert text_of(shown["one.txt"], "IsInline") in (None, "0")
    # One goes and one comes; the references of the others lead where they led.
    answer = await mine.sure(commands(change_draft(
        id, attachments(detach(told["one"]), attach("four", "four.txt", b"4444"))
    )))
    (changed,) = answer.inside("Responses", "Change")
    assert child_text(changed, "Status") == "1"
    (new,) = under(changed, "ApplicationData", "Attachments", "Attachment")
    assert text_of(new, "ClientId") == "four"
    told["four"] = text_of(new, "FileReference") or ""
    seen = (await drafts(lab)).has[id]
    names = [one.text for one in under(seen, "Attachments", "Attachment", "DisplayName")]
    assert sorted(names) == ["four.txt", "pic.png", "three.bin"]
    for name, content in (("two", png), ("three", b"3"), ("four", b"4444")):
        assert await _fetched(lab, told[name]) == content, name
    assert await _fetched(lab, told["one"]) is None
    await mine.sure(commands(change_draft(id, attachments(*(detach(told[n]) for n in ("two", "three", "four"))))))
    assert not under((await drafts(lab)).has[id], "Attachments", "Attachment")


@case("MS-ASAIRS", "R1394 R1395 R1391", FROM_16)
async def a_message_is_attached_as_such(lab: Lab) -> None:
    mine, subject = await drafts(lab), lab.unique("draft")
    inner = b"From: a@example.com\r\nSubject: inner\r\n\r\nHello.\r\n"
    id = await mine.add(data(
        e("Email:Subject", subject), attachments(attach("m", "inner", inner, method="5"), attach("n", "n.txt", b"n")),
    ))
    shown = under((await drafts(lab)).has[id], "Attachments", "Attachment")
    assert [(text_of(one, "Method"), text_of(one, "DisplayName")) for one in shown] == [
        ("5", "inner.eml"), ("1", "n.txt")
    ]


@case("MS-ASEMAIL", "R1280 R1281 R1282", BEFORE_16)
async def before_16_there_is_no_draft_of_a_device(lab: Lab) -> None:
    mine = await (await box(lab, DRAFTS)).begin()
    answer = await mine.sure(commands(add_draft("1", e("Email:Subject", lab.unique("draft")))))
    assert answer.statuses("Add") == ["6"], answer.element
    assert all(text_of(one, "IsDraft") is None for one in mine.has.values())


@case("MS-ASEMAIL", "R1489", FROM_16)
async def mail_is_added_to_drafts_alone(lab: Lab) -> None:
    inbox = await (await box(lab, INBOX)).begin()
    answer = await inbox.sure(commands(add_draft("1", e("Email:Subject", lab.unique("draft")))))
    assert answer.statuses("Add") == ["6"], answer.element


@case("MS-ASEMAIL", "R1489", FROM_16)
async def a_draft_is_read_and_flagged_like_other_mail(lab: Lab) -> None:
    mine, subject = await drafts(lab), lab.unique("draft")
    id = await mine.add(data(e("Email:Subject", subject), e("Email:Read", "0"), body("x")))
    other = await drafts(lab)
    assert text_of(other.has[id], "Read") == "0"
    flag = e("Email:Flag", e("Status", "2"), e("FlagType", "for Follow Up"))
    assert (await mine.sure(commands(change_draft(id, e("Email:Read", "1"), flag)))).statuses("Change") in ([], ["1"])
    answer = await other.sure(options(preference(1)))
    (change,) = answer.said("Change").values()
    assert text_of(change, "ApplicationData", "Read") == "1"
    assert text_of(change, "ApplicationData", "Flag", "Status") == "2"


async def _fetched(lab: Lab, reference: str) -> bytes | None:
    """What a FileReference leads to; None if it leads nowhere."""
    got = await lab.talker().post("ItemOperations", e(
        "ItemOperations:ItemOperations",
        e("Fetch", e("Store", "Mailbox"), e("AirSyncBase:FileReference", reference)),
    ))
    (fetch,) = got.all("Response", "Fetch")
    if child_text(fetch, "Status") != "1":
        return None
    return _decoded(under(fetch, "Properties", "Data")[0])


def _decoded(found: Element) -> bytes:
    import base64

    return base64.b64decode(found.text)


#: What changes beside the subject, and how: each alone, as a device would say it.
BESIDE = {
    "Read": e("Email:Read", "0"), "Flag": e("Email:Flag", e("Status", "2"), e("FlagType", "for Follow Up")),
    "Categories": e("Email:Categories", e("Category", "Red")),
}
COMBINED = (
    (), ("Read",), ("Flag",), ("Categories",), ("Read", "Flag"), ("Read", "Categories"), ("Flag", "Categories"),
    ("Read", "Flag", "Categories"),
)


@case("MS-ASEMAIL", "R77 R94 R98 R102 R106 R10602 R10606 R10610 R10614", FROM_16)
async def a_message_whose_content_changes_is_told_whole(lab: Lab) -> None:
    mine, subject = await drafts(lab), lab.unique("whole")
    for number, beside in enumerate(COMBINED):
        id = await mine.add(data(e("Email:Subject", f"{subject}-{number}"), e("Email:Read", "1"), body("Words.")))
        other = await drafts(lab)
        for name in beside:
            await mine.go(commands(change_draft(id, BESIDE[name])))
        await mine.go(commands(change_draft(id, e("Email:Subject", f"{subject}-{number}-new"))))
        (change,) = (await other.sure()).said("Change").values()
        (content,) = under(change, "ApplicationData")
        assert text_of(content, "Subject") == f"{subject}-{number}-new", beside
        assert "Words." in (text_of(content, "Body", "Data") or "")
        assert text_of(content, "Read") == ("0" if "Read" in beside else "1")
        assert text_of(content, "Flag", "Status") == ("2" if "Flag" in beside else None)
        assert [c.text for c in under(content, "Categories", "Category")] == ["Red"] * ("Categories" in beside)

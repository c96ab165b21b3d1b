"""A meeting passed on from 16.0. [MS-ASCMD] Forwardees, Forwardee, Status 178 and 179; [MS-ASEMAIL] MeetingRequest."""

from __future__ import annotations

import secrets

from lab import FROM_16, FROM_16_1, Lab, case
from meeting_kit import Person, attendee_status, find, local, soon, text
from wire import Got, e

from eas.protocol.wbxml import Element


async def forward(who: Person, id: str, *more: Element, client: str = "") -> Got:
    source = e("ComposeMail:Source", e("FolderId", who.calendar.id), e("ItemId", id))
    asked = e("ComposeMail:SmartForward", e("ClientId", client or secrets.token_hex(8)), source, *more)
    return await who.talker.post("SmartForward", asked)


def forwardees(*addresses: str) -> Element:
    return e("ComposeMail:Forwardees", *(e("Forwardee", e("Name", "Somebody"), e("Email", a)) for a in addresses))


@case("MS-ASCMD", "R7467 R7468 R7470", FROM_16)
async def what_does_not_fit(lab: Lab) -> None:
    anna = await Person.of(lab, lab.me)
    id = await anna.invite(lab.unique("unfit"), start=soon())
    body = e("AirSyncBase:Body", e("Type", "1"), e("Data", "Come."))
    good = forwardees(lab.other.address)
    mime = e("ComposeMail:Mime", b"To: a@example.com\r\n\r\nx\r\n")
    for more, status in (
        ((mime, good), "178"),
        ((good, e("ComposeMail:SaveInSentItems")), "178"),
        ((good, e("ComposeMail:ReplaceMime")), "178"),
        ((mime, body), "178"),
        ((body,), "179"),
        ((e("ComposeMail:Forwardees"),), "179"),
        ((forwardees("nobody"),), "179"),
        ((e("ComposeMail:Forwardees", e("Forwardee", e("Name", "x"))),), "179"),
    ):
        assert (await forward(anna, id, *more)).status == status, more
    assert (await forward(anna, id)).status == "103"


@case("MS-ASCMD", "R7480 R7481", FROM_16)
async def an_organizer_passes_on(lab: Lab) -> None:
    """The new guest is invited, in the words of the organizer, once; and stands on the list."""
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject, client = lab.unique("passed"), secrets.token_hex(8)
    id = await anna.invite(subject, start=soon())
    body = e("AirSyncBase:Body", e("Type", "1"), e("Data", "Do come along."))
    assert (await forward(anna, id, forwardees(ben.login.address), body, client=client)).body == b""
    (mail,) = (await ben.inbox.awaited(subject)).values()
    assert text(mail, "MessageClass") == "IPM.Schedule.Meeting.Request"
    assert "Do come along." in (text(mail, "Body", "Data") or "")
    await ben.calendar.awaited(subject)
    await anna.calendar.read()
    assert attendee_status(anna.calendar.items[id], ben.login) == "5"
    again = await forward(anna, id, forwardees(ben.login.address), body, client=client)
    assert again.status == "118"
    await ben.inbox.none_more(subject, 1)


@case(
    "MS-ASCMD", "R66250801 R66250803 R66250804 R66550801 R66550803 R66550804 R64850802 R64850808 R68651708", FROM_16_1
)
async def a_guest_passes_on(lab: Lab) -> None:
    """The organizer hears of it. There is no third mailbox: the guest passes it on to himself."""
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject = lab.unique("onward")
    await anna.invite(subject, ben.login, start=soon())
    ((entry, _),) = (await ben.calendar.awaited(subject)).items()
    assert (await forward(ben, entry, forwardees(ben.login.address))).body == b""
    (note,) = (await anna.inbox.awaited(subject)).values()
    assert text(note, "MessageClass") == "IPM.Notification.Meeting.Forward"
    named = find(note, "MeetingRequest", "Forwardees")
    assert named is not None
    assert [local(one) for one in named.elements] == ["Forwardee"]
    assert text(named, "Forwardee", "Email") == ben.login.address
    assert text(named, "Forwardee", "Name") == "Somebody"
    await anna.inbox.none_more(subject, 1)


@case("MS-ASCMD", "R6485100817", FROM_16)
async def forwardees_are_told_from_16_1(lab: Lab) -> None:
    anna, ben = await Person.of(lab, lab.me), await Person.of(lab, lab.other)
    subject = lab.unique("told")
    await anna.invite(subject, ben.login, start=soon())
    ((entry, _),) = (await ben.calendar.awaited(subject)).items()
    assert (await forward(ben, entry, forwardees(ben.login.address))).body == b""
    (note,) = (await anna.inbox.awaited(subject)).values()
    assert (find(note, "MeetingRequest", "Forwardees") is not None) is (lab.version in FROM_16_1)

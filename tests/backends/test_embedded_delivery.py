"""Mail between users and from outside: each message once, to those whom it is for, and what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from worlds import NOW, EmbeddedWorld, card, event, feed_of, folder_of, invitation, letter

from eas.backends.embedded import Limits, outbox, submissions
from eas.backends.embedded.delivery import Arrived
from eas.backends.embedded.tables import SubmittedRow
from eas.engine.errors import NoSpace, Refusal, Undeliverable
from eas.engine.model import Audience, FolderType, OofReply, OutOfOffice
from eas.engine.ports import Chosen, Horizon
from eas.items import participants
from eas.items.body import Wanted
from eas.items.compose import Outgoing
from eas.items.contentline import parse
from eas.items.native import Mail, Record


@dataclass
class FakeRelay:
    """A way out that notes what it was given, and may fail."""

    sent: list[tuple[str, tuple[str, ...], bytes]] = field(default_factory=list)
    error: Exception | None = None
    delay: float = 0.0

    async def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> None:
        await asyncio.sleep(self.delay)
        if self.error is not None:
            raise self.error
        self.sent.append((sender, tuple(recipients), mime))


@pytest.fixture
def relay() -> FakeRelay:
    return FakeRelay()


@pytest.fixture
async def world(database_template: Path, tmp_path: Path, relay: FakeRelay) -> AsyncIterator[EmbeddedWorld]:
    made = await EmbeddedWorld.make(database_template, tmp_path, relay, Limits(message=1 << 20))
    yield made
    await made.close()


def outgoing(*recipients: str, id: str = "m1@example.com", sender: str = "ben@example.com", **more: object) -> Outgoing:
    raw = letter(sender=sender, to=", ".join(recipients), message_id=id, **more)  # type: ignore[arg-type]
    return Outgoing(sender=sender, recipients=recipients, mime=raw, message_id=f"<{id}>")


async def mails(world: EmbeddedWorld, name: str, type: FolderType = FolderType.INBOX) -> list[Mail]:
    feed = await feed_of(world.mailbox(name), type)
    ids = sorted((await feed.delta(None, Horizon())).touched)
    return [item async for item in feed.fetch(ids, Wanted(whole=True)) if isinstance(item, Mail)]


async def events(world: EmbeddedWorld, name: str) -> list[bytes]:
    feed = await feed_of(world.mailbox(name), FolderType.CALENDAR)
    ids = sorted((await feed.delta(None, Horizon())).touched)
    return [item.data async for item in feed.fetch(ids, None) if isinstance(item, Record)]


# --- Between users ----------------------------------------------------------------------------------------------------


async def test_a_message_reaches_its_recipients_here(world: EmbeddedWorld) -> None:
    world.bell.calls.clear()
    await world.outbox("ben").submit(outgoing("anna@example.com", "CARLA@Example.com"))
    for name in ("anna", "carla"):
        [mail] = await mails(world, name)
        assert b"Subject: Hello" in mail.header
        assert not mail.flags.read
        inbox = await folder_of(world.mailbox(name), FolderType.INBOX)
        assert (world.users[name].id, frozenset({inbox.id})) in world.bell.calls
    assert await mails(world, "ben") == []


async def test_the_same_message_is_taken_once(world: EmbeddedWorld, relay: FakeRelay) -> None:
    """The phone may write a new Date when it sends again."""
    first = outgoing("anna@example.com", "x@elsewhere.example")
    await world.outbox("ben").submit(first)
    await world.outbox("ben").submit(replace(first, mime=b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n" + first.mime))
    assert len(await mails(world, "anna")) == 1
    assert len(relay.sent) == 1


async def test_another_message_under_the_same_id_is_not_lost(world: EmbeddedWorld, relay: FakeRelay) -> None:
    """A phone that never heard that its message went may change it and send it again."""
    await world.outbox("ben").submit(outgoing("anna@example.com", "x@elsewhere.example"))
    await world.outbox("ben").submit(outgoing("anna@example.com", "x@elsewhere.example", text="changed"))
    assert len(await mails(world, "anna")) == 2
    assert len(relay.sent) == 2


async def test_the_same_message_at_once_is_taken_once(world: EmbeddedWorld, relay: FakeRelay) -> None:
    relay.delay = 0.1
    message = outgoing("anna@example.com", "x@elsewhere.example")
    await asyncio.gather(*[world.outbox("ben").submit(message) for _ in range(5)])
    assert len(await mails(world, "anna")) == 1
    assert len(relay.sent) == 1


async def test_two_users_may_use_the_same_message_id(world: EmbeddedWorld, relay: FakeRelay) -> None:
    """One must not be able to keep another's mail from being sent."""
    await world.outbox("ben").submit(outgoing("x@elsewhere.example", id="same@x"))
    await world.outbox("carla").submit(outgoing("x@elsewhere.example", id="same@x", sender="carla@example.com"))
    assert len(relay.sent) == 2


async def test_an_alias_a_tag_and_the_address_are_one_recipient(world: EmbeddedWorld) -> None:
    await world.embedded.admin.set_aliases("anna", ["a@example.com", "anna+exact@example.com"])
    await world.outbox("ben").submit(
        outgoing("anna@example.com", "a@example.com", "anna+books@example.com", "anna+exact@example.com")
    )
    assert len(await mails(world, "anna")) == 1


async def test_a_group_is_everybody_in_it_once(world: EmbeddedWorld, relay: FakeRelay) -> None:
    admin = world.embedded.admin
    await admin.add_group("inner@example.com", "Inner", ["carla", "gone@example.com", "x@elsewhere.example"])
    await admin.add_group("team@example.com", "Team", ["anna", "inner@example.com", "team@example.com"])
    await world.outbox("ben").submit(outgoing("team@example.com", "anna@example.com"))
    assert [len(await mails(world, name)) for name in ("anna", "ben", "carla")] == [1, 0, 1]
    assert [recipients for _, recipients, _ in relay.sent] == [("x@elsewhere.example",)]


async def test_others_domains_go_to_the_smarthost(world: EmbeddedWorld, relay: FakeRelay) -> None:
    message = outgoing("anna@example.com", "x@elsewhere.example", "y@elsewhere.example")
    await world.outbox("ben").submit(message)
    assert relay.sent == [("ben@example.com", ("x@elsewhere.example", "y@elsewhere.example"), message.mime)]
    assert len(await mails(world, "anna")) == 1


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (outgoing("anna@example.com", "nobody@example.com"), Refusal.UNKNOWN_RECIPIENT),
        (outgoing("anna@example.com", sender="anna@example.com"), Refusal.SENDER),
        (outgoing("anna@example.com", sender=""), Refusal.SENDER),
        (outgoing(), Refusal.NO_RECIPIENT),
        (outgoing("anna@example.com", "x@elsewhere.example", text="x" * (1 << 20)), Refusal.TOO_LARGE),
        (outgoing("empty@example.com"), Refusal.NO_RECIPIENT),
    ],
)
async def test_what_cannot_be_delivered_is_refused_as_a_whole(
    world: EmbeddedWorld, relay: FakeRelay, message: Outgoing, reason: Refusal
) -> None:
    await world.embedded.admin.add_group("empty@example.com")
    with pytest.raises(Undeliverable) as raised:
        await world.outbox("ben").submit(message)
    assert raised.value.reason is reason
    assert await mails(world, "anna") == []
    assert relay.sent == []


async def test_after_a_refusal_the_same_message_may_come_again(world: EmbeddedWorld, relay: FakeRelay) -> None:
    relay.error = Undeliverable(Refusal.UNREACHABLE)
    message = outgoing("anna@example.com", "x@elsewhere.example")
    with pytest.raises(Undeliverable):
        await world.outbox("ben").submit(message)
    assert await mails(world, "anna") == []
    relay.error = None
    await world.outbox("ben").submit(message)
    assert (len(await mails(world, "anna")), len(relay.sent)) == (1, 1)


async def test_without_a_way_out_other_domains_are_refused(embedded: EmbeddedWorld) -> None:
    with pytest.raises(Undeliverable) as raised:
        await embedded.outbox("ben").submit(outgoing("anna@example.com", "x@elsewhere.example"))
    assert raised.value.reason is Refusal.UNKNOWN_RECIPIENT
    assert await mails(embedded, "anna") == []


async def test_a_full_mailbox_refuses_the_message_before_anything_is_sent(
    world: EmbeddedWorld, relay: FakeRelay
) -> None:
    await world.embedded.admin.change_user("anna", quota=100)
    with pytest.raises(Undeliverable) as raised:
        await world.outbox("ben").submit(outgoing("anna@example.com", "carla@example.com", "x@elsewhere.example"))
    assert raised.value.reason is Refusal.REJECTED
    assert await mails(world, "carla") == []
    assert relay.sent == []


async def test_a_submission_whose_holder_died_after_the_smarthost_is_not_sent_twice(
    world: EmbeddedWorld, relay: FakeRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between the smarthost and the mailboxes here: the process is gone, nothing is released."""
    message = outgoing("anna@example.com", "x@elsewhere.example")

    async def crash(*args: object) -> object:
        raise KeyboardInterrupt

    async def nothing(*args: object) -> None:
        return None

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "deliver", crash)
        patched.setattr(submissions.Claims, "_release", nothing)
        submission = world.outbox("ben").submit(message)
        with pytest.raises(KeyboardInterrupt):
            await submission
    assert (len(await mails(world, "anna")), len(relay.sent)) == (0, 1)
    monkeypatch.setattr(submissions, "WAIT_SECONDS", 0.4)
    with pytest.raises(Undeliverable):
        await world.outbox("ben").submit(message)
    stale = update(SubmittedRow).values(at=SubmittedRow.at - int(submissions.STALE_SECONDS * 1000) - 1)
    await world.embedded.groupware.write(lambda tx: tx.connection.execute(stale))
    await world.outbox("ben").submit(message)
    assert (len(await mails(world, "anna")), len(relay.sent)) == (1, 1)


async def test_a_submission_that_was_cancelled_may_come_again_at_once(world: EmbeddedWorld, relay: FakeRelay) -> None:
    relay.delay = 600
    message = outgoing("x@elsewhere.example")
    first = asyncio.create_task(world.outbox("ben").submit(message))
    await asyncio.sleep(0.1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    relay.delay = 0
    await world.outbox("ben").submit(message)
    assert len(relay.sent) == 1


# --- From outside -----------------------------------------------------------------------------------------------------


async def test_each_recipient_has_a_verdict_of_its_own(world: EmbeddedWorld, relay: FakeRelay) -> None:
    await world.embedded.admin.change_user("carla", quota=100)
    await world.embedded.admin.add_group("team@example.com", members=["anna", "guest@elsewhere.example"])
    recipients = ["anna@example.com", "nobody@example.com", "carla@example.com", "x@elsewhere.example"]
    recipients += ["team@example.com"]
    raw = letter(sender="x@elsewhere.example", message_id="in@elsewhere.example")
    verdicts = await world.embedded.office.take("x@elsewhere.example", recipients, raw)
    assert [type(verdict) for verdict in verdicts] == [type(None), Undeliverable, NoSpace, Undeliverable, type(None)]
    assert len(await mails(world, "anna")) == 1
    assert [recipients for _, recipients, _ in relay.sent] == [("guest@elsewhere.example",)]


async def test_a_message_that_comes_again_is_delivered_to_those_who_lack_it(world: EmbeddedWorld) -> None:
    """The mail server repeats what it got no reply for."""
    await world.embedded.admin.change_user("carla", quota=100)
    raw = letter(message_id="in@elsewhere.example")
    recipients = ["anna@example.com", "carla@example.com"]
    await world.embedded.office.take("x@elsewhere.example", recipients, raw)
    await world.embedded.admin.change_user("carla", quota=0)
    again = b"Received: later\r\n" + raw
    assert await world.embedded.office.take("x@elsewhere.example", recipients, again) == [None, None]
    assert [len(await mails(world, name)) for name in ("anna", "carla")] == [1, 1]


async def test_without_a_message_id_the_content_tells(world: EmbeddedWorld) -> None:
    for trace, text in (("1", "one"), ("2", "one"), ("3", "two")):
        raw = f"Received: {trace}\r\n".encode() + letter(text=text)
        assert await world.embedded.office.take("", ["anna@example.com"], raw) == [None]
    assert len(await mails(world, "anna")) == 2


async def test_the_same_message_at_once_is_delivered_once(world: EmbeddedWorld) -> None:
    raw = letter(message_id="in@elsewhere.example")
    await asyncio.gather(*[world.embedded.office.take("", ["anna@example.com"], raw) for _ in range(8)])
    assert len(await mails(world, "anna")) == 1


async def test_who_is_known(world: EmbeddedWorld) -> None:
    await world.embedded.admin.add_group("team@example.com", members=["guest@elsewhere.example"])
    office = world.embedded.office
    for address in ("anna@example.com", "ANNA+x@example.com", "team@example.com"):
        assert await office.knows(address)
    for address in ("nobody@example.com", "x@elsewhere.example", "anna", "", "anna@"):
        assert not await office.knows(address)


# --- Out of office ----------------------------------------------------------------------------------------------------

AWAY = OutOfOffice(state=1, replies={
    Audience.INTERNAL: OofReply(enabled=True, text="back on Monday"),
    Audience.EXTERNAL_KNOWN: OofReply(enabled=True, text="<p>known <b>you</b></p>", html=True),
    Audience.EXTERNAL_UNKNOWN: OofReply(enabled=False, text="unknown"),
})


async def test_an_automatic_reply_once_a_sender_and_day(world: EmbeddedWorld) -> None:
    await world.mailbox("anna").set_out_of_office(AWAY)
    for n in range(3):
        await world.outbox("ben").submit(outgoing("anna@example.com", id=f"m{n}@example.com"))
    [reply] = await mails(world, "ben")
    assert b"Subject: Automatic reply: Hello" in reply.header
    assert b"Auto-Submitted: auto-replied" in reply.header
    assert b"In-Reply-To: <m0@example.com>" in reply.header
    assert reply.sections["1"].strip() == b"back on Monday"
    world.clock.later(days=1)
    await world.outbox("ben").submit(outgoing("anna@example.com", id="next@example.com"))
    assert len(await mails(world, "ben")) == 2


async def test_two_who_are_away_do_not_answer_each_other(world: EmbeddedWorld) -> None:
    for name in ("anna", "ben"):
        await world.mailbox(name).set_out_of_office(AWAY)
    await world.outbox("ben").submit(outgoing("anna@example.com"))
    assert [len(await mails(world, name)) for name in ("anna", "ben")] == [1, 1]


@pytest.mark.parametrize(
    ("sender", "headers"),
    [
        ("", []), ("mailer-daemon@elsewhere.example", []), ("news-request@elsewhere.example", []),
        ("owner-list@elsewhere.example", []), ("no-reply@elsewhere.example", []),
        ("list-bounces+anna=example.com@elsewhere.example", []),
        ("known@elsewhere.example", ["Auto-Submitted: auto-generated"]),
        ("known@elsewhere.example", ["Precedence: bulk"]), ("known@elsewhere.example", ["Precedence: list"]),
        ("known@elsewhere.example", ["List-Id: <x.elsewhere.example>"]),
        ("known@elsewhere.example", ["List-Unsubscribe: <mailto:x@elsewhere.example>"]),
        ("known@elsewhere.example", ["X-Auto-Response-Suppress: DR, OOF"]),
        ("unknown@elsewhere.example", []), ("anna@example.com", []),
    ],
)
async def test_machines_lists_and_those_not_to_be_answered_get_no_reply(
    world: EmbeddedWorld, relay: FakeRelay, sender: str, headers: list[str]
) -> None:
    contacts = await feed_of(world.mailbox("anna"), FolderType.CONTACTS)
    await contacts.create(card("Known", "Known@elsewhere.example"), Chosen(name="k.vcf"))
    await world.mailbox("anna").set_out_of_office(AWAY)
    raw = letter(sender=sender or "x@elsewhere.example", headers=headers, message_id="1@x")
    await world.embedded.office.take(sender, ["anna@example.com"], raw)
    assert len(await mails(world, "anna")) == 1
    assert relay.sent == []


async def test_who_is_known_gets_the_reply_for_those(world: EmbeddedWorld, relay: FakeRelay) -> None:
    contacts = await feed_of(world.mailbox("anna"), FolderType.CONTACTS)
    await contacts.create(card("Known", "Known@elsewhere.example"), Chosen(name="k.vcf"))
    await world.mailbox("anna").set_out_of_office(AWAY)
    raw = letter("Frage\r\nX-Evil: 1", sender="known@elsewhere.example", message_id="1@x")
    await world.embedded.office.take("known@elsewhere.example", ["anna@example.com"], raw)
    [(sender, recipients, reply)] = relay.sent
    assert (sender, recipients) == ("", ("known@elsewhere.example",))
    assert b"<p>known <b>you</b></p>" in reply
    assert b"known you" in reply


async def test_a_stranger_gets_one_reply_a_day_too(world: EmbeddedWorld, relay: FakeRelay) -> None:
    known = OofReply(enabled=True, text="away")
    await world.mailbox("anna").set_out_of_office(OutOfOffice(state=1, replies={Audience.EXTERNAL_UNKNOWN: known}))
    for n, sender in enumerate(("x@elsewhere.example", "X@Elsewhere.example", "y@elsewhere.example")):
        raw = letter(sender=sender, message_id=f"{n}@x")
        await world.embedded.office.take(sender, ["anna@example.com"], raw)
    assert [recipients for _, recipients, _ in relay.sent] == [("x@elsewhere.example",), ("y@elsewhere.example",)]


async def test_a_message_to_a_list_is_not_answered_by_its_members(world: EmbeddedWorld) -> None:
    await world.embedded.admin.add_group("team@example.com", members=["anna", "ben"])
    await world.mailbox("anna").set_out_of_office(AWAY)
    await world.outbox("carla").submit(outgoing("team@example.com", sender="carla@example.com"))
    assert len(await mails(world, "anna")) == 1
    assert await mails(world, "carla") == []


@pytest.mark.parametrize(
    ("state", "start", "end", "answers"),
    [
        (0, -1, 1, False), (1, None, None, True), (1, 5, 9, True), (2, -1, 1, True), (2, 1, 2, False),
        (2, -2, -1, False), (2, None, None, True),
    ],
)
async def test_the_time_range_counts(
    world: EmbeddedWorld, state: int, start: int | None, end: int | None, answers: bool
) -> None:
    def day(n: int | None) -> object:
        return None if n is None else NOW + timedelta(days=n)

    value = OutOfOffice(state=state, start=day(start), end=day(end), replies=AWAY.replies)  # type: ignore[arg-type]
    await world.mailbox("anna").set_out_of_office(value)
    await world.outbox("ben").submit(outgoing("anna@example.com"))
    assert bool(await mails(world, "ben")) is answers


# --- Meetings ---------------------------------------------------------------------------------------------------------

START = NOW + timedelta(days=1)
BEN_ASKS = ("ORGANIZER:mailto:ben@example.com", "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@example.com")


async def send_invitation(world: EmbeddedWorld, method: str, ics: bytes, id: str, sender: str = "ben") -> None:
    to = "anna" if sender != "anna" else "ben"
    raw = invitation(ics, method, sender=f"{sender}@example.com", to=f"{to}@example.com", message_id=id)
    message = Outgoing(
        sender=f"{sender}@example.com", recipients=(f"{to}@example.com",), mime=raw, message_id=f"<{id}>"
    )
    await world.outbox(sender).submit(message)


async def test_an_invitation_stands_in_the_calendar_tentatively(world: EmbeddedWorld) -> None:
    await send_invitation(world, "REQUEST", event("u1", START, 1, *BEN_ASKS, method="REQUEST"), "i1@x")
    [stored] = await events(world, "anna")
    assert b"X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE" in stored
    assert b"METHOD" not in stored
    assert b"PARTSTAT=NEEDS-ACTION" in stored
    assert len(await mails(world, "anna")) == 1
    await send_invitation(world, "REQUEST", event("u1", START, 1, *BEN_ASKS, method="REQUEST"), "i2@x")
    assert len(await events(world, "anna")) == 1


async def test_an_invitation_whose_delivery_was_cut_off_is_entered_when_it_comes_again(world: EmbeddedWorld) -> None:
    """And only then: one that was entered, and removed by the user, stays away."""
    raw = invitation(
        event("u1", START, 1, *BEN_ASKS, method="REQUEST"), "REQUEST", sender="ben@example.com", to="anna@example.com",
        message_id="i1@x",
    )
    office = world.embedded.office
    enter = office.follow[0]

    async def dies(arrived: Arrived) -> None:
        raise asyncio.CancelledError  # as nothing that follows survives the process

    office.follow[0] = dies
    with pytest.raises(asyncio.CancelledError):
        await office.take("ben@example.com", ["anna@example.com"], raw)
    assert (len(await mails(world, "anna")), await events(world, "anna")) == (1, [])
    office.follow[0] = enter
    for _ in range(2):
        assert await office.take("ben@example.com", ["anna@example.com"], raw) == [None]
        assert (len(await mails(world, "anna")), len(await events(world, "anna"))) == (1, 1)
    feed = await feed_of(world.mailbox("anna"), FolderType.CALENDAR)
    (id,) = (await feed.delta(None, Horizon())).touched
    await feed.delete(id)
    assert await office.take("ben@example.com", ["anna@example.com"], raw) == [None]
    assert (len(await mails(world, "anna")), await events(world, "anna")) == (1, [])


async def test_an_update_counts_from_the_organizer_alone(world: EmbeddedWorld) -> None:
    await send_invitation(world, "REQUEST", event("u1", START, 1, *BEN_ASKS, method="REQUEST"), "i1@x")
    moved = event("u1", START + timedelta(hours=3), 1, "SEQUENCE:1", *BEN_ASKS, method="REQUEST", summary="moved")
    await send_invitation(world, "REQUEST", moved, "i2@x", sender="carla")
    [stored] = await events(world, "anna")
    assert b"SUMMARY:Meeting" in stored
    await send_invitation(world, "REQUEST", moved, "i3@x")
    [stored] = await events(world, "anna")
    assert b"SUMMARY:moved" in stored


async def test_a_cancellation_counts_from_the_organizer_alone(world: EmbeddedWorld) -> None:
    await send_invitation(world, "REQUEST", event("u1", START, 1, *BEN_ASKS, method="REQUEST"), "i1@x")
    cancelled = event("u1", START, 1, "SEQUENCE:1", "STATUS:CANCELLED", *BEN_ASKS, method="CANCEL")
    await send_invitation(world, "CANCEL", cancelled, "i2@x", sender="carla")
    assert b"STATUS:CANCELLED" not in (await events(world, "anna"))[0]
    await send_invitation(world, "CANCEL", cancelled, "i3@x")
    assert b"STATUS:CANCELLED" in (await events(world, "anna"))[0]


async def test_a_reply_updates_the_organizers_copy(world: EmbeddedWorld) -> None:
    feed = await feed_of(world.mailbox("ben"), FolderType.CALENDAR)
    await feed.create(event("u1", START, 1, *BEN_ASKS), Chosen(name="u1.ics"))

    def reply(partstat: str) -> bytes:
        attendee = f"ATTENDEE;PARTSTAT={partstat}:mailto:anna@example.com"
        return event("u1", START, 1, "ORGANIZER:mailto:ben@example.com", attendee, method="REPLY")

    await world.embedded.office.take("carla@example.com", ["ben@example.com"], invitation(
        reply("DECLINED"), "REPLY", sender="carla@example.com", to="ben@example.com", message_id="forged@x"
    ))
    assert b"PARTSTAT=NEEDS-ACTION" in (await events(world, "ben"))[0]
    await send_invitation(world, "REPLY", reply("ACCEPTED"), "r1@x", sender="anna")
    [stored] = await events(world, "ben")
    [line] = parse(stored).components("VEVENT")[0].find("ATTENDEE")
    assert (participants.address_of(line), line.param("PARTSTAT")) == ("anna@example.com", "ACCEPTED")


async def partstats(world: EmbeddedWorld, name: str) -> dict[str, str | None]:
    [stored] = await events(world, name)
    lines = parse(stored).components("VEVENT")[0].find("ATTENDEE")
    return {participants.address_of(line): line.param("PARTSTAT") for line in lines}


TWO_ASKED = (*BEN_ASKS, "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:carla@example.com")


async def bens_meeting(world: EmbeddedWorld) -> None:
    feed = await feed_of(world.mailbox("ben"), FolderType.CALENDAR)
    await feed.create(event("u1", START, 1, *TWO_ASKED), Chosen(name="u1.ics"))


async def test_nobody_answers_for_others(world: EmbeddedWorld) -> None:
    await bens_meeting(world)
    both = event(
        "u1", START, 1, "ORGANIZER:mailto:ben@example.com", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@example.com",
        "ATTENDEE;PARTSTAT=DECLINED:mailto:carla@example.com", method="REPLY",
    )
    await send_invitation(world, "REPLY", both, "r1@x", sender="anna")
    assert await partstats(world, "ben") == {"anna@example.com": "ACCEPTED", "carla@example.com": "NEEDS-ACTION"}


@pytest.mark.parametrize(("sender", "counts"), [("anna", True), ("carla", False)])
async def test_a_proposal_counts_from_who_makes_it(world: EmbeddedWorld, sender: str, counts: bool) -> None:
    await bens_meeting(world)
    attendee = "ATTENDEE;PARTSTAT=TENTATIVE:mailto:anna@example.com"
    counter = event(
        "u1", START + timedelta(hours=2), 1, "ORGANIZER:mailto:ben@example.com", attendee, method="COUNTER"
    )
    raw = invitation(counter, "COUNTER", sender=f"{sender}@example.com", to="ben@example.com", message_id="c@x")
    await world.embedded.office.take(f"{sender}@example.com", ["ben@example.com"], raw)
    [stored] = await events(world, "ben")
    assert (b"X-EAS-PROPOSEDSTART" in stored.replace(b"\r\n ", b"")) is counts
    assert (await partstats(world, "ben"))["anna@example.com"] == ("TENTATIVE" if counts else "NEEDS-ACTION")


@pytest.mark.parametrize(("sender", "counts"), [("anna@example.com", True), ("eve@elsewhere.example", False)])
async def test_an_invitee_brings_others_and_a_stranger_does_not(
    world: EmbeddedWorld, sender: str, counts: bool
) -> None:
    await bens_meeting(world)
    told = event(
        "u1", START, 1, "ORGANIZER:mailto:ben@example.com", "ATTENDEE:mailto:dora@example.com", method="X-FORWARD"
    )
    raw = invitation(told, "X-FORWARD", sender=sender, to="ben@example.com", message_id="f@x")
    await world.embedded.office.take(sender, ["ben@example.com"], raw)
    assert ("dora@example.com" in await partstats(world, "ben")) is counts


async def test_a_meeting_is_not_taken_over_by_a_message_about_it(world: EmbeddedWorld) -> None:
    """Anna organizes; Ben sends her what pretends that he does."""
    feed = await feed_of(world.mailbox("anna"), FolderType.CALENDAR)
    hers = event("u1", START, 1, "ORGANIZER:mailto:anna@example.com", "ATTENDEE:mailto:ben@example.com")
    await feed.create(hers, Chosen(name="u1.ics"))
    for method in ("REQUEST", "CANCEL"):
        taken = event("u1", START + timedelta(hours=5), 1, "SEQUENCE:9", *BEN_ASKS, method=method)
        await send_invitation(world, method, taken, f"{method}@x")
    assert await events(world, "anna") == [hers]


@pytest.mark.parametrize(("sequence", "there"), [(0, False), (2, True)])
async def test_a_cancellation_may_overtake_its_invitation(world: EmbeddedWorld, sequence: int, there: bool) -> None:
    """A later invitation counts again. RFC 5546 2.1.5"""
    cancelled = event("u1", START, 1, "SEQUENCE:1", "STATUS:CANCELLED", *BEN_ASKS, method="CANCEL")
    await send_invitation(world, "CANCEL", cancelled, "i1@x")
    assert await events(world, "anna") == []
    asked = event("u1", START, 1, f"SEQUENCE:{sequence}", *BEN_ASKS, method="REQUEST")
    await send_invitation(world, "REQUEST", asked, "i2@x")
    assert bool(await events(world, "anna")) is there


async def test_a_cancellation_by_a_stranger_overtakes_nothing(world: EmbeddedWorld) -> None:
    cancelled = event("u1", START, 1, "SEQUENCE:1", "STATUS:CANCELLED", *BEN_ASKS, method="CANCEL")
    await send_invitation(world, "CANCEL", cancelled, "i1@x", sender="carla")
    await send_invitation(world, "REQUEST", event("u1", START, 1, *BEN_ASKS, method="REQUEST"), "i2@x")
    assert len(await events(world, "anna")) == 1


@pytest.mark.parametrize(
    "ics", [b"", b"nonsense", b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n", b"\xff\xfe\x00"]
)
async def test_an_unreadable_invitation_is_delivered_all_the_same(world: EmbeddedWorld, ics: bytes) -> None:
    await send_invitation(world, "REQUEST", ics, "i1@x")
    assert len(await mails(world, "anna")) == 1
    assert await events(world, "anna") == []

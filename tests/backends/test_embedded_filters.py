"""Mail filters of the embedded groupware, carried out at delivery: the same as on a Sieve server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from filter_samples import CASES, letter, when
from sqlalchemy import update
from worlds import EmbeddedWorld, folder_of

from eas.backends.embedded import Limits
from eas.backends.embedded.tables import FilterRow
from eas.engine.errors import BackendError, NotAllowed, Refusal, Unavailable, Undeliverable
from eas.engine.model import Audience, Folder, FolderType, OofReply, OutOfOffice
from eas.engine.ports import Chosen, Horizon
from eas.items.body import Wanted
from eas.items.mail_filters import Action, Condition, Do, Field, Filter, Match
from eas.items.native import Mail


@dataclass
class Relay:
    sent: list[tuple[str, tuple[str, ...], bytes]] = field(default_factory=list)
    error: Exception | None = None

    async def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((sender, tuple(recipients), mime))


@pytest.fixture
def relay() -> Relay:
    return Relay()


@pytest.fixture
async def world(database_template: Path, tmp_path: Path, relay: Relay) -> AsyncIterator[EmbeddedWorld]:
    made = await EmbeddedWorld.make(database_template, tmp_path, relay, Limits(message=1 << 20))
    yield made
    await made.close()


async def made_folder(world: EmbeddedWorld, name: str, who: str = "anna", parent: str = "0") -> Folder:
    return await world.mailbox(who).create_folder(parent, name, FolderType.USER_MAIL, Chosen(name=name))


async def put(world: EmbeddedWorld, *filters: Filter, who: str = "anna", **names: str) -> None:
    """`names` stand for the folders in the filters."""
    filters_of = await world.mailbox(who).filters()
    await filters_of.write([
        replace(one, actions=tuple(replace(a, value=names.get(a.value, a.value)) for a in one.actions))
        for one in filters
    ])


async def take(world: EmbeddedWorld, raw: bytes, *to: str, sender: str = "ben@elsewhere.example") -> list[object]:
    found: list[BackendError | None] = await world.embedded.office.take(sender, to or ["anna@example.com"], raw)
    return list(found)


async def where(world: EmbeddedWorld, who: str = "anna") -> dict[str, list[Mail]]:
    """The messages of each folder that has some."""
    mailbox, found = world.mailbox(who), dict[str, list[Mail]]()
    for folder in await mailbox.folders():
        if folder.item_class == "Email":
            feed = mailbox.feed(folder)
            ids = sorted((await feed.delta(None, Horizon())).touched)
            mails = [item async for item in feed.fetch(ids, Wanted(whole=True)) if isinstance(item, Mail)]
            if mails:
                found[folder.name] = mails
    return found


MOVE = Filter(name="m", actions=(Action(do=Do.MOVE, value="Work"),))
FORWARD = Filter(name="w", actions=(Action(do=Do.FORWARD, value="x@elsewhere.example"),))
DROP = Filter(name="d", actions=(Action(do=Do.DELETE),))


@pytest.mark.parametrize(("one", "raw", "goes"), CASES)
async def test_where_a_message_goes(world: EmbeddedWorld, one: Filter, raw: bytes, goes: str) -> None:
    work = await made_folder(world, "Work")
    await put(world, one, Work=work.id)
    assert await take(world, raw) == [None]
    assert list(await where(world)) == ["Inbox" if goes == "INBOX" else goes]


async def test_what_is_set_is_read(world: EmbeddedWorld) -> None:
    work = await made_folder(world, "Work")
    inner = await made_folder(world, "Bills", parent=work.id)
    await put(world, MOVE, Work=inner.id)
    state = await (await world.mailbox("anna").filters()).read()
    assert [action.value for one in state.filters for action in one.actions] == [inner.id]
    assert state.targets[inner.id] == "Work / Bills"
    assert "Inbox" in state.targets.values()
    assert "Calendar" not in state.targets.values()
    assert set(state.fields) == set(Field)
    with pytest.raises(NotAllowed):
        await put(world, replace(MOVE, name=""))
    await put(world)
    assert (await (await world.mailbox("anna").filters()).read()).filters == ()


async def test_a_folder_that_was_renamed_is_still_meant(world: EmbeddedWorld) -> None:
    work = await made_folder(world, "Work")
    await put(world, MOVE, Work=work.id)
    await world.mailbox("anna").update_folder(work.id, "0", "Office")
    await take(world, letter())
    assert list(await where(world)) == ["Office"]


async def test_without_its_folder_a_message_comes_to_the_inbox(world: EmbeddedWorld) -> None:
    work = await made_folder(world, "Work")
    await put(world, MOVE, Work=work.id)
    await world.mailbox("anna").delete_folder(work.id)
    await take(world, letter())
    assert list(await where(world)) == ["Inbox"]


@pytest.mark.parametrize("target", ["999999", "x", "calendar", "bens"])
async def test_folders_that_are_not_for_it(world: EmbeddedWorld, target: str) -> None:
    """Also somebody else's, whatever id a row names."""
    calendar = await folder_of(world.mailbox("anna"), FolderType.CALENDAR)
    bens = await folder_of(world.mailbox("ben"), FolderType.INBOX)
    await put(world, MOVE, Work={"calendar": calendar.id, "bens": bens.id}.get(target, target))
    await take(world, letter())
    assert list(await where(world)) == ["Inbox"]
    assert await where(world, "ben") == {}


async def test_filters_that_cannot_be_read_keep_nothing_back(world: EmbeddedWorld) -> None:
    await put(world, DROP)
    statement = update(FilterRow).values(value='{"v":2}')
    await world.embedded.groupware.write(lambda tx: tx.connection.execute(statement))
    await take(world, letter())
    assert list(await where(world)) == ["Inbox"]


async def test_marks_copies_and_the_inbox(world: EmbeddedWorld) -> None:
    work, other = await made_folder(world, "Work"), await made_folder(world, "Other")
    await put(
        world,
        Filter(name="1", actions=(Action(do=Do.READ), Action(do=Do.COPY, value="Work"))),
        Filter(name="2", actions=(Action(do=Do.FLAG), Action(do=Do.COPY, value="Other"))),
        Work=work.id, Other=other.id,
    )
    await take(world, letter())
    found = {name: mails[0].flags for name, mails in (await where(world)).items()}
    assert {name: flags.read for name, flags in found.items()} == {"Inbox": True, "Work": True, "Other": True}
    assert {name for name, flags in found.items() if flags.follow_up is not None} == {"Inbox", "Other"}


async def test_once_each_however_often_it_comes(world: EmbeddedWorld, relay: Relay) -> None:
    work = await made_folder(world, "Work")
    await put(world, FORWARD, Filter(name="c", actions=(Action(do=Do.COPY, value="Work"),)), Work=work.id)
    raw = letter(Message_ID="<one@x>")
    answers = await asyncio.gather(*[take(world, raw) for _ in range(4)])
    assert [None] in answers
    assert all(one is None or isinstance(one, Unavailable) for (one,) in answers)
    world.clock.later(minutes=5)
    assert await take(world, raw) == [None]
    assert {name: len(mails) for name, mails in (await where(world)).items()} == {"Inbox": 1, "Work": 1}
    assert len(relay.sent) == 1


async def test_what_is_dropped_stays_so(world: EmbeddedWorld) -> None:
    await put(world, DROP)
    raw = letter(Message_ID="<one@x>")
    assert await take(world, raw) == [None]
    await put(world)
    await take(world, raw)
    assert await where(world) == {}


async def test_nobody_is_told_of_what_is_dropped(world: EmbeddedWorld, relay: Relay) -> None:
    on = OutOfOffice(state=1, replies=dict.fromkeys(Audience, OofReply(enabled=True, text="away")))
    await world.mailbox("anna").set_out_of_office(on)
    await put(world, DROP)
    await take(world, letter())
    assert relay.sent == []


async def test_forwarded_as_it_is_and_kept(world: EmbeddedWorld, relay: Relay) -> None:
    await put(world, FORWARD)
    await take(world, letter())
    [(sender, recipients, octets)] = relay.sent
    assert (sender, recipients) == ("anna@example.com", ("x@elsewhere.example",))
    assert octets == letter()
    assert list(await where(world)) == ["Inbox"]


async def test_forwarded_and_deleted(world: EmbeddedWorld, relay: Relay) -> None:
    await put(world, FORWARD, DROP)
    await take(world, letter())
    assert len(relay.sent) == 1
    assert await where(world) == {}


async def test_what_nobody_has_sent_is_not_forwarded(world: EmbeddedWorld, relay: Relay) -> None:
    """Else a forward that cannot be delivered would come back and be forwarded, for ever."""
    await put(world, FORWARD)
    await take(world, letter("Undelivered"), sender="")
    assert relay.sent == []
    assert list(await where(world)) == ["Inbox"]


async def test_to_somebody_here_whose_filters_count(world: EmbeddedWorld) -> None:
    work = await made_folder(world, "Work", "ben")
    await put(world, Filter(name="f", actions=(Action(do=Do.FORWARD, value="ben@example.com"),)))
    await put(world, MOVE, who="ben", Work=work.id)
    await take(world, letter())
    assert list(await where(world)) == ["Inbox"]
    assert list(await where(world, "ben")) == ["Work"]


async def test_round_in_a_circle(world: EmbeddedWorld) -> None:
    await put(world, Filter(name="f", actions=(Action(do=Do.FORWARD, value="ben@example.com"),)))
    await put(world, Filter(name="f", actions=(Action(do=Do.FORWARD, value="carla@example.com"),)), who="ben")
    await put(world, Filter(name="f", actions=(Action(do=Do.FORWARD, value="anna@example.com"),)), who="carla")
    await take(world, letter())
    for who in ("anna", "ben", "carla"):
        assert [len(mails) for mails in (await where(world, who)).values()] == [1]


async def test_a_way_out_that_is_away_for_a_while(world: EmbeddedWorld, relay: Relay) -> None:
    """Whoever brings the message is asked to come again; it is there once, and forwarded once."""
    await put(world, FORWARD)
    raw = letter(Message_ID="<one@x>")
    relay.error = Undeliverable(Refusal.UNREACHABLE, "away")
    [problem] = await take(world, raw)
    assert isinstance(problem, Unavailable)
    relay.error = None
    assert isinstance((await take(world, raw))[0], Unavailable)  # somebody may be at it
    world.clock.later(minutes=5)
    assert await take(world, raw) == [None]
    assert await take(world, raw) == [None]
    assert len(relay.sent) == 1
    assert [len(mails) for mails in (await where(world)).values()] == [1]


async def test_an_address_that_does_not_take_it(world: EmbeddedWorld, relay: Relay) -> None:
    await put(world, FORWARD)
    relay.error = Undeliverable(Refusal.UNKNOWN_RECIPIENT, "nobody")
    assert await take(world, letter()) == [None]
    assert list(await where(world)) == ["Inbox"]


async def test_a_full_mailbox_takes_none_or_at_least_one(world: EmbeddedWorld) -> None:
    work = await made_folder(world, "Work")
    await put(world, Filter(name="c", actions=(Action(do=Do.COPY, value="Work"),)), Work=work.id)
    raw = letter(text="x" * 3000)
    await world.embedded.admin.change_user("anna", quota=int(len(raw) * 1.5))
    assert await take(world, raw) == [None]
    assert sum(len(mails) for mails in (await where(world)).values()) == 1
    [problem] = await take(world, letter(text="y" * 3000))
    assert isinstance(problem, BackendError)
    assert sum(len(mails) for mails in (await where(world)).values()) == 1


async def test_many_at_once_to_crossing_folders(world: EmbeddedWorld) -> None:
    """Nobody waits for somebody who waits."""
    folders = [await made_folder(world, name) for name in ("A", "B", "C")]
    await put(world, *[
        Filter(
            name=str(n), actions=(Action(do=Do.COPY, value=folder.id),),
            conditions=(Condition(field=Field.SUBJECT, match=Match.CONTAINS, value=str(n)),),
        ) for n, folder in enumerate(folders)
    ])
    await asyncio.gather(*[
        take(world, letter(subject, Message_ID=f"<{subject}@x>"), "anna@example.com", "ben@example.com")
        for subject in ("0 1 2", "2 1", "1 0", "2", "0 2")
    ])
    counts = {name: len(mails) for name, mails in (await where(world)).items()}
    assert counts == {"Inbox": 5, "A": 3, "B": 3, "C": 4}


async def test_one_users_filters_are_not_anothers(world: EmbeddedWorld) -> None:
    await put(world, DROP)
    await take(world, letter(), "anna@example.com", "ben@example.com")
    assert await where(world) == {}
    assert list(await where(world, "ben")) == ["Inbox"]


async def test_mail_from_users_here_is_filtered(world: EmbeddedWorld) -> None:
    from eas.items.compose import Outgoing

    work = await made_folder(world, "Work")
    await put(world, when(Field.FROM, "is", "ben@example.com"), Work=work.id)
    raw = letter(sender="ben@example.com", Message_ID="<m@x>")
    await world.outbox("ben").submit(
        Outgoing(sender="ben@example.com", recipients=("anna@example.com",), mime=raw, message_id="<m@x>")
    )
    assert list(await where(world)) == ["Work"]

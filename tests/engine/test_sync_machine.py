"""Devices and a groupware over a line that loses, delays, repeats and reorders, with a process that dies at any step.

The real engine, the real store and the real groupware. Whatever has happened, in the end a device that may ask in peace
sees what the groupware holds, each item once; and no id comes to it twice as an Add, except after key 0.

A fixed sample in the usual run; EAS_FUZZ_EXAMPLES multiplies it. docs/design.md "State of a collection", "Effects".
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from line_kit import Crash, World, run
from phone_model import Phone, value_of

from eas.engine import choose, collection, known
from eas.engine.collection import CollectionAnswer, CollectionRequest, estimate, has_news, open_folders, synchronise
from eas.engine.errors import NotPrimed, StaleKey
from eas.engine.keys import Held
from eas.engine.model import Folder, FolderType
from eas.engine.options import CollectionOptions
from eas.engine.ports import Chosen, Horizon
from eas.engine.render import render_item
from eas.items.body import Wanted
from eas.items.native import FollowUp, MailFlags

#: Takes more than a few seconds.
pytestmark = pytest.mark.long

TIMES = int(os.environ.get("EAS_FUZZ_EXAMPLES", "1"))

#: Looks at ports that one request has at most, here: where it may die or be overtaken.
STEPS = st.integers(1, 40)
PICK = st.integers(0, 1000)
#: Whether a Change may leave something out, and whether the device wins.
MANNERS = ((True, True), (False, False), (True, True), (True, False), (False, True))


class SyncMachine(RuleBasedStateMachine):
    """What both classes have in common. `line` are copies of requests that may still arrive."""

    item_class = ""
    folder_type = FolderType.INBOX

    def __init__(self) -> None:
        super().__init__()
        self.small = ExitStack()
        for module, name in ((known, "FOLD_OVER"), (choose, "LOOK_AT"), (collection, "COUNT_AT")):
            # What is done for large folders is done for small ones here.
            self.small.enter_context(patch.object(module, name, 2))
        self.world = World()
        self.phones: list[Phone] = []
        self.line: list[tuple[Phone, CollectionRequest]] = []
        self.numbers = 0
        self.deleted: set[str] = set()
        self.added: set[str] = set()
        self.trace: list[str] = []

    @initialize(
        manner=st.sampled_from(MANNERS), renames=st.booleans(), window=st.sampled_from((2, 100, 1, 3)),
        filter_type=st.sampled_from((0, 0, 2)), items=st.integers(0, 6), two=st.sampled_from((False, False, True)),
    )
    def begin(
        self, manner: tuple[bool, bool], renames: bool, window: int, filter_type: int, items: int, two: bool
    ) -> None:
        partial, client_wins = manner
        self.two, self.began_anew = two, False
        collection = self.world.folder(self.folder_type)
        self.folder: Folder = run(self.world.mailbox.folder(collection))  # type: ignore[assignment]
        self.feed = self.world.mailbox.feed(self.folder)
        for label in "AB":
            self.phones.append(Phone(
                collection=collection, item_class=self.item_class, label=label, partial=partial, renames=renames,
                window=window, options=CollectionOptions(filter_type=filter_type, client_wins=client_wins),
                trace=self.trace,
            ))
        for _ in range(items):
            self.arrive()

    def teardown(self) -> None:
        if self.phones:
            try:
                self.world.fate.disarm()
                # What the second program brings is news to the first; the keys of one end with those of the other.
                phones = self.phones if self.two else self.phones[:1]
                for phone in phones:
                    self.settle(phone)
                for phone in phones:
                    self.settle(phone)
                    self.compare(phone)
            except BaseException:
                note("\n".join(self.trace))
                raise
        self.world.close()
        self.small.close()

    # -- devices

    def phone(self, pick: int) -> Phone:
        """Mostly the first; the second program, if there is one, comes in now and then."""
        return self.phones[1 if self.two and pick % 5 == 4 else 0]

    @rule(pick=PICK, get_changes=st.sampled_from((True, True, True, False)))
    def ask(self, pick: int, get_changes: bool) -> None:
        """A request, or another copy of it, goes on the line."""
        phone = self.phone(pick)
        self.line.append((phone, phone.ask(get_changes=get_changes)))

    @rule(pick=PICK)
    def ask_and_get(self, pick: int) -> None:
        """The usual case: so that runs get somewhere."""
        phone = self.phone(pick)
        self.serve(phone, phone.ask(), lost=False)

    @precondition(lambda self: self.line)
    @rule(pick=PICK, lost=st.booleans(), stays=st.booleans())
    def arrives(self, pick: int, lost: bool, stays: bool) -> None:
        """Any request of the line arrives, in whatever order; a copy of it may come later once more."""
        phone, request = self.take(pick, stays)
        self.serve(phone, request, lost=lost)

    @precondition(lambda self: self.line)
    @rule(pick=PICK, at=STEPS)
    def dies(self, pick: int, at: int) -> None:
        """The process dies at the n-th step of a request; the request stays on the line."""
        phone, request = self.take(pick, True)

        def die() -> None:
            raise Crash

        self.world.fate.arm(at, die)
        try:
            self.trace.append(f"dies at {at}")
            self.serve(phone, request, lost=True)
        except Crash:
            self.trace.append("died")
        finally:
            self.world.fate.disarm()

    @precondition(lambda self: self.line)
    @rule(pick=PICK, other=PICK, at=STEPS, lost=st.booleans(), other_lost=st.booleans())
    def is_overtaken(self, pick: int, other: int, at: int, lost: bool, other_lost: bool) -> None:
        """In the middle of a request another one is answered whole."""
        phone, request = self.take(pick, True)
        second, second_request = self.take(other, False)
        self.world.fate.arm(at, lambda: self.serve(second, second_request, lost=other_lost))
        self.serve(phone, request, lost=lost)
        self.world.fate.disarm()

    @rule(pick=PICK, what=PICK, at=st.integers(2, 12))
    def two_copies_arrive_at_once(self, pick: int, what: int, at: int) -> None:
        """The answer to the one that is quicker gets through."""
        phone = self.phone(pick)
        self.somebody_else_writes(what)
        request = phone.ask()
        self.world.fate.arm(at, lambda: self.serve(phone, request, lost=False))
        self.serve(phone, request, lost=True)
        self.world.fate.disarm()
        self.ask_and_get(pick)

    @precondition(lambda self: self.line)
    @rule(pick=PICK, at=STEPS, lost=st.booleans(), what=PICK)
    def somebody_else_writes_meanwhile(self, pick: int, at: int, lost: bool, what: int) -> None:
        phone, request = self.take(pick, False)
        self.world.fate.arm(at, lambda: self.somebody_else_writes(what))
        self.serve(phone, request, lost=lost)
        self.world.fate.disarm()

    @rule(pick=PICK)
    def gives_up(self, pick: int) -> None:
        """The next request will be another one, with the same key."""
        self.phone(pick).waiting = None

    @rule(pick=PICK, what=PICK)
    def a_late_copy_comes_after_the_answer_to_another_request(self, pick: int, what: int) -> None:
        """Given up, asked otherwise, answered; then the first one arrives: the device's key must not end by that."""
        phone = self.phone(pick)
        self.ask_and_get(pick)
        self.changes_something(pick, what)
        late = phone.ask()
        phone.waiting = None
        self.changes_something(pick, what + 1)
        self.ask_and_get(pick)
        self.serve(phone, late, lost=True)
        self.ask_and_get(pick)

    @rule(pick=PICK, what=PICK)
    def no_room_in_the_answer(self, pick: int, what: int) -> None:
        """The window of the whole request was full before this folder had its turn."""
        phone = self.phone(pick)
        self.ask_and_get(pick)
        self.somebody_else_writes(what)
        phone.waiting = None
        self.serve(phone, phone.ask(window=0), lost=False)
        self.check(phone)

    @rule(pick=PICK, what=PICK)
    def both_change_the_same(self, pick: int, what: int) -> None:
        """In different places of it; neither knows of the other."""
        phone = self.phone(pick)
        self.ask_and_get(pick)
        if ids := sorted(phone.view().keys() & set(self.ids())):
            id = ids[what % len(ids)]
            self.somebody_else_changes(id, what)
            phone.waiting = None
            self.phone_changes(phone, id, what + 1)
            self.ask_and_get(pick)
            self.check(phone)

    @rule(pick=PICK, what=PICK)
    def changed_before_a_repeat_and_back_after_it(self, pick: int, what: int) -> None:
        phone = self.phone(pick)
        self.ask_and_get(pick)
        if ids := [id for id in self.ids() if id in phone.view() or id not in phone.held]:
            id = ids[what % len(ids)]
            self.somebody_else_changes(id, what)
            self.serve(phone, phone.ask(), lost=True)
            undo = self.somebody_else_changes(id, what + 1)
            self.serve(phone, phone.ask(), lost=False)
            undo()
            self.check(phone)

    @rule(pick=PICK)
    def begins_anew(self, pick: int) -> None:
        self.began_anew = True
        self.phone(pick).begin_anew()

    @rule(pick=PICK)
    def pings(self, pick: int) -> None:
        """Looking for news changes nothing for anybody."""
        run(self.looked())
        phone = self.phone(pick)
        if phone.key != "0":
            with suppress(StaleKey, NotPrimed):
                run(estimate(self.world.session, self.folder.id, phone.key, None))

    @rule(pick=PICK, which=PICK)
    def changes_something(self, pick: int, which: int) -> None:
        phone = self.phone(pick)
        if ids := sorted(phone.view()):
            self.phone_changes(phone, ids[which % len(ids)], which)

    @rule(pick=PICK, which=PICK)
    def deletes_something(self, pick: int, which: int) -> None:
        phone = self.phone(pick)
        if ids := sorted(phone.view()):
            id = ids[which % len(ids)]
            self.deleted.add(phone.view()[id].get("name", ""))
            phone.delete(id)

    # -- the groupware and the time

    @rule(what=PICK)
    def writes(self, what: int) -> None:
        self.somebody_else_writes(what)

    @rule()
    def forgets_tombstones(self) -> None:
        self.world.forget_tombstones()

    @rule(hours=st.sampled_from((1, 24, 72)))
    def time_goes_on(self, hours: int) -> None:
        self.world.clock.go_on(timedelta(hours=hours))

    @rule()
    def the_store_is_tidied(self) -> None:
        run(self.world.store.tidy())

    # -- how it is done

    def take(self, pick: int, stays: bool) -> tuple[Phone, CollectionRequest]:
        at = pick % len(self.line)
        return self.line[at] if stays or len(self.line) == 1 else self.line.pop(at)

    def serve(self, phone: Phone, request: CollectionRequest, *, lost: bool) -> None:
        answer = self.answered(phone, request)
        self.trace.append(
            f"{phone.label} {request.key} {[f'{c.verb} {c.named}' for c in request.commands]} {request.get_changes=}"
            f" -> {answer and answer.key} {answer and [f'{s.verb} {s.id}' for s in answer.said]}"
            f" {'lost' if lost else ''}{'' if request is phone.waiting else ' late'}"
        )
        if request is not phone.waiting or lost:
            return
        if answer is None:
            assert self.two or self.began_anew, "a device alone was refused its key"
            phone.begin_anew()
        else:
            phone.receive(request, answer)

    def answered(self, phone: Phone, request: CollectionRequest) -> CollectionAnswer | None:
        """None where the key is refused."""
        try:
            return run(self.synchronised(request))
        except (StaleKey, NotPrimed):
            return None

    async def synchronised(self, request: CollectionRequest) -> CollectionAnswer:
        """As the command does it."""
        if request.commands:
            return await synchronise(self.world.session, request)
        folder, held = await self.together(request.collection_id)
        return await synchronise(self.world.session, request, folder=folder, held=held)

    async def together(self, collection_id: str) -> tuple[Folder | None, Held | None]:
        session, ids = self.world.session, [collection_id]
        held = await session.store.load_several(session.user.id, session.device.id, ids)
        return (await open_folders(session, ids)).get(ids[0]), held.get(ids[0])

    async def looked(self) -> bool:
        """As a wait does it."""
        return await has_news(self.world.session, self.folder.id, *await self.together(self.folder.id))

    def settle(self, phone: Phone) -> None:
        """In peace, with a device that goes on until it hears of nothing more."""
        self.trace.append(f"--- {phone.label} in peace")
        for _ in range(200):
            request = phone.ask()
            answer = self.answered(phone, request)
            self.serve(phone, request, lost=False)
            asked = request.key != "0" and request.get_changes
            if asked and answer is not None and not (answer.news or answer.more or phone.mine):
                break
        else:
            raise AssertionError("it never comes to rest")
        assert not run(self.looked()), "a Ping would say that there is news"
        assert run(estimate(self.world.session, self.folder.id, phone.key, None)) == 0

    def check(self, phone: Phone) -> None:
        """In the middle of it all: what comes later might hide what went wrong here."""
        if not self.two:
            self.settle(phone)
            self.compare(phone)

    def compare(self, phone: Phone) -> None:
        there = self.there(phone)
        assert phone.view() == there
        names = [value["name"] for value in there.values()]
        for name in self.added - self.deleted if phone.options.filter_type == 0 else ():
            assert names.count(name) == 1, f"{name} is there {names.count(name)} times"
        assert len(names) == len(set(names))

    def there(self, phone: Phone) -> dict[int, dict[str, str]]:
        """What the groupware holds within the filter, as a device of this class would see it."""
        edge = phone.options.edge(self.item_class, self.world.clock.now())

        async def look() -> dict[int, dict[str, str]]:
            delta = await self.feed.delta(None, Horizon(edge=edge))
            return {
                item.id: value_of(
                    self.item_class, render_item(self.world.session, self.folder, item, Wanted()).content
                )
                async for item in self.feed.fetch(sorted(delta.touched), Wanted())
            }

        return run(look())

    def name(self, kind: str) -> str:
        self.numbers += 1
        return f"{kind}{self.numbers}"

    def ids(self) -> list[int]:
        async def listed() -> list[int]:
            return sorted((await self.feed.delta(None, Horizon())).touched)

        return run(listed())

    def arrive(self) -> None:
        raise NotImplementedError

    def phone_changes(self, phone: Phone, id: int, which: int) -> None:
        raise NotImplementedError

    def somebody_else_writes(self, what: int) -> None:
        raise NotImplementedError

    def somebody_else_changes(self, id: int, what: int) -> Callable[[], None]:
        """Something that a device sees; how to undo it."""
        raise NotImplementedError


def vcard(name: str, **fields: str) -> bytes:
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{name}", f"FN:{name}", f"N:;{name};;;"]
    lines += [{"mobile": "TEL;TYPE=CELL:", "home": "TEL;TYPE=HOME:"}[key] + value for key, value in fields.items()]
    return "\r\n".join([*lines, "END:VCARD", ""]).encode()


class ContactsMachine(SyncMachine):
    """Records: added, changed in parts and as a whole, deleted, on both sides."""

    item_class = "Contacts"
    folder_type = FolderType.CONTACTS

    @rule(pick=PICK)
    def adds_something(self, pick: int) -> None:
        self.add_to(self.phone(pick), two_lines=pick % 3 == 0)

    def add_to(self, phone: Phone, two_lines: bool = False) -> None:
        name = self.name("mine")
        self.added.add(name)
        # What has two lines comes back with other line ends.
        phone.add({"name": name, "mobile": self.name("+1\r\n" if two_lines else "+1")})

    @rule(pick=PICK, died_at=st.sampled_from((0, 0, 4, 6, 8, 10, 12, 14, 16)))
    def begins_anew_with_an_add_unanswered(self, pick: int, died_at: int) -> None:
        """The answer to an Add is lost, or the process died over it; then the device starts from key 0. The other
        program, if there is one, adds and is answered meanwhile."""
        self.ask_and_get(pick)
        phone = self.phone(pick)
        phone.waiting = None
        self.adds_something(pick)
        self.line.append((phone, phone.ask()))
        if died_at:
            self.dies(len(self.line) - 1, died_at)
        else:
            self.serve(phone, phone.ask(), lost=True)
        if self.two:
            other = self.phones[0 if phone is self.phones[1] else 1]
            for _ in range(3):
                other.waiting = None
                self.add_to(other)
                self.serve(other, other.ask(), lost=False)
                self.serve(other, other.ask(), lost=False)
        self.begins_anew(pick)
        self.ask_and_get(pick)

    def arrive(self) -> None:
        name = self.name("theirs")
        self.added.add(name)
        run(self.feed.create(vcard(name, mobile="+2", home="+3"), Chosen(name=name)))

    def phone_changes(self, phone: Phone, id: int, which: int) -> None:
        phone.change(id, {("mobile", "home")[which % 2]: self.name("+4")})

    def somebody_else_writes(self, what: int) -> None:
        ids = self.ids()
        if what % 4 == 0 or not ids:
            self.arrive()
            return
        id = ids[what % len(ids)]
        before = self.data(id)
        self.trace.append(f"somebody else writes {what % 7} to {id}")
        if what % 7 == 1:
            run(self.feed.delete(id))
            self.deleted.add(self.field(before, b"FN:"))
        elif what % 7 == 2:
            # Nothing that a device sees.
            invisible = f"X-FOO:{self.name('x')}\r\nEND:VCARD".encode()
            run(self.feed.update(id, before.replace(b"END:VCARD", invisible), None))
        elif what % 7 == 3:
            # Changed and changed back.
            run(self.feed.update(id, self.with_phone(before, "CELL", "+9"), None))
            run(self.feed.update(id, before, None))
        else:
            run(self.feed.update(id, self.with_phone(before, ("CELL", "HOME")[what % 2], self.name("+5")), None))

    def somebody_else_changes(self, id: int, what: int) -> Callable[[], None]:
        before = self.data(id)
        run(self.feed.update(id, self.with_phone(before, ("CELL", "HOME")[what % 2], self.name("+6")), None))

        def undo() -> None:
            run(self.feed.update(id, before, None))

        return undo

    def data(self, id: int) -> bytes:
        async def read() -> bytes:
            async for record in self.feed.fetch([id], None):
                return bytes(record.data)  # type: ignore[union-attr]
            raise AssertionError("gone")

        return run(read())

    @staticmethod
    def field(data: bytes, start: bytes) -> str:
        return next(line for line in data.split(b"\r\n") if line.startswith(start))[len(start):].decode()

    @staticmethod
    def with_phone(data: bytes, kind: str, number: str) -> bytes:
        lines = [
            line for line in data.split(b"\r\n") if not (line.startswith(b"TEL") and kind.encode() in line.upper())
        ]
        at = lines.index(b"END:VCARD")
        return b"\r\n".join([*lines[:at], f"TEL;TYPE={kind}:{number}".encode(), *lines[at:]])


class MailMachine(SyncMachine):
    """Messages: delivered, marked, moved away and deleted; filters; days that go by."""

    item_class = "Email"
    folder_type = FolderType.INBOX

    def arrive(self) -> None:
        name = self.name("mail")
        self.added.add(name)
        raw = f"From: a@example.com\r\nTo: anna@example.com\r\nSubject: {name}\r\n\r\nHello\r\n".encode()
        run(self.feed.create(raw, Chosen(name=name), MailFlags()))

    def phone_changes(self, phone: Phone, id: int, which: int) -> None:
        said = ({"read": "1"}, {"flag": "2"}, {"read": "0"}, {"flag": "0"})[which % 4]
        phone.change(id, said)

    @rule(pick=PICK)
    def days_go_by(self, pick: int) -> None:
        """What a device holds leaves the window of its filter."""
        self.filter_is_changed(2)
        self.arrive()
        self.ask_and_get(pick)
        self.ask_and_get(pick)
        self.world.clock.go_on(timedelta(days=5))
        self.check(self.phone(pick))

    @rule(pick=PICK, filter_type=st.sampled_from((0, 1)))
    def a_filter_comes_without_asking_for_changes(self, pick: int, filter_type: int) -> None:
        phone = self.phone(pick)
        self.arrive()
        self.world.clock.go_on(timedelta(days=3))
        self.filter_is_changed(1 - filter_type)
        self.ask_and_get(pick)
        self.ask_and_get(pick)
        self.filter_is_changed(filter_type)
        phone.waiting = None
        self.serve(phone, phone.ask(get_changes=False), lost=False)
        self.check(phone)

    @rule(filter_type=st.sampled_from((0, 1, 2, 3)))
    def filter_is_changed(self, filter_type: int) -> None:
        for phone in self.phones:
            phone.options = replace(phone.options, filter_type=filter_type)
            phone.state_options = True

    def somebody_else_writes(self, what: int) -> None:
        ids = self.ids()
        if what % 4 == 0 or not ids:
            self.arrive()
            return
        id = ids[what % len(ids)]
        self.trace.append(f"somebody else writes {what % 6} to {id}")
        if what % 6 == 1:
            self.deleted.add(self.subject(id))
            run(self.feed.move(id, self.world.folder(FolderType.DELETED_ITEMS), Chosen(name=self.name("moved"))))
        elif what % 6 == 2:
            self.deleted.add(self.subject(id))
            run(self.feed.delete(id))
        else:
            flags = self.flags(id)
            changed: Callable[[MailFlags], MailFlags] = {
                3: lambda f: replace(f, read=not f.read),
                4: lambda f: replace(f, follow_up=None if f.follow_up else FollowUp(status=2, flag_type="Todo")),
                5: lambda f: replace(f, last_verb=1, last_verb_time=self.world.clock.now()),
            }.get(what % 6, lambda f: replace(f, read=True))
            run(self.feed.set_flags(id, changed(flags)))

    def somebody_else_changes(self, id: int, what: int) -> Callable[[], None]:
        before = self.flags(id)
        flag = None if before.follow_up else FollowUp(status=2, flag_type="Todo")
        after = replace(before, follow_up=flag) if what % 2 else replace(before, read=not before.read)
        run(self.feed.set_flags(id, after))

        def undo() -> None:
            run(self.feed.set_flags(id, before))

        return undo

    def flags(self, id: int) -> MailFlags:
        async def read() -> MailFlags:
            async for mail in self.feed.fetch([id], None):
                return mail.flags  # type: ignore[union-attr]
            raise AssertionError("gone")

        return run(read())

    def subject(self, id: int) -> str:
        async def read() -> str:
            async for mail in self.feed.fetch([id], Wanted()):
                return mail.header.decode().partition("Subject: ")[2].partition("\r\n")[0]  # type: ignore[union-attr]
            raise AssertionError("gone")

        return run(read())


def _settings(examples: int) -> settings:
    """The fixed sample is the same everywhere, and fails at once; a longer run looks for the shortest failure."""
    phases = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink) if TIMES > 1 else (Phase.generate,)
    return settings(
        max_examples=examples * TIMES, stateful_step_count=40, deadline=None, derandomize=TIMES == 1, phases=phases,
        suppress_health_check=list(HealthCheck), database=None if TIMES == 1 else settings.default.database,
    )


TestContacts = ContactsMachine.TestCase
TestContacts.settings = _settings(40)
TestMail = MailMachine.TestCase
TestMail.settings = _settings(25)

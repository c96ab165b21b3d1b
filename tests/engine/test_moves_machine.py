"""The machine of test_sync_machine with two folders, between which a device moves items that it then holds itself
(Quirk.HOLDS_WHAT_IT_MOVED).

It shows a moved item at once in the new folder, and repeats MoveItems until it hears the new id. What it has moved is
never added to it a second time, but where it began the folder anew meanwhile, or an answer was lost or came late; and
in the end it holds what the groupware holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from line_kit import Crash, run
from phone_model import Phone, Value
from test_sync_machine import MANNERS, PICK, STEPS, TIMES, ContactsMachine, MailMachine, SyncMachine, _settings

from eas.commands.move_items import Move, Request, Status, move_items
from eas.engine.apply import Done
from eas.engine.collection import CollectionAnswer, CollectionRequest
from eas.engine.diff import Verb
from eas.engine.ids import parse_server_id, server_id
from eas.engine.keys import ZERO
from eas.engine.model import Folder, FolderType
from eas.engine.options import CollectionOptions
from eas.engine.ports import Chosen, Feed, Owner
from eas.engine.quirks import Quirk
from eas.protocol.wbxml import Element

pytestmark = pytest.mark.long


@dataclass(slots=True)
class Mover(Phone):
    """`doubled` are items that may be added to it although it moved them here. `awaits`: a move from or to here has not
    been answered, so that it may hear of what it does not show here. `fetched`: it has asked for changes since key
    0."""

    doubled: set[int] = field(default_factory=set)
    awaits: bool = False
    fetched: bool = False

    def receive(self, request: CollectionRequest, answer: CollectionAnswer) -> None:
        Phone.receive(self, request, answer)
        self.fetched = request.key != ZERO and (self.fetched or request.get_changes)

    def begin_anew(self) -> None:
        Phone.begin_anew(self)
        self.fetched = False

    def _said(self, verb: Verb, id: int, content: tuple[Element, ...]) -> None:
        if verb is Verb.ADD and id in self.doubled:
            self.held.pop(id, None)
        if verb is Verb.CHANGE and id not in self.held and self.awaits:
            self.trace.append(f"{self.label} passes over {verb} {id}")
            return
        Phone._said(self, verb, id, content)
        if verb in (Verb.DELETE, Verb.SOFT_DELETE):
            # What was changed here of what is gone has nothing to be said of.
            self.mine = [change for change in self.mine if change.verb is Done.ADD or self._id(change.named) != id]


@dataclass(slots=True)
class Moving:
    """A move that the device has not heard of yet. `plain`: nothing has gone wrong with it so far."""

    source: Mover
    to: Mover
    id: int
    value: Value
    plain: bool = True

    @property
    def request(self) -> Request:
        return Request(moves=(Move(
            item=server_id(self.source.collection, self.id), source=self.source.collection,
            destination=(self.to.collection,),
        ),))


class MovesMachine(SyncMachine):
    """Phone A is the device's one folder, phone B its other; `at` is the one that is looked at."""

    other_type = FolderType.USER_MAIL

    @initialize(  # type: ignore[override]
        manner=st.sampled_from(MANNERS), renames=st.booleans(), window=st.sampled_from((2, 100, 1, 3)),
        filter_type=st.sampled_from((0, 0, 2)), items=st.integers(1, 6), fetched=st.booleans(),
    )
    def begin(
        self, manner: tuple[bool, bool], renames: bool, window: int, filter_type: int, items: int, fetched: bool
    ) -> None:
        partial, client_wins = manner
        self.two = self.began_anew = False
        self.moving: Moving | None = None
        self.moves: list[Request] = []
        self.at = 0
        world = self.world
        self.session = replace(world.session, quirks=frozenset({Quirk.HOLDS_WHAT_IT_MOVED}))
        other = run(world.mailbox.create_folder("0", "Other", self.other_type, Chosen(name="other")))
        for label, collection in (("A", world.folder(self.folder_type)), ("B", other.id)):
            self.phones.append(Mover(
                collection=collection, item_class=self.item_class, label=label, partial=partial, renames=renames,
                window=window, options=CollectionOptions(filter_type=filter_type, client_wins=client_wins),
                trace=self.trace,
            ))
        for _ in range(items):
            self.arrive()
        if fetched:
            for phone in self.phones:
                self.settle(phone)

    # -- of which folder everything else speaks

    @property
    def folder(self) -> Folder:  # type: ignore[override]
        found = run(self.world.mailbox.folder(self.phones[self.at].collection))
        assert found is not None
        return found

    @property
    def feed(self) -> Feed:  # type: ignore[override]
        return self.world.mailbox.feed(self.folder)

    def phone(self, pick: int) -> Phone:
        self.at = pick // 7 % 2
        return self.phones[self.at]

    def settle(self, phone: Phone) -> None:
        self.at = self.phones.index(phone)
        super().settle(phone)

    def check(self, phone: Phone) -> None:
        self.finish()
        super().check(phone)

    def compare(self, phone: Phone) -> None:
        self.at = self.phones.index(phone)
        assert phone.view() == self.there(phone)

    @rule(pick=PICK)
    def begins_anew(self, pick: int) -> None:
        if self.moving is not None:
            self.moving.plain = False
        super().begins_anew(pick)

    @rule()
    def the_store_is_tidied(self) -> None:
        """Effects are kept for a week; a device that asks again later has lost."""
        self.finish()
        super().the_store_is_tidied()

    def teardown(self) -> None:
        self.world.fate.disarm()
        if self.phones:
            self.two = True  # so that both folders are settled and compared
            self.finish()
        super().teardown()

    # -- moving

    @precondition(lambda self: self.moving is None)
    @rule(pick=PICK, which=PICK, lost=st.sampled_from((False, False, True)))
    def moves_something(self, pick: int, which: int, lost: bool) -> None:
        if self.take_up(pick, which):
            self.deliver(lost=lost)

    @rule(pick=PICK, which=PICK, what=PICK)
    def moves_and_asks(self, pick: int, which: int, what: int) -> None:
        """The usual case, and somebody else comes in between."""
        source, to = self.phones[pick // 7 % 2], self.ready(pick)
        if self.take_up(pick, which):
            self.deliver(lost=False)
            self.at = self.phones.index(to)
            if what % 2:
                self.somebody_else_writes(what)
            for phone in (to, source):
                self.check(phone)

    @rule(pick=PICK, which=PICK, what=PICK)
    def the_answer_to_a_move_comes_late(self, pick: int, which: int, what: int) -> None:
        """What a Sync said of the item meanwhile was passed over."""
        to = self.ready(pick)
        if self.take_up(pick, which):
            self.deliver(lost=True)
            self.at = self.phones.index(to)
            if ids := self.ids():
                self.somebody_else_changes(ids[-1], what)
            self.serve(to, to.ask(), lost=False)
            self.check(to)

    @rule(pick=PICK, which=PICK, answers=st.integers(0, 3))
    def moves_and_begins_anew(self, pick: int, which: int, answers: int) -> None:
        """All comes, also if a late copy of the move does in between."""
        to = self.ready(pick)
        if self.take_up(pick, which):
            self.deliver(lost=False)
            self.began_anew = True
            to.begin_anew()
            for _ in range(answers):
                self.serve(to, to.ask(), lost=False)
            run(move_items(self.moves[-1], self.session))
            self.check(to)

    @rule(pick=PICK, which=PICK, what=PICK)
    def changed_and_back_before_a_move(self, pick: int, which: int, what: int) -> None:
        to = self.ready(pick)
        source = self.phone(pick)
        self.settle(source)
        if ids := sorted(source.held):
            undo = self.somebody_else_changes(ids[which % len(ids)], what)
            self.serve(source, source.ask(), lost=False)
            undo()
            if self.take_up(pick, which):
                self.deliver(lost=False)
                self.check(to)

    def ready(self, pick: int) -> Phone:
        """The folder into which the next move goes, fetched."""
        self.finish()
        to = self.phones[1 - pick // 7 % 2]
        if not to.fetched:  # type: ignore[attr-defined]
            self.settle(to)
        return to

    @precondition(lambda self: self.moving is not None)
    @rule(lost=st.booleans())
    def asks_for_the_move_again(self, lost: bool) -> None:
        self.deliver(lost=lost)

    @precondition(lambda self: self.moving is None)
    @rule(pick=PICK, which=PICK, at=STEPS)
    def dies_over_a_move(self, pick: int, which: int, at: int) -> None:
        def die() -> None:
            raise Crash

        if self.take_up(pick, which):
            self.world.fate.arm(at, die)
            try:
                self.deliver(lost=True)
            except Crash:
                self.trace.append(f"died over it at {at}")
            finally:
                self.world.fate.disarm()

    @precondition(lambda self: self.moving is None)
    @rule(pick=PICK, which=PICK, at=STEPS, lost=st.booleans(), sync_lost=st.booleans(), of=st.integers(0, 1))
    def a_sync_overtakes_a_move(
        self, pick: int, which: int, at: int, lost: bool, sync_lost: bool, of: int
    ) -> None:
        if self.take_up(pick, which):
            assert self.moving is not None
            self.moving.plain = False
            phone = self.phones[of]
            self.world.fate.arm(at, lambda: self.serve(phone, phone.ask(), lost=sync_lost))
            self.deliver(lost=lost)
            self.world.fate.disarm()

    @precondition(lambda self: self.moves)
    @rule(pick=PICK)
    def a_late_copy_of_a_move_comes(self, pick: int) -> None:
        request = self.moves[pick % len(self.moves)]
        self.trace.append(f"a late copy: {request.moves[0].item}")
        run(move_items(request, self.session))

    def take_up(self, pick: int, which: int) -> bool:
        """Whether there is anything to move: what the device has, and has not just changed."""
        source = self.phone(pick)
        named = {change.named for change in source.mine}
        ids = sorted(id for id in source.held if server_id(source.collection, id) not in named)
        if not ids:
            return False
        id, to = ids[which % len(ids)], self.phones[1 - self.at]
        self.moving = Moving(source, to, id, source.held.pop(id))  # type: ignore[arg-type]
        source.awaits = to.awaits = True  # type: ignore[attr-defined]
        return True

    def deliver(self, *, lost: bool) -> None:
        assert self.moving is not None
        moving, request = self.moving, self.moving.request
        moved = None
        try:
            (moved,) = run(move_items(request, self.session)).responses  # type: ignore[attr-defined]
        finally:
            self.trace.append(f"moves {moving.source.label} {moving.id} -> {moved} {'lost' if lost else ''}")
            if lost or moved is None:
                moving.plain = False
        if not lost:
            self.hear(moving, moved.status, moved.moved_to)
            self.moves.append(request)

    def hear(self, moving: Moving, status: Status, moved_to: str | None) -> None:
        self.moving = None
        source, to = moving.source, moving.to
        source.awaits = to.awaits = False
        source.held.pop(moving.id, None)
        parsed = parse_server_id(moved_to or "")
        if status is not Status.SUCCESS or parsed is None:
            assert status is Status.INVALID_SOURCE, status
            return
        id = parsed[1]
        if not moving.plain or not to.fetched or self.is_read_anew(to):
            to.doubled.add(id)
        to.held.setdefault(id, moving.value)

    def is_read_anew(self, phone: Mover) -> bool:
        """A folder that has been empty since key 0 is like one that was just begun when its filter is changed."""
        held = run(self.world.store.load(Owner(
            user_id=self.session.user.id, device_id=self.session.device.id, collection_id=phone.collection,
        )))
        return held is not None and any(head.parent == ZERO and not head.token for head in held.heads)

    def finish(self) -> None:
        if self.moving is not None:
            self.deliver(lost=False)


class MovedContacts(MovesMachine, ContactsMachine):
    other_type = FolderType.USER_CONTACTS


class MovedMail(MovesMachine, MailMachine):
    pass


TestMovedContacts = MovedContacts.TestCase
TestMovedContacts.settings = _settings(25)
if TIMES > 1:
    # With filters a few of a thousand ways through it end in an item that is changed where it is not shown, or stays
    # where it should not (docs/decisions/041-what-outlook-moved.md): the longer runs look there until that is mended.
    TestMovedMail = MovedMail.TestCase
    TestMovedMail.settings = _settings(40)

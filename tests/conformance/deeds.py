"""Requests of a device that change something, each of which can be asked again as it was.

A deed is planned (what will be asked is fixed, and what it comes to is entered into the ledger), asked, and asked again
when no answer came. It knows what must be true afterwards, whatever became of the first attempt.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from ledger import Listing, folder_name, line, mail_line, said, shown_mail, shown_record

from eas.client import mail
from eas.client.device import Folder
from eas.client.errors import Refusal
from eas.client.phone import Phone
from eas.engine.model import FolderType
from eas.items.appointment import Appointment
from eas.items.contacts import Contact
from eas.items.tasks import Task
from eas.protocol.statuses import CommonStatus

#: Items of a folder beyond which old ones are deleted, so that a long run does not get slower and slower.
ENOUGH = 8


@dataclass(kw_only=True)
class World:
    """`expected` is the ledger of the device's user, `of_other` that of the one who gets mail."""

    phone: Phone
    random: Random
    address: str
    other: str
    expected: Listing
    of_other: Listing
    number: int = 0

    def name(self, what: str) -> str:
        self.number += 1
        return f"{what} {self.number}"

    def folder(self, type: FolderType | str) -> Folder:
        return self.phone.state.folder(type)

    def lines(self, folder: Folder) -> Counter[str]:
        return self.expected.setdefault(folder_name(folder.name, folder.type), Counter())

    def some(self, folder: Folder, count: int) -> list[str]:
        """ServerIds of items of a folder."""
        names = sorted(folder.items)
        return self.random.sample(names, min(count, len(names)))


class Deed(ABC):
    @abstractmethod
    def plan(self, world: World) -> None: ...

    @abstractmethod
    async def ask(self, world: World) -> None:
        """Raises LostAnswer."""

    @abstractmethod
    async def again(self, world: World) -> None:
        """The same request; what it must be answered with is asserted."""


def swap(lines: Counter[str], old: str, new: str | None) -> None:
    lines[old] -= 1
    if not lines[old]:
        del lines[old]
    if new is not None:
        lines[new] += 1


# -- Sync with commands


def _contact(world: World) -> Contact:
    return Contact(last_name=world.name("Contact"), first_name="Kim")


def _task(world: World) -> Task:
    return Task(subject=world.name("Task"), complete=False)


def _appointment(world: World) -> Appointment:
    subject = world.name("Appointment")
    start = datetime(2027, 3, 1, 9, tzinfo=UTC) + timedelta(days=world.number)
    return Appointment(subject=subject, start_time=start, end_time=start + timedelta(hours=1), location="Hall")


MAKERS: dict[str, Callable[[World], object]] = {"Contacts": _contact, "Tasks": _task, "Calendar": _appointment}
#: The field that a Change changes.
ALTERED = {"Contacts": "job_title", "Tasks": "subject", "Calendar": "location"}


class SyncCommands(Deed):
    """Adds, Changes and Deletes in several folders with one Sync; in the inbox flags and a Delete that moves."""

    CLASSES = (FolderType.CONTACTS, FolderType.TASKS, FolderType.CALENDAR)

    def plan(self, world: World) -> None:
        self.folders = [world.folder(type) for type in (*self.CLASSES, FolderType.INBOX)]
        for folder in self.folders[:-1]:
            self._records(world, folder)
        self._mail(world, self.folders[-1])

    def _records(self, world: World, folder: Folder) -> None:
        kind, lines, chosen = folder.item_class, world.lines(folder), world.some(folder, 2)
        for name in chosen[:1]:
            before = shown_record(world.phone, folder, folder.items[name])
            changed = {ALTERED[kind]: world.name("Changed")}
            world.phone.edit(folder, name, **changed)
            swap(lines, line(kind, before), line(kind, {**before, **changed}))
        for name in chosen[1:]:
            if len(folder.items) > ENOUGH:
                swap(lines, line(kind, shown_record(world.phone, folder, folder.items[name])), None)
                world.phone.delete(folder, name)
        for _ in range(2):
            message = MAKERS[kind](world)
            world.phone.add(folder, message)
            lines[line(kind, said(kind, message))] += 1

    def _mail(self, world: World, inbox: Folder) -> None:
        lines, chosen = world.lines(inbox), world.some(inbox, 2)
        for name in chosen[:1]:
            item = inbox.items[name]
            read = item.text("Email:Read") != "1"
            world.phone.mark(inbox, name, read=read, flagged=True)
            swap(lines, shown_mail(item), mail_line(item.text("Email:Subject"), read, True))
        for name in chosen[1:]:
            if len(inbox.items) > ENOUGH:
                moved = shown_mail(inbox.items[name])
                swap(lines, moved, None)
                world.lines(world.folder(FolderType.DELETED_ITEMS))[moved] += 1
                world.phone.delete(inbox, name)

    async def ask(self, world: World) -> None:
        await world.phone.round(self.folders)

    async def again(self, world: World) -> None:
        report = await world.phone.sync(self.folders)
        assert not report.failures, report.failures
        assert not any(change.reset for change in report.changes.values()), "a collection had to begin anew"


# -- commands of their own


class SendMail(Deed):
    def plan(self, world: World) -> None:
        subject = world.name("Letter")
        self.client_id = world.phone.state.client_id()
        self.message = mail.compose(
            world.address, [world.other], subject, "Is it there, and once?", date=datetime(2027, 1, 1, tzinfo=UTC)
        )
        world.lines(world.folder(FolderType.SENT_ITEMS))[mail_line(subject, True, False)] += 1
        world.of_other["INBOX"][mail_line(subject, False, False)] += 1

    async def ask(self, world: World) -> None:
        await mail.send(world.phone, self.message, client_id=self.client_id)

    async def again(self, world: World) -> None:
        try:
            await self.ask(world)
        except Refusal as error:
            if error.status != CommonStatus.MESSAGE_PREVIOUSLY_SENT:  # which is as good as a success
                raise


class MoveItems(Deed):
    """Some messages from the inbox onto the shelf, or back."""

    def plan(self, world: World) -> None:
        source, target = world.folder(FolderType.INBOX), world.folder("Shelf")
        if len(target.items) > len(source.items):
            source, target = target, source
        self.source, self.target, self.names = source, target, world.some(source, 3)
        for name in self.names:
            moved = shown_mail(source.items[name])
            swap(world.lines(source), moved, None)
            world.lines(target)[moved] += 1

    async def ask(self, world: World) -> None:
        moved = await world.phone.move(self.source, self.names, self.target)
        assert set(moved) == set(self.names), f"moved {moved} of {self.names}"
        assert len(set(moved.values())) == len(moved)

    async def again(self, world: World) -> None:
        await self.ask(world)


class FolderCreate(Deed):
    def plan(self, world: World) -> None:
        self.name = world.name("Folder")
        world.expected[self.name] = Counter()

    async def ask(self, world: World) -> None:
        await world.phone.create_folder(self.name)

    async def again(self, world: World) -> None:
        await self.ask(world)


class FolderUpdate(Deed):
    def plan(self, world: World) -> None:
        self.folder = made(world)[0]
        self.name = world.name("Folder renamed")
        world.expected[self.name] = world.expected.pop(self.folder.name)

    async def ask(self, world: World) -> None:
        await world.phone.rename_folder(self.folder, self.name)

    async def again(self, world: World) -> None:
        await self.ask(world)


class FolderDelete(Deed):
    def plan(self, world: World) -> None:
        self.folder = made(world)[0]
        del world.expected[self.folder.name]

    async def ask(self, world: World) -> None:
        await world.phone.delete_folder(self.folder)

    async def again(self, world: World) -> None:
        await self.ask(world)


def made(world: World) -> list[Folder]:
    """The folders that FolderCreate made, oldest first."""
    return [f for f in world.phone.state.folders.values() if f.name.startswith("Folder ")]


#: In this order, so that there is a folder to rename and one to delete.
DEEDS: tuple[type[Deed], ...] = (
    SyncCommands, SendMail, MoveItems, FolderCreate, SyncCommands, FolderUpdate, SyncCommands, FolderCreate, SendMail,
    FolderDelete,
)

"""What ought to be in a mailbox, what a device shows of it, and what really lies in the store: three lists to compare.

An item is a line of text that says all that the tests change of it. A list is a mapping of folders, by type or (those
that users make) by name, to counted lines: an item that is there twice is seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from eas.client.device import Folder as PhoneFolder
from eas.client.device import Item
from eas.client.phone import Phone
from eas.engine.classes import EMAIL, RECORDS
from eas.engine.model import Folder, FolderType, User
from eas.engine.ports import Horizon, Mailbox
from eas.items import headers
from eas.items.body import Wanted
from eas.items.native import Mail, Viewer
from eas.protocol.version import Version

#: Folders that hold no items of their own on a phone.
SKIPPED = frozenset({FolderType.OUTBOX, FolderType.RECIPIENT_CACHE})

#: The fields that make up the line of a record, by class.
SAID = {
    "Contacts": ("last_name", "job_title"),
    "Tasks": ("subject", "complete"),
    "Calendar": ("subject", "location"),
    "Notes": ("subject",),
}

Listing = dict[str, Counter[str]]


def folder_name(name: str, type: FolderType | int) -> str:
    return name if type in (FolderType.GENERIC, FolderType.USER_MAIL) else FolderType(type).name


def said(item_class: str, message: Any) -> dict[str, object]:
    """What the line of a record is made of; `message` is one of `eas.items`."""
    return {name: getattr(message, name) for name in SAID[item_class]}


def line(item_class: str, values: Mapping[str, object]) -> str:
    return "|".join(str(values.get(name) or "") for name in SAID[item_class])


def mail_line(subject: str, read: bool, flagged: bool) -> str:
    return f"{subject}|{'read' if read else 'unread'}|{'flagged' if flagged else 'plain'}"


# -- as a device shows it


def on_phone(phone: Phone) -> Listing:
    return {
        folder_name(folder.name, folder.type): Counter(_phone_line(phone, folder, i) for i in folder.items.values())
        for folder in phone.folders()
    }


def _phone_line(phone: Phone, folder: PhoneFolder, item: Item) -> str:
    if folder.item_class == EMAIL:
        return shown_mail(item)
    return line(folder.item_class, shown_record(phone, folder, item))


def shown_mail(item: Item) -> str:
    flagged = item.text("Email:Flag", "Email:Status") == "2"
    return mail_line(item.text("Email:Subject"), item.text("Email:Read") == "1", flagged)


def shown_record(phone: Phone, folder: PhoneFolder, item: Item) -> dict[str, object]:
    return said(folder.item_class, item.read(RECORDS[folder.item_class].message, phone.version))


# -- as it lies in the store


async def in_store(mailbox: Mailbox, user: User) -> Listing:
    """What the groupware has, asked without any device."""
    viewer = Viewer(addresses=user.addresses, name=user.name, zone=user.zone, now=datetime.now(UTC))
    return {
        folder_name(folder.name, folder.type): Counter(await _stored_lines(mailbox, folder, viewer))
        for folder in await mailbox.folders()
        if folder.type not in SKIPPED
    }


async def _stored_lines(mailbox: Mailbox, folder: Folder, viewer: Viewer) -> list[str]:
    feed = mailbox.feed(folder)
    ids = sorted((await feed.delta(None, Horizon())).touched)
    lines = []
    async for item in feed.fetch(ids, Wanted()):
        if isinstance(item, Mail):
            subject = headers.text(headers.parse(item.header).get(b"subject", b""))
            follow_up = item.flags.follow_up
            lines.append(mail_line(subject, item.flags.read, follow_up is not None and follow_up.status == 2))
        else:
            message = RECORDS[folder.item_class].from_native(item.data, Wanted(), viewer, Version.V14_1)
            lines.append(line(folder.item_class, said(folder.item_class, message)))
    return lines


# -- compared


def differences(expected: Mapping[str, Counter[str]], found: Mapping[str, Counter[str]]) -> list[str]:
    """What is lost, and what is there too often or unasked, in words; empty if all is as expected."""
    out = []
    for folder in sorted({*expected, *found}):
        if folder not in found:
            out.append(f"folder {folder} is missing")
        elif folder not in expected:
            out.append(f"folder {folder} is there unasked, with {_told(found[folder])}")
        else:
            if lost := expected[folder] - found[folder]:
                out.append(f"{folder} has lost {_told(lost)}")
            if more := found[folder] - expected[folder]:
                out.append(f"{folder} has too many {_told(more)}")
    return out


def _told(lines: Counter[str]) -> str:
    return ", ".join(f"{count} x {text!r}" for text, count in sorted(lines.items())) or "nothing"

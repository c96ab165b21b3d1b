"""Lines of the audit log, and what a phone asked, in the words of its owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eas.store.audit import Entry

#: By action; {phone} is added by whoever shows it.
WORDS: Mapping[str, str] = {
    "device.wipe": "asked for the phone to be wiped", "device.cancel-wipe": "took the wipe back",
    "device.readmit": "let the wiped phone come back", "wipe.approve": "agreed to the wipe",
    "wipe.decline": "said no to the wipe", "wipe.expired": "nobody agreed to the wipe in time",
    "wipe.sent": "told the phone to erase itself", "wipe.done": "heard that the phone has erased itself",
    "wipe.failed": "heard that the phone could not erase itself", "device.retry": "had items sent again",
    "device.remove": "removed the phone", "own.remove": "removed the phone",
    "device.block": "blocked the phone", "device.allow": "let the phone in",
    "device.quirk": "changed how the phone is spoken to",
    "device.resync": "had a folder fetched anew", "device.repair": "had the phone repaired",
    "device.recovery-password": "looked up the phone's recovery password",
    "own.rename": "gave the phone another name", "own.choose-folders": "chose which folders go to the phone",
    "own.set-filters": "changed the mail filters", "own.set-away": "changed the out-of-office reply",
    "own.profile": "downloaded the settings for a phone",
    "own.profile-link": "made a code to set up a phone", "profile.fetch": "a phone fetched its settings",
    "device-password.add": "made a device password", "device-password.revoke": "revoked a device password",
    "device-password.revoke-all": "revoked all device passwords", "user.password": "set another password",
    "user.set": "changed your details", "user.rename": "gave you another name here",
    "policy.set": "gave you other security settings", "policy.clear": "took security settings back",
    "rights.grant": "changed who may see a folder", "login": "logged in", "logout": "logged out",
}


def in_words(entry: Entry) -> str:
    said = WORDS.get(entry.action, entry.action.replace(".", ": ").replace("-", " "))
    if entry.details.get("account_only"):
        said += " (the account only)"
    return said


#: What a phone does with a command, where it is always the same.
DOES: Mapping[str, str] = {
    "FolderSync": "looked which folders there are", "Provision": "fetched its security settings",
    "SendMail": "sent a mail", "SmartReply": "sent an answer", "SmartForward": "passed a mail on",
    "Search": "searched", "Find": "searched", "ResolveRecipients": "looked people up", "MoveItems": "moved items",
    "ItemOperations": "fetched a message or a file", "GetAttachment": "fetched a file",
    "MeetingResponse": "answered an invitation", "GetItemEstimate": "asked how much is new",
    "Settings": "said what it is, or asked for your settings here", "FolderCreate": "made a folder",
    "FolderUpdate": "renamed a folder", "FolderDelete": "removed a folder",
}


def did(event: Mapping[str, Any]) -> str:
    """`event` as `activity.events` gives it."""
    command, waited = event["command"], event["waited"]
    if not event["fine"]:
        return f"was told that it cannot be done: {event['means']}" if event["means"] else "met an error"
    if command not in ("Sync", "Ping"):
        return DOES.get(command, f"asked for {command}")
    moved = [
        f"{verb} {count} item{'' if count == 1 else 's'}"
        for verb, count in (("got", event["sent"]), ("handed in", event["taken"])) if count
    ]
    if moved:
        return " and ".join(moved)
    if waited < 1:
        return "looked for news"
    minutes = round(waited / 60)
    return f"waited for news for {f'{minutes} minutes' if minutes > 1 else 'a minute' if minutes else 'some seconds'}"

"""Statuses and values of a session in words, for whoever reads it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from eas.admin.words import BY_COMMAND, HTTP, ITEM, Words, explain
from eas.commands._people import PictureStatus
from eas.commands._search_messages import StoreStatus
from eas.commands.provision import PolicyStatus
from eas.commands.resolve_recipients import AvailabilityStatus, CertificatesStatus, ResponseStatus

from .seen import Said, Seen

#: Statuses that say that all is well, by command; elsewhere it is 1 alone. [MS-ASCMD] Status of Ping, MoveItems.
GOOD_OF_COMMAND: Mapping[str, frozenset[str]] = {
    "Ping": frozenset({"1", "2"}), "MoveItems": frozenset({"3"}), "GetItemEstimate": frozenset({"1"}),
}
#: The same by the element in which they stand. Ambiguous names, and people without a picture, are no fault.
GOOD_WITHIN: Mapping[str, frozenset[str]] = {
    "ResolveRecipients:Response": frozenset({"1", "2", "3", "4"}), "ResolveRecipients:Picture": frozenset({"1", "173"}),
    "ResolveRecipients:Certificates": frozenset({"1", "7", "8"}), "GAL:Picture": frozenset({"1", "173"}),
    "ResolveRecipients:Availability": frozenset({"1", "160", "161", "162", "163"}),
}
_GOOD = frozenset({"1"})
#: The element in which a Status stands -> the enumeration that it belongs to, where the command has several.
_KIND_WITHIN: Mapping[str, type[IntEnum]] = {
    "Provision:Policy": PolicyStatus, "Search:Store": StoreStatus, "ResolveRecipients:Response": ResponseStatus,
    "ResolveRecipients:Availability": AvailabilityStatus, "ResolveRecipients:Certificates": CertificatesStatus,
    "ResolveRecipients:Picture": PictureStatus,
}
#: What stands around the Status of one item of a Sync.
ITEMS = frozenset({"AirSync:Add", "AirSync:Change", "AirSync:Delete", "AirSync:Fetch"})


def is_good(command: str, said: Said) -> bool:
    return said.value in GOOD_WITHIN.get(said.within, GOOD_OF_COMMAND.get(command, _GOOD))


def words_of(command: str, said: Said) -> Words:
    """What a Status means, and the next step."""
    kind = _KIND_WITHIN.get(said.within)
    if kind is not None and said.value.isdecimal():
        table = BY_COMMAND.get(kind, {})
        if (number := int(said.value)) in table:
            return table[number]
    return explain(ITEM if said.within in ITEMS else command, said.value)


def words_of_http(status: int) -> Words:
    return HTTP.get(status, Words(f"HTTP {status}."))


def bad_statuses(one: Seen) -> list[Said]:
    return [said for said in one.statuses() if not is_good(one.command, said)]


# Values --------------------------------------------------------------------------------------------------------------

_FILTER = {"0": "all", "1": "1 day", "2": "3 days", "3": "1 week", "4": "2 weeks", "5": "1 month", "6": "3 months",
           "7": "6 months", "8": "tasks that are not done"}
_FOLDER_TYPE = {
    "1": "folder", "2": "inbox", "3": "drafts", "4": "deleted items", "5": "sent items", "6": "outbox", "7": "tasks",
    "8": "calendar", "9": "contacts", "10": "notes", "11": "journal", "12": "mail folder", "13": "further calendar",
    "14": "further contacts", "15": "further tasks", "16": "further journal", "17": "further notes", "18": "unknown",
    "19": "recent recipients",
}
_BODY = {"1": "plain text", "2": "HTML", "3": "RTF", "4": "MIME"}
_YES = {"0": "no", "1": "yes"}

#: Tag -> value -> what it says. [MS-ASCMD], [MS-ASAIRS], [MS-ASCAL], [MS-ASEMAIL].
MEANING: Mapping[str, Mapping[str, str]] = {
    "AirSync:FilterType": _FILTER, "FolderHierarchy:Type": _FOLDER_TYPE, "AirSyncBase:Type": _BODY,
    "AirSyncBase:NativeBodyType": _BODY, "AirSync:Conflict": {"0": "the device wins", "1": "the server wins"},
    "AirSync:MIMESupport": {"0": "never MIME", "1": "MIME of signed mail", "2": "MIME always"},
    "Email:Read": _YES, "Calendar:AllDayEvent": _YES, "Email:Importance": {"0": "low", "1": "normal", "2": "high"},
    "Calendar:BusyStatus": {"0": "free", "1": "tentative", "2": "busy", "3": "away", "4": "working elsewhere"},
    "Calendar:MeetingStatus": {
        "0": "no meeting", "1": "meeting, own", "3": "meeting, of another", "5": "cancelled, own",
        "7": "cancelled, of another",
    },
    "Calendar:Sensitivity": {"0": "normal", "1": "personal", "2": "private", "3": "confidential"},
    "MeetingResponse:UserResponse": {"1": "accepted", "2": "tentative", "3": "declined"},
    "Email:Status": {"0": "no flag", "1": "done", "2": "flagged"},
    "Email2:LastVerbExecuted": {"1": "replied to sender", "2": "replied to all", "3": "forwarded"},
    "AirSyncBase:Method": {"1": "ordinary", "5": "embedded message", "6": "OLE object"},
    "Settings:OofState": {"0": "off", "1": "on", "2": "for a time"},
}

"""Protocol versions a client may speak, and ranges of them. [MS-ASHTTP] MS-ASProtocolVersion."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Version(IntEnum):
    """One protocol version; the number is ten times the version, as the base64 query has it for 12.1 and later."""

    V2_5 = 25
    V12_0 = 120
    V12_1 = 121
    V14_0 = 140
    V14_1 = 141
    V16_0 = 160
    V16_1 = 161

    @property
    def text(self) -> str:
        """As in the header MS-ASProtocolVersion, e.g. "14.1"."""
        return f"{self.value // 10}.{self.value % 10}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """Raises ValueError for anything but the seven versions."""
        try:
            return _OF_TEXT[text.strip()]
        except KeyError:
            raise ValueError(f"not a protocol version: {text[:20]!r}") from None


_OF_TEXT = {version.text: version for version in Version}


@dataclass(frozen=True, slots=True)
class Spoken:
    """The versions, both ends included, in which an element, a command or a behaviour exists."""

    since: Version = Version.V2_5
    until: Version = Version.V16_1

    def __contains__(self, version: Version) -> bool:
        return self.since <= version <= self.until


# Named behaviours: what differs between versions and is not a matter of spelling.

#: A Sync without news, and a Sync that repeats the last one, have no body. [MS-ASCMD] Empty Sync Request/Response.
EMPTY_SYNC = Spoken(since=Version.V12_1)
#: Failures of the whole request are Status values in a 200 answer; before, HTTP statuses. [MS-ASCMD] Common Status
#: Codes.
COMMON_STATUS = Spoken(since=Version.V14_0)
#: A device without a valid policy key gets HTTP 449; later a Status 142-144. [MS-ASPROV].
HTTP_449 = Spoken(until=Version.V12_1)
#: The class of a collection stands in requests and answers; later it follows from the folder. [MS-ASCMD] Class (Sync).
COLLECTION_CLASS = Spoken(until=Version.V12_1)
#: A collection may be named by its class alone: the default folder of that class. Later a Status 4 (R4545).
DEFAULT_COLLECTIONS = Spoken(until=Version.V2_5)
#: The phase-1 Provision request must carry the DeviceInformation (else Status 165). [MS-ASPROV] / [MS-ASCMD] R4913.
PROVISION_DEVICE_INFORMATION = Spoken(since=Version.V14_1)
#: Messages name their conversation, which can be searched, filtered and moved as a whole. [MS-ASCON] R501-R504.
CONVERSATIONS = Spoken(since=Version.V14_0)
#: Notes folders and items exist. [MS-ASNOTE].
NOTES = Spoken(since=Version.V14_0)
#: There is a folder of those whom the user writes to. [MS-ASCNTC] Refreshing the Recipient Information Cache R2262.
RECIPIENT_CACHE = Spoken(since=Version.V14_0)
#: Text messages may be synchronised with a folder of mail. [MS-ASCMD] Class (Sync) R6298.
SMS = Spoken(since=Version.V14_0)
#: Drafts are added, changed and sent by Sync. [MS-ASEMAIL] Sync Command Request R1488, R14880; Send R1384.
DRAFTS = Spoken(since=Version.V16_0)
#: A wipe that takes the account's data alone. [MS-ASPROV] AccountOnlyRemoteWipe R6906.
ACCOUNT_ONLY_WIPE = Spoken(since=Version.V16_1)
#: A policy is a text within Data, of its own type. [MS-ASPROV] Data (string Data Type).
POLICY_AS_TEXT = Spoken(until=Version.V2_5)
#: An occurrence of a series is changed and deleted by commands of its own, with InstanceId. [MS-ASCAL] Exceptions
#: R2112, R2113.
INSTANCE_COMMANDS = Spoken(since=Version.V16_0)
#: A new pattern or other times of a series end its exceptions. [MS-ASCAL] R2097, R2114, R2180, R2202.
EXCEPTIONS_END_WITH_PATTERN = Spoken(since=Version.V16_0)
#: UID, DtStamp, organizer and the answers of the attendees are the server's to say. [MS-ASCAL] R2028, R2088, R2168,
#: R2174, R2221.
SERVER_OWNS_MEETINGS = Spoken(since=Version.V16_0)
#: The server sends invitations, updates and cancellations; before, the device mails them. [MS-ASCAL] / [MS-ASCMD].
SERVER_SCHEDULES = Spoken(since=Version.V16_0)
#: What a Change of a calendar item leaves out is kept, whatever Supported says. [MS-ASCAL] R2231, R2232.
CALENDAR_GHOSTED = Spoken(since=Version.V16_0)
#: Rights management can be asked for; in a request of an older version its elements are malformed. [MS-ASRM] R418.
RIGHTS_MANAGEMENT = Spoken(since=Version.V14_1)

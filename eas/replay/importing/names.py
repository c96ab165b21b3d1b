"""Names of tags as other programs write them -> ours. Z-Push and Horde have names of their own for many of them.

Their namespaces and tags are data here; whatever stands in no table has the name of the specification, in whatever
case. Sources: what their logs show, compared with [MS-ASWBXML] by token.
"""

from __future__ import annotations

from eas.protocol.codepages import TOKEN_OF

#: Their namespace, in lower case -> ours. None at all is AirSync.
_SPACES = {
    "": "AirSync", "poomcontacts": "Contacts", "poommail": "Email", "poomcal": "Calendar", "poomtasks": "Tasks",
    "poomcontacts2": "Contacts2", "poommail2": "Email2", "validatecerts": "ValidateCert",
}

#: Our namespace: their name = our name.
_RENAMED = """
    AirSync: Synchronize=Sync Replies=Responses Modify=Change Remove=Delete ClientEntryId=ClientId
        ServerEntryId=ServerId Folder=Collection FolderType=Class FolderId=CollectionId Perform=Commands
        Folders=Collections Data=ApplicationData
    AirNotify: ServerEntryId=ServerId Replies=Responses
    Contacts: AssistnamePhoneNumber=AssistantPhoneNumber BusinessCity=BusinessAddressCity
        BusinessCountry=BusinessAddressCountry BusinessPostalCode=BusinessAddressPostalCode
        BusinessState=BusinessAddressState BusinessStreet=BusinessAddressStreet HomeCity=HomeAddressCity
        HomeCountry=HomeAddressCountry HomePostalCode=HomeAddressPostalCode HomeState=HomeAddressState
        HomeStreet=HomeAddressStreet OtherCity=OtherAddressCity OtherCountry=OtherAddressCountry
        OtherPostalCode=OtherAddressPostalCode OtherState=OtherAddressState OtherStreet=OtherAddressStreet
        Rtf=CompressedRTF
    Email: AttOid=Att0Id Reply-To=ReplyTo FlagStatus=Status
    Calendar: Rtf=CompressedRTF Attendee_Status=AttendeeStatus Attendee_Type=AttendeeType
    Move: Moves=MoveItems
    GetItemEstimate: Folders=Collections Folder=Collection FolderType=Class FolderId=CollectionId
    FolderHierarchy: ServerEntryId=ServerId Remove=Delete
    MeetingResponse: FolderId=CollectionId
    Tasks: Rtf=CompressedRTF
    Ping: LifeTime=HeartbeatInterval ServerEntryId=Id FolderType=Class
    Provision: DeviceEncryptionEnabled=RequireStorageCardEncryption
"""


def _tables() -> dict[str, str]:
    """(their tag, in lower case) -> our tag, with the namespace before both."""
    found = {tag.lower(): tag for tag in TOKEN_OF}
    space = ""
    for word in _RENAMED.split():
        if word.endswith(":"):
            space = word[:-1]
            continue
        theirs, _, ours = word.partition("=")
        found[f"{space}:{theirs}".lower()] = f"{space}:{ours}"
    return found


#: What is renamed wins: Z-Push's Folder in AirSync is a Collection.
_TAG_OF_THEIRS = _tables()
_TAG_OF_LOWER = {tag.lower(): tag for tag in TOKEN_OF}


def tag_of_trace(name: str) -> str:
    """Our tag for one of Z-Push's or Horde's ("POOMMAIL:Reply-To", "Synchronize"), "" for none."""
    space, _, local = name.rpartition(":")
    ours = _SPACES.get(space.lower(), space)
    return _TAG_OF_THEIRS.get(f"{ours}:{local}".lower(), "")


def tag_of_xml(space: str, name: str) -> str:
    """Our tag for an element of XML, "Email:" and "Subject"; libwbxml has a few of Z-Push's names. "" for none."""
    ours = space.strip().rstrip(":")
    lower = f"{ours}:{name}".lower()
    return _TAG_OF_LOWER.get(lower) or _TAG_OF_THEIRS.get(lower, "")

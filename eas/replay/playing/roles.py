"""Which elements hold what a server has chosen, and which hold dates: tables, by tag, for requests and answers alike.

[MS-ASCMD] CollectionId, ServerId, ParentId, SyncKey, LongId, FileReference; [MS-ASPROV] PolicyKey; [MS-ASCON].
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """Kinds of what a server chooses; the values are what people call them."""

    FOLDER = "folder"
    ITEM = "item"
    KEY = "sync key"
    POLICY = "policy key"
    FILE = "attachment"
    CONVERSATION = "conversation"
    LONG = "search result"


#: The tag of an element with text (or bytes) -> what that is.
ROLES: Mapping[str, Kind] = {
    **dict.fromkeys((
        "AirSync:CollectionId", "GetItemEstimate:CollectionId", "MeetingResponse:CollectionId", "Ping:Id",
        "Ping:Folder", "FolderHierarchy:ServerId", "FolderHierarchy:ParentId", "Move:SrcFldId", "Move:DstFldId",
        "ItemOperations:DstFldId", "ComposeMail:FolderId",
    ), Kind.FOLDER),
    **dict.fromkeys((
        "AirSync:ServerId", "Move:SrcMsgId", "Move:DstMsgId", "MeetingResponse:RequestId",
        "MeetingResponse:CalendarId", "ComposeMail:ItemId",
    ), Kind.ITEM),
    **dict.fromkeys(("AirSync:SyncKey", "FolderHierarchy:SyncKey"), Kind.KEY),
    "Provision:PolicyKey": Kind.POLICY,
    **dict.fromkeys(("AirSyncBase:FileReference", "Email:AttName"), Kind.FILE),
    **dict.fromkeys((
        "Email2:ConversationId", "ItemOperations:ConversationId", "Search:ConversationId",
    ), Kind.CONVERSATION),
    **dict.fromkeys(("Search:LongId", "ComposeMail:LongId"), Kind.LONG),
}

#: Where the folder of an item stands beside it, by the tag of the folder. Of a MoveItems the source.
HOLDERS = frozenset({
    "AirSync:CollectionId", "GetItemEstimate:CollectionId", "MeetingResponse:CollectionId", "Move:SrcFldId",
    "ComposeMail:FolderId",
})

#: Values that no server has chosen.
FIXED: Mapping[Kind, frozenset[str]] = {
    Kind.FOLDER: frozenset({"0", ""}), Kind.KEY: frozenset({"0", ""}), Kind.POLICY: frozenset({"0", ""}),
    **{kind: frozenset({""}) for kind in (Kind.ITEM, Kind.FILE, Kind.CONVERSATION, Kind.LONG)},
}

#: What is left out of a request as a whole where something in it is not there on the other server.
UNITS = frozenset({
    "AirSync:Collection", "AirSync:Change", "AirSync:Delete", "AirSync:Fetch", "AirSync:Add",
    "GetItemEstimate:Collection", "Ping:Folder", "Move:Move", "MeetingResponse:Request", "ItemOperations:Fetch",
    "ItemOperations:Move", "ItemOperations:EmptyFolderContents",
})
#: What may not be left empty by that: then it goes, too.
CONTAINERS = frozenset({"AirSync:Commands", "AirSync:Collections", "Ping:Folders", "GetItemEstimate:Collections"})
#: Roots that say nothing when all their units are gone.
HOLLOW = frozenset({
    "Ping:Ping", "GetItemEstimate:GetItemEstimate", "Move:MoveItems", "MeetingResponse:MeetingResponse",
    "ItemOperations:ItemOperations", "AirSync:Sync",
})

#: Dates that belong to a person and not to the time of the session.
UNMOVED = frozenset({"Contacts:Birthday", "Contacts:Anniversary"})

#: Parameters of a query -> what they are. [MS-ASHTTP] Command Parameters.
PARAMETERS: Mapping[str, Kind] = {
    "collectionid": Kind.FOLDER, "itemid": Kind.ITEM, "longid": Kind.LONG, "attachmentname": Kind.FILE,
    "policykey": Kind.POLICY,
}

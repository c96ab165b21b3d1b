"""What may differ between two servers, or two runs of one, and why. docs/sessions.md shows this table."""

from __future__ import annotations

from .rules import Manner, Rule, Rules

_SERVERS_ID = "the server chooses it"
_WHEN = "the server writes down when it happened"
_UNSORTED = "the protocol gives no order"
_SERVERS_HEADER = "the order of what is offered says nothing"

#: Headers that count; all others (Server, Date, tracing, caches, cookies) are passed over.
_HEADERS = (
    Rule("header/*", Manner.IGNORE, "most headers are about the server, proxies or the connection"),
    Rule("header/Content-Type", Manner.MEDIA, "devices decide by it how to read the answer"),
    Rule("header/MS-ASProtocolVersions", Manner.SET, _SERVERS_HEADER),
    Rule("header/MS-ASProtocolCommands", Manner.SET, _SERVERS_HEADER),
    Rule("header/Allow", Manner.SET, _SERVERS_HEADER),
    Rule("header/X-MS-RP", Manner.SET, _SERVERS_HEADER),
    Rule("header/X-MS-Location", Manner.ANY, "another server has another address"),
    Rule("header/WWW-Authenticate", Manner.ANY, "the realm is the server's own"),
    Rule("header/Retry-After", Manner.ANY, "how long is up to the server"),
    Rule("header/X-MS-ASThrottle", Manner.SAME, "devices slow down by it"),
    # Of requests, where two sessions are compared.
    Rule("header/MS-ASProtocolVersion", Manner.SAME, "the version decides how to read everything"),
    Rule("header/MS-ASAcceptMultiPart", Manner.SAME, "it asks for another form of answer"),
    Rule("header/X-MS-PolicyKey", Manner.KEY, _SERVERS_ID),
    *(Rule(f"query/{name}", Manner.IGNORE, "who asks is another matter")
      for name in ("User", "DeviceId", "DeviceType")),
    Rule("query/PolicyKey", Manner.KEY, _SERVERS_ID),
    Rule("query/CollectionId", Manner.ID, _SERVERS_ID, "folder"),
    Rule("query/ItemId", Manner.ID, _SERVERS_ID, "item"),
    Rule("query/AttachmentName", Manner.ID, _SERVERS_ID, "file"),
    Rule("query/LongId", Manner.ID, _SERVERS_ID, "long"),
)

#: Headers of messages that count; servers on the way add others. What is not there is the same, too.
_MIME = (
    Rule("mime/*", Manner.IGNORE, "servers on the way add and change headers"),
    Rule("mime/Subject", Manner.WORDS, "headers may be folded anywhere"),
    *(Rule(f"mime/{name}", Manner.ADDRESSES, "spelling of addresses differs")
      for name in ("From", "To", "Cc", "Bcc", "Reply-To", "Sender")),
    Rule("mime/Date", Manner.TIME, _WHEN),
    *(Rule(f"mime/{name}", Manner.WORDS, "headers may be folded anywhere")
      for name in ("Message-ID", "In-Reply-To", "References", "Importance")),
    Rule("mime/text", Manner.LINES, "ends of lines change on the way"),
)

DEFAULT = Rules(table=(
    *_HEADERS,
    *_MIME,
    Rule("body/xml", Manner.XML, "another server has another address"),
    *(Rule(f"body/{kind}", Manner.LINES, "ends of lines change on the way")
      for kind in ("html", "text", "json", "form")),
    # Keys and ids.
    Rule("SyncKey", Manner.KEY, _SERVERS_ID),
    Rule("PolicyKey", Manner.KEY, _SERVERS_ID),
    *(Rule(where, Manner.ID, _SERVERS_ID, "folder") for where in (
        "CollectionId", "FolderHierarchy:ServerId", "ParentId", "Ping:Id", "SrcFldId", "DstFldId", "FolderId",
        "Collection/GetItemEstimate:CollectionId",
    )),
    *(Rule(where, Manner.ID, _SERVERS_ID, "item") for where in (
        "AirSync:ServerId", "AirNotify:ServerId", "SrcMsgId", "DstMsgId", "ItemId", "MeetingResponse:RequestId",
        "CalendarId",
    )),
    Rule("FileReference", Manner.ID, _SERVERS_ID, "file"),
    Rule("Att0Id", Manner.ID, _SERVERS_ID, "file"),
    Rule("AttName", Manner.ID, _SERVERS_ID, "file"),
    Rule("LongId", Manner.ID, _SERVERS_ID, "long"),
    Rule("SearchId", Manner.ANY, "the device chooses a new one"),
    Rule("ConversationId", Manner.ID, _SERVERS_ID, "conversation"),
    Rule("ConversationIndex", Manner.ANY, _SERVERS_ID),
    Rule("Calendar:UID", Manner.ID, _SERVERS_ID, "uid"),
    Rule("GlobalObjId", Manner.ID, _SERVERS_ID, "meeting"),
    Rule("AccountId", Manner.ID, _SERVERS_ID, "account"),
    # Times.
    Rule("DateReceived", Manner.TIME, "mail that is sent anew comes later"),
    Rule("DtStamp", Manner.ANY, _WHEN),
    Rule("LastModifiedDate", Manner.ANY, _WHEN),
    Rule("LastVerbExecutionTime", Manner.ANY, _WHEN),
    Rule("AppointmentReplyTime", Manner.ANY, _WHEN),
    # Sizes and texts that servers work out.
    *(Rule(where, Manner.NUMBER, "servers count differently: encoded, decoded, in characters or bytes")
      for where in ("EstimatedDataSize", "MIMESize", "AttSize", "BodySize")),
    Rule("Preview", Manner.BEGINNING, "servers take blanks out, and cut where they like"),
    Rule("AirSyncBase:Data", Manner.MIME, "ends of lines change on the way; a message (Type 4) is compared by parts"),
    Rule("Email:Body", Manner.LINES, "ends of lines change on the way"),
    Rule("Email:MIMEData", Manner.MIME, "a message is compared by parts"),
    Rule("ComposeMail:Mime", Manner.MIME, "a message is compared by parts"),
    *(Rule(where, Manner.ADDRESSES, _UNSORTED) for where in ("Email:To", "Email:Cc", "Email:From", "Email:ReplyTo")),
    # Siblings.
    *(Rule(where, Manner.UNORDERED, _UNSORTED) for where in (
        "Collections/Collection", "Collections/AirSync:Add",
        "Commands/Add", "Commands/Change", "Commands/Delete", "Commands/SoftDelete", "Commands/Fetch",
        "Responses/Add", "Responses/Change", "Responses/Delete", "Responses/Fetch",
        "Changes/Add", "Changes/Update", "Changes/Delete",
        "GetItemEstimate/Response", "MoveItems/Response", "MoveItems/Move", "Ping/Folders/Folder",
        "Attendees/Attendee", "Categories/Category", "Children/Child", "Exceptions/Exception",
        "ItemOperations:Response/ItemOperations:Fetch", "EMailAddresses/SMTPAddress", "EmailAddresses/SMTPAddress",
    )),
))

"""Where test_version_facts passes over a difference, and why; by the title of the rows."""

from __future__ import annotations

READ = "what a device sends beyond its version is read as it is meant; nothing of it is written in that version"
XML = "Autodiscover is XML of its own, without versions (eas/server/autodiscover.py)"
AS_SENT = "kept as the elements that a device sends, whatever they are called (eas/commands/_device_information.py)"
WITHIN = "stands in an element that the version does not have, and is read and written with that one alone"
CHOSEN = "an element of a choice, read by hand in the order in which it stands"
NOT_SENT = "there is one account, and no rights management: never sent, and passed over in a request"

APART: dict[str, str] = {
    **dict.fromkeys(
        ("Autodiscover", "AcceptableResponseSchema", "Action", "Culture", "DebugData", "EMailAddress", "Error",
         "ErrorCode", "Message", "Redirect", "Server", "ServerData", "Url", "User", "Version"), XML,
    ),
    **dict.fromkeys(
        ("EnableOutboundSMS", "FriendlyName", "IMEI", "MobileOperator", "Model", "PhoneNumber", "UserAgent"),
        AS_SENT,
    ),
    **dict.fromkeys(
        ("Accuracy", "Altitude", "AltitudeAccuracy", "Annotation", "City", "Country", "DisplayName (Location)",
         "Latitude", "LocationUri", "Longitude", "PostalCode", "State", "Street", "ClientId",
         "FileReference (Delete)", "Data(Search)", "Preview"), WITHIN,
    ),
    **dict.fromkeys(
        ("AllOrNone (BodyPartPreference)", "Preview (BodyPartPreference)", "Preview (BodyPreference)",
         "TruncationSize (BodyPartPreference)", "Type (BodyPartPreference)", "Class(GetItemEstimate)",
         "DstFldId(ItemOperations)", "InstanceId(MeetingResponse)", "Move(ItemOperations)", "MoveAlways",
         "Options(GetItemEstimate)", "EndTime", "RightsManagementInformation"), READ,
    ),
    **dict.fromkeys(("And", "RebuildResults", "Store(Find)"), CHOSEN),
    **dict.fromkeys(("AccountId", "AccountId(Settings)", "AccountName", "RightsManagementLicense"), NOT_SENT),
    "Part": "of ItemOperations, in its own page",
    "TopLevelSchemaProps": "a group of the schema, no element",
    "Location": "the page differs: a text before 16.0, AirSyncBase:Location from then on",
    "Categories": "of Email, from 14.0; the rows of the items' other classes have the same title",
    "Category": "as Categories",
    "DisplayName": "of the attachments of Email before AirSyncBase; AirSyncBase:DisplayName has rows of its own",
    "Body": "of Notes, which begin with 14.0; AirSyncBase:Body is older",
    "AllowWifi": "spelled AllowWiFi in the schema and the code page",
    "Status (Provision)": "stands also in the policy, and is written there",
    "DayofMonth": "spelled DayOfMonth in the schema and the code page",
    "SendMail": "up to 12.1 a command without a document",
    "SmartForward": "up to 12.1 a command without a document",
    "SmartReply": "up to 12.1 a command without a document",
    "Class(Sync)": "one row each for its places: Collection up to 12.1, Add and Options from 14.0",
    "Company (Find)": "rows for versions without the command Find",
    "FirstName (Find)": "refused for 16.1 in one row and described for 16.1 in others",
    "LongId(Search)": "devices of 12.1 fetch what they found by it: LongId (ItemOperations) is of 12.1",
    "Name (SmartForward and Sync)": "Forwardees of a Sync are the attendees; only SmartForward has them here",
    "ParentId(GetHierarchy)": "rows for versions without the command GetHierarchy",
}

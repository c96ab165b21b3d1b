"""The WBXML code pages of ActiveSync as data. [MS-ASWBXML] Code Pages.

A page is its number and a text: its namespace, then runs of tags in token order. A run names its first token, the
protocol versions that have the tags ("12.1-" is 12.1 and later, "2.5-14.1" ends with 14.1), and the tags. Two kinds
of tags do not stand in the present specification:

- `legacy`: spoken by 2.5 (or up to 12.1) only, and dropped from later editions. Their versions still need them.
- `unverified`: read off other implementations by one or two parties. They are read, so that a document that has
  them is not lost, and never sent: they have no versions, and no message of ours declares them.

Everything else (codec, dumps, tests) follows from this table. A tag is written "Email:Subject" everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from .version import Spoken, Version

PAGES: dict[int, str] = {
    0: """AirSync
        0x05 2.5-            Sync Responses Add Change Delete Fetch SyncKey ClientId ServerId Status Collection Class
        0x11 2.5-2.5 legacy  Version
        0x12 2.5-            CollectionId GetChanges MoreAvailable WindowSize Commands Options FilterType
        0x19 2.5-2.5 legacy  Truncation RTFTruncation
        0x1B 2.5-            Conflict Collections ApplicationData DeletesAsMoves
        0x1F 2.5-2.5 legacy  NotifyGUID
        0x20 2.5-            Supported SoftDelete MIMESupport MIMETruncation
        0x24 12.1-           Wait Limit Partial
        0x27 14.0-           ConversationMode MaxItems HeartbeatInterval
        """,
    1: """Contacts
        0x05 2.5-            Anniversary AssistantName AssistantPhoneNumber Birthday
        0x09 2.5-2.5 legacy  Body BodySize BodyTruncated
        0x0C 2.5-            Business2PhoneNumber BusinessAddressCity BusinessAddressCountry BusinessAddressPostalCode
                             BusinessAddressState BusinessAddressStreet BusinessFaxNumber BusinessPhoneNumber
                             CarPhoneNumber Categories Category Children Child CompanyName Department Email1Address
                             Email2Address Email3Address FileAs FirstName Home2PhoneNumber HomeAddressCity
                             HomeAddressCountry HomeAddressPostalCode HomeAddressState HomeAddressStreet HomeFaxNumber
                             HomePhoneNumber JobTitle LastName MiddleName MobilePhoneNumber OfficeLocation
                             OtherAddressCity OtherAddressCountry OtherAddressPostalCode OtherAddressState
                             OtherAddressStreet PagerNumber RadioPhoneNumber Spouse Suffix Title WebPage
                             YomiCompanyName YomiFirstName YomiLastName
        0x3B 2.5-2.5 legacy  CompressedRTF
        0x3C 2.5-            Picture
        0x3D 14.0-           Alias WeightedRank
        """,
    2: """Email
        0x05 2.5-2.5 legacy  Attachment Attachments AttName AttSize Att0Id AttMethod AttRemoved Body BodySize
                             BodyTruncated
        0x0F 2.5-            DateReceived
        0x10 2.5-2.5 legacy  DisplayName
        0x11 2.5-            DisplayTo Importance MessageClass Subject Read To Cc From ReplyTo AllDayEvent
        0x1B 14.0-           Categories Category
        0x1D 2.5-            DtStamp EndTime InstanceType BusyStatus
        0x21 2.5-14.1        Location
        0x22 2.5-            MeetingRequest Organizer RecurrenceId Reminder ResponseRequested Recurrences Recurrence
                             Type Until Occurrences Interval DayOfWeek DayOfMonth WeekOfMonth MonthOfYear StartTime
                             Sensitivity TimeZone
        0x34 2.5-14.1        GlobalObjId
        0x35 2.5-            ThreadTopic
        0x36 2.5-2.5 legacy  MIMEData MIMETruncated MIMESize
        0x39 2.5-            InternetCPID
        0x3A 12.0-           Flag Status ContentClass FlagType CompleteTime
        0x3F 14.0-           DisallowNewTimeProposal
        """,
    3: """AirNotify
        0x05 2.5-2.5 legacy  Notify Notification Version LifeTime DeviceInfo Enable Folder ServerId DeviceAddress
                             ValidCarrierProfiles CarrierProfile Status Responses Devices Device Id Expiry NotifyGUID
                             DeviceFriendlyName
        """,
    4: """Calendar
        0x05 2.5-            Timezone AllDayEvent Attendees Attendee Email Name
        0x0B 2.5-2.5 legacy  Body BodyTruncated
        0x0D 2.5-            BusyStatus Categories Category
        0x10 2.5-2.5 legacy  CompressedRTF
        0x11 2.5-            DtStamp EndTime Exception Exceptions Deleted
        0x16 2.5-14.1        ExceptionStartTime Location
        0x18 2.5-            MeetingStatus OrganizerEmail OrganizerName Recurrence Type Until Occurrences Interval
                             DayOfWeek DayOfMonth WeekOfMonth MonthOfYear Reminder Sensitivity Subject StartTime UID
        0x29 12.0-           AttendeeStatus AttendeeType
        0x2B unverified      Attachment Attachments AttName AttSize AttOid AttMethod AttRemoved DisplayName
        0x33 14.0-           DisallowNewTimeProposal ResponseRequested AppointmentReplyTime ResponseType CalendarType
                             IsLeapMonth
        0x39 14.1-           FirstDayOfWeek OnlineMeetingConfLink OnlineMeetingExternalLink
        0x3C 16.0-           ClientUid
        """,
    5: """Move
        0x05 2.5-            MoveItems Move SrcMsgId SrcFldId DstFldId Response Status DstMsgId
        """,
    6: """GetItemEstimate
        0x05 2.5-            GetItemEstimate
        0x06 2.5-12.1 legacy Version
        0x07 2.5-            Collections Collection
        0x09 2.5-12.1        Class
        0x0A 2.5-            CollectionId
        0x0B 2.5-12.1 legacy DateTime
        0x0C 2.5-            Estimate Response Status
        """,
    7: """FolderHierarchy
        0x05 2.5-12.1        Folders Folder
        0x07 2.5-            DisplayName ServerId ParentId Type
        0x0B 2.5-2.5 legacy  Response
        0x0C 2.5-            Status
        0x0D 2.5-2.5 legacy  ContentClass
        0x0E 2.5-            Changes Add Delete Update SyncKey FolderCreate FolderDelete FolderUpdate FolderSync Count
        0x18 2.5-2.5 legacy  Version
        """,
    8: """MeetingResponse
        0x05 2.5-            CalendarId CollectionId MeetingResponse RequestId Request Result Status UserResponse
        0x0D 2.5-2.5 legacy  Version
        0x0E 14.1-           InstanceId
        0x10 16.1-           ProposedStartTime ProposedEndTime
        0x12 16.0-           SendResponse
        """,
    9: """Tasks
        0x05 2.5-2.5 legacy  Body BodySize BodyTruncated
        0x08 2.5-            Categories Category Complete DateCompleted DueDate UtcDueDate Importance Recurrence Type
                             Start Until Occurrences Interval DayOfMonth DayOfWeek WeekOfMonth MonthOfYear Regenerate
                             DeadOccur ReminderSet ReminderTime Sensitivity StartDate UtcStartDate Subject
        0x21 2.5-2.5 legacy  CompressedRTF
        0x22 12.0-           OrdinalDate SubOrdinalDate
        0x24 14.0-           CalendarType IsLeapMonth
        0x26 14.1-           FirstDayOfWeek
        """,
    10: """ResolveRecipients
        0x05 2.5-            ResolveRecipients Response Status Type Recipient DisplayName EmailAddress Certificates
                             Certificate MiniCertificate Options To CertificateRetrieval RecipientCount
                             MaxCertificates MaxAmbiguousRecipients CertificateCount
        0x16 14.0-           Availability StartTime EndTime MergedFreeBusy
        0x1A 14.1-           Picture MaxSize Data MaxPictures
        """,
    11: """ValidateCert
        0x05 2.5-            ValidateCert Certificates Certificate CertificateChain CheckCRL Status
        """,
    12: """Contacts2
        0x05 2.5-            CustomerId GovernmentId IMAddress IMAddress2 IMAddress3 ManagerName CompanyMainPhone
                             AccountName NickName MMS
        """,
    13: """Ping
        0x05 2.5-            Ping
        0x06 2.5-2.5 legacy  AutdState
        0x07 2.5-            Status HeartbeatInterval Folders Folder Id Class MaxFolders
        0x0E unverified      Version
        """,
    14: """Provision
        0x05 2.5-            Provision Policies Policy PolicyType PolicyKey Data Status RemoteWipe
        0x0D 12.0-           EASProvisionDoc DevicePasswordEnabled AlphanumericDevicePasswordRequired
        0x10 12.1-           RequireStorageCardEncryption
        0x11 12.0-           PasswordRecoveryEnabled
        0x12 12.0-12.0 legacy DocumentBrowseEnabled
        0x13 12.0-           AttachmentsEnabled MinDevicePasswordLength MaxInactivityTimeDeviceLock
                             MaxDevicePasswordFailedAttempts MaxAttachmentSize AllowSimpleDevicePassword
                             DevicePasswordExpiration DevicePasswordHistory
        0x1B 12.1-           AllowStorageCard AllowCamera RequireDeviceEncryption AllowUnsignedApplications
                             AllowUnsignedInstallationPackages MinDevicePasswordComplexCharacters AllowWiFi
                             AllowTextMessaging AllowPOPIMAPEmail AllowBluetooth AllowIrDA
                             RequireManualSyncWhenRoaming AllowDesktopSync MaxCalendarAgeFilter AllowHTMLEmail
                             MaxEmailAgeFilter MaxEmailBodyTruncationSize MaxEmailHTMLBodyTruncationSize
                             RequireSignedSMIMEMessages RequireEncryptedSMIMEMessages RequireSignedSMIMEAlgorithm
                             RequireEncryptionSMIMEAlgorithm AllowSMIMEEncryptionAlgorithmNegotiation
                             AllowSMIMESoftCerts AllowBrowser AllowConsumerEmail AllowRemoteDesktop
                             AllowInternetSharing UnapprovedInROMApplicationList ApplicationName
                             ApprovedApplicationList Hash
        0x3B 16.1-           AccountOnlyRemoteWipe
        """,
    15: """Search
        0x05 2.5-            Search
        0x06 unverified      Stores
        0x07 2.5-            Store Name Query Options Range Status Response Result Properties Total
        0x11 12.0-           EqualTo Value And Or FreeText
        0x16 unverified      SubstringOp
        0x17 12.0-           DeepTraversal LongId RebuildResults LessThan GreaterThan
        0x1C 12.0-12.0 legacy Schema Supported
        0x1E 12.1-           UserName Password
        0x20 14.0-           ConversationId
        0x21 14.1-           Picture MaxSize MaxPictures
        """,
    16: """GAL
        0x05 2.5-            DisplayName Phone Office Title Company Alias FirstName LastName HomePhone MobilePhone
                             EmailAddress
        0x10 14.1-           Picture Status Data
        """,
    17: """AirSyncBase
        0x05 12.0-           BodyPreference Type TruncationSize AllOrNone
        0x0A 12.0-           Body Data EstimatedDataSize Truncated Attachments Attachment DisplayName FileReference
                             Method ContentId ContentLocation IsInline NativeBodyType ContentType
        0x18 14.0-           Preview
        0x19 14.1-           BodyPartPreference BodyPart Status
        0x1C 16.0-           Add Delete ClientId Content Location Annotation Street City State Country PostalCode
                             Latitude Longitude Accuracy Altitude AltitudeAccuracy LocationUri InstanceId
        """,
    18: """Settings
        0x05 12.0-           Settings Status Get Set Oof OofState StartTime EndTime OofMessage AppliesToInternal
                             AppliesToExternalKnown AppliesToExternalUnknown Enabled ReplyMessage BodyType
                             DevicePassword Password DeviceInformation Model IMEI FriendlyName OS OSLanguage
                             PhoneNumber UserInformation EmailAddresses SMTPAddress
        0x20 12.1-           UserAgent
        0x21 14.0-           EnableOutboundSMS MobileOperator
        0x23 14.1-           PrimarySmtpAddress Accounts Account AccountId AccountName UserDisplayName SendDisabled
        0x2B 14.1-           RightsManagementInformation
        """,
    19: """DocumentLibrary
        0x05 12.0-           LinkId DisplayName IsFolder CreationDate LastModifiedDate IsHidden ContentLength
                             ContentType
        """,
    20: """ItemOperations
        0x05 12.0-           ItemOperations Fetch Store Options Range Total Properties Data Status Response Version
                             Schema Part EmptyFolderContents DeleteSubFolders
        0x14 12.1-           UserName Password
        0x16 14.0-           Move DstFldId ConversationId MoveAlways
        """,
    21: """ComposeMail
        0x05 14.0-           SendMail SmartForward SmartReply SaveInSentItems ReplaceMime
        0x0A unverified      Type
        0x0B 14.0-           Source FolderId ItemId LongId InstanceId Mime ClientId Status
        0x13 14.1-           AccountId
        0x15 16.0-           Forwardees Forwardee Name Email
        """,
    22: """Email2
        0x05 14.0-           UmCallerID UmUserNotes UmAttDuration UmAttOrder ConversationId ConversationIndex
                             LastVerbExecuted LastVerbExecutionTime ReceivedAsBcc Sender CalendarType IsLeapMonth
        0x11 14.1-           AccountId FirstDayOfWeek MeetingMessageType
        0x15 16.0-           IsDraft Bcc Send
        """,
    23: """Notes
        0x05 14.0-           Subject MessageClass LastModifiedDate Categories Category
        """,
    24: """RightsManagement
        0x05 14.1-           RightsManagementSupport RightsManagementTemplates RightsManagementTemplate
                             RightsManagementLicense EditAllowed ReplyAllowed ReplyAllAllowed ForwardAllowed
                             ModifyRecipientsAllowed ExtractAllowed PrintAllowed ExportAllowed
                             ProgrammaticAccessAllowed Owner ContentExpiryDate TemplateID TemplateName
                             TemplateDescription ContentOwner RemoveRightsManagementProtection
        """,
    25: """Find
        0x05 16.1-           Find SearchId ExecuteSearch MailBoxSearchCriterion Query Status FreeText Options Range
                             DeepTraversal
        0x11 16.1-           Response Result Properties Preview HasAttachments Total DisplayCc DisplayBcc
                             GalSearchCriterion
        0x20 16.1-           MaxPictures MaxSize Picture
        """,
}

#: Content that is bytes and travels as opaque data; all others are text. [MS-ASDTYPE] Byte Array;
#: [MS-ASCMD] Mime R1902, Data (ResolveRecipients) R1468; [MS-ASAIRS] Content R1088; [MS-ASCON] ConversationId R70, R73;
#: [MS-ASEMAIL] ConversationId R345, ConversationIndex R354.
OPAQUE = frozenset(
    {
        "AirSyncBase:Content",
        "ComposeMail:Mime",
        "Email2:ConversationId",
        "Email2:ConversationIndex",
        "GAL:Data",
        "ItemOperations:ConversationId",
        "ResolveRecipients:Data",
        "Search:ConversationId",
    }
)


def _rows(text: str) -> Iterator[tuple[str, int, str, str]]:
    """(tag, token, versions or "", kind or "") of each tag of one page."""
    namespace, *words = text.split()
    token, versions, kind = 0, "", ""
    for word in words:
        if word.startswith("0x"):
            token, versions, kind = int(word, 16), "", ""
        elif word[0].isdigit():
            versions = word
        elif word.islower():
            kind = word
        else:
            yield f"{namespace}:{word}", token, versions, kind
            token += 1


def _spoken(versions: str) -> Spoken:
    since, _, until = versions.partition("-")
    return Spoken(Version.parse(since), Version.parse(until) if until else Version.V16_1)


_TAGS = {
    tag: (page, token, versions, kind) for page, text in PAGES.items() for tag, token, versions, kind in _rows(text)
}

#: Tag -> (page, token), the token without its content bit.
TOKEN_OF: dict[str, tuple[int, int]] = {tag: (page, token) for tag, (page, token, _, _) in _TAGS.items()}
#: (page, token) -> tag.
TAG_OF: dict[tuple[int, int], str] = {code: tag for tag, code in TOKEN_OF.items()}
#: Tag -> the versions that have it. Unverified tags are absent.
SPOKEN: dict[str, Spoken] = {tag: _spoken(versions) for tag, (_, _, versions, _) in _TAGS.items() if versions}
LEGACY = frozenset(tag for tag, (_, _, _, kind) in _TAGS.items() if kind == "legacy")
UNVERIFIED = frozenset(tag for tag, (_, _, _, kind) in _TAGS.items() if kind == "unverified")

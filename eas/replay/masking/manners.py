"""What becomes of the content of each tag of the code pages. A test holds this table against them: no tag is undecided.

    keep      numbers, switches and words of the protocol; what is neither is masked as `text`
    shown     stays, whatever it is: models and programs, without which nobody could tell devices apart
    text      words, numbers, addresses      subject  the same behind `Re:`      query  behind `from:`
    person    names, addresses and telephone numbers
    body      plain text, HTML, base64 or a message, by the Type (or BodyType) beside it
    mime      a message
    date      moved
    id uid    ids, of which two that differ stay different; global object ids in hex digits
    object    global object ids, base64
    file      names of files                 folder   names of folders, of which those that everybody has stay
    blob      pictures, certificates, rich text: base64, or bytes
    index     conversation indexes, bytes or base64
    opaque    bytes that are an id
    place     degrees                        zone     time zones, base64
    policy    settings, XML

A kind is what `--keep` takes and the summary counts.
"""

from __future__ import annotations

from collections.abc import Iterator

#: Page -> `manner/kind: tags`. `keep` alone has no kind.
TABLE: dict[str, str] = {
    "AirSync": """
        keep: Sync Responses Add Change Delete Fetch Status Collection Class Version GetChanges MoreAvailable WindowSize
              Commands Options FilterType Truncation RTFTruncation Conflict Collections ApplicationData DeletesAsMoves
              Supported SoftDelete MIMESupport MIMETruncation Wait Limit Partial ConversationMode MaxItems
              HeartbeatInterval
        id/ids: SyncKey ClientId ServerId CollectionId NotifyGUID
        """,
    "Contacts": """
        keep: BodySize BodyTruncated Categories Children WeightedRank
        date/dates: Anniversary Birthday
        person/people: AssistantName AssistantPhoneNumber Business2PhoneNumber BusinessAddressCity
              BusinessAddressCountry BusinessAddressPostalCode BusinessAddressState BusinessAddressStreet
              BusinessFaxNumber BusinessPhoneNumber CarPhoneNumber Child CompanyName Department Email1Address
              Email2Address Email3Address FileAs FirstName Home2PhoneNumber HomeAddressCity HomeAddressCountry
              HomeAddressPostalCode HomeAddressState HomeAddressStreet HomeFaxNumber HomePhoneNumber JobTitle LastName
              MiddleName MobilePhoneNumber OfficeLocation OtherAddressCity OtherAddressCountry OtherAddressPostalCode
              OtherAddressState OtherAddressStreet PagerNumber RadioPhoneNumber Spouse Suffix Title WebPage
              YomiCompanyName YomiFirstName YomiLastName Alias
        text/categories: Category
        body/bodies: Body
        blob/files: CompressedRTF Picture
        """,
    "Email": """
        keep: Attachments AttSize AttMethod AttRemoved BodySize BodyTruncated Importance Read AllDayEvent Categories
              InstanceType BusyStatus MeetingRequest Reminder ResponseRequested Recurrences Recurrence Type Occurrences
              Interval DayOfWeek DayOfMonth WeekOfMonth MonthOfYear Sensitivity MIMETruncated MIMESize InternetCPID Flag
              Status DisallowNewTimeProposal
        shown: MessageClass ContentClass
        file/files: Attachment DisplayName
        id/ids: AttName Att0Id
        body/bodies: Body
        mime/bodies: MIMEData
        date/dates: DateReceived DtStamp EndTime RecurrenceId Until StartTime CompleteTime
        person/people: DisplayTo To Cc From ReplyTo Organizer
        subject/subjects: Subject ThreadTopic
        text/categories: Category FlagType
        text/places: Location
        object/ids: GlobalObjId
        zone: TimeZone
        """,
    "AirNotify": """
        keep: Notify Notification Version LifeTime DeviceInfo Enable Folder ValidCarrierProfiles CarrierProfile Status
              Responses Devices Expiry
        id/ids: ServerId NotifyGUID
        device/devices: Id
        text/devices: Device DeviceAddress DeviceFriendlyName
        """,
    "Calendar": """
        keep: AllDayEvent Attendees BodyTruncated BusyStatus Categories Exceptions Deleted MeetingStatus Recurrence Type
              Occurrences Interval DayOfWeek DayOfMonth WeekOfMonth MonthOfYear Reminder Sensitivity AttendeeStatus
              AttendeeType AttSize AttMethod AttRemoved DisallowNewTimeProposal ResponseRequested ResponseType
              CalendarType IsLeapMonth FirstDayOfWeek Attachments Exception
        zone: Timezone
        person/people: Attendee Email Name OrganizerEmail OrganizerName
        text/categories: Category
        body/bodies: Body
        blob/files: CompressedRTF
        date/dates: DtStamp EndTime ExceptionStartTime Until StartTime AppointmentReplyTime
        text/places: Location OnlineMeetingConfLink OnlineMeetingExternalLink
        subject/subjects: Subject
        uid/ids: UID ClientUid
        file/files: Attachment DisplayName
        id/ids: AttName AttOid
        """,
    "Move": """
        keep: MoveItems Move Response Status
        id/ids: SrcMsgId SrcFldId DstFldId DstMsgId
        """,
    "GetItemEstimate": """
        keep: GetItemEstimate Version Collections Collection Class Estimate Response Status
        id/ids: CollectionId
        date/dates: DateTime
        """,
    "FolderHierarchy": """
        keep: Folders Folder Type Response Status ContentClass Changes Add Delete Update FolderCreate FolderDelete
              FolderUpdate FolderSync Count Version
        folder/folders: DisplayName
        id/ids: ServerId ParentId SyncKey
        """,
    "MeetingResponse": """
        keep: MeetingResponse Request Result Status UserResponse Version SendResponse
        id/ids: CalendarId CollectionId RequestId
        date/dates: InstanceId ProposedStartTime ProposedEndTime
        """,
    "Tasks": """
        keep: BodySize BodyTruncated Categories Complete Importance Recurrence Type Occurrences Interval DayOfMonth
              DayOfWeek WeekOfMonth MonthOfYear Regenerate DeadOccur ReminderSet Sensitivity CalendarType IsLeapMonth
              FirstDayOfWeek
        date/dates: DateCompleted DueDate UtcDueDate Start Until ReminderTime StartDate UtcStartDate OrdinalDate
        body/bodies: Body
        blob/files: CompressedRTF
        text/categories: Category
        subject/subjects: Subject
        id/ids: SubOrdinalDate
        """,
    "ResolveRecipients": """
        keep: ResolveRecipients Response Status Type Recipient Certificates Options CertificateRetrieval RecipientCount
              MaxCertificates MaxAmbiguousRecipients CertificateCount Availability MaxSize MaxPictures
        person/people: DisplayName EmailAddress To
        blob/files: Certificate MiniCertificate Data Picture
        date/dates: StartTime EndTime
        busy: MergedFreeBusy
        """,
    "ValidateCert": """
        keep: ValidateCert Certificates CertificateChain CheckCRL Status
        blob/files: Certificate
        """,
    "Contacts2": """
        person/people: CustomerId GovernmentId IMAddress IMAddress2 IMAddress3 ManagerName CompanyMainPhone AccountName
              NickName MMS
        """,
    "Ping": """
        keep: Ping AutdState Status HeartbeatInterval Folders Class MaxFolders Version
        id/ids: Id Folder
        """,
    "Provision": """
        keep: Provision Policies Policy PolicyType PolicyKey Status RemoteWipe EASProvisionDoc DevicePasswordEnabled
              AlphanumericDevicePasswordRequired RequireStorageCardEncryption PasswordRecoveryEnabled
              DocumentBrowseEnabled AttachmentsEnabled MinDevicePasswordLength MaxInactivityTimeDeviceLock
              MaxDevicePasswordFailedAttempts MaxAttachmentSize AllowSimpleDevicePassword DevicePasswordExpiration
              DevicePasswordHistory AllowStorageCard AllowCamera RequireDeviceEncryption AllowUnsignedApplications
              AllowUnsignedInstallationPackages MinDevicePasswordComplexCharacters AllowWiFi AllowTextMessaging
              AllowPOPIMAPEmail AllowBluetooth AllowIrDA RequireManualSyncWhenRoaming AllowDesktopSync
              MaxCalendarAgeFilter AllowHTMLEmail MaxEmailAgeFilter MaxEmailBodyTruncationSize
              MaxEmailHTMLBodyTruncationSize RequireSignedSMIMEMessages RequireEncryptedSMIMEMessages
              RequireSignedSMIMEAlgorithm RequireEncryptionSMIMEAlgorithm AllowSMIMEEncryptionAlgorithmNegotiation
              AllowSMIMESoftCerts AllowBrowser AllowConsumerEmail AllowRemoteDesktop AllowInternetSharing
              UnapprovedInROMApplicationList ApprovedApplicationList AccountOnlyRemoteWipe
        policy/policies: Data
        text/policies: ApplicationName
        blob/policies: Hash
        """,
    "Search": """
        keep: Search Stores Store Name Options Range Status Response Result Properties Total EqualTo And Or SubstringOp
              DeepTraversal RebuildResults LessThan GreaterThan Schema Supported MaxSize MaxPictures
        query/searches: Query Value FreeText
        id/ids: LongId
        text/people: UserName Password
        opaque/ids: ConversationId
        blob/files: Picture
        """,
    "GAL": """
        keep: Status
        person/people: DisplayName Phone Office Title Company Alias FirstName LastName HomePhone MobilePhone
              EmailAddress
        blob/files: Picture Data
        """,
    "AirSyncBase": """
        keep: BodyPreference Type TruncationSize AllOrNone EstimatedDataSize Truncated Attachments Attachment Method
              IsInline NativeBodyType BodyPart BodyPartPreference Status Add Delete
        body/bodies: Body Data Preview Annotation
        file/files: DisplayName
        id/ids: FileReference ContentId ClientId
        text/files: ContentLocation
        shown: ContentType
        blob/files: Content
        text/places: Location Street City State Country PostalCode LocationUri
        place/places: Latitude Longitude Accuracy Altitude AltitudeAccuracy
        date/dates: InstanceId
        """,
    "Settings": """
        keep: Settings Status Get Set Oof OofState OofMessage AppliesToInternal AppliesToExternalKnown
              AppliesToExternalUnknown Enabled BodyType DevicePassword DeviceInformation UserInformation EmailAddresses
              EnableOutboundSMS Accounts Account SendDisabled RightsManagementInformation
        date/dates: StartTime EndTime
        body/bodies: ReplyMessage
        text/people: Password
        shown: Model OS OSLanguage UserAgent
        text/devices: IMEI FriendlyName PhoneNumber MobileOperator
        person/people: SMTPAddress PrimarySmtpAddress AccountName UserDisplayName
        id/ids: AccountId
        """,
    "DocumentLibrary": """
        keep: IsFolder IsHidden ContentLength
        text/files: LinkId
        file/files: DisplayName
        date/dates: CreationDate LastModifiedDate
        shown: ContentType
        """,
    "ItemOperations": """
        keep: ItemOperations Fetch Store Options Range Total Properties Status Response Version Schema Part
              EmptyFolderContents DeleteSubFolders Move MoveAlways
        blob/files: Data
        text/people: UserName Password
        id/ids: DstFldId
        opaque/ids: ConversationId
        """,
    "ComposeMail": """
        keep: SendMail SmartForward SmartReply SaveInSentItems ReplaceMime Type Source Status Forwardees Forwardee
        id/ids: FolderId ItemId LongId ClientId AccountId
        date/dates: InstanceId
        mime/bodies: Mime
        person/people: Name Email
        """,
    "Email2": """
        keep: UmAttDuration UmAttOrder LastVerbExecuted ReceivedAsBcc CalendarType IsLeapMonth FirstDayOfWeek
              MeetingMessageType IsDraft Send
        person/people: UmCallerID Sender Bcc
        text/bodies: UmUserNotes
        opaque/ids: ConversationId
        index/ids: ConversationIndex
        date/dates: LastVerbExecutionTime
        id/ids: AccountId
        """,
    "Notes": """
        keep: Categories
        subject/subjects: Subject
        shown: MessageClass
        date/dates: LastModifiedDate
        text/categories: Category
        """,
    "RightsManagement": """
        keep: RightsManagementSupport RightsManagementTemplates RightsManagementTemplate RightsManagementLicense
              EditAllowed ReplyAllowed ReplyAllAllowed ForwardAllowed ModifyRecipientsAllowed ExtractAllowed
              PrintAllowed ExportAllowed ProgrammaticAccessAllowed Owner RemoveRightsManagementProtection
        date/dates: ContentExpiryDate
        id/ids: TemplateID
        text/policies: TemplateName TemplateDescription
        person/people: ContentOwner
        """,
    "Find": """
        keep: Find ExecuteSearch MailBoxSearchCriterion Status Options Range DeepTraversal Response Result Properties
              HasAttachments Total GalSearchCriterion MaxPictures MaxSize
        id/ids: SearchId
        query/searches: Query FreeText
        body/bodies: Preview
        person/people: DisplayCc DisplayBcc
        blob/files: Picture
        """,
}


def _rows() -> Iterator[tuple[str, tuple[str, str]]]:
    for page, text in TABLE.items():
        manner, kind = "", ""
        for word in text.split():
            if word.endswith(":"):
                manner, _, kind = word[:-1].partition("/")
            else:
                yield f"{page}:{word}", (manner, kind)


#: Tag -> (manner, kind).
MANNER_OF: dict[str, tuple[str, str]] = dict(_rows())

#: Kinds that stand elsewhere than in documents, too.
KINDS = tuple(sorted({kind for _, kind in MANNER_OF.values() if kind} | {"addresses", "comments", "headers"}))

_PROTOCOL = """
    Email Calendar Contacts Tasks Notes SMS Mailbox GAL DocumentLibrary T F MS-WAP-Provisioning-XML
    MS-EAS-Provisioning-WBXML HTML Text TEXT html text IPM.Note RecipientInfo
"""
#: What `keep` takes besides numbers: words of the protocol.
WORDS = frozenset(_PROTOCOL.split())

#: Folders that every mailbox has, in lower case, as servers name them.
FOLDERS = frozenset("""
    recipient information cache|
    inbox|drafts|sent items|sent|sent messages|deleted items|deleted messages|trash|outbox|junk email|junk e-mail|junk|
    spam|archive|archives|calendar|contacts|tasks|notes|journal|recipientinfo|suggested contacts|conversation history|
    sync issues|rss feeds|birthdays|holidays|posteingang|entwürfe|gesendete elemente|gesendete objekte|gesendet|
    gelöschte elemente|gelöschte objekte|papierkorb|postausgang|junk-e-mail|archiv|kalender|kontakte|aufgaben|notizen|
    boîte de réception|brouillons|éléments envoyés|éléments supprimés|courrier indésirable|boîte d'envoi|calendrier|
    contacts|tâches|corbeille|bandeja de entrada|borradores|elementos enviados|elementos eliminados|papelera|calendario|
    contactos|tareas|notas|posta in arrivo|bozze|posta inviata|posta eliminata|cestino
""".replace("\n", "").replace("    ", "").split("|"))

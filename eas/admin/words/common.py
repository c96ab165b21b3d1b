"""The statuses that any command may answer. [MS-ASCMD] Common Status Codes."""

from __future__ import annotations

from eas.protocol.statuses import CommonStatus as C

from .model import CLIENT_FAULT, NOTHING, OUR_FAULT, RETRY, Table, Words

PROVISIONS = (
    "The phone fetches the policy next. If it stays so, its owner has to accept the policy on the phone, or the"
    " policy asks for what this phone cannot do: see the policy's dry run."
)
NEW_PARTNER = "Have the account removed from the phone and set up again."
NOT_HERE = "This gateway does not offer it; apps that insist on it cannot be helped."
SMALLER = "Its owner can send less at a time, or the limit can be raised (docs/operations.md)."

COMMON: Table = {
    C.INVALID_CONTENT: Words("The request had no body, or one of the wrong kind.", CLIENT_FAULT),
    C.INVALID_WBXML: Words(
        "The request cannot be read: it is not WBXML.",
        "Look for a proxy that changes what passes through it; else it is the app's fault.",
    ),
    C.INVALID_XML: Words("The request can be read, but has something in it that does not belong there.", CLIENT_FAULT),
    C.INVALID_DATE_TIME: Words("A date in the request cannot be one.", CLIENT_FAULT),
    C.INVALID_COMBINATION_OF_IDS: Words("The request names things together that do not go together.", CLIENT_FAULT),
    C.INVALID_IDS: Words("The request names something by what is no id at all.", CLIENT_FAULT),
    C.INVALID_MIME: Words(
        "The message that was to be sent cannot be read as a mail.",
        "The mail stays in the phone's outbox. Its owner can write it anew; if others fail as well, it is the "
        "app's fault.",
    ),
    C.DEVICE_ID_MISSING_OR_INVALID: Words("The phone did not say who it is.", CLIENT_FAULT),
    C.DEVICE_TYPE_MISSING_OR_INVALID: Words("The phone did not say of what kind it is.", CLIENT_FAULT),
    C.SERVER_ERROR: Words("The server failed, and the phone was told not to try the same again.", OUR_FAULT),
    C.SERVER_ERROR_RETRY_LATER: Words(
        "The server could not do it just now: what is behind it did not answer, or another request was in the way.",
        RETRY,
    ),
    C.ACTIVE_DIRECTORY_ACCESS_DENIED: Words("The directory of users did not let the gateway in.", "Run `eas doctor`."),
    C.MAILBOX_QUOTA_EXCEEDED: Words(
        "The mailbox is full.",
        "Its owner has to delete something, or the quota can be raised.",
    ),
    C.MAILBOX_SERVER_OFFLINE: Words(
        "The server of this mailbox is away.",
        "Run `eas doctor`; phones go on by themselves once it is back.",
    ),
    C.SEND_QUOTA_EXCEEDED: Words(
        "This user may not send any more for now.",
        "Wait, or raise what the mail server allows.",
    ),
    C.MESSAGE_RECIPIENT_UNRESOLVED: Words(
        "An address of the mail leads nowhere.",
        "Its owner has to correct the address; the mail is in the phone's outbox.",
    ),
    C.MESSAGE_REPLY_NOT_ALLOWED: Words("The sender of the original does not want it to be answered."),
    C.MESSAGE_PREVIOUSLY_SENT: Words(
        "The phone sent the same mail again after it had been sent; it went out once.",
        NOTHING,
    ),
    C.MESSAGE_HAS_NO_RECIPIENT: Words("The mail is addressed to nobody.", "Its owner has to add an address."),
    C.MAIL_SUBMISSION_FAILED: Words(
        "The mail server did not take the mail.",
        "The log names its answer. Run `eas doctor` to see whether the way out works.",
    ),
    C.MESSAGE_REPLY_FAILED: Words("The mail that was to be answered or forwarded could not be read.", RETRY),
    C.ATTACHMENT_IS_TOO_LARGE: Words("An attachment is larger than allowed.", SMALLER),
    C.USER_HAS_NO_MAILBOX: Words(
        "This user has a login, but no mailbox.",
        "Give the user a mailbox, or remove the account from the phone.",
    ),
    C.USER_CANNOT_BE_ANONYMOUS: Words(
        "The phone sent no login.",
        "Enter user name and password in the account's settings on the phone.",
    ),
    C.USER_PRINCIPAL_COULD_NOT_BE_FOUND: Words(
        "Nobody is known under this login.",
        "Look at the spelling of the user name in the account's settings on the phone.",
    ),
    C.USER_DISABLED_FOR_SYNC: Words(
        "This user may not use phones.",
        "Allow it with `eas user set NAME --activesync` if that is not meant.",
    ),
    C.USER_ON_NEW_MAILBOX_CANNOT_SYNC: Words(
        "The mailbox is on a server that phones cannot use.",
        "Ask whoever runs the groupware.",
    ),
    C.USER_ON_LEGACY_MAILBOX_CANNOT_SYNC: Words(
        "The mailbox is on an old server that phones cannot use.",
        "Ask whoever runs the groupware.",
    ),
    C.DEVICE_IS_BLOCKED_FOR_THIS_USER: Words(
        "This device is not let in: it is blocked, in quarantine, or has a wipe to carry out.",
        "The device's page says which rule decided it; allow the device there if it is known.",
    ),
    C.ACCESS_DENIED: Words("This user may not do that here.", "Look at the rights of the folder."),
    C.ACCOUNT_DISABLED: Words("The account is switched off.", "Switch it on again, or remove it from the phone."),
    C.SYNC_STATE_NOT_FOUND: Words("The server does not know how far this phone was; the phone begins anew.", NOTHING),
    C.SYNC_STATE_LOCKED: Words("Another request of the same phone was at work.", NOTHING),
    C.SYNC_STATE_CORRUPT: Words("What the server knew of this phone cannot be read; the phone begins anew.", OUR_FAULT),
    C.SYNC_STATE_ALREADY_EXISTS: Words("The phone is known already.", NOTHING),
    C.SYNC_STATE_VERSION_INVALID: Words(
        "What the server knew of this phone is of another version; it begins anew.",
        NOTHING,
    ),
    C.COMMAND_NOT_SUPPORTED: Words("The phone asked for a command that is not there.", NOT_HERE),
    C.VERSION_NOT_SUPPORTED: Words(
        "The phone asked in a protocol version that is not offered for this command.",
        "Nothing to do if the phone asks in another one next; else it is the app's fault.",
    ),
    C.DEVICE_NOT_FULLY_PROVISIONABLE: Words(
        "The policy asks for settings that this phone's version does not know, and allows no exceptions.",
        "Allow devices that meet a policy in part, or give this user a policy of their own.",
    ),
    C.REMOTE_WIPE_REQUESTED: Words(
        "The phone was told to fetch its order to erase itself.",
        "Nothing to do: it is erased with its next request but one. Cancel the wipe at once if it is not meant.",
    ),
    C.LEGACY_DEVICE_ON_STRICT_POLICY: Words(
        "The phone does not know policies at all, and the policy allows no such phones.",
        "Allow devices that meet a policy in part, or use another app.",
    ),
    C.DEVICE_NOT_PROVISIONED: Words("The phone was told to fetch its policy first.", PROVISIONS),
    C.POLICY_REFRESH: Words(
        "The phone was told to ask for its policy again, which it does from time to time.",
        PROVISIONS,
    ),
    C.INVALID_POLICY_KEY: Words(
        "The policy has changed, or the phone holds an old one; it was told to fetch it anew.",
        PROVISIONS,
    ),
    C.EXTERNALLY_MANAGED_DEVICES_NOT_ALLOWED: Words(
        "The phone is managed by somebody else, which the policy does not allow.",
        "Allow such devices in the policy, or remove the other management from the phone.",
    ),
    C.NO_RECURRENCE_IN_CALENDAR: Words(
        "The phone named one of a series of appointments that is no series.",
        CLIENT_FAULT,
    ),
    C.UNEXPECTED_ITEM_CLASS: Words("The phone put an item into a folder of another kind.", CLIENT_FAULT),
    C.REMOTE_SERVER_HAS_NO_SSL: Words(
        "A server behind the gateway was to be asked without encryption.",
        "Run `eas doctor`.",
    ),
    C.INVALID_STORED_REQUEST: Words(
        'The phone asked for "the same as before", which the server has not kept; it was told to ask in full.',
        NOTHING,
    ),
    C.ITEM_NOT_FOUND: Words("What the phone asked for is not there any more.", NOTHING),
    C.TOO_MANY_FOLDERS: Words(
        "There are more folders than the phone can be told.",
        "Have old folders merged or removed.",
    ),
    C.NO_FOLDERS_FOUND: Words("There is no folder at all.", "Look whether the mailbox exists: `eas doctor`."),
    C.ITEMS_LOST_AFTER_MOVE: Words("Items were gone after they had been moved.", OUR_FAULT),
    C.FAILURE_IN_MOVE_OPERATION: Words("A conversation could not be moved as a whole.", RETRY),
    C.MOVE_COMMAND_DISALLOWED_FOR_NON_PERSISTENT_MOVE_ACTION: Words(
        "The phone moved a conversation in a way that does not exist.",
        CLIENT_FAULT,
    ),
    C.MOVE_COMMAND_INVALID_DESTINATION_FOLDER: Words("A conversation cannot be moved into that folder."),
    C.AVAILABILITY_TOO_MANY_RECIPIENTS: Words("Free times of too many people were asked for at once.", NOTHING),
    C.AVAILABILITY_DL_LIMIT_REACHED: Words("The group is too large to tell the free times of its members."),
    C.AVAILABILITY_TRANSIENT_FAILURE: Words("Free times cannot be told just now.", RETRY),
    C.AVAILABILITY_FAILURE: Words("Free times of this person are not known here."),
    C.BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED: Words(
        "The phone wants parts of messages in a form that does not exist.",
        CLIENT_FAULT,
    ),
    C.DEVICE_INFORMATION_REQUIRED: Words(
        "The phone has to say what it is (model, system) before it gets its policy.",
        "Nothing to do if it does so next; else see quirk provision-without-device-information.",
    ),
    C.INVALID_ACCOUNT_ID: Words("The phone wants to send from an account that is not there.", CLIENT_FAULT),
    C.ACCOUNT_SEND_DISABLED: Words("Nothing may be sent from this account."),
    C.IRM_FEATURE_DISABLED: Words("Protected mails (rights management) are not offered here.", NOT_HERE),
    C.IRM_TRANSIENT_ERROR: Words("Protected mails cannot be handled just now.", NOT_HERE),
    C.IRM_PERMANENT_ERROR: Words("This protected mail cannot be handled.", NOT_HERE),
    C.IRM_INVALID_TEMPLATE_ID: Words("There is no such protection.", NOT_HERE),
    C.IRM_OPERATION_NOT_PERMITTED: Words("The protection of this mail does not allow that.", NOT_HERE),
    C.NO_PICTURE: Words("There is no picture of this person."),
    C.PICTURE_TOO_LARGE: Words("The picture is larger than the phone wants it."),
    C.PICTURE_LIMIT_REACHED: Words("The phone has got as many pictures as it wanted."),
    C.BODY_PART_CONVERSATION_TOO_LARGE: Words("The conversation is too large to be shown in parts."),
    C.MAXIMUM_DEVICES_REACHED: Words(
        "This user has as many devices as may be.",
        "Remove a device that is not used any more, or raise `limits.max_devices`.",
    ),
    C.INVALID_MIME_BODY_COMBINATION: Words(
        "The phone wants a draft in two forms that do not go together.",
        CLIENT_FAULT,
    ),
    C.INVALID_SMART_FORWARD_PARAMETERS: Words("The phone forwards a mail in a way that does not exist.", CLIENT_FAULT),
    C.INVALID_RECIPIENTS: Words("An address cannot be one.", "Its owner has to correct the address."),
    C.ONE_OR_MORE_EXCEPTIONS_FAILED: Words("One of the changed dates of a series could not be taken.", NEW_PARTNER),
}

"""The statuses that any command may answer, and what takes their place before 14.0. [MS-ASCMD] Common Status Codes.

The statuses of a single command stand in the file of that command.
"""

from __future__ import annotations

from enum import IntEnum

from .version import Spoken, Version


class CommonStatus(IntEnum):
    """Status of a whole request, or of an item where the command's own statuses have nothing fitting.

    157-159 and 180-182 are not assigned. The requirement is that of the meaning, in [MS-ASCMD].
    """

    INVALID_CONTENT = 101  # R4811: body missing, of a wrong type or length
    INVALID_WBXML = 102  # R4815
    INVALID_XML = 103  # R4817: well-formed, but not what the command allows
    INVALID_DATE_TIME = 104  # R4819
    INVALID_COMBINATION_OF_IDS = 105  # R4821
    INVALID_IDS = 106  # R4823: not an id at all, as opposed to the id of nothing (R4824)
    INVALID_MIME = 107  # R4826
    DEVICE_ID_MISSING_OR_INVALID = 108  # R4828
    DEVICE_TYPE_MISSING_OR_INVALID = 109  # R4830
    SERVER_ERROR = 110  # R4832: the device should not try again
    SERVER_ERROR_RETRY_LATER = 111  # R4834
    ACTIVE_DIRECTORY_ACCESS_DENIED = 112  # R4836
    MAILBOX_QUOTA_EXCEEDED = 113  # R4838
    MAILBOX_SERVER_OFFLINE = 114  # R4840
    SEND_QUOTA_EXCEEDED = 115  # R4842
    MESSAGE_RECIPIENT_UNRESOLVED = 116  # R4844
    MESSAGE_REPLY_NOT_ALLOWED = 117  # R4846
    MESSAGE_PREVIOUSLY_SENT = 118  # R4848: the ClientId is that of a mail sent recently
    MESSAGE_HAS_NO_RECIPIENT = 119  # R4853
    MAIL_SUBMISSION_FAILED = 120  # R4855
    MESSAGE_REPLY_FAILED = 121  # R4858
    ATTACHMENT_IS_TOO_LARGE = 122  # R4860
    USER_HAS_NO_MAILBOX = 123  # R4862
    USER_CANNOT_BE_ANONYMOUS = 124  # R4864
    USER_PRINCIPAL_COULD_NOT_BE_FOUND = 125  # R4867
    USER_DISABLED_FOR_SYNC = 126  # R4869
    USER_ON_NEW_MAILBOX_CANNOT_SYNC = 127  # R4871
    USER_ON_LEGACY_MAILBOX_CANNOT_SYNC = 128  # R4873
    DEVICE_IS_BLOCKED_FOR_THIS_USER = 129  # R4875, R4876
    ACCESS_DENIED = 130  # R4878
    ACCOUNT_DISABLED = 131  # R4880
    SYNC_STATE_NOT_FOUND = 132  # R4882
    SYNC_STATE_LOCKED = 133  # R4886
    SYNC_STATE_CORRUPT = 134  # R4888
    SYNC_STATE_ALREADY_EXISTS = 135  # R4890
    SYNC_STATE_VERSION_INVALID = 136  # R4893
    COMMAND_NOT_SUPPORTED = 137  # R4895
    VERSION_NOT_SUPPORTED = 138  # R4897
    DEVICE_NOT_FULLY_PROVISIONABLE = 139  # R4899
    REMOTE_WIPE_REQUESTED = 140  # R5280
    LEGACY_DEVICE_ON_STRICT_POLICY = 141  # R4904: sends no policy key at all
    DEVICE_NOT_PROVISIONED = 142  # R4906
    POLICY_REFRESH = 143  # R4909
    INVALID_POLICY_KEY = 144  # R4912
    EXTERNALLY_MANAGED_DEVICES_NOT_ALLOWED = 145  # R4917
    NO_RECURRENCE_IN_CALENDAR = 146  # R4919
    UNEXPECTED_ITEM_CLASS = 147  # R4921
    REMOTE_SERVER_HAS_NO_SSL = 148  # R4923
    INVALID_STORED_REQUEST = 149  # R4926-R4928: the device is to send its request in full
    ITEM_NOT_FOUND = 150  # R4930
    TOO_MANY_FOLDERS = 151  # R4932
    NO_FOLDERS_FOUND = 152  # R4934
    ITEMS_LOST_AFTER_MOVE = 153  # R4936
    FAILURE_IN_MOVE_OPERATION = 154  # R4938
    MOVE_COMMAND_DISALLOWED_FOR_NON_PERSISTENT_MOVE_ACTION = 155  # R4940
    MOVE_COMMAND_INVALID_DESTINATION_FOLDER = 156  # R4942
    AVAILABILITY_TOO_MANY_RECIPIENTS = 160  # R4944
    AVAILABILITY_DL_LIMIT_REACHED = 161  # R4946
    AVAILABILITY_TRANSIENT_FAILURE = 162  # R4948
    AVAILABILITY_FAILURE = 163  # R5411
    BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED = 164  # R5412
    DEVICE_INFORMATION_REQUIRED = 165  # R4954
    INVALID_ACCOUNT_ID = 166  # R4956
    ACCOUNT_SEND_DISABLED = 167  # R4958
    IRM_FEATURE_DISABLED = 168  # R4960
    IRM_TRANSIENT_ERROR = 169  # R4962
    IRM_PERMANENT_ERROR = 170  # R4964
    IRM_INVALID_TEMPLATE_ID = 171  # R4966
    IRM_OPERATION_NOT_PERMITTED = 172  # R4968
    NO_PICTURE = 173  # R4970
    PICTURE_TOO_LARGE = 174  # R4972
    PICTURE_LIMIT_REACHED = 175  # R4974
    BODY_PART_CONVERSATION_TOO_LARGE = 176  # R4978
    MAXIMUM_DEVICES_REACHED = 177  # R4980
    INVALID_MIME_BODY_COMBINATION = 178  # R7467, R7468
    INVALID_SMART_FORWARD_PARAMETERS = 179  # R7470
    INVALID_RECIPIENTS = 183  # R7472
    ONE_OR_MORE_EXCEPTIONS_FAILED = 184  # R7474, which misprints it as 183; of an item


#: What 2.5, 12.0 and 12.1 get as HTTP status instead. [MS-ASCMD] R7545-R7567, but for the rows marked "unstated": there
#: the specification says nothing, and the status is that of the nearest stated one.
HTTP_BEFORE_14: dict[CommonStatus, int] = {
    CommonStatus.INVALID_CONTENT: 400,
    CommonStatus.INVALID_WBXML: 400,  # unstated
    CommonStatus.INVALID_XML: 400,
    CommonStatus.INVALID_DATE_TIME: 400,  # unstated
    CommonStatus.INVALID_COMBINATION_OF_IDS: 400,  # unstated
    CommonStatus.INVALID_IDS: 400,
    CommonStatus.INVALID_MIME: 400,  # unstated
    CommonStatus.DEVICE_ID_MISSING_OR_INVALID: 400,  # unstated
    CommonStatus.DEVICE_TYPE_MISSING_OR_INVALID: 400,  # unstated
    CommonStatus.SERVER_ERROR: 500,
    CommonStatus.SERVER_ERROR_RETRY_LATER: 503,
    CommonStatus.ACTIVE_DIRECTORY_ACCESS_DENIED: 403,
    CommonStatus.MAILBOX_QUOTA_EXCEEDED: 507,
    CommonStatus.MAILBOX_SERVER_OFFLINE: 503,  # unstated
    CommonStatus.SEND_QUOTA_EXCEEDED: 507,  # unstated
    CommonStatus.USER_HAS_NO_MAILBOX: 403,  # unstated
    CommonStatus.USER_CANNOT_BE_ANONYMOUS: 401,  # unstated
    CommonStatus.USER_PRINCIPAL_COULD_NOT_BE_FOUND: 403,
    CommonStatus.USER_DISABLED_FOR_SYNC: 403,
    CommonStatus.USER_ON_NEW_MAILBOX_CANNOT_SYNC: 403,  # unstated
    CommonStatus.USER_ON_LEGACY_MAILBOX_CANNOT_SYNC: 403,  # unstated
    CommonStatus.DEVICE_IS_BLOCKED_FOR_THIS_USER: 403,  # unstated
    CommonStatus.ACCESS_DENIED: 403,  # unstated
    CommonStatus.ACCOUNT_DISABLED: 403,  # unstated
    CommonStatus.SYNC_STATE_NOT_FOUND: 403,
    CommonStatus.SYNC_STATE_LOCKED: 503,  # unstated
    CommonStatus.COMMAND_NOT_SUPPORTED: 501,
    CommonStatus.VERSION_NOT_SUPPORTED: 400,
    CommonStatus.DEVICE_NOT_FULLY_PROVISIONABLE: 403,  # unstated
    CommonStatus.REMOTE_WIPE_REQUESTED: 449,
    CommonStatus.LEGACY_DEVICE_ON_STRICT_POLICY: 449,
    CommonStatus.DEVICE_NOT_PROVISIONED: 449,
    CommonStatus.POLICY_REFRESH: 449,
    CommonStatus.INVALID_POLICY_KEY: 449,
    CommonStatus.EXTERNALLY_MANAGED_DEVICES_NOT_ALLOWED: 403,  # unstated
    CommonStatus.UNEXPECTED_ITEM_CLASS: 400,
    CommonStatus.MAXIMUM_DEVICES_REACHED: 403,  # unstated
}

#: Commands that get another HTTP status than the rest. [MS-ASCMD] R7549, R7557.
HTTP_BEFORE_14_OF_COMMAND: dict[tuple[str, CommonStatus], int] = {
    ("SendMail", CommonStatus.INVALID_IDS): 500,
    ("Provision", CommonStatus.SYNC_STATE_NOT_FOUND): 500,
}

#: What takes the place of any other common status: the request failed, and not by its form.
HTTP_OTHERWISE = 500


def http_before_14(status: CommonStatus, command: str = "") -> int:
    """The HTTP status for a common status in 2.5, 12.0 and 12.1.

    Two cases depend on more than the command and are the caller's: 140 is a 403 where the request has no policy key
    header (R7561), 138 a 505 where the device speaks version 1.0 (R7560).
    """
    special = HTTP_BEFORE_14_OF_COMMAND.get((command, status))
    return special or HTTP_BEFORE_14.get(status, HTTP_OTHERWISE)


def spoken(status: CommonStatus) -> Spoken:
    """The versions that know the status: all from 14.0, those from 164 since 14.1, those from 178 since 16.0."""
    if status >= CommonStatus.INVALID_MIME_BODY_COMBINATION:
        return Spoken(since=Version.V16_0)
    if status >= CommonStatus.BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED:
        return Spoken(since=Version.V14_1)
    return Spoken(since=Version.V14_0)

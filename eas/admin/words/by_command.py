"""The statuses of single commands. [MS-ASCMD], Status of each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from eas.commands import (
    _certificates,
    _operations,
    _people,
    _search_messages,
    _sync_messages,
    find,
    folder_create,
    folder_delete,
    folder_sync,
    folder_update,
    get_item_estimate,
    meeting_response,
    move_items,
    ping,
    provision,
    resolve_recipients,
    settings,
)
from eas.engine.apply import ItemStatus

from .model import ASK_AGAIN, CLIENT_FAULT, NOTHING, OUR_FAULT, RETRY, WELL, Table, Words

FOLDERS_ANEW = "Nothing to do: the phone fetches the list of folders next. If it comes again and again, resync all."
LISTED_ANEW = (
    "Nothing to do if it happens once. If it comes again and again, look whether two programs use the same "
    "device id, and remove the device."
)

_sync, _item, _ping, _move = _sync_messages.Status, ItemStatus, ping.Status, move_items.Status
_ops, _store, _search, _find = _operations.Status, _search_messages.StoreStatus, _search_messages.Status, find.Status
_made, _changed, _gone = folder_create.Status, folder_update.Status, folder_delete.Status
_listed, _estimate, _meeting = folder_sync.Status, get_item_estimate.Status, meeting_response.Status
_set, _prov, _policy, _resolved = settings.Status, provision.Status, provision.PolicyStatus, resolve_recipients.Status
_person, _times = resolve_recipients.ResponseStatus, resolve_recipients.AvailabilityStatus
_certs, _picture, _valid = resolve_recipients.CertificatesStatus, _people.PictureStatus, _certificates.Status

FOLDER_KEY = Words(
    "The phone's list of folders is not the one that the server knows; it fetches all folders anew.",
    LISTED_ANEW,
)
FOLDER_FAULT = Words("The server could not do that with folders just now.", RETRY)
FOLDER_FORM = Words("The request for folders has something in it that does not belong there.", CLIENT_FAULT)
SPECIAL = Words("That is one of the folders that every mailbox has; they stay as they are.")
SERVER = Words("The server could not do it just now.", RETRY)
FORM = Words("The request has something in it that does not belong there.", CLIENT_FAULT)

#: By the enumeration in which the status stands.
BY_COMMAND: Mapping[type[IntEnum], Table] = {
    _sync: {
        _sync.SUCCESS: WELL,
        _sync.INVALID_SYNC_KEY: Words(
            "The phone named a state that the server does not know; it fetches the folder anew from the beginning.",
            "Nothing to do if it happens once, as after a resync. If it comes again and again, look whether two"
            " programs use the same device id, and remove the device.",
        ),
        _sync.PROTOCOL_ERROR: Words(
            "The phone asked for the folder in a way that the protocol does not allow.",
            CLIENT_FAULT,
        ),
        _sync.SERVER_ERROR: Words(
            "The folder could not be read or written just now: what is behind the gateway did not answer.",
            "Run `eas doctor`. The phone tries again; if one folder alone stays so, resync that folder.",
        ),
        _sync.HIERARCHY_CHANGED: Words(
            "The folder is not there any more, or the folders have changed; the phone was told to fetch the "
            "list of folders.",
            FOLDERS_ANEW,
        ),
        _sync.INCOMPLETE_REQUEST: Words(
            'The phone asked for "the same as before", which the server has not kept; it was told to ask in full.',
            NOTHING,
        ),
        _sync.INVALID_WAIT: Words(
            "The phone wanted to wait for longer or shorter than is allowed; it was told how long.",
            NOTHING,
        ),
        _sync.TOO_MANY_COLLECTIONS: Words(
            "The phone asked for more folders at once than is allowed.",
            "Raise `limits.max_collections`, or choose fewer folders on the phone.",
        ),
        _sync.RETRY: Words("Other requests of the same phone for the same folder were in the way.", NOTHING),
    },
    _item: {
        _item.SUCCESS: WELL,
        _item.SERVER_ERROR: Words("The server could not store what the phone changed.", RETRY),
        _item.CONVERSION: Words("What the phone sent cannot be made into an item.", CLIENT_FAULT),
        _item.CONFLICT: Words("The item was changed here and on the phone at once; the one here stayed."),
        _item.NOT_FOUND: Words("The item that the phone changed is not there any more.", NOTHING),
        _item.NO_SPACE: Words("The mailbox is full.", "Its owner has to delete something, or the quota can be raised."),
    },
    _ping: {
        _ping.EXPIRED: Words("The wait was held to its end, and nothing was new."),
        _ping.CHANGES: Words("The phone was woken, since something is new."),
        _ping.MISSING_PARAMETERS: Words(
            'The phone wants to wait "as before", which the server has not kept; it was told to ask in full.',
            NOTHING,
        ),
        _ping.SYNTAX_ERROR: FORM,
        _ping.INVALID_HEARTBEAT: Words(
            "The phone wanted to wait for longer or shorter than is allowed or its way holds; it was told how long.",
            NOTHING,
        ),
        _ping.TOO_MANY_FOLDERS: Words(
            "The phone wants news of more folders than is allowed.",
            "Raise `limits.max_ping_folders`, or choose fewer folders on the phone.",
        ),
        _ping.HIERARCHY_CHANGED: Words(
            "The folders have changed; the phone was told to fetch the list of folders.",
            FOLDERS_ANEW,
        ),
        _ping.SERVER_ERROR: SERVER,
    },
    _listed: {
        _listed.SUCCESS: WELL,
        _listed.SERVER_ERROR: FOLDER_FAULT,
        _listed.INVALID_SYNC_KEY: FOLDER_KEY,
        _listed.BAD_REQUEST: FOLDER_FORM,
    },
    _made: {
        _made.SUCCESS: WELL,
        _made.EXISTS: Words("There is a folder of that name already.", "Choose another name on the phone."),
        _made.SPECIAL_PARENT: Words("No folder can be made there.", "Choose another place on the phone."),
        _made.NO_PARENT: Words("The folder in which it was to be made is not there any more.", FOLDERS_ANEW),
        _made.SERVER_ERROR: FOLDER_FAULT,
        _made.INVALID_SYNC_KEY: FOLDER_KEY,
        _made.BAD_REQUEST: FOLDER_FORM,
    },
    _changed: {
        _changed.SUCCESS: WELL,
        _changed.EXISTS_OR_SPECIAL: Words(
            "There is a folder of that name already, or it is one that stays as it is.",
            "Choose another name on the phone.",
        ),
        _changed.RECIPIENT_CACHE: SPECIAL,
        _changed.NOT_FOUND: Words("The folder is not there any more.", FOLDERS_ANEW),
        _changed.NO_PARENT: Words("The folder into which it was to be moved is not there any more.", FOLDERS_ANEW),
        _changed.SERVER_ERROR: FOLDER_FAULT,
        _changed.INVALID_SYNC_KEY: FOLDER_KEY,
        _changed.BAD_REQUEST: FOLDER_FORM,
    },
    _gone: {
        _gone.SUCCESS: WELL,
        _gone.SPECIAL: SPECIAL,
        _gone.NOT_FOUND: Words("The folder is not there any more.", FOLDERS_ANEW),
        _gone.SERVER_ERROR: FOLDER_FAULT,
        _gone.INVALID_SYNC_KEY: FOLDER_KEY,
        _gone.BAD_REQUEST: FOLDER_FORM,
    },
    _estimate: {
        _estimate.SUCCESS: WELL,
        _estimate.INVALID_COLLECTION: Words("The folder is not there any more.", FOLDERS_ANEW),
        _estimate.NOT_PRIMED: Words("The phone asked how much is new in a folder that it has not begun.", NOTHING),
        _estimate.INVALID_SYNC_KEY: Words(
            "The phone named a state that the server does not know; it fetches the folder anew.",
            ASK_AGAIN,
        ),
    },
    _move: {
        _move.INVALID_SOURCE: Words("What was to be moved is not there any more.", NOTHING),
        _move.INVALID_DESTINATION: Words(
            "The folder into which it was to be moved is not there, or takes nothing.",
            FOLDERS_ANEW,
        ),
        _move.SUCCESS: WELL,
        _move.SAME: Words("It is there already."),
        _move.FAILED: Words("It could not be moved.", RETRY),
        _move.LOCKED: Words("Another request was at work in that folder.", NOTHING),
        _move.INVALID_COMBINATION: Words("Nothing can be moved into that folder."),
    },
    _ops: {
        _ops.SUCCESS: WELL,
        _ops.PROTOCOL_ERROR: FORM,
        _ops.SERVER_ERROR: SERVER,
        _ops.BAD_LINK: Words("The link to the document cannot be one."),
        _ops.ACCESS_DENIED: Words("This user may not read that document or folder.", "Look at the rights there."),
        _ops.NOT_FOUND: Words("It is not there any more.", NOTHING),
        _ops.UNREACHABLE: Words(
            "The server of the document did not answer.",
            "See whether it runs, and `documents` in the settings.",
        ),
        _ops.INVALID_RANGE: Words("The phone asked for a part that does not exist.", CLIENT_FAULT),
        _ops.UNKNOWN_STORE: Words("The phone asked for something in a place that is not offered.", CLIENT_FAULT),
        _ops.EMPTY_FILE: Words("The document is empty."),
        _ops.TOO_LARGE: Words("It is larger than may be fetched.", "The limit can be raised (docs/operations.md)."),
        _ops.FAILED_DOWNLOAD: Words("It broke off while it was fetched.", RETRY),
        _ops.CONVERSION_FAILED: Words("It cannot be shown in the form that the phone wants."),
        _ops.INVALID_ATTACHMENT: Words("The attachment is not there any more.", NOTHING),
        _ops.ATTACHMENT_DENIED: Words(
            "The policy does not let attachments onto this phone, or not of this size.",
            "Change the policy of this user if that is not meant.",
        ),
        _ops.PARTIAL_SUCCESS: Words("Some of it was done."),
        _ops.CREDENTIALS_REQUIRED: Words(
            "The server of the document wants a login of its own.",
            "Its owner is asked on the phone.",
        ),
        _ops.INVALID_COMBINATION_OF_IDS: Words(
            "The phone named things together that do not go together.",
            CLIENT_FAULT,
        ),
        _ops.MOVE_ALWAYS_MISSING: Words("The phone moved a conversation in a way that does not exist.", CLIENT_FAULT),
        _ops.DESTINATION_NOT_MAIL: Words("A conversation cannot be moved into that folder."),
    },
    _search: {
        _search.SUCCESS: WELL,
        _search.SERVER_ERROR: SERVER,
    },
    _store: {
        _store.SUCCESS: WELL,
        _store.INVALID_REQUEST: FORM,
        _store.SERVER_ERROR: SERVER,
        _store.BAD_LINK: Words("The link to the document cannot be one."),
        _store.ACCESS_DENIED: Words("This user may not search there.", "Look at the rights there."),
        _store.NOT_FOUND: Words("What was to be searched is not there.", FOLDERS_ANEW),
        _store.UNREACHABLE: Words("The server that was to be searched did not answer.", "Run `eas doctor`."),
        _store.TOO_COMPLEX: Words("The question is more than can be searched for.", "Its owner can search for less."),
        _store.TIMED_OUT: Words("The search took too long.", RETRY),
        _store.FOLDER_SYNC_REQUIRED: Words(
            "The folders have changed; the phone was told to fetch the list of folders.",
            FOLDERS_ANEW,
        ),
        _store.END_OF_RANGE: Words("There are no more hits."),
        _store.ACCESS_BLOCKED: Words("This place may not be searched.", "See `documents` in the settings."),
        _store.CREDENTIALS_REQUIRED: Words(
            "The server of the documents wants a login of its own.",
            "Its owner is asked on the phone.",
        ),
    },
    _find: {
        _find.SUCCESS: WELL,
        _find.INVALID_REQUEST: FORM,
        _find.FOLDER_SYNC_REQUIRED: Words(
            "The folders have changed; the phone was told to fetch the list of folders.",
            FOLDERS_ANEW,
        ),
        _find.START_WITH_RANGE_ZERO: Words("The search is not known any more; the phone begins it anew.", NOTHING),
    },
    _meeting: {
        _meeting.SUCCESS: WELL,
        _meeting.INVALID_REQUEST: Words(
            "That is no invitation, or not one any more.",
            "Its owner can answer in the calendar, or from the newest invitation.",
        ),
        _meeting.MAILBOX_ERROR: Words("The mailbox could not be read or written just now.", RETRY),
        _meeting.SERVER_ERROR: SERVER,
    },
    _set: {
        _set.SUCCESS: WELL,
        _set.PROTOCOL_ERROR: FORM,
        _set.ACCESS_DENIED: Words("This user may not change that."),
        _set.SERVER_UNAVAILABLE: Words("What holds this setting did not answer.", RETRY),
        _set.INVALID_ARGUMENTS: Words("The setting has a value that it cannot have.", CLIENT_FAULT),
        _set.CONFLICTING_ARGUMENTS: Words("The settings do not go together.", CLIENT_FAULT),
        _set.DENIED_BY_POLICY: Words(
            "The policy does not allow that.",
            "Change the policy of this user if that is not meant.",
        ),
        _set.IRM_DISABLED: Words("Protected mails (rights management) are not offered here."),
    },
    _prov: {
        _prov.SUCCESS: WELL,
        _prov.PROTOCOL_ERROR: FORM,
        _prov.SERVER_ERROR: SERVER,
    },
    _policy: {
        _policy.SUCCESS: WELL,
        _policy.NO_POLICY: Words("There is no policy for this user."),
        _policy.UNKNOWN_TYPE: Words("The phone asked for a policy in a form that does not exist.", CLIENT_FAULT),
        _policy.CORRUPT: Words("The policy cannot be written for this phone.", OUR_FAULT),
        _policy.WRONG_KEY: Words("The phone accepted a policy that is not the newest; it fetches that one.", NOTHING),
    },
    provision.SettingsStatus: {
        provision.SettingsStatus.SUCCESS: WELL,
        provision.SettingsStatus.INVALID_ARGUMENTS: Words(
            "What the phone says of itself cannot be read.",
            CLIENT_FAULT,
        ),
    },
    _resolved: {
        _resolved.SUCCESS: WELL,
        _resolved.PROTOCOL_ERROR: FORM,
        _resolved.SERVER_ERROR: SERVER,
    },
    _person: {
        _person.RESOLVED: WELL,
        _person.AMBIGUOUS: Words("Several people are meant; the phone shows them all."),
        _person.PARTIAL: Words("More people are meant than the phone wanted to hear of."),
        _person.NOT_RESOLVED: Words(
            "Nobody is known by that name.",
            "Look whether the address list has this person: `eas doctor`.",
        ),
    },
    _times: {
        _times.SUCCESS: WELL,
        _times.TOO_MANY: Words("Free times of too many people were asked for at once."),
        _times.LIST_TOO_LONG: Words("The group is too large to tell the free times of its members."),
        _times.TRY_LATER: Words("Free times cannot be told just now.", RETRY),
        _times.FAILED: Words("Free times of this person are not known here."),
    },
    _certs: {
        _certs.SUCCESS: WELL,
        _certs.NONE: Words(
            "There is no certificate of this person.",
            "Add one with `eas user set NAME --certificate`.",
        ),
        _certs.LIMIT_REACHED: Words("The phone has got as many certificates as it wanted."),
    },
    _picture: {
        _picture.SUCCESS: WELL,
        _picture.NONE: Words("There is no picture of this person."),
        _picture.TOO_LARGE: Words("The picture is larger than the phone wants it."),
        _picture.LIMIT_REACHED: Words("The phone has got as many pictures as it wanted."),
    },
    _valid: {
        _valid.SUCCESS: Words("The certificate is good."),
        _valid.PROTOCOL_ERROR: FORM,
        _valid.BAD_SIGNATURE: Words("The certificate's signature is wrong.", "Do not trust the mail."),
        _valid.UNTRUSTED: Words(
            "The certificate comes from somebody whom nobody here trusts.",
            "Add the issuer to trust-anchors.pem if it is to be trusted.",
        ),
        _valid.BAD_CHAIN: Words("The certificates do not lead to one another."),
        _valid.NOT_FOR_MAIL: Words("The certificate is not meant for mail."),
        _valid.EXPIRED: Words("The certificate is not valid at this time.", "Its owner needs a new one."),
        _valid.CHAIN_EXPIRED: Words("A certificate on the way to the issuer is not valid at this time."),
        _valid.WRONG_USAGE_IN_CHAIN: Words("A certificate on the way to the issuer is not meant for that."),
        _valid.BAD_FORMAT: Words("The certificate cannot be read."),
        _valid.NOT_END_ENTITY: Words("The certificate is that of an issuer, not of a person."),
        _valid.REVOKED: Words("The certificate was revoked.", "Do not trust the mail."),
        _valid.REVOCATION_OFFLINE: Words(
            "Whether the certificate was revoked could not be asked.",
            "See whether the gateway may reach the issuer's lists (`certificates.crl_hosts`).",
        ),
        _valid.REVOKED_IN_CHAIN: Words("A certificate on the way to the issuer was revoked."),
        _valid.REVOCATION_UNKNOWN: Words("Nobody says whether the certificate was revoked."),
        _valid.UNKNOWN_ERROR: Words("The certificate could not be looked at.", OUR_FAULT),
    },
}

#: Which of them stand at the root of a command's answer, the first that knows the number.
OF_COMMAND: Mapping[str, tuple[type[IntEnum], ...]] = {
    "Sync": (_sync,), "Ping": (_ping,), "FolderSync": (_listed,), "FolderCreate": (_made,), "FolderUpdate": (_changed,),
    "FolderDelete": (_gone,), "GetItemEstimate": (_estimate,), "MoveItems": (_move,), "ItemOperations": (_ops,),
    "Search": (_search, _store), "Find": (_find,), "MeetingResponse": (_meeting,), "Settings": (_set,),
    "Provision": (_prov, _policy), "ResolveRecipients": (_resolved, _person), "ValidateCert": (_valid,),
}

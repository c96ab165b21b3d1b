"""What the failure of a whole request looks like to a device: one table from exceptions to common statuses.

From 14.0 a failure is HTTP 200 with the command's root element and a Status in it, before that an HTTP status
([MS-ASCMD] Common Status Codes R7461-R7463). Requests that do not fit a command's schema get the status that the
command itself has for that, where it has one, in all versions. Nothing of an exception's text reaches the device.
"""

from __future__ import annotations

import random
from math import ceil
from typing import Any

from eas import measures
from eas.commands._registry import Command, CommonFault
from eas.engine.errors import Contended, NoSpace, Unavailable
from eas.protocol import wbxml
from eas.protocol.http import WBXML
from eas.protocol.query import QueryError
from eas.protocol.schema import SchemaError
from eas.protocol.statuses import CommonStatus, http_before_14
from eas.protocol.version import COMMON_STATUS, Version
from eas.protocol.wbxml import Element, WbxmlError

from .reply import Reply, plain

#: Exceptions that say by themselves what the device is to hear; all others are faults of ours (110, 500).
STATUS_OF: dict[type[Exception], CommonStatus] = {
    WbxmlError: CommonStatus.INVALID_WBXML,
    SchemaError: CommonStatus.INVALID_XML,
    Unavailable: CommonStatus.SERVER_ERROR_RETRY_LATER,
    Contended: CommonStatus.SERVER_ERROR_RETRY_LATER,
    NoSpace: CommonStatus.MAILBOX_QUOTA_EXCEEDED,
}

#: Commands whose root has no Status of its own. [MS-ASCMD] Status (MeetingResponse) R4175, R2731.
STATUS_WITHIN = {"MeetingResponse": "Result"}

#: Seconds after which a device may come back after a 503.
RETRY_SECONDS = 30

#: Bodies of refusals in HTTP, for people who look at them.
TEXTS = {
    400: "The request is malformed.",
    403: "Access denied.",
    404: "There is nothing here.",
    405: "This is not done here.",
    413: "The request is too large.",
    449: "Retry after sending a PROVISION command.",
    500: "The server failed; the fault is in its log.",
    501: "Not implemented.",
    503: "Please try again later.",
    505: "The version is not supported.",
    507: "The mailbox is full.",
}


#: Names the condition for which a device is kept out; the words are Exchange's: too many equal commands.
#: [MS-ASHTTP] R9051, R9052
THROTTLE, CONDITION = "X-MS-ASThrottle", "RecentCommands"
#: The longest Retry-After, in seconds: the administrator may let the device in before its time.
LONGEST_RETRY = 900


class Suspended(Exception):
    """The device is kept out for so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def later(seconds: float) -> Reply:
    """Told to come back later, in all versions: a refusal would have the device give up its account."""
    after = min(LONGEST_RETRY, max(1, ceil(seconds)))
    return plain(503, TEXTS[503], {"Retry-After": str(after), THROTTLE: CONDITION})


def crowded() -> Reply:
    """Too many came at once. Not all of them are to come again at once."""
    measures.REFUSALS["crowd"].inc()
    return plain(503, TEXTS[503], {"Retry-After": str(random.randint(RETRY_SECONDS, 3 * RETRY_SECONDS))})


def status_of(error: Exception) -> CommonStatus | None:
    """None for what is in no table: a bug, to be logged with its traceback."""
    if isinstance(error, QueryError | CommonFault):
        return error.status
    return next((STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF), None)


def refuse(
    status: CommonStatus, command: Command[Any] | None, version: Version | None, *, stated_key: bool = True
) -> Reply:
    """The answer to a request that fails as a whole. Without a command or a version, or for a command whose answers
    have no root element (any more), it can only be an HTTP status. `stated_key`: the device sent a policy key
    (R7561)."""
    if command is not None and version is not None and version in COMMON_STATUS and _has_root(command, version):
        return status_only(command, int(status))
    if status is CommonStatus.REMOTE_WIPE_REQUESTED and not stated_key:
        return http_only(403)
    return http_only(http_before_14(status, command.name if command else ""))


def _has_root(command: Command[Any], version: Version) -> bool:
    """Folders, the root of GetHierarchy, went with the command: a later device could not read it."""
    return bool(command.root) and version <= command.spoken.until


def status_only(command: Command[Any], status: int) -> Reply:
    """The command's root element with nothing but a Status."""
    namespace = command.root.partition(":")[0]
    content = Element(f"{namespace}:Status", str(status))
    if command.name in STATUS_WITHIN:
        content = Element(f"{namespace}:{STATUS_WITHIN[command.name]}", (content,))
    return Reply(body=wbxml.encode(Element(command.root, (content,))), content_type=WBXML)


def http_only(http: int) -> Reply:
    headers = {"Retry-After": str(RETRY_SECONDS)} if http == 503 else {}
    return plain(http, TEXTS.get(http, "The request failed."), headers)

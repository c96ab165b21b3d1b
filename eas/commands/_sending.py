"""What SendMail, SmartReply and SmartForward have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from eas.engine.errors import FolderGone, ItemGone, NoSpace, NotAllowed, TooLarge, Undeliverable
from eas.engine.ids import parse_server_id
from eas.engine.model import CollectionId, Folder
from eas.engine.sending import STATUS_OF_FAULT, STATUS_OF_REFUSAL
from eas.engine.session import Session
from eas.items.compose import ComposeError
from eas.items.native import ItemId
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import COMMON_STATUS

from ._registry import CommonFault

#: Longest ClientId. [MS-ASCMD] ClientId (SendMail, SmartForward, SmartReply).
MAX_CLIENT_ID = 40

@contextmanager
def faults_of_sending() -> Iterator[None]:
    """Turn what can go wrong with a message into its common status."""
    try:
        yield
    except ComposeError as error:
        raise CommonFault(STATUS_OF_FAULT[error.kind], str(error)) from error
    except Undeliverable as error:
        raise CommonFault(STATUS_OF_REFUSAL[error.reason], str(error)) from error
    except TooLarge as error:
        raise CommonFault(CommonStatus.ATTACHMENT_IS_TOO_LARGE) from error
    except NoSpace as error:
        raise CommonFault(CommonStatus.SEND_QUOTA_EXCEEDED) from error
    except NotAllowed as error:
        raise CommonFault(CommonStatus.ACCESS_DENIED) from error


def check_client_id(client_id: str, session: Session) -> None:
    """From 14.0 on there is one of 1 to 40 characters. Raises CommonFault. [MS-ASCMD] ClientId (SendMail, ...)."""
    if session.version in COMMON_STATUS and not 0 < len(client_id) <= MAX_CLIENT_ID:
        raise CommonFault(CommonStatus.INVALID_XML, "ClientId")


def check_account(account_id: str | None) -> None:
    """The one account has no AccountId ([MS-ASCMD] R729), so that none that a device states is valid, R724. An empty
    one states none. Raises CommonFault."""
    if account_id:
        raise CommonFault(CommonStatus.INVALID_ACCOUNT_ID)


#: The template that protects nothing. [MS-ASRM] TemplateID
NO_RESTRICTION = "00000000-0000-0000-0000-000000000000"


def check_template(template_id: str | None) -> None:
    """A message that shall be protected is not sent without: there is no rights management. Raises CommonFault.
    [MS-ASRM] R196, R223, R372"""
    if template_id and template_id != NO_RESTRICTION:
        raise CommonFault(CommonStatus.IRM_FEATURE_DISABLED)


def source_id(folder_id: str | None, item_id: str | None, long_id: str | None) -> tuple[CollectionId, ItemId]:
    """The message that is answered or forwarded, as the device names it. Raises CommonFault.

    [MS-ASCMD] Source, FolderId R3091, LongId (SmartForward, SmartReply) R3243.
    """
    if (long_id and (folder_id or item_id)) or (folder_id and not item_id):
        raise CommonFault(CommonStatus.INVALID_COMBINATION_OF_IDS)
    parsed = parse_server_id(long_id or item_id or "")
    if parsed is None:
        raise CommonFault(CommonStatus.INVALID_IDS)
    return parsed


async def find_source(session: Session, folder_id: str | None, named: tuple[CollectionId, ItemId]) -> Folder:
    """The folder of the original. Raises CommonFault."""
    folder = await session.mailbox.folder(named[0]) if (folder_id or named[0]) == named[0] else None
    if folder is None:
        raise CommonFault(CommonStatus.ITEM_NOT_FOUND)
    return folder


async def load_source(session: Session, folder: Folder, id: ItemId) -> bytes:
    """The whole original (a message, or the iCalendar object of an appointment). Raises CommonFault."""
    feed = session.mailbox.feed(folder)
    try:
        return b"".join([piece async for piece in feed.part(id, "")])
    except (ItemGone, FolderGone):
        raise CommonFault(CommonStatus.ITEM_NOT_FOUND) from None

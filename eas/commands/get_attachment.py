"""GetAttachment: the raw bytes of one attachment, up to 12.1. [MS-ASCMD] GetAttachment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from eas.engine import errors
from eas.engine.parts import load_attachment
from eas.engine.session import Session
from eas.protocol.query import Query
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Later

from ._registry import CommonFault, Raw, command


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """There is no body; `name` is the AttachmentName of the query: a FileReference."""

    name: str

    @classmethod
    def of(cls, query: Query) -> Request:
        return cls(name=query.attachment_name or "")


@command(
    "GetAttachment", "", Request, spoken=Spoken(until=Version.V12_1), bare=Request.of,
)
async def get_attachment(request: Request, session: Session) -> Raw:
    """An attachment that is not there is HTTP 500, R166; so is one that the policy keeps back: there is no other
    status that a device would not take for something else."""
    try:
        attachment = await load_attachment(session, request.name)
    except (errors.ItemGone, errors.FolderGone, errors.NotAllowed, errors.TooLarge) as error:
        raise CommonFault(CommonStatus.SERVER_ERROR, f"no such attachment ({type(error).__name__})") from None
    if attachment.data is not None:
        return Raw(attachment.content_type, attachment.data)
    return Raw(attachment.content_type, Later(attachment.size, partial(attachment.pieces, 0, None)))

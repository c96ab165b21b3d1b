"""A device's mail commands beside Sync: send, reply, forward, answer an invitation, load an attachment or a whole item.

Up to 12.1 a message is the body of the request and what goes with it stands in the query; from 14.0 all of it is WBXML.
[MS-ASCMD] SendMail, SmartReply, SmartForward, MeetingResponse, ItemOperations, GetAttachment.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from enum import IntEnum
from typing import Any

from eas.commands import _operations as item_operations
from eas.commands import meeting_response, send_mail, smart_forward, smart_reply
from eas.commands._smart import Source
from eas.commands.all import COMMANDS
from eas.items.body import BodyPreference, BodyType
from eas.protocol.schema import dump
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

from .connection import Answer
from .device import Folder
from .errors import BadAnswer, NeedsProvisioning, Refusal
from .phone import Phone

#: Attachments come as the body of GetAttachment up to here, and by ItemOperations after it.
LAST_GET_ATTACHMENT = Version.V12_1


def compose(
    sender: str,
    to: Sequence[str],
    subject: str,
    text: str,
    *,
    date: datetime,
    html: str = "",
    attachments: Sequence[tuple[str, str, bytes]] = (),
) -> bytes:
    """A message as a phone makes it. `attachments` are (file name, MIME type, octets)."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = subject
    message["Date"] = format_datetime(date)
    message["Message-ID"] = make_msgid(domain="phone.invalid")
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    for name, kind, octets in attachments:
        main, _, sub = kind.partition("/")
        message.add_attachment(octets, maintype=main, subtype=sub, filename=name)
    return message.as_bytes()


async def send(phone: Phone, mime: bytes, *, save: bool = True, client_id: str | None = None) -> str:
    """Send a message; gives the ClientId, with which it can be sent again without being sent twice (from 14.0).

    Raises Refusal, HttpFailure, LostAnswer.
    """
    client_id = client_id or phone.state.client_id()
    phone.save()
    request = send_mail.Request(client_id=client_id, save=save or None, mime=mime)
    await post(phone, "SendMail", request, mime, save_in_sent=save)
    return client_id


async def reply(phone: Phone, folder: Folder, server_id: str, mime: bytes, *, replace: bool = False) -> str:
    """Send `mime` as the answer to an item; the server adds the original text unless `replace`. Gives the ClientId."""
    return await _smart(phone, "SmartReply", smart_reply.Request, folder, server_id, mime, replace)


async def forward(phone: Phone, folder: Folder, server_id: str, mime: bytes, *, replace: bool = False) -> str:
    """Send `mime` with the item behind it, which the server adds unless `replace`. Gives the ClientId."""
    return await _smart(phone, "SmartForward", smart_forward.Request, folder, server_id, mime, replace)


async def _smart(
    phone: Phone, command: str, kind: Any, folder: Folder, server_id: str, mime: bytes, replace: bool
) -> str:
    client_id = phone.state.client_id()
    phone.save()
    source = Source(folder_id=folder.id, item_id=server_id)
    request = kind(client_id=client_id, source=source, save=True, replace=replace or None, mime=mime)
    await post(phone, command, request, mime, save_in_sent=True, collection_id=folder.id, item_id=server_id)
    return client_id


class Reply(IntEnum):
    """[MS-ASCMD] UserResponse."""

    ACCEPT = 1
    TENTATIVE = 2
    DECLINE = 3


async def respond(phone: Phone, folder: Folder, server_id: str, answer: Reply) -> str | None:
    """Answer an invitation; the ServerId of the appointment that was made of it, None if there is none.

    Up to 14.1 the organizer hears of it only by the mail that the device sends besides. Raises Refusal.
    """
    asked = meeting_response.Asked(response=answer, collection_id=folder.id, request_id=server_id)
    response = await phone.must(
        "MeetingResponse", meeting_response.Request(requests=(asked,)), meeting_response.Response
    )
    (result,) = response.results
    if result.status != meeting_response.Status.SUCCESS:
        raise Refusal("MeetingResponse", result.status)
    return result.calendar_id


async def post(phone: Phone, command: str, request: object, mime: bytes, **parameters: Any) -> Answer:
    """One of the commands that carry a message, in the form of the version; `parameters` are those of the query."""
    if phone.version <= Version.V12_1:
        body: Element | bytes = mime
    else:
        body, parameters = dump(COMMANDS[command].root, request, phone.version), {}
    try:
        return await phone.connection.post(command, body, **parameters)
    except NeedsProvisioning:
        await phone.provision()
        return await phone.connection.post(command, body, **parameters)


async def fetch_attachment(phone: Phone, file_reference: str, *, multipart: bool = False) -> bytes:
    """The octets of an attachment. `multipart` has them sent as they are instead of in base64 (from 12.0).

    Raises Refusal, HttpFailure, BadAnswer.
    """
    if phone.version <= LAST_GET_ATTACHMENT and not multipart:
        answer = await phone.connection.post("GetAttachment", attachment_name=file_reference)
        return answer.body
    got, parts = await operate(
        phone, item_operations.Fetch(store="Mailbox", file_references=(file_reference,)), multipart=multipart
    )
    properties = got.properties or Element("ItemOperations:Properties")
    if (part := properties.child("ItemOperations:Part")) is not None:
        return parts[int(part.text) - 1]
    if (data := properties.child("ItemOperations:Data")) is None:
        raise BadAnswer("ItemOperations: no data in the answer")
    try:
        return data.content if isinstance(data.content, bytes) else base64.b64decode(data.text, validate=True)
    except binascii.Error as error:
        raise BadAnswer("ItemOperations: the data is not base64") from error


async def fetch_item(
    phone: Phone, folder: Folder, server_id: str, *, body_type: BodyType = BodyType.HTML, mime: bool = False
) -> Element:
    """One item with its whole body; the elements of its class, under Properties. Raises Refusal."""
    options = item_operations.FetchOptions(
        mime_support=2 if mime else None,
        preferences=(BodyPreference(type=BodyType.MIME if mime else body_type),),
    )
    asked = item_operations.Fetch(store="Mailbox", collection_id=folder.id, server_id=server_id, options=options)
    got, _ = await operate(phone, asked)
    if got.properties is None:
        raise BadAnswer("ItemOperations: no properties in the answer")
    return got.properties


async def operate(
    phone: Phone, asked: item_operations.Fetch, *, multipart: bool = False
) -> tuple[item_operations.Fetched, tuple[bytes, ...]]:
    """One Fetch of ItemOperations: what came, and the parts beside it. Raises Refusal."""
    request = item_operations.Request(operations=(asked,))
    document = dump(COMMANDS["ItemOperations"].root, request, phone.version)
    answer = await phone.connection.post("ItemOperations", document, accept_multipart=multipart)
    response = phone.connection.read("ItemOperations", answer, item_operations.Response)
    if response is None or not response.fetched:
        raise Refusal("ItemOperations", response.status if response else 0)
    got = response.fetched[0]
    if got.status is not item_operations.Status.SUCCESS:
        raise Refusal("ItemOperations", got.status)
    return got, answer.parts


async def empty_folder(phone: Phone, folder: Folder, *, subfolders: bool = False) -> None:
    """Raises Refusal."""
    options = item_operations.EmptyOptions(delete_subfolders=subfolders or None)
    operation = item_operations.EmptyFolderContents(collection_id=folder.id, options=options)
    response = await phone.must(
        "ItemOperations", item_operations.Request(operations=(operation,)), item_operations.Response
    )
    status = response.emptied[0].status if response.emptied else response.status
    if status is not item_operations.Status.SUCCESS:
        raise Refusal("ItemOperations", status)

"""Automatic replies of those who are out of office: at most one a sender and day, and never to machines or lists.

RFC 3834; [MS-ASCMD] Oof. The reply has the null sender and names what it answers, so that nothing answers it in turn.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from hashlib import sha256

from sqlalchemy import Connection, exists, insert, select

from eas.engine.model import Audience, OofReply, OutOfOffice, User
from eas.items import headers
from eas.items.markup import clean, text_of_html

from .accounts import load_user
from .addresses import find, is_local
from .codec import load_out_of_office
from .delivery import Arrived
from .groupware import Groupware, Writing
from .prepare import folded
from .tables import AutoRepliedRow, ContactRow, UserRow

#: Sends a message: envelope sender ("" for the null sender), recipient, octets.
SendReply = Callable[[str, str, bytes], Awaitable[None]]

#: Names before the @ behind which a program or many people stand. RFC 3834 section 2; owner- and -request are lists'.
_MACHINES = re.compile(
    r"(?:mailer-daemon|postmaster|majordomo|listserv|owner-.*|.*-owner|.*-request|.*-bounces?"
    r"|no-?reply.*|do-?not-?reply.*)(?:[+=].*)?"
)
#: Fields that only lists and bulk mail have. RFC 2369, RFC 2919, RFC 8058.
_LIST_FIELDS = frozenset((
    b"list-id", b"list-post", b"list-help", b"list-unsubscribe", b"list-subscribe", b"list-owner", b"list-archive",
    b"mailing-list", b"x-mailing-list", b"feedback-id",
))
_BULK = frozenset(("bulk", "junk", "list", "auto_reply"))
#: What Exchange and Outlook write to keep such replies away. [MS-OXCMAIL] X-Auto-Response-Suppress.
_SUPPRESSED = frozenset(("all", "oof", "autoreply"))


def in_force(settings: OutOfOffice, now: datetime) -> bool:
    if settings.state == 1:
        return True
    if settings.state != 2:
        return False
    return (settings.start is None or settings.start <= now) and (settings.end is None or now < settings.end)


def answerable(sender: str, fields: Mapping[bytes, bytes], user: User) -> bool:
    """Whether a message asks for the user personally, and comes from somebody who may be a person."""
    local = folded(sender).rpartition("@")[0]
    if not local or _MACHINES.fullmatch(local) or folded(sender) in {folded(own) for own in user.addresses}:
        return False
    if _LIST_FIELDS & fields.keys():
        return False
    if headers.value_and_params(fields.get(b"auto-submitted", b"no"))[0] != "no":
        return False
    if headers.text(fields.get(b"precedence", b"")).strip().lower() in _BULK:
        return False
    asked = headers.text(fields.get(b"x-auto-response-suppress", b"")).lower()
    if _SUPPRESSED & {word.strip() for word in asked.split(",")}:
        return False
    own = {folded(address) for address in user.addresses}
    return any(
        folded(address.address) in own
        for name in (b"to", b"cc", b"bcc") for address in headers.addresses(fields.get(name, b""))
    )


def reply_to(
    sender: str, fields: Mapping[bytes, bytes], user: User, reply: OofReply, now: datetime
) -> tuple[str, bytes]:
    """The Message-ID and the octets of an automatic reply."""
    asked = fields.get(b"message-id", b"")
    # The same for one sender and day, so that a reply which is sent again is recognised.
    name = sha256(f"{user.id} {folded(sender)} {now:%Y-%m-%d}".encode()).hexdigest()[:32]
    message_id = f"<oof-{name}@{user.address.rpartition('@')[2] or 'localhost'}>"
    message = EmailMessage()
    message["From"] = formataddr((_line(user.name), user.address))
    message["To"] = sender
    message["Subject"] = f"Automatic reply: {_line(headers.text(fields.get(b'subject', b'')))}"[:250]
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id
    for found in headers.message_ids(asked)[:1]:
        message["In-Reply-To"] = message["References"] = f"<{_line(found.decode('ascii', 'replace'))}>"
    message["Auto-Submitted"] = "auto-replied"
    message["X-Auto-Response-Suppress"] = "All"
    text = clean(reply.text)
    message.set_content(text_of_html(text) if reply.html else text, cte="quoted-printable")
    if reply.html:
        message.add_alternative(text, subtype="html", cte="quoted-printable")
    return message_id, message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _line(text: str) -> str:
    """Without what could end a header field."""
    return " ".join(clean(text).split())


class AutoReplies:
    def __init__(self, groupware: Groupware, send: SendReply) -> None:
        self._groupware, self._send = groupware, send

    async def follow(self, arrived: Arrived) -> None:
        if not arrived.sender or arrived.dropped:
            return
        now = self._groupware.now()
        found = await self._groupware.read(lambda c: _settings(c, arrived.user_id))
        if found is None or not in_force(found[1], now):
            return
        user, settings = found
        fields = headers.parse(arrived.prepared.header)
        if not answerable(arrived.sender, fields, user):
            return
        audience = await self._groupware.read(
            lambda c: audience_of(c, user, arrived.sender, self._groupware.domain)
        )
        reply = settings.replies.get(audience)
        if reply is None or not reply.enabled or not reply.text:
            return
        if await self._groupware.write(lambda tx: _first_today(tx, user.id, arrived.sender)):
            _, message = reply_to(arrived.sender, fields, user, reply, now)
            await self._send("", arrived.sender, message)


def _settings(connection: Connection, user_id: str) -> tuple[User, OutOfOffice] | None:
    stored = connection.execute(select(UserRow.out_of_office).where(UserRow.id == user_id)).scalar_one_or_none()
    if not stored:
        return None
    user = load_user(connection, user_id)
    return None if user is None else (user, load_out_of_office(stored))


def audience_of(connection: Connection, user: User, sender: str, default_domain: str) -> Audience:
    """Internal is who has an address of our domains; known is whom the user has in the contacts."""
    if find(connection, sender) or is_local(connection, folded(sender.rpartition("@")[2]), default_domain):
        return Audience.INTERNAL
    known = exists().where(ContactRow.user_id == user.id, ContactRow.address_key == folded(sender))
    return Audience.EXTERNAL_KNOWN if connection.execute(select(known)).scalar_one() else Audience.EXTERNAL_UNKNOWN


def _first_today(tx: Writing, user_id: str, sender: str) -> bool:
    values = {"user_id": user_id, "sender": folded(sender)[:320], "day": f"{tx.now:%Y-%m-%d}"}
    # The user's row is locked, so that of two messages at a time one is answered.
    tx.one_at_a_time(user_id)
    before = select(AutoRepliedRow.day).filter_by(**values)
    if tx.connection.execute(before).first() is not None:
        return False
    tx.connection.execute(insert(AutoRepliedRow).values(**values))
    return True

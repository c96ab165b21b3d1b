"""Notices by mail: what the gateway has to tell the owner of a phone or those who look after it.

A notice goes the way that the site has: into a mailbox here, else over the smarthost, else over the submission server
of the backend whose domain the address has (with the gateway's own login there, or none; never with a user's). What
goes wrong is logged and disturbs nobody. RFC 5322, 3834 (Auto-Submitted).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import HeaderParseError, MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from secrets import token_hex

import structlog

from eas.backends.embedded.outbox import PostOffice, Relay
from eas.backends.smtp.submission import Failed, Letter, Login, deliver
from eas.backends.standards.tenant import SmtpServer, Tenant
from eas.engine.errors import BackendError, Refusal, Undeliverable
from eas.engine.model import Secret
from eas.items.markup import clean

from .notice_texts import LAST_OF_THE_HOUR, SIGNATURE, TEXTS

log = structlog.get_logger("eas.notices")

#: What a display name says beside the sender's address.
NAME = "ActiveSync gateway"
#: Characters of a subject, and of a text: a name may be long, nobody reads more.
MAX_SUBJECT, MAX_TEXT = 200, 20_000
#: Seconds that one notice may take; a command line waits for so long at most.
TIMEOUT = 60.0
#: Seconds in which notices to one address are counted.
HOUR = 3600.0
#: Different (address, topic) pairs that are counted at a time; the oldest go.
MAX_COUNTED = 10_000

Way = Callable[[str, bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """`sender` is an address, "" for postmaster@ of the site's domain; `admins` are told what concerns them;
    `base_url` is where pages are, "" if that is not known; at most `per_hour` notices about one topic to one address.
    """

    sender: str = ""
    admins: Sequence[str] = ()
    base_url: str = ""
    per_hour: int = 20
    domain: str = "localhost"

    @property
    def address(self) -> str:
        return self.sender or f"postmaster@{self.domain or 'localhost'}"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class Notices:
    """`relay` is the smarthost, None for none. Counts in memory: each process has its own bound."""

    office: PostOffice
    manner: Manner
    relay: Relay | None = None
    tenants: Sequence[Tenant] = ()
    now: Callable[[], datetime] = _now
    _sent: dict[tuple[str, str], deque[datetime]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[bool]] = field(default_factory=set)

    # -- what is asked of it

    async def mail(self, to: str, subject: str, text: str, *, topic: str = "") -> bool:
        """Whether it was handed over. Never raises; waits for the server that takes it. Notices of one `topic` to one
        address are bounded by the hour."""
        count = self._count(to, topic)
        if count > self.manner.per_hour:
            log.warning("too many notices to one address", to=to, topic=topic, an_hour=self.manner.per_hour)
            return False
        if count == self.manner.per_hour:
            text = f"{text.rstrip()}\n\n{LAST_OF_THE_HOUR.format(count=count)}"
        try:
            message = written(to, subject, text, self.manner, self.now())
            async with asyncio.timeout(TIMEOUT):
                await self._hand_over(to, message)
        except (BackendError, Failed, MessageError, ValueError, TimeoutError, OSError) as error:
            log.warning("a notice was not sent", to=to, topic=topic, reason=str(error) or type(error).__name__)
            return False
        except Exception as error:
            log.error("a notice was not sent", to=to, topic=topic, exc_info=error)
            return False
        log.info("notice sent", to=to, topic=topic)
        return True

    def send(self, to: Iterable[str], subject: str, text: str, *, topic: str = "") -> None:
        """The same to several, each by itself, without waiting; `settle` waits for what is under way."""
        for address in dict.fromkeys(one for one in to if one):
            task = asyncio.get_running_loop().create_task(self.mail(address, subject, text, topic=topic))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def tell(self, to: Iterable[str], name: str, /, **values: object) -> None:
        """One of TEXTS, with its values; `topic` is its name. A value is one line, whatever is in it."""
        told = {key: line(str(value)) for key, value in values.items()}
        text = TEXTS[name]
        self.send(to, text.subject.format_map(told), text.body.format_map(told), topic=name)

    def tell_admins(self, name: str, /, **values: object) -> None:
        self.tell(self.manner.admins, name, **values)

    def link(self, path: str) -> str:
        """The address of a page, as "/admin/wipes"; the path alone where the site has not said where it is."""
        return self.manner.base_url.rstrip("/") + path

    async def settle(self) -> None:
        """Wait for what is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- how it goes

    def _count(self, to: str, topic: str) -> int:
        """How many it is within the hour, with this one; those that are not sent do not count."""
        now = self.now()
        key = (to.casefold(), topic)
        times = self._sent.pop(key, deque())
        while times and (now - times[0]).total_seconds() >= HOUR:
            times.popleft()
        count = len(times) + 1
        if count <= self.manner.per_hour:
            times.append(now)
        self._sent[key] = times
        while len(self._sent) > MAX_COUNTED:
            del self._sent[next(iter(self._sent))]
        return count

    async def _hand_over(self, to: str, message: bytes) -> None:
        """Raises BackendError, Failed."""
        if not await self.office.is_elsewhere(to):
            (problem,) = await self.office.take(self.manner.sender, [to], message)
            if problem is not None:
                raise problem
            return
        if self.relay is not None:
            await self.relay.send(self.manner.sender, [to], message)
            return
        server = submission_for(to, self.tenants)
        if server is None:
            raise Undeliverable(Refusal.UNREACHABLE, "no way out: neither a smarthost nor a submission server")
        login = Login(name=server.login, secret=Secret(value=server.password)) if server.login else None
        letter = Letter(sender=self.manner.sender, recipients=[to], mime=message)
        await deliver(server, login, letter, attempts=max(1, server.attempts))


def submission_for(address: str, tenants: Sequence[Tenant]) -> SmtpServer | None:
    """Of the backend of the address's domain, else of the one for all domains, else of the first that has a login of
    the gateway's own (a server that only its own users may use takes nothing from us)."""
    domain = address.rpartition("@")[2].casefold()
    own = [one.smtp for one in tenants if one.smtp is not None and domain in one.domains]
    any_domain = [one.smtp for one in tenants if one.smtp is not None and not one.domains]
    known = [one.smtp for one in tenants if one.smtp is not None and (one.smtp.login or one.smtp.anonymous)]
    return next(iter((*own, *any_domain, *known)), None)


def written(to: str, subject: str, text: str, manner: Manner, now: datetime) -> bytes:
    """The message, with CRLF. Raises ValueError and MessageError for what is no address."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(NAME, addr_spec=manner.address)
    message["To"] = _recipient(to)
    message["Subject"] = line(subject)[:MAX_SUBJECT]
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<notice-{token_hex(16)}@{manner.address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    body = clean(text.replace("\r\n", "\n").replace("\r", "\n"))[:MAX_TEXT].rstrip()
    message.set_content(f"{body}\n\n{SIGNATURE}\n", cte="quoted-printable")
    return message.as_bytes()


def _recipient(to: str) -> Address:
    try:
        return Address(addr_spec=to)
    except (HeaderParseError, IndexError) as error:
        raise ValueError(f"no address: {to!r}") from error


def line(text: str) -> str:
    """One line, without what could end a header field or draw on a terminal."""
    return " ".join(clean(text).split())

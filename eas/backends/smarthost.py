"""The mail server to which everything goes that is not delivered here: one message, all of its recipients or none.

RFC 5321; aiosmtplib. What the server answers leaves here as `Undeliverable`, by one table.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import aiosmtplib
import structlog

from eas.engine.errors import Refusal, Undeliverable

log = structlog.get_logger("eas.smarthost")

#: Of one command. RFC 5321 4.5.3.2 has minutes; a phone waits for a minute or so, and comes again.
TIMEOUT_SECONDS = 30.0


class Tls(StrEnum):
    """`STARTTLS` insists on it: a server that does not offer it is not spoken to. `NONE` is for a server next door."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Smarthost:
    """`login` "" sends without authentication. `ca_file` "" goes by the system's certificates."""

    host: str
    port: int = 587
    login: str = ""
    password: str = ""
    tls: Tls = Tls.STARTTLS
    ca_file: str = ""
    local_hostname: str = "localhost"
    timeout_seconds: float = TIMEOUT_SECONDS

    async def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> None:
        """`sender` "" is the null sender. Raises Undeliverable: nothing was sent then, but for UNREACHABLE after the
        content was on its way, which cannot be told (it is logged)."""
        client = self._client()
        stage = _Stage.ENVELOPE
        try:
            await client.connect()
            if self.login:
                await client.login(self.login, self.password)
            options = ["BODY=8BITMIME"] if client.supports_extension("8bitmime") and not mime.isascii() else []
            if client.supports_extension("size"):
                options.append(f"SIZE={len(mime)}")
            stage = _Stage.SENDER
            await client.mail(sender, options=options)
            stage = _Stage.RECIPIENT
            for recipient in recipients:
                await client.rcpt(recipient)
            stage = _Stage.CONTENT
            await client.data(mime)
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal(stage, error.code, error.message) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            if stage is _Stage.CONTENT:
                log.error("the answer to a message was lost; it may have been sent", host=self.host, sender=sender)
            raise Undeliverable(Refusal.UNREACHABLE, f"{self.host}: {error}") from error
        finally:
            await _leave(client)

    def _client(self) -> aiosmtplib.SMTP:
        context = None if self.tls is Tls.NONE else ssl.create_default_context(cafile=self.ca_file or None)
        return aiosmtplib.SMTP(
            hostname=self.host, port=self.port, local_hostname=self.local_hostname, timeout=self.timeout_seconds,
            use_tls=self.tls is Tls.TLS, start_tls=self.tls is Tls.STARTTLS, tls_context=context,
        )


class _Stage(StrEnum):
    ENVELOPE = "envelope"
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"


#: A permanent refusal, by where it came; 552 (and 523) say at any stage that it is too large.
_REFUSAL = {
    _Stage.ENVELOPE: Refusal.UNREACHABLE,
    _Stage.SENDER: Refusal.SENDER,
    _Stage.RECIPIENT: Refusal.UNKNOWN_RECIPIENT,
    _Stage.CONTENT: Refusal.REJECTED,
}
_TOO_LARGE = (523, 552)


def _refusal(stage: _Stage, code: int, message: str) -> Undeliverable:
    detail = f"{code} {message}"
    if code in _TOO_LARGE:
        return Undeliverable(Refusal.TOO_LARGE, detail)
    if 500 <= code < 600:
        return Undeliverable(_REFUSAL[stage], detail)
    return Undeliverable(Refusal.UNREACHABLE, detail)


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye if somebody still listens. Closing the connection without it discards an unfinished message too."""
    try:
        if client.is_connected:
            async with asyncio.timeout(2):
                await client.quit()
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        pass
    finally:
        client.close()

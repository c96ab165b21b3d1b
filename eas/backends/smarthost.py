"""The mail server to which everything goes that is not delivered here: one message, all of its recipients or none.

The exchange is `smtp.submission`; what it cannot do leaves here as `Undeliverable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from eas.backends.smtp.submission import Failed, Letter, Login, deliver
from eas.backends.standards.tenant import Security, Server
from eas.engine.model import Secret

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
    password: str = field(default="", repr=False)
    tls: Tls = Tls.STARTTLS
    ca_file: str = ""
    local_hostname: str = "localhost"
    timeout_seconds: float = TIMEOUT_SECONDS

    async def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> None:
        """`sender` "" is the null sender. Raises Undeliverable: nothing was sent then, but for UNREACHABLE after the
        content was on its way, which cannot be told (it is logged)."""
        server = Server(
            host=self.host, port=self.port, security=Security(self.tls.value), ca_file=self.ca_file,
            timeout_seconds=self.timeout_seconds,
        )
        login = Login(name=self.login, secret=Secret(value=self.password)) if self.login else None
        letter = Letter(sender=sender, recipients=recipients, mime=mime)
        try:
            await deliver(server, login, letter, hostname=self.local_hostname)
        except Failed as error:
            if error.uncertain:
                log.error("the answer to a message was lost; it may have been sent", host=self.host, sender=sender)
            raise error.verdict from error

"""What the mail servers have in common: users that are made at once, delivery, and a client of the other side."""

from __future__ import annotations

import imaplib
import itertools
import os
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .process import DOMAIN, HOST

#: Users of several test processes at one server would have the same names otherwise.
_RUN = os.getpid()
#: Of all servers together: somebody of one may become known to another.
_NUMBERS = itertools.count(1)


@dataclass(slots=True, kw_only=True)
class Users:
    """Makes (login, password) pairs that were never used before and remembers them."""

    passwords: dict[str, str] = field(default_factory=dict)

    def invent(self, name: str = "") -> tuple[str, str]:
        """`name` is the beginning of the local part; without, "user"."""
        number = next(_NUMBERS)
        login = f"{name or 'user'}-{_RUN}-{number}@{DOMAIN}"
        self.passwords[login] = f"secret {number}"
        return login, self.passwords[login]


@dataclass(slots=True, kw_only=True)
class MailServer:
    """`imap_port` and `sieve_port` offer STARTTLS and log in without it, too. Port 0: it has no such service."""

    ca_file: str = ""
    host: str = HOST
    imap_port: int = 0
    imaps_port: int = 0
    lmtp_port: int = 0
    sieve_port: int = 0
    users: Users = field(default_factory=Users)

    def password(self, login: str) -> str:
        return self.users.passwords[login]

    def deliver(self, login: str, octets: bytes, sender: str = "sender@elsewhere.example") -> None:
        """By LMTP, through the user's Sieve script. Raises smtplib.SMTPException."""
        with smtplib.LMTP(self.host, self.lmtp_port) as lmtp:
            lmtp.sendmail(sender, [login], octets, mail_options=["BODY=8BITMIME"])

    @contextmanager
    def imap(self, login: str, folder: str = "") -> Iterator[imaplib.IMAP4]:
        """Another client of the user's, logged in; with `folder` selected."""
        client = imaplib.IMAP4(self.host, self.imap_port)
        try:
            client.login(login, self.password(login))
            if folder:
                status, said = client.select(f'"{folder}"')
                assert status == "OK", said
            yield client
        finally:
            try:
                client.logout()
            except (imaplib.IMAP4.error, OSError):
                client.shutdown()

    def append(self, login: str, folder: str, octets: bytes, flags: str = "") -> None:
        """Into a folder, made if it is not there, without Sieve."""
        with self.imap(login) as client:
            if client.append(f'"{folder}"', flags, None, octets)[0] != "OK":
                client.create(f'"{folder}"')
                status, said = client.append(f'"{folder}"', flags, None, octets)
                assert status == "OK", said

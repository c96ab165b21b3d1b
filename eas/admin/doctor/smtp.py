"""The submission server: login, and what it offers. No mail is sent."""

from __future__ import annotations

from eas.backends.smtp.submission import Failed, Login, connected
from eas.backends.standards.tenant import SmtpServer
from eas.engine.model import Secret

from .findings import Notes
from .reach import reach, smtp_greeting, smtp_start_tls

#: What phones send with photos; Exchange Online takes 35 MB unless told otherwise.
_SMALL = 10_000_000

#: Extension -> what it costs to be without.
_EXTENSIONS = {
    "8bitmime": "Messages with other letters than ASCII are sent all the same, as nearly all servers take them.",
    "smtputf8": "Nobody can be written to whose address has other letters than ASCII before the @.",
    "dsn": "Bounces carry the whole message, and some servers send none.",
}


async def look(notes: Notes, server: SmtpServer, name: str, secret: Secret | None) -> None:
    if not await reach(notes, server, smtp_start_tls, smtp_greeting):
        return
    login = _login(server, name, secret)
    if login is None and not server.anonymous:
        notes.skip("login", "needs --user")
        return
    try:
        async with connected(server, login) as client:
            notes.ok("login", f"as {login.name}" if login else "none is wanted")
            offered = dict(client.esmtp_extensions)
    except Failed as error:
        notes.fail("login", str(error.verdict), "No mail can be sent." if login is None or server.login else
                   "This user can send no mail.",
                   "Is the password right? If the server knows users by another name, give the gateway a `login` of "
                   "its own, or `anonymous = true` if it trusts the gateway's address.")
        return
    for extension, means in _EXTENSIONS.items():
        if extension in offered:
            notes.ok(extension.upper(), "offered")
        else:
            notes.warn(extension.upper(), "not offered", means)
    _size(notes, offered.get("size"))


def _login(server: SmtpServer, name: str, secret: Secret | None) -> Login | None:
    if server.anonymous:
        return None
    if server.login:
        return Login(name=server.login, secret=Secret(value=server.password))
    return Login(name=name, secret=secret) if name and secret is not None else None


def _size(notes: Notes, told: str | None) -> None:
    if told is None:
        notes.warn("SIZE", "not offered", "That a message is too large shows only after it was sent there.")
    elif told.isascii() and told.isdigit() and 0 < int(told) < _SMALL:
        notes.warn("SIZE", f"at most {int(told) // 1000:,} kB", "Messages with photos may be refused.",
                   "Raise the limit of the server (message_size_limit of Postfix).")
    elif told.isdigit() and int(told):
        notes.ok("SIZE", f"at most {int(told) // 1_000_000:,} MB")
    else:
        notes.ok("SIZE", "no limit is told")

"""Entering a server: who gets in and how, and that no password goes where it must not."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from groupware.authority import Pair, authority
from groupware.cyrus import MASTER as CYRUS_MASTER
from groupware.cyrus import MASTER_PASSWORD as CYRUS_MASTER_PASSWORD
from groupware.dovecot import MASTER, MASTER_PASSWORD, MASTER_SEPARATOR
from groupware.mail import MailServer
from imap_kit import Script, answering, server_of
from settling import closed

from eas.backends.imap.login import enter, identity
from eas.backends.imap.model import Bad, LoginRefused, Lost
from eas.backends.imap.session import ImapSession
from eas.backends.standards.tenant import ImapServer, Security
from eas.engine.model import Secret


async def lists(where: ImapServer, login: str, password: str, *, bearer: bool = False, own: bool = False) -> bool:
    """Enters, and finds the mailbox of that user."""
    session = await enter(where, identity(where, login, Secret(value=password, bearer=bearer), own=own))
    try:
        return "INBOX" in {one.name for one in await session.list()}
    finally:
        await session.close()


# --- Real servers


#: The poor Dovecot does not offer STARTTLS.
WAYS = [
    (flavour, security)
    for flavour in ("dovecot", "dovecot_plain", "cyrus") for security in Security
    if (flavour, security) != ("dovecot_plain", Security.STARTTLS)
]


@pytest.mark.server
@pytest.mark.parametrize(("flavour", "security"), WAYS)
@pytest.mark.parametrize("mechanism", ["auto", "login", "plain"])
async def test_passwords(request: pytest.FixtureRequest, flavour: str, security: Security, mechanism: str) -> None:
    server: MailServer = request.getfixturevalue(flavour)
    login, password = server.new_user()  # type: ignore[attr-defined]
    port = server.imaps_port if security is Security.TLS else server.imap_port
    where = server_of(server, port=port, security=security, mechanism=mechanism)
    assert await lists(where, login, password)
    with pytest.raises(LoginRefused):
        await lists(where, login, "wrong")
    with pytest.raises(LoginRefused):
        await lists(where, "nobody@example.com", password)
    with pytest.raises(LoginRefused):
        await lists(where, login, "Grüße \"\\")


@pytest.mark.server
async def test_a_server_without_starttls_says_so(dovecot_plain: Any) -> None:
    login, password = dovecot_plain.new_user()
    with pytest.raises(Lost, match="does not offer STARTTLS"):
        await lists(server_of(dovecot_plain, port=dovecot_plain.imap_port, security=Security.STARTTLS), login, password)


@pytest.mark.server
async def test_the_capabilities_are_those_after_the_login(cyrus: Any) -> None:
    login, password = cyrus.new_user()
    where = server_of(cyrus, port=cyrus.imap_port, security=Security.STARTTLS)
    session = await enter(where, identity(where, login, Secret(value=password)))
    assert session.can_resync
    assert "STARTTLS" not in session.capabilities
    await session.close()


@pytest.mark.server
@pytest.mark.parametrize("mechanism", ["oauthbearer", "xoauth2", "auto"])
async def test_tokens(dovecot: Any, mechanism: str) -> None:
    login, _ = dovecot.new_user()
    where = server_of(dovecot, mechanism=mechanism)
    assert await lists(where, login, dovecot.token(login), bearer=True)
    # The server explains itself in a challenge before it says NO.
    for token in ("nonsense", dovecot.token(login, seconds=-60)):
        with pytest.raises(LoginRefused):
            await lists(where, login, token, bearer=True)


@pytest.mark.server
async def test_a_long_token(dovecot: Any) -> None:
    login, _ = dovecot.new_user()
    with pytest.raises((LoginRefused, Lost)):
        await lists(server_of(dovecot), login, "x" * 7000, bearer=True)


@pytest.mark.server
async def test_a_master_user_enters_for_others(dovecot: Any, cyrus: Any) -> None:
    login, _ = dovecot.new_user()
    master = {"master_user": MASTER, "master_password": MASTER_PASSWORD}
    assert await lists(server_of(dovecot, **master), login, "")
    assert await lists(server_of(dovecot, **master, master_separator=MASTER_SEPARATOR), login, "")
    assert await lists(server_of(dovecot, **master, master_separator=MASTER_SEPARATOR, mechanism="login"), login, "")
    with pytest.raises(LoginRefused):
        await lists(server_of(dovecot, master_user=MASTER, master_password="wrong"), login, "")
    with pytest.raises(LoginRefused):
        await lists(server_of(dovecot, **master), login, "wrong", own=True)
    login, _ = cyrus.new_user()
    master = {"master_user": CYRUS_MASTER, "master_password": CYRUS_MASTER_PASSWORD}
    assert await lists(server_of(cyrus, **master), login, "")


async def test_no_password_is_no_password() -> None:
    where = ImapServer(host="localhost")
    for secret in (None, Secret(value=""), Secret(value="a\0b")):
        with pytest.raises(LoginRefused):
            identity(where, "anna", secret)
    with pytest.raises(LoginRefused):
        identity(where, "an\0na", Secret(value="x"))


# --- Certificates


@asynccontextmanager
async def under(pair: Pair, *, starttls: bool) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server with that certificate: its port, and what it was told in the end."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    told: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR] ready\r\n")
            while line := await reader.readline():
                told.append(line)
                if b"STARTTLS" in line:
                    writer.write(line.split()[0] + b" OK go on\r\n")
                    await writer.start_tls(context)
        except (OSError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=None if starttls else context)
    try:
        yield server.sockets[0].getsockname()[1], told
    finally:
        server.close()
        await closed()


@pytest.mark.parametrize("starttls", [True, False])
@pytest.mark.parametrize(("which", "words"), [
    ("expired", "expired"), ("stranger", "self-signed|unable to get local issuer"), ("other_name", "ostname mismatch"),
])  # fmt: skip
async def test_a_wrong_certificate_is_refused_in_words(which: str, words: str, starttls: bool) -> None:
    pair: Pair = getattr(authority(), which)
    async with under(pair, starttls=starttls) as (port, told):
        where = ImapServer(
            host="localhost", port=port, security=Security.STARTTLS if starttls else Security.TLS,
            ca_file=authority().ca_file, timeout_seconds=60,
        )  # fmt: skip
        with pytest.raises(Lost, match=f"localhost:{port}: the certificate is not accepted: .*({words})"):
            await enter(where, identity(where, "anna", Secret(value="secret")))
    assert not any(b"AUTH" in line or b"LOGIN" in line for line in told)


@pytest.mark.server
async def test_the_name_counts_and_the_trust(dovecot: Any) -> None:
    login, password = dovecot.new_user()
    for wrong in ({"host": "127.0.0.1"}, {"ca_file": ""}):
        with pytest.raises(Lost, match="the certificate is not accepted"):
            await lists(server_of(dovecot, **wrong), login, password)
    with pytest.raises(Lost, match="no encrypted connection"):
        await lists(server_of(dovecot, port=dovecot.imap_port), login, password)


# --- What a server may say before


def says(*lines: bytes, then: bytes = b"") -> Script:
    """Greets with the first line; answers each line that comes with the next one, then with `then`."""

    async def talk(script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers = list(lines[1:])
        while line := await reader.readline():
            script.said.append(line.strip())
            tag = line.split()[0] if line.split() else b""
            writer.write((answers.pop(0) if answers else then).replace(b"%s", tag))

    script = Script(talk)
    script.greeting = lines[0]
    return script


async def attempt(script: Script, security: Security = Security.NONE, **more: Any) -> ImapSession:
    async with script.running(**more) as where:
        where = ImapServer(
            host=where.host, port=where.port, security=security, timeout_seconds=where.timeout_seconds,
            mechanism=where.mechanism,
        )  # fmt: skip
        session = await enter(where, identity(where, "anna", Secret(value="secret")))
        await session.close()
        return session


def told(script: Script) -> bytes:
    return b"\n".join(script.said)


PASSWORD = base64.b64encode(b"\0anna\0secret")


@pytest.mark.parametrize(("script", "words"), [
    (says(b"* PREAUTH welcome\r\n"), "PREAUTH"),
    (says(b"* BYE too many connections\r\n"), "good-bye: too many connections"),
    (says(b"220 smtp.example.com ESMTP\r\n"), "makes no sense"),
    (says(b"HTTP/1.1 400 Bad Request\r\n"), "makes no sense"),
    (says(b"\x15\x03\x01\x00\x02\x02\x28" * 10), "no answer within 0.5 seconds"),
    (says(b""), "no answer within 0.5 seconds"),
    (says(b"* 1 EXISTS\r\n"), "no IMAP server"),
    (says(b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hello\r\n"), "LOGINDISABLED"),
    (says(b"* OK [CAPABILITY IMAP4rev1] hello\r\n", b"%s NO [UNAVAILABLE] try later\r\n"), "try later"),
    (says(b"* OK [CAPABILITY IMAP4rev1] hello\r\n", b"* BYE shutting down\r\n"), "shutting down"),
    (says(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n", then=b"+ \r\n"), "does not come to an end"),
])  # fmt: skip
async def test_servers_that_cannot_be_entered(script: Script, words: str) -> None:
    """Only where nothing more comes is there a time-out soon."""
    with pytest.raises(Lost, match=words):
        await attempt(script, timeout_seconds=0.5 if words.startswith("no answer") else 60)


@pytest.mark.parametrize("script", [
    says(b"* OK [CAPABILITY IMAP4rev1] hello\r\n"),
    says(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n", b"%s NO not now\r\n"),
    says(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n", b"%s OK go on\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"),
    says(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n", b"%s OK go on\r\nA2 OK injected\r\n"),
    says(b"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n"),
    says(b"* OK hello\r\n", b"* CAPABILITY IMAP4rev1\r\n%s OK done\r\n"),
])  # fmt: skip
async def test_no_password_without_the_encryption_that_is_configured(script: Script) -> None:
    with pytest.raises(Lost):
        await attempt(script, Security.STARTTLS, timeout_seconds=0.5)
    assert b"LOGIN" not in told(script)
    assert PASSWORD not in told(script)


async def test_the_password_is_sent_where_no_encryption_is_configured() -> None:
    script = answering({})
    await attempt(script)
    assert script.said[0] == b"AUTHENTICATE PLAIN " + PASSWORD


async def test_without_an_initial_response_it_waits_for_the_server() -> None:
    script = says(
        b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n", b"+ \r\n", b"A1 OK [CAPABILITY IMAP4rev1] in\r\n",
        then=b"%s OK\r\n",
    )  # fmt: skip
    await attempt(script)
    assert script.said[:2] == [b"A1 AUTHENTICATE PLAIN", PASSWORD]


async def test_login_goes_as_a_literal_where_it_must() -> None:
    """A server without AUTH=PLAIN; the password has an umlaut."""
    script = says(
        b"* OK [CAPABILITY IMAP4rev1] hi\r\n", b"+ go on\r\n", b"A1 OK in\r\n",
        b"* CAPABILITY IMAP4rev1 IDLE\r\nA2 OK\r\n", then=b"%s OK\r\n",
    )  # fmt: skip
    async with script.running() as where:
        session = await enter(where, identity(where, "anna", Secret(value="grün")))
        assert session.capabilities == {"IMAP4REV1", "IDLE"}
        await session.close()
    assert script.said[:2] == [b'A1 LOGIN "anna" {5}', "grün".encode()]


async def test_a_mechanism_that_is_none() -> None:
    async with answering({}).running(mechanism="cram-md5") as where:
        with pytest.raises(Bad, match="CRAM-MD5"):
            await enter(where, identity(where, "anna", Secret(value="x")))


async def test_nobody_listens() -> None:
    where = ImapServer(host="127.0.0.1", port=1, security=Security.NONE, timeout_seconds=2)
    with pytest.raises(Lost, match=r"127\.0\.0\.1:1: "):
        await enter(where, identity(where, "anna", Secret(value="x")))
    where = ImapServer(host="no-such-host.invalid", timeout_seconds=5)
    with pytest.raises(Lost, match=r"no-such-host\.invalid:993: "):
        await enter(where, identity(where, "anna", Secret(value="x")))

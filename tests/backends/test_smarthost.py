"""Mail going out, to a real SMTP server on a port of this machine."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from settling import closed

from eas.backends.smarthost import Smarthost, Tls
from eas.engine.errors import Refusal, Undeliverable

MIME = b"Subject: x\r\n\r\n.dot\r\ngr\xc3\xbc\xc3\x9fe\r\n"


@dataclass
class Receiver:
    """Refuses what its addresses say."""

    taken: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    login: list[bytes] = field(default_factory=list)

    async def handle_MAIL(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == "bad@x":
            return "550 5.7.1 not you"
        envelope.mail_from = address
        return "250 ok"

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        for word, reply in {"unknown": "550 5.1.1 who?", "later": "450 4.2.1 later", "large": "552 5.3.4 no"}.items():
            if address.startswith(word):
                return reply
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        if b"X-Spam" in envelope.content:
            return "554 5.7.1 spam"
        if b"X-Drop" in envelope.content:
            server.transport.abort()
        self.taken.append((envelope.mail_from or "", list(envelope.rcpt_tos), envelope.content))
        return "250 ok"

    def authenticate(self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        if isinstance(data, LoginPassword) and data.password == b"good":
            self.login.append(data.login)
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False)



class AtAnyPort(Controller):
    """A port that is found when it is bound, so that nobody comes between. `port` has it then."""

    def _create_server(self) -> Any:
        listening = socket.create_server((self.hostname, 0))
        self.port = listening.getsockname()[1]
        return self.loop.create_server(self._factory_invoker, sock=listening, ssl=self.ssl_context)


@pytest.fixture(autouse=True)
async def settled() -> AsyncIterator[None]:
    """A connection under TLS takes some turns of the loop to close."""
    yield
    await closed()


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def port(receiver: Receiver) -> Iterator[int]:
    yield from _running(receiver, data_size_limit=100_000)


def _running(receiver: Receiver, **options: Any) -> Iterator[int]:
    controller = AtAnyPort(receiver, hostname="127.0.0.1", ready_timeout=60, **options)
    controller.start()
    yield controller.port
    controller.stop()


def host(port: int, **more: Any) -> Smarthost:
    values: dict[str, Any] = {"host": "127.0.0.1", "port": port, "tls": Tls.NONE, "timeout_seconds": 60.0}
    return Smarthost(**values | more)


async def test_a_message_arrives_as_it_was(port: int, receiver: Receiver) -> None:
    await host(port).send("ben@example.com", ["x@a", "y@b"], MIME)
    assert receiver.taken == [("ben@example.com", ["x@a", "y@b"], MIME)]


async def test_the_null_sender(port: int, receiver: Receiver) -> None:
    await host(port).send("", ["x@a"], MIME)
    assert receiver.taken[0][0] in ("", "<>")


@pytest.mark.parametrize(
    ("sender", "recipients", "mime", "reason"),
    [
        ("a@x", ["good@x", "unknown@x"], MIME, Refusal.UNKNOWN_RECIPIENT),
        ("a@x", ["good@x", "later@x"], MIME, Refusal.UNREACHABLE),
        ("a@x", ["good@x", "large@x"], MIME, Refusal.TOO_LARGE),
        ("bad@x", ["good@x"], MIME, Refusal.SENDER),
        ("a@x", ["good@x"], b"X-Spam: 1\r\n" + MIME, Refusal.REJECTED),
        ("a@x", ["good@x"], b"X-Drop: 1\r\n" + MIME, Refusal.UNREACHABLE),
        ("a@x", ["good@x"], MIME + b"x\r\n" * 100_000, Refusal.TOO_LARGE),
    ],
)
async def test_a_refusal_is_of_the_whole_message(
    port: int, receiver: Receiver, sender: str, recipients: list[str], mime: bytes, reason: Refusal
) -> None:
    with pytest.raises(Undeliverable) as raised:
        await host(port).send(sender, recipients, mime)
    assert raised.value.reason is reason
    assert b"X-Drop" in mime or receiver.taken == []


async def test_nobody_there_is_unreachable() -> None:
    with pytest.raises(Undeliverable) as raised:
        await host(1).send("a@x", ["b@x"], MIME)
    assert raised.value.reason is Refusal.UNREACHABLE


async def test_starttls_is_insisted_on(port: int, receiver: Receiver) -> None:
    """A server, or somebody between, that does not offer it gets neither message nor password."""
    with pytest.raises(Undeliverable) as raised:
        await host(port, tls=Tls.STARTTLS, login="u", password="good").send("a@x", ["b@x"], MIME)
    assert raised.value.reason is Refusal.UNREACHABLE
    assert receiver.taken == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of 127.0.0.1 in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(today - datetime.timedelta(days=1)).not_valid_after(today + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + built.public_bytes(pem))
    return path


@pytest.fixture
def tls_port(receiver: Receiver, certificate: Path) -> Iterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    yield from _running(
        receiver, tls_context=context, require_starttls=True, auth_required=True, authenticator=receiver.authenticate
    )


async def test_a_login_goes_over_tls(tls_port: int, receiver: Receiver, certificate: Path) -> None:
    smarthost = host(tls_port, tls=Tls.STARTTLS, login="relay", password="good", ca_file=str(certificate))
    await smarthost.send("a@x", ["b@x"], MIME)
    assert receiver.login == [b"relay"]
    assert len(receiver.taken) == 1


async def test_a_wrong_login_sends_nothing(tls_port: int, receiver: Receiver, certificate: Path) -> None:
    smarthost = host(tls_port, tls=Tls.STARTTLS, login="relay", password="bad", ca_file=str(certificate))
    with pytest.raises(Undeliverable) as raised:
        await smarthost.send("a@x", ["b@x"], MIME)
    assert raised.value.reason is Refusal.UNREACHABLE
    assert receiver.taken == []


async def test_an_unknown_certificate_is_not_trusted(certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    spoken_to = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spoken_to.append(writer)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Undeliverable) as raised:
            await host(port, tls=Tls.TLS, login="relay", password="good").send("a@x", ["b@x"], MIME)
    assert raised.value.reason is Refusal.UNREACHABLE
    assert spoken_to == []

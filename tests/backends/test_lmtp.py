"""Mail from the server in front: LMTP on a real socket, spoken by hand and by the standard library's client."""

from __future__ import annotations

import asyncio
import smtplib
import stat
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from worlds import NOW, EmbeddedWorld, feed_of

from eas.app.doors import unix_socket
from eas.backends import lmtp
from eas.backends.lmtp import LmtpServer
from eas.engine.errors import BackendError, NoSpace, Refusal, Unavailable, Undeliverable
from eas.engine.model import FolderType
from eas.engine.ports import Horizon

LIMIT = 200_000

VERDICTS: dict[str, BackendError | None] = {
    "good@x": None, "other@x": None, "full@x": NoSpace(), "busy@x": Unavailable(), "gone@x": Undeliverable(
        Refusal.UNKNOWN_RECIPIENT
    ), "large@x": Undeliverable(Refusal.TOO_LARGE), "bug@x": RuntimeError(),  # type: ignore[dict-item]
}


@dataclass
class FakeOffice:
    taken: list[tuple[str, list[str], bytes]] = field(default_factory=list)

    async def knows(self, address: str) -> bool:
        if address == "locked@x":
            raise Unavailable
        return address in VERDICTS

    async def take(self, sender: str, recipients: Sequence[str], raw: bytes) -> list[BackendError | None]:
        self.taken.append((sender, list(recipients), raw))
        verdicts = [VERDICTS[recipient] for recipient in recipients]
        if any(isinstance(verdict, RuntimeError) for verdict in verdicts):
            raise RuntimeError("a bug")
        return verdicts


@pytest.fixture
def office() -> FakeOffice:
    return FakeOffice()


@pytest.fixture
async def server(office: FakeOffice) -> AsyncIterator[LmtpServer]:
    made = LmtpServer(office, limit=LIMIT, now=lambda: NOW, hostname="mx.example.com")
    yield made
    await made.close()


class Line:
    """A conversation: what is said, and the replies to it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self) -> str:
        """One reply, its lines joined."""
        lines = []
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), 60)).decode()
            lines.append(line.strip())
            if line[3:4] != "-":
                return "\n".join(lines)

    async def say(self, text: str | bytes, replies: int = 1) -> list[str]:
        self.writer.write((text.encode() if isinstance(text, str) else text) + b"\r\n")
        return [await self.reply() for _ in range(replies)]

    async def message(
        self, *recipients: str, body: bytes = b"Subject: x\r\n\r\nbody", sender: str = "a@b"
    ) -> list[str]:
        """The codes after DATA."""
        assert [r[:3] for r in await self.say(f"MAIL FROM:<{sender}>")] == ["250"]
        for recipient in recipients:
            assert [r[:3] for r in await self.say(f"RCPT TO:<{recipient}>")] == ["250"]
        assert [r[:3] for r in await self.say("DATA")] == ["354"]
        return [reply[:3] for reply in await self.say(body + b"\r\n.", len(recipients))]


@pytest.fixture
async def line(server: LmtpServer) -> AsyncIterator[Line]:
    port = await server.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    made = Line(reader, writer)
    assert (await made.reply()).startswith("220 mx.example.com")
    assert "SIZE 200000" in (await made.say("LHLO me"))[0]
    yield made
    writer.close()
    await writer.wait_closed()


async def test_after_data_each_recipient_has_a_reply(line: Line, office: FakeOffice) -> None:
    """RFC 2033 4.2: in the order of the RCPT commands."""
    recipients = ["good@x", "full@x", "busy@x", "gone@x", "large@x", "other@x"]
    assert await line.message(*recipients) == ["250", "452", "450", "550", "552", "250"]
    [(sender, taken, raw)] = office.taken
    assert (sender, taken) == ("a@b", recipients)
    assert raw == (
        b"Return-Path: <a@b>\r\nReceived: from me by mx.example.com with LMTP; Sat, 21 Nov 2026 09:00:00 +0000\r\n"
        b"Subject: x\r\n\r\nbody\r\n"
    )


async def test_a_bug_of_ours_loses_no_message(line: Line) -> None:
    assert await line.message("good@x", "bug@x") == ["451", "451"]
    assert await line.message("good@x") == ["250"]


async def test_unknown_users_are_refused_and_others_may_come_later(line: Line) -> None:
    await line.say("MAIL FROM:<>")
    assert (await line.say("RCPT TO:<nobody@x>"))[0].startswith("550 5.1.1")
    assert (await line.say("RCPT TO:<locked@x>"))[0].startswith("450")
    assert (await line.say("DATA"))[0].startswith("503")


async def test_the_null_sender_is_empty(line: Line, office: FakeOffice) -> None:
    assert await line.message("good@x", sender="") == ["250"]
    assert office.taken[0][0] == ""


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (b"..", b".\r\n"), (b"..\r\n...", b".\r\n..\r\n"), (b"a\r\n..b", b"a\r\n.b\r\n"), (b"a\n.\nb", b"a\n.\nb\r\n"),
        (b"a\n.\r\nb", b"a\n.\r\nb\r\n"), (b"a\r\n.\nb", b"a\r\n\nb\r\n"), (b"\r\n\r\n", b"\r\n\r\n\r\n"),
        (b"x" * 150_000, b"x" * 150_000 + b"\r\n"), (b"\xff\x00\x80", b"\xff\x00\x80\r\n"),
    ],
)
async def test_dots_are_taken_away_and_only_a_whole_line_ends_it(
    line: Line, office: FakeOffice, sent: bytes, stored: bytes
) -> None:
    assert await line.message("good@x", body=sent) == ["250"]
    assert office.taken[0][2].partition(b"+0000\r\n")[2] == stored
    assert (await line.say("NOOP"))[0].startswith("250")


async def test_an_empty_message(line: Line, office: FakeOffice) -> None:
    await line.say("MAIL FROM:<a@b>")
    await line.say("RCPT TO:<good@x>")
    await line.say("DATA")
    assert (await line.say("."))[0].startswith("250")
    assert office.taken[0][2].endswith(b"+0000\r\n")


async def test_what_is_too_large_is_read_to_its_end_and_refused(line: Line, office: FakeOffice) -> None:
    assert await line.message("good@x", "other@x", body=b"line\r\n" * 200_000) == ["552", "552"]
    assert office.taken == []
    assert await line.message("good@x") == ["250"]
    assert (await line.say(f"MAIL FROM:<a@b> SIZE={LIMIT + 1}"))[0].startswith("552")
    assert (await line.say(f"MAIL FROM:<a@b> SIZE={LIMIT} BODY=8BITMIME SMTPUTF8"))[0].startswith("250")


async def test_commands_in_one_packet(line: Line, office: FakeOffice) -> None:
    """PIPELINING, RFC 2920: a message and the next commands may come together."""
    sent = "MAIL FROM:<a@b>\r\nRCPT TO:<good@x>\r\nRCPT TO:<nobody@x>\r\nRCPT TO:<full@x>\r\nDATA"
    assert [r[:3] for r in await line.say(sent, 5)] == ["250", "250", "550", "250", "354"]
    rest = "Subject: 1\r\n\r\n1\r\n.\r\nMAIL FROM:<c@d>\r\nRSET\r\nNOOP\r\nQUIT"
    assert [r[:3] for r in await line.say(rest, 6)] == ["250", "452", "250", "250", "250", "221"]
    assert await line.reader.read() == b""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("EHLO me", "500"), ("HELO me", "500"), ("LHLO", "501"), ("DATA", "503"), ("RCPT TO:<good@x>", "503"),
        ("MAIL", "501"), ("MAIL FROM:a@b", "501"), ("MAIL TO:<a@b>", "501"), ("XYZZY", "500"), ("", "500"),
        ("\xff\xfe", "500"), ("VRFY good@x", "252"), ("NOOP", "250"), ("x" * 10_000, "500"),
    ],
)
async def test_what_makes_no_sense_has_its_reply(line: Line, command: str, code: str) -> None:
    assert (await line.say(command))[0][:3] == code
    assert await line.message("good@x") == ["250"]


@pytest.mark.parametrize("path", ["<>", "<anna>", "good@x", "<good@x", "good@x>", ""])
async def test_recipients_that_are_no_paths(line: Line, path: str) -> None:
    await line.say("MAIL FROM:<a@b>")
    assert (await line.say(f"RCPT TO:{path}"))[0][:3] == "501"
    assert (await line.say("RCPT TO:<@relay,@other:good@x> NOTIFY=NEVER"))[0][:3] == "250"


async def test_a_client_of_nonsense_is_cut_off(line: Line) -> None:
    for _ in range(lmtp.MAX_ERRORS - 1):
        assert (await line.say("NONSENSE"))[0].startswith("500")
    assert [r[:3] for r in await line.say("NONSENSE", 2)] == ["500", "421"]


async def test_a_connection_lost_within_a_message_delivers_nothing(line: Line, office: FakeOffice) -> None:
    await line.say("MAIL FROM:<a@b>")
    await line.say("RCPT TO:<good@x>")
    await line.say("DATA")
    line.writer.write(b"Subject: half\r\n\r\nand th")
    line.writer.close()
    await asyncio.sleep(0.05)
    assert office.taken == []


async def test_too_many_connections_are_sent_away(server: LmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmtp, "MAX_CONNECTIONS", 1)
    port = await server.listen("127.0.0.1", 0)
    lines = [Line(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(2)]
    assert [(await line.reply())[:3] for line in lines] == ["220", "421"]
    for line in lines:
        line.writer.close()


async def test_a_unix_socket_and_a_real_client(tmp_path: Path, embedded: EmbeddedWorld) -> None:
    """From the socket into a mailbox. The socket of a dead process is replaced. The standard library's client reads one
    reply after DATA, hence one recipient."""
    path = tmp_path / "lmtp"
    path.write_bytes(b"")
    server = LmtpServer(embedded.embedded.office, limit=1 << 20, now=embedded.clock.now)
    await server.listen_on(unix_socket(path, 0o660))
    assert stat.S_IMODE(path.stat().st_mode) == 0o660

    def send() -> dict[str, tuple[int, bytes]]:
        with smtplib.LMTP(str(path)) as client:
            recipients = ["nobody@example.com", "anna@example.com"]
            return client.sendmail("x@elsewhere.example", recipients, "Subject: hi\r\n\r\n.dot\r\n")

    try:
        refused = await asyncio.to_thread(send)
    finally:
        await server.close()
    assert {address: code for address, (code, _) in refused.items()} == {"nobody@example.com": 550}
    feed = await feed_of(embedded.mailbox("anna"), FolderType.INBOX)
    [id] = (await feed.delta(None, Horizon())).touched
    assert (b"".join([piece async for piece in feed.part(id, "")])).endswith(b"Subject: hi\r\n\r\n.dot\r\n")


async def test_closing_ends_what_is_open(server: LmtpServer) -> None:
    port = await server.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    await asyncio.wait_for(server.close(), 60)
    assert await reader.read() == b"421 4.3.2 shutting down\r\n"
    writer.close()


async def test_a_message_that_is_being_taken_is_answered_before_the_end(
    server: LmtpServer, office: FakeOffice
) -> None:
    """Else the mail server would send it a second time."""
    port = await server.listen("127.0.0.1", 0)
    line = Line(*await asyncio.open_connection("127.0.0.1", port))
    await line.reply()
    for said in ("LHLO there", "MAIL FROM:<x@y>", "RCPT TO:<good@x>", "DATA"):
        line.writer.write(f"{said}\r\n".encode())
        await line.reply()
    closing = asyncio.create_task(server.close(60))
    await asyncio.sleep(0.05)
    line.writer.write(b"Subject: late\r\n\r\n.\r\n")
    assert (await line.reply())[:3] == "250"
    assert (await line.reply())[:3] == "421"
    await asyncio.wait_for(closing, 30)
    assert len(office.taken) == 1
    line.writer.close()

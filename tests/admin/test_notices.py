"""Notices by mail: which way they go, what they look like, what cannot be smuggled in, and that none disturbs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from groupware.smtp import Sink, Stage
from hypothesis import given
from hypothesis import strategies as st

from eas import app as composition
from eas.admin.notices import Manner, Notices, line, submission_for, written
from eas.backends.standards.tenant import SmtpServer, Tenant
from eas.client.phone import Phone
from eas.config import load
from eas.engine.model import FolderType

DOMAIN = "example.com"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def read(octets: bytes) -> EmailMessage:
    message: Message = message_from_bytes(octets, policy=default)
    assert isinstance(message, EmailMessage)
    return message


async def inbox(world: Any, phone: Callable[..., Phone], login: str = "anna") -> list[str]:
    """The subjects that a user's phone finds in the inbox, in any order."""
    device = phone(login=login, device="READER")
    await device.set_up()
    await device.sync()
    id = await world.folder(FolderType.INBOX, login)
    return sorted(item.text("Email:Subject") for item in device.state.folders[id].items.values())


async def test_somebody_here_finds_it_in_the_inbox(world: Any, phone: Callable[..., Phone]) -> None:
    assert await world.app.site.notices.mail(f"anna@{DOMAIN}", "A phone was wiped", "Hello")
    assert await inbox(world, phone) == ["A phone was wiped"]


async def test_what_is_sent_without_waiting_is_there_before_the_end(
    world: Any, phone: Callable[..., Phone]
) -> None:
    world.app.site.notices.tell([f"ben@{DOMAIN}", f"ben@{DOMAIN}", ""], "test", to="you")
    await world.app.site.notices.settle()
    assert await inbox(world, phone, "ben") == ["Test of notices"]


@pytest.mark.parametrize("to", ["nobody@example.com", "not an address", "", "a@b@c", "x@example.net"])
async def test_what_cannot_be_sent_disturbs_nobody(world: Any, to: str) -> None:
    """Nobody of that name, no address at all, and no way out."""
    assert not await world.app.site.notices.mail(to, "Subject", "Text")


def settings(tmp_path: Path, **more: Any) -> Any:
    return load(overrides={"data": tmp_path / "data", "domain": DOMAIN, **more}, environment={})


async def over_smarthost(tmp_path: Path, sink: Sink, do: Callable[[Notices], Awaitable[bool]]) -> bool:
    sink.auth = False
    way = {"smarthost.host": "localhost", "smarthost.port": sink.port, "smarthost.security": "none"}
    told = {"notices.sender": "it@example.com", "notices.admins": ("boss@example.net",)}
    async with composition.build(settings(tmp_path, **way, **told)) as app:
        return await do(app.site.notices)


async def test_others_are_reached_over_the_smarthost(tmp_path: Path, mail_sink: Sink) -> None:
    async def do(notices: Notices) -> bool:
        notices.tell_admins("test", to="boss")
        await notices.settle()
        return True

    assert await over_smarthost(tmp_path, mail_sink, do)
    (taken,) = mail_sink.messages
    assert (taken.sender, taken.recipients) == ("it@example.com", ("boss@example.net",))
    message = read(taken.octets)
    assert message["From"].addresses[0].addr_spec == "it@example.com"
    assert message["To"] == "boss@example.net"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.com>")
    assert abs(message["Date"].datetime - datetime.now(UTC)) < timedelta(hours=1)
    assert "arrive at boss" in message.get_content()


@pytest.mark.parametrize("answer", ["550 5.1.1 no", "451 4.3.0 later", "drop"])
async def test_a_mail_server_that_fails_is_a_line_in_the_log(tmp_path: Path, mail_sink: Sink, answer: str) -> None:
    mail_sink.fail(Stage.RCPT, answer)
    assert not await over_smarthost(tmp_path, mail_sink, lambda n: n.mail("boss@example.net", "Subject", "Text"))
    assert not mail_sink.messages


async def test_users_of_other_servers_are_reached_over_theirs(tmp_path: Path, mail_sink: Sink) -> None:
    """With the gateway's own login there, never with a user's."""
    login, password = mail_sink.new_user("gateway@corp.example")
    tenant = {
        "backends.corp.domains": ["corp.example"], "backends.corp.imap.host": "localhost",
        "backends.corp.smtp.host": "localhost", "backends.corp.smtp.port": mail_sink.tls_port,
        "backends.corp.smtp.ca_file": mail_sink.ca_file, "backends.corp.smtp.user": login,
        "backends.corp.smtp.password": password,
    }
    async with composition.build(settings(tmp_path, **tenant)) as app:
        assert await app.site.notices.mail("dora@corp.example", "Subject", "Text")
    (taken,) = mail_sink.messages
    assert (taken.login, taken.recipients, taken.sender) == (login, ("dora@corp.example",), "")


def test_which_submission_server() -> None:
    def tenant(name: str, *domains: str, login: str = "") -> Tenant:
        return Tenant(name=name, domains=domains, smtp=SmtpServer(host=name, port=465, login=login))

    own, other, any_domain = tenant("own", "a.example"), tenant("other", "b.example", login="x"), tenant("any")
    mute = Tenant(name="mute", domains=("a.example",))

    def chosen(address: str, *tenants: Tenant) -> str:
        found = submission_for(address, tenants)
        return found.host if found is not None else ""

    assert chosen("x@A.example", other, any_domain, own) == "own"
    assert chosen("x@c.example", other, any_domain, own) == "any"
    assert chosen("x@c.example", own, other) == "other"
    assert chosen("x@c.example", own, mute) == ""


async def test_no_more_than_so_many_an_hour(world: Any) -> None:
    """About one thing to one address; the last says so. Other topics and addresses have their own count."""
    now = NOW
    sent: list[bytes] = []

    class Office:
        async def is_elsewhere(self, address: str) -> bool:
            return False

        async def take(self, sender: str, to: list[str], raw: bytes) -> list[None]:
            sent.append(raw)
            return [None]

    office: Any = Office()
    notices = Notices(office=office, manner=Manner(per_hour=3), now=lambda: now)
    assert [await notices.mail("a@example.com", "S", "T", topic="x") for _ in range(5)] == [True] * 3 + [False] * 2
    assert ["3 about this" in read(raw).get_content() for raw in sent] == [False, False, True]
    assert await notices.mail("a@example.com", "S", "T", topic="y")
    assert await notices.mail("b@example.com", "S", "T", topic="x")
    assert not await notices.mail("A@example.com", "S", "T", topic="x")
    now += timedelta(hours=1)
    assert await notices.mail("a@example.com", "S", "T", topic="x")


@given(st.text(max_size=60), st.text(max_size=300))
def test_names_bring_no_fields_along(name: str, text: str) -> None:
    """Whatever a device calls itself: the header has the fields that we wrote, and one recipient."""
    octets = written("a@example.com", f"Phone {name}", f"Text {text}", Manner(domain="example.com"), NOW)
    head, _, _ = octets.partition(b"\r\n\r\n")
    names = [field.partition(b":")[0] for field in head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n")]
    assert sorted(names) == sorted([
        b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted", b"X-Auto-Response-Suppress",
        b"Content-Type", b"Content-Transfer-Encoding", b"MIME-Version",
    ])
    assert octets.isascii()
    assert b"\n" not in octets.replace(b"\r\n", b"")
    assert [one.addr_spec for one in read(octets)["To"].addresses] == ["a@example.com"]


@given(st.text())
def test_a_value_is_one_line(text: str) -> None:
    assert len(line(text).splitlines()) <= 1

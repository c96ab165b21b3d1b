"""What a phone sees when the servers behind the gateway fail: nothing lost, nothing doubled, and no password asked for
that is right."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from estate import Estate, estate, letter, ready, subjects
from groupware.dovecot import Dovecot
from groupware.gateway import backend
from groupware.radicale import Radicale
from groupware.slapd import Slapd
from groupware.smtp import Sink, Stage

from eas.client import mail, services
from eas.client.errors import Busy, ClientError, Refusal, Unauthorised
from eas.engine.model import FolderType
from eas.server.spool import SPOOLED_FROM

Login = tuple[str, str]


@pytest.fixture
def breakable(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    """A mail server of its own, to be killed."""
    server = Dovecot()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
async def mail_only(breakable: Dovecot, mail_sink: Sink, tmp_path: Path) -> AsyncIterator[Estate]:
    mail_sink.any_login = True
    async with estate(tmp_path / "data", {"office": backend(breakable, mail_sink)}) as made:
        yield made


async def again(work: Callable[[], Awaitable[object]], seconds: float = 60.0) -> None:
    """A phone tries again until it goes, unless it is told that the password is wrong."""
    until = time.monotonic() + seconds
    while True:
        try:
            await work()
            return
        except ClientError as error:
            if isinstance(error, Unauthorised) or time.monotonic() > until:
                raise
            await asyncio.sleep(0.2)


async def test_a_mail_server_that_dies_is_waited_for(breakable: Dovecot, mail_only: Estate) -> None:
    login, password = breakable.new_user()
    breakable.append(login, "INBOX", letter("before", login))
    phone = await ready(mail_only.phone(login, password))
    breakable.append(login, "INBOX", letter("in between", login))
    breakable.kill()
    for _ in range(2):
        with pytest.raises(ClientError) as raised:
            await phone.sync()
        assert not isinstance(raised.value, Unauthorised)
    assert subjects(phone) == ["before"]
    breakable.restart()
    await again(phone.sync)
    assert subjects(phone) == ["before", "in between"]


async def test_a_mail_server_that_dies_in_the_middle_of_an_answer(breakable: Dovecot, mail_only: Estate) -> None:
    """Windows that were answered stay; the rest comes when the server is back, each message once."""
    login, password = breakable.new_user()
    text = "All work and no play. " * 2000
    for n in range(40):
        breakable.append(login, "INBOX", letter(f"{n:02}", login, text=text))
    phone = mail_only.phone(login, password)
    await phone.set_up()

    async def killer() -> None:
        await asyncio.sleep(0.15)
        await asyncio.to_thread(breakable.kill)

    killing = asyncio.create_task(killer())
    with contextlib.suppress(ClientError):
        await phone.sync()
    await killing
    await asyncio.to_thread(breakable.restart)
    await again(phone.sync)
    assert subjects(phone) == [f"{n:02}" for n in range(40)]


async def test_a_certificate_that_cannot_be_trusted_is_no_wrong_password(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    """The phone is to come again, and must not ask its owner."""
    login, password = dovecot.new_user()
    wrong = backend(dovecot, mail_sink)
    wrong["imap"] = {**wrong["imap"], "host": "127.0.0.1"}
    async with estate(tmp_path / "data", {"office": wrong}) as made:
        with pytest.raises(Busy):
            await made.phone(login, password).set_up()


async def test_a_wrong_password_is_told_as_one(mail_only: Estate, breakable: Dovecot) -> None:
    login, _ = breakable.new_user()
    with pytest.raises(Unauthorised):
        await mail_only.phone(login, "wrong").set_up()


async def test_a_password_that_was_changed_is_asked_for(breakable: Dovecot, mail_only: Estate) -> None:
    login, password = breakable.new_user()
    phone = await ready(mail_only.phone(login, password))
    breakable.set_password(login, "another")
    breakable.restart()  # connections that were let in end

    async def goes_on() -> None:
        for _ in range(3):
            await again(phone.sync)

    with pytest.raises(Unauthorised):
        await goes_on()
    newer = mail_only.phone(login, "another", device="PHONE2")
    await ready(newer)


async def test_a_mailbox_deleted_under_a_sync_goes_from_the_phone(breakable: Dovecot, mail_only: Estate) -> None:
    login, password = breakable.new_user()
    breakable.append(login, "Projects", letter("plan", login))
    phone = await ready(mail_only.phone(login, password))
    projects = phone.state.folder("Projects")
    assert len(projects.items) == 1
    with breakable.imap(login) as client:
        client.delete('"Projects"')
    await phone.sync()
    await phone.folder_sync()
    assert "Projects" not in {folder.name for folder in phone.folders()}
    breakable.append(login, "INBOX", letter("later", login))
    await phone.sync()
    assert subjects(phone) == ["later"]


async def test_a_full_mailbox_loses_nothing(breakable: Dovecot, mail_only: Estate) -> None:
    """What the phone sends goes out; the copy cannot be kept, and the phone is not made to send it again."""
    login, password = breakable.new_user()
    breakable.append(login, "INBOX", letter("large", login, text="x" * 60_000))
    phone = await ready(mail_only.phone(login, password))
    breakable.set_quota(login, "40K")
    breakable.restart()
    message = letter("out", "friend@elsewhere.example", sender=login, text="y" * 50_000)
    await again(lambda: mail.send(phone, message))
    await again(phone.sync)
    assert subjects(phone) == ["large"]


# --- Other servers --------------------------------------------------------------------------------------------------


@pytest.fixture
def own_radicale() -> Iterator[Radicale]:
    server = Radicale()
    try:
        yield server.start()
    finally:
        server.stop()


async def test_while_the_calendar_hangs_mail_goes_on(
    dovecot: Dovecot, own_radicale: Radicale, mail_sink: Sink, tmp_path: Path
) -> None:
    login, password = dovecot.new_user()
    own_radicale.adopt(login, password)
    settings = backend(dovecot, mail_sink, dav=own_radicale)
    settings["dav"]["timeout_seconds"] = 2
    async with estate(tmp_path / "data", {"office": settings}) as made:
        phone = made.phone(login, password)
        await again(lambda: ready(phone))
        assert own_radicale.child is not None
        assert own_radicale.child.process is not None
        pid = own_radicale.child.process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            dovecot.append(login, "INBOX", letter("news", login))
            inbox = phone.state.folder(FolderType.INBOX)
            await again(lambda: phone.sync([inbox]))
            assert subjects(phone) == ["news"]
            began = time.monotonic()
            with pytest.raises(ClientError):
                await phone.sync([phone.state.folder(FolderType.CALENDAR)])
            assert time.monotonic() - began < 40
        finally:
            os.kill(pid, signal.SIGCONT)
        await again(phone.sync)
        assert {folder.type for folder in phone.folders()} >= {FolderType.CALENDAR, FolderType.CONTACTS}


async def test_while_the_address_list_is_away_it_says_so_and_mail_goes_on(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    login, password = dovecot.new_user()
    directory = Slapd()
    try:
        directory.start()
        settings = backend(dovecot, mail_sink, directory=directory)
        settings["ldap"] |= {"cache_seconds": 1, "timeout_seconds": 2, "max_entries": 0}
        async with estate(tmp_path / "data", {"office": settings}) as made:
            phone = await ready(made.phone(login, password))
            found: list[object] = []

            async def search() -> None:
                found.append(await services.search_people(phone, "anna"))

            await again(search)
            assert found[0]
            directory.kill()
            with pytest.raises(ClientError) as raised:
                await services.search_people(phone, "ben")
            assert not isinstance(raised.value, Unauthorised)
            dovecot.append(login, "INBOX", letter("news", login))
            await phone.sync()
            assert subjects(phone) == ["news"]
    finally:
        directory.stop()


async def test_a_large_message_goes_out_whole(dovecot: Dovecot, mail_sink: Sink, tmp_path: Path) -> None:
    """It lies in a file on its way through the gateway."""
    login, password = dovecot.new_user()
    mail_sink.any_login = True
    lines = "\r\n".join(f".{n} dots and words in a long line" for n in range(80_000))
    message = letter("large", "friend@elsewhere.example", sender=login, text=lines)
    assert len(message) > SPOOLED_FROM
    async with estate(tmp_path / "data", {"office": backend(dovecot, mail_sink)}) as made:
        phone = await ready(made.phone(login, password))
        await mail.send(phone, message)
        await phone.sync()
        (taken,) = mail_sink.messages
        assert taken.octets.endswith(lines.encode() + b"\r\n")
        assert subjects(phone, FolderType.SENT_ITEMS) == ["large"]


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END])
async def test_a_message_that_the_server_refuses_is_refused_and_not_kept(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path, stage: Stage
) -> None:
    login, password = dovecot.new_user()
    mail_sink.any_login = True
    async with estate(tmp_path / "data", {"office": backend(dovecot, mail_sink)}) as made:
        phone = await ready(made.phone(login, password))
        mail_sink.fail(stage, "550 5.7.1 not this one")
        with pytest.raises(Refusal):
            await mail.send(phone, letter("out", "friend@elsewhere.example", sender=login))
        assert not mail_sink.messages
        await phone.sync()
        assert subjects(phone, FolderType.SENT_ITEMS) == []
        mail_sink.reset()
        mail_sink.any_login = True
        await mail.send(phone, letter("out", "friend@elsewhere.example", sender=login))
        await phone.sync()
        assert len(mail_sink.messages) == 1
        assert subjects(phone, FolderType.SENT_ITEMS) == ["out"]

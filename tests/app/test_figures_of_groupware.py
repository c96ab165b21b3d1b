"""Figures of calls to real servers: each kind is timed, each kind of failure counted, connections and watches seen."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from estate import Estate, estate, letter, ready
from figures import Figures
from groupware.dovecot import Dovecot
from groupware.gateway import backend
from groupware.radicale import Radicale
from groupware.slapd import Slapd
from groupware.smtp import Sink

from eas.client import mail, services
from eas.client.errors import Busy, ClientError


@pytest.fixture
def breakable() -> Iterator[Dovecot]:
    """A mail server of its own, to be killed."""
    server = Dovecot()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def calendars() -> Iterator[Radicale]:
    server = Radicale()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
async def made(
    breakable: Dovecot, calendars: Radicale, slapd: Slapd, mail_sink: Sink, tmp_path: Path
) -> AsyncIterator[Estate]:
    mail_sink.any_login = True
    settings = backend(breakable, mail_sink, dav=calendars, directory=slapd, poll_seconds=1)
    settings["dav"]["timeout_seconds"] = 8
    settings["ldap"]["max_entries"] = 0  # each search goes out
    async with estate(tmp_path / "data", {"office": settings}) as made:
        yield made


async def _figures(made: Estate) -> Figures:
    body, _ = await made.app.measuring.expose("")
    return Figures.parsed(body.decode())


async def _until(made: Estate, holds: Callable[[Figures], bool]) -> Figures:
    for _ in range(1200):
        if holds(told := await _figures(made)):
            return told
        await asyncio.sleep(0.05)
    raise AssertionError({name: told.total(name) for name in ("eas_watches", "eas_imap_connections")})


async def test_a_day_before_real_servers(
    made: Estate, breakable: Dovecot, calendars: Radicale, slapd: Slapd
) -> None:
    login, password = breakable.new_user()
    calendars.adopt(login, password)
    before = await _figures(made)
    phone = await ready(made.phone(login, password))
    await services.search_people(phone, "anna")
    await services.out_of_office(phone)
    await mail.send(phone, letter("out", "friend@elsewhere.example", sender=login))
    await phone.sync()  # the copy in Sent Items

    waiting = asyncio.create_task(phone.ping(heartbeat=300))
    watched = await _until(made, lambda told: told.total("eas_watches", how="notify") == 1)
    assert watched.total("eas_watches") == watched.total("eas_imap_connections", state="listening") == 1
    await asyncio.sleep(0.5)  # the watch looks how things stand
    breakable.append(login, "INBOX", letter("news", login))
    assert (await asyncio.wait_for(waiting, 60)).folders
    told = await _figures(made)

    def more(sample: str, **labels: str) -> float:
        return told.total(sample, **labels) - before.total(sample, **labels)

    for kind, operation in [
        ("imap", "login"), ("imap", "list"), ("imap", "select"), ("imap", "fetch"),
        ("dav", "list"), ("dav", "report"), ("ldap", "search"), ("sieve", "login"), ("sieve", "read"), ("smtp", "send"),
    ]:
        assert more("eas_backend_seconds_count", backend=kind, operation=operation) >= 1, (kind, operation)
        assert more("eas_backend_seconds_sum", backend=kind, operation=operation) > 0, (kind, operation)
    assert more("eas_backend_failures_total") == 0
    assert more("eas_push_seconds_count", command="Ping") == 1
    assert told.total("eas_imap_connections", state="idle") >= 1


async def test_servers_that_fail(made: Estate, breakable: Dovecot, calendars: Radicale) -> None:
    """A mail server that is gone, one that refuses the login, one that is silent."""
    login, password = breakable.new_user()
    calendars.adopt(login, password)
    phone = await ready(made.phone(login, password))
    waiting = asyncio.create_task(phone.ping(heartbeat=300))
    await _until(made, lambda told: told.total("eas_watches", how="notify") == 1)
    before = await _figures(made)
    with pytest.raises(ClientError):
        await made.phone(login, "wrong", device="PHONE2").set_up()
    refused = await _figures(made)
    breakable.kill()
    assert calendars.child is not None
    assert calendars.child.process is not None
    os.kill(calendars.child.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(Busy):
            await made.phone(*breakable.new_user()).set_up()
        told = await _until(made, lambda told: told.total("eas_backend_failures_total", backend="dav") > 0)
        await _until(made, lambda told: told.total("eas_watches", how="notify") == 0)
    finally:
        os.kill(calendars.child.process.pid, signal.SIGCONT)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    def more(told: Figures, since: Figures, **labels: str) -> float:
        return told.total("eas_backend_failures_total", **labels) - since.total("eas_backend_failures_total", **labels)

    assert more(refused, before, backend="imap", reason="login") == 1
    assert more(told, refused, backend="imap", reason="lost") >= 1
    assert more(told, refused, backend="dav", reason="timeout") >= 1
    unavailable = {"sample": "eas_refusals_total", "reason": "unavailable"}
    assert told.total(**unavailable) == refused.total(**unavailable) + 1

"""A gateway in this process, a phone of eas.client whose session is recorded, and that session played elsewhere."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx

from eas import app
from eas.app.preparing import behind
from eas.backends.embedded.accounts import load_user
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.config import Settings, load
from eas.engine.model import Folder, FolderType, User
from eas.engine.ports import Mailbox
from eas.protocol.version import Version
from eas.push.clock import SystemClock
from eas.replay.comparing.compare import compare_answers
from eas.replay.comparing.ids import Ids
from eas.replay.comparing.may_differ import DEFAULT
from eas.replay.comparing.outcome import Outcome
from eas.replay.comparing.rules import Rules
from eas.replay.format.capture import exchange_of
from eas.replay.format.model import Exchange, Meta
from eas.replay.format.reading import open_session
from eas.replay.format.writing import writer
from eas.replay.playing.binding import Binding
from eas.replay.playing.line import AsgiLine
from eas.replay.playing.play import Compare, Manner, play, who_of
from eas.replay.preparing.prepare import prepared

DOMAIN = "example.com"
PASSWORD = "a-long-secret"
ANNA, BEN = "anna", "ben"
PLAIN = Manner()


class Clock(SystemClock):
    """The machine's, but for what is to happen at a moment that is given."""

    at: datetime | None = None

    def now(self) -> datetime:
        return self.at or super().now()


def this_second() -> datetime:
    """The one that it is, at its beginning: the Date of a mail says no more."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(slots=True)
class Gateway:
    """Open as long as its context; `people` have mailboxes."""

    parts: app.App
    clock: Clock

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path, *people: str, **limits: int) -> AsyncIterator[Gateway]:
        os.makedirs(folder, exist_ok=True)
        settings: Settings = load(
            overrides={"data": folder, "domain": DOMAIN, "limits": {"heartbeat_min_seconds": 1, **limits}},
            environment={},
        )
        clock = Clock()
        async with app.build(settings, clock=clock) as parts:
            for name in people or (ANNA, BEN):
                await parts.embedded.admin.add_user(f"{name}@{DOMAIN}", PASSWORD, name=name.title())
            yield cls(parts, clock)

    def line(self, user: str = ANNA) -> AsgiLine:
        return AsgiLine(self.parts.asgi, f"{user}@{DOMAIN}", PASSWORD)

    async def user(self, name: str = ANNA) -> User:
        account = await self.parts.embedded.admin.user(name)
        found = await self.parts.embedded.groupware.read(lambda connection: load_user(connection, account.id))
        assert found is not None
        return found

    async def mailbox(self, name: str = ANNA) -> Mailbox:
        return self.parts.embedded.accounts.open(await self.user(name))[0]

    async def folder(self, type: FolderType, name: str = ANNA) -> Folder:
        return next(one for one in await (await self.mailbox(name)).folders() if one.type is type)

    async def deliver(self, message: bytes, name: str = ANNA, *, at: datetime | None = None) -> None:
        """As a mail server does; phones that wait are told. `at`: when it is received, now if that is None."""
        self.clock.at = at
        (failure,) = await self.parts.embedded.office.take("carla@elsewhere.example", [f"{name}@{DOMAIN}"], message)
        self.clock.at = None
        assert failure is None

    @asynccontextmanager
    async def phone(
        self, version: Version, name: str = ANNA, tape: Tape | None = None, device: str = "PHONE1", **more: bool
    ) -> AsyncIterator[Phone]:
        transport: httpx.AsyncBaseTransport = httpx.ASGITransport(self.parts.asgi)
        if tape is not None:
            transport = Recording(transport, tape)
        credentials = Credentials(user=f"{name}@{DOMAIN}", password=PASSWORD)
        async with Connection(
            "http://localhost", credentials, Identity(device_id=device), version=version, transport=transport, **more,
        ) as connection:
            yield Phone(DeviceState.new(device), connection)


@dataclass(slots=True)
class Tape:
    """What was recorded. `losing`: numbers of exchanges whose answer does not reach the device."""

    exchanges: list[Exchange] = field(default_factory=list)
    began: int = 0


class Recording(httpx.AsyncBaseTransport):
    """Goes to another transport, and keeps what passes, as the recorder does: written when the answer has ended."""

    def __init__(self, inner: httpx.AsyncBaseTransport, tape: Tape) -> None:
        self._inner, self._tape = inner, tape

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._tape.began += 1
        number, when, began = self._tape.began, datetime.now(UTC), time.perf_counter()
        body = await request.aread()
        response = await self._inner.handle_async_request(request)
        data = b"".join([piece async for piece in response.stream])  # type: ignore[union-attr]
        self._tape.exchanges.append(exchange_of(
            number=number, time=when, method=request.method, target=request.url.raw_path.decode(),
            headers=[(name.decode(), value.decode()) for name, value in request.headers.raw], body=body,
            status=response.status_code, seconds=time.perf_counter() - began,
            answer_headers=[(name.decode(), value.decode()) for name, value in response.headers.raw], answer=data,
        ))
        return httpx.Response(response.status_code, headers=response.headers.raw, content=data, request=request)


def comparing(rules: Rules = DEFAULT) -> Compare:
    """With ids that are bound over the whole session."""
    kept = replace(rules, ids=Ids())
    return lambda expected, got, command: compare_answers(expected, got, kept, command)


async def played(exchanges: Iterable[Exchange], gateway: Gateway, manner: Manner, user: str = ANNA) -> list[Outcome]:
    """Compared by the usual rules."""
    manner = replace(manner, compare=comparing())
    async with asyncio.timeout(120):
        return [outcome async for outcome in play(exchanges, gateway.line(user), manner)]


def told(outcomes: Iterable[Outcome]) -> list[str]:
    """All that is not as recorded, for messages of failed tests."""
    return [
        f"{outcome.exchange.number} {outcome.exchange.request.target[:60]}: {line}"
        for outcome in outcomes
        for line in (*(f'{one.message} at {one.where}' for one in outcome.differences), *outcome.notes,
                     *([f"skipped: {outcome.skipped}"] if outcome.skipped else []))
    ]


def all_same(outcomes: Iterable[Outcome], *notes: str) -> None:
    """Nothing differs, and of each exchange no more was said than one of these."""
    others = [line for line in told(outcomes) if not any(note in line for note in notes)]
    assert not others, "\n".join(others)


def kept(tape: Tape, file: Path) -> Path:
    """The session as a file."""
    with writer(file) as sink:
        sink.head(Meta((("user", f"{ANNA}@{DOMAIN}"),)))
        for exchange in tape.exchanges:
            sink.add(exchange)
    return file


async def replayed(
    tape: Tape, folder: Path, *, user: str = ANNA, manner: Manner = PLAIN, people: Iterable[str] = (BEN,)
) -> tuple[list[Outcome], list[str]]:
    """Played on a gateway of its own, whose mailbox is prepared for it: the outcomes, and what could not be made."""
    file = kept(tape, folder / "recorded.session")
    async with Gateway.opened(folder / "fresh", "zoe", user, *people) as gateway:
        who = who_of(tape.exchanges[0], f"{user}@{DOMAIN}")
        binding = Binding(who=who, by=manner.shift)
        found = await behind(gateway.parts, f"{user}@{DOMAIN}", PASSWORD, gateway.parts.bell.ring)
        assert found is not None
        async with prepared(found.mailbox, found.viewer, file, binding, clock=found.clock) as stage:
            with open_session(file) as session:
                outcomes = await played(session.exchanges, gateway, replace(manner, who=who, stage=stage), user)
            return outcomes, stage.lacks

"""Phones that do what phones do all day: wait, take what has arrived, wait again; over whatever fails meanwhile.

Each knows what it holds, so that in the end it can be told whether anything was missed or came twice.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from load import BarePhone, Failed, e, more_available, sync_document, sync_key, unzipped

from eas.protocol import wbxml
from eas.protocol.wbxml import Element

INBOX = 2
HEARTBEAT_SECONDS = 3000
#: Between two tries of a request that met no server.
AGAIN_SECONDS = (0.1, 0.6)
#: In the answer of a Ping: Status 2, as inline text.
_CHANGES = b"\x032\x00"
#: Enough for a list of mails: who reads one asks for more of it.
_OPTIONS = e(
    "AirSync:Options",
    e("AirSyncBase:BodyPreference", e("AirSyncBase:Type", "1"), e("AirSyncBase:TruncationSize", "200")),
)


def ping_document(inbox: str) -> bytes:
    watched = e("Ping:Folder", e("Ping:Id", inbox), e("Ping:Class", "Email"))
    return wbxml.encode(
        e("Ping:Ping", e("Ping:HeartbeatInterval", str(HEARTBEAT_SECONDS)), e("Ping:Folders", watched))
    )


@dataclass(slots=True, kw_only=True)
class WaitingPhone:
    """`ports` are the gateway's doors: after a failure the next one is tried. `held` is ServerId -> subject of all that
    arrived after `settle`, `heard` subject -> when this device was told (`time.perf_counter`)."""

    phone: BarePhone
    ports: tuple[int, ...]
    inbox: str = ""
    key: str = ""
    waits: bool = False
    held: dict[str, str] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)
    #: What went wrong, by what it was: connections cut, HTTP statuses, statuses of Ping and Sync.
    troubles: Counter[str] = field(default_factory=Counter)

    async def settle(self) -> None:
        """Set up as a phone is, and hold the inbox as it is."""
        await self.phone.provision()
        self.inbox = (await self.phone.folders())[INBOX]
        self.key = await self.phone.catch_up(self.inbox, await self.phone.prime(self.inbox, _OPTIONS))
        self.phone.close()  # else the proxy does, while others are still being set up

    async def live(self) -> None:
        """Until cancelled."""
        ping = ping_document(self.inbox)
        while True:
            self.waits = True
            answer = await self._ask("Ping", ping)
            self.waits, told = False, time.perf_counter()
            if _CHANGES in answer:
                await self._take(told)
            elif b"\x031\x00" not in answer:
                self.troubles[f"Ping {answer!r}"] += 1
                await asyncio.sleep(1.0)

    async def _take(self, told: float) -> None:
        more = True
        while more:
            answer = unzipped(await self._ask("Sync", sync_document(self.key, self.inbox)))
            if not answer:
                return
            more = more_available(answer)
            root = wbxml.decode(answer)
            status = _first(root, "AirSync:Status")
            if status != "1":
                self.troubles[f"Sync {status}"] += 1
                return
            self.key = sync_key(answer)
            for added in _all(root, "AirSync:Add"):
                subject = _first(added, "Email:Subject")
                self.held[_first(added, "AirSync:ServerId")] = subject
                self.heard.setdefault(subject, told)
            told = time.perf_counter()

    async def _ask(self, command: str, body: bytes) -> bytes:
        """The answer of whichever node gives one."""
        while True:
            try:
                return (await self.phone.exchange(command, body)).body
            except (OSError, EOFError, Failed, TimeoutError) as error:
                self.troubles[type(error).__name__ if not isinstance(error, Failed) else str(error)[:20]] += 1
            self.phone.close()
            turn = self.ports.index(self.phone.port) if self.phone.port in self.ports else 0
            self.phone.port = self.ports[(turn + 1) % len(self.ports)]
            await asyncio.sleep(random.uniform(*AGAIN_SECONDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of some mails: (device, subject) pairs that were missed or came twice, and seconds from the end of
    the deed to the answer."""

    missed: int
    doubled: int
    took: list[float]


def tally(phones: Iterable[tuple[str, WaitingPhone]], sent: Mapping[str, Mapping[str, float]]) -> Tally:
    """`phones` with their users; `sent` is user -> subject -> when it was there."""
    missed = doubled = 0
    took: list[float] = []
    for user, phone in phones:
        wanted = sent.get(user, {})
        subjects = Counter(subject for subject in phone.held.values() if subject in wanted)
        missed += len(wanted) - len(subjects)
        doubled += sum(subjects.values()) - len(subjects)
        took += [max(0.0, phone.heard[subject] - at) for subject, at in wanted.items() if subject in phone.heard]
    return Tally(missed=missed, doubled=doubled, took=took)


def _all(root: Element, tag: str) -> Iterable[Element]:
    for child in root.elements:
        if child.tag == tag:
            yield child
        else:
            yield from _all(child, tag)


def _first(root: Element, tag: str) -> str:
    """"" for none."""
    return next((found.text for found in _all(root, tag)), "")

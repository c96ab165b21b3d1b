"""One session file: who plays it, and what is played."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from eas.replay.model import Exchange, Meta
from eas.replay.writing import exchange_text, head_text

from .device import Device
from .gateway import open_gateway
from .manner import Manner


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`expected`: names of the findings that `eas session show --explain` is to have in it."""

    manner: Manner
    file: str
    title: str
    play: Callable[[Device], Awaitable[object]]
    notes: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.manner.folder}/{self.file}"

    async def played(self, template: Path, folder: Path) -> tuple[Meta, list[Exchange]]:
        """Against a gateway of its own over a copy of the template at `folder`."""
        async with open_gateway(template, folder, self.name) as gateway:
            device = Device(self.manner, gateway)
            await self.play(device)
            return device.meta(self.title, self.notes, self.expected), device.exchanges

    async def text(self, template: Path, folder: Path) -> str:
        meta, exchanges = await self.played(template, folder)
        return head_text(meta) + "".join(map(exchange_text, exchanges))

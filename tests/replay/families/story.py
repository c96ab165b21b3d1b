"""One session file: who plays it, and what is played."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eas.engine.model import FolderType
from eas.replay.model import Exchange, Meta
from eas.replay.writing import exchange_text, head_text

from . import day, setting_up
from .device import Device
from .gateway import open_gateway
from .manner import Manner

Play = Callable[[Device], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`expected`: names of the findings that `eas session show --explain` is to have in it."""

    manner: Manner
    file: str
    title: str
    play: Play
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


def first_sync(manner: Manner, begin: Play = setting_up.account) -> Story:
    async def play(d: Device) -> None:
        await begin(d)
        await setting_up.first_sync(d)

    return Story(manner=manner, file="first-sync", title="an account is set up, and all is fetched", play=play)


def working_day(
    manner: Manner, *, without: Sequence[day.Step] = (), steps: Sequence[day.Step] = day.WHOLE_DAY,
    begin: Play = setting_up.account,
) -> Story:
    """The steps of a day but for those `without` which the family does."""

    async def play(d: Device) -> None:
        await begin(d)
        await setting_up.first_sync(d)
        for step in steps:
            if step not in without:
                await step(d)

    return Story(manner=manner, file="working-day", title="a day, from the first mail to the last", play=play)


def quirks(
    manner: Manner, *steps: tuple[str, day.Step], title: str, fetched: Sequence[FolderType] = (FolderType.INBOX,),
    begin: Play = setting_up.account, notes: tuple[str, ...] = (), expected: tuple[str, ...] = (),
) -> Story:
    """`steps` with what is to be seen, after a first Sync of some folders."""

    async def play(d: Device) -> None:
        await begin(d)
        if fetched:
            await setting_up.first_sync(d, *fetched)
        for said, step in steps:
            d.say(said)
            await step(d)

    return Story(manner=manner, file="quirks", title=title, play=play, notes=notes, expected=expected)

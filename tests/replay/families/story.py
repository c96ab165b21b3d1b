"""One session file: who plays it, and what is played."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eas.engine.model import FolderType
from eas.replay.format.model import Exchange, Meta
from eas.replay.format.writing import exchange_text, head_text

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


#: What is asked of devices while an account is set up, and what is asked besides some hours later.
POLICY = {"enforced": True, "settings": {"DevicePasswordEnabled": True, "MinDevicePasswordLength": 4}}


def policy(
    manner: Manner, *, at_first: Mapping[str, Any] = POLICY, settings: Mapping[str, Any], notes: tuple[str, ...] = ()
) -> Story:
    """An enforced policy: the device asks without one, is sent to Provision, and asks again; later, when the policy has
    these `settings`, too, in the midst of a Sync."""

    async def play(d: Device) -> None:
        d.say("the server enforces a policy, of which the device does not know yet")
        await d.rule(at_first)
        await setting_up.account(d)
        await setting_up.first_sync(d, FolderType.INBOX)
        d.pass_(minutes=180)
        d.say("the policy has become stricter")
        await d.rule({**at_first, "settings": {**at_first["settings"], **settings}})
        inbox = d.of(FolderType.INBOX)
        await setting_up.sync_ruled(d, inbox)

    title = "an enforced policy, before the first list of folders and in the midst of it"
    return Story(
        manner=replace(manner, provisions="asked"), file="policy", title=title, play=play, notes=notes,
    )


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

"""A real server is killed in the midst of requests that change something; nothing is lost and nothing is doubled.

A kill is SIGKILL at a random point between the first octet of a request and a little after its answer; the answer, if
there was one, is lost too. Then the server is started again on the same data and the device sends the same request
again, as it was. After every kill the mailbox is compared with what must be in it: as the device shows it, as a second
device with no past shows it, and as it lies in the store.

Eight kills by default; `make kills` has EAS_KILLS=100. The random numbers start from EAS_SEED (printed, 1 by default).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import pytest
from deeds import DEEDS, Deed, World
from ledger import Listing, differences, on_phone
from serving import Server
from testbed import ANNA, BEN, Testbed

from eas.client.connection import Fate
from eas.client.errors import LostAnswer
from eas.engine.model import FolderType
from eas.protocol.version import NOTES, Version

KILLS = int(os.environ.get("EAS_KILLS", "8"))
SEED = int(os.environ.get("EAS_SEED", "1"))
#: How far beyond the measured length of a request kills reach: some are to meet its very end, and some what follows.
BEYOND = 1.2
#: Messages in the inbox at the beginning.
MESSAGES = 12


@pytest.mark.server
@pytest.mark.long
@pytest.mark.parametrize("version", [Version.V12_1, Version.V14_1], ids=lambda version: version.text)
async def test_a_killed_server_loses_and_doubles_nothing(version: Version, tmp_path: Path) -> None:
    random = Random(f"{SEED} {version.text}")
    async with _world(tmp_path, version, random) as (bed, world):
        lengths = {kind: await _length(kind(), bed, world) for kind in dict.fromkeys(DEEDS)}
        kills = (KILLS + 1) // 2  # of each of the two versions
        points = _spread(kills, random)
        for number in range(kills):
            kind = DEEDS[number % len(DEEDS)]
            after = points[number] * lengths[kind] * BEYOND
            what = f"seed {SEED}, {version.text}, kill {number + 1} of {kills}: {kind.__name__}"
            cut = await _kill(kind(), bed.server, world, after)
            print(f"{what} after {after * 1000:.1f} of {lengths[kind] * 1000:.1f} ms, {cut}")
            assert not (found := await _differences(bed, world)), f"{what} ({cut}): {found}\n{bed.server.said()}"


def _spread(count: int, random: Random) -> list[float]:
    """Points between 0 and 1, in any order, about equally far from each other."""
    points = [(number + random.random()) / count for number in range(count)]
    random.shuffle(points)
    return points


@asynccontextmanager
async def _world(tmp_path: Path, version: Version, random: Random) -> AsyncIterator[tuple[Testbed, World]]:
    async with Testbed.made(tmp_path) as bed:
        subjects = [f"Message {number}" for number in range(MESSAGES)]
        for subject in subjects:
            await bed.deliver(ANNA, subject)
        bed.server.start()
        async with bed.phone(ANNA, version=version) as phone:
            await phone.set_up(version)
            await phone.create_folder("Shelf")
            await phone.sync()
            world = World(
                phone=phone, random=random, address=ANNA.address, other=BEN.address, expected=on_phone(phone),
                of_other=await bed.stored(BEN),
            )
            assert world.expected["INBOX"] == Counter(f"{subject}|unread|plain" for subject in subjects)
            yield bed, world


async def _length(deed: Deed, bed: Testbed, world: World) -> float:
    """Seconds that a request takes when nothing happens to it; done twice, since the first one also warms up."""
    taken = 0.0
    for attempt in (deed, type(deed)()):
        attempt.plan(world)
        began = time.perf_counter()
        await attempt.ask(world)
        taken = time.perf_counter() - began
        await world.phone.folder_sync()
        await world.phone.sync()
    assert not (found := await _differences(bed, world)), f"{type(deed).__name__}, undisturbed: {found}"
    return taken


async def _kill(deed: Deed, server: Server, world: World, after: float) -> str:
    """Kill in the midst of the deed, start again, do it again; in words, whether there had been an answer."""
    deed.plan(world)
    world.phone.connection.fate = lambda command: Fate.ANSWER_LOST
    began = time.perf_counter()
    asking = asyncio.create_task(deed.ask(world))
    await asyncio.sleep(max(0.0, began + after - time.perf_counter()))
    done = asking.done()
    server.kill()
    with suppress(LostAnswer):
        await asking
    server.start()
    world.phone.connection.fate = lambda command: Fate.ANSWERED
    await deed.again(world)
    await world.phone.folder_sync()
    await world.phone.sync()
    return "after its answer" if done else "before its answer"


async def _differences(bed: Testbed, world: World) -> list[str]:
    """Whatever is not as it must be, on the device, on a new one, and in the store."""
    version = world.phone.version
    unseen: Listing = {} if version in NOTES else {FolderType.NOTES.name: Counter()}
    views: dict[str, tuple[Listing, Listing]] = {
        "on the device": (world.expected, on_phone(world.phone)),
        "on a new device": (world.expected, await _seen_anew(bed, version)),
        "in the store": (world.expected | unseen, await bed.stored(ANNA)),
        "in the other's store": (world.of_other, await bed.stored(BEN)),
    }
    return [f"{where}: {text}" for where, (wanted, found) in views.items() for text in differences(wanted, found)]


async def _seen_anew(bed: Testbed, version: Version) -> Listing:
    async with bed.phone(ANNA, version=version) as phone:
        await phone.set_up(version)
        await phone.sync()
        return on_phone(phone)

"""Policies through a server's process: the command line foresees, phones do it, and one that waits hears at once."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from premises import ANNA, Premises
from serving import EAS, Server

from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.errors import ClientError, NeedsProvisioning
from eas.client.phone import Phone
from eas.commands import folder_sync
from eas.commands import ping as pinging
from eas.engine.model import FolderType
from eas.protocol.version import Version
from eas.server.control import SOCKET, ask

pytestmark = pytest.mark.server

#: Seconds within which something is seen, on a machine that does other things as well.
PATIENCE = 60.0

VERSIONS = (Version.V2_5, Version.V12_0, Version.V12_1, Version.V14_1, Version.V16_1)
FIRST = {"name": "default", "enforced": True, "settings": {"DevicePasswordEnabled": True}}
STRICT = {**FIRST, "allow_partial": False, "settings": {"DevicePasswordEnabled": True, "AllowCamera": False}}
EXPECTED = {"same": "in", "asked": "asked", "partly": "asked", "refused": "out"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    data = tmp_path / "data"
    data.mkdir()

    async def fill() -> None:
        async with Premises.opened(data) as premises:
            await premises.add(ANNA)

    asyncio.run(fill())
    made = Server(data=data).start()
    yield made
    made.kill()


def eas(server: Server, *words: str, code: int = 0) -> Any:
    done = subprocess.run(
        [str(EAS), *words, "--json", "--data", str(server.data)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def phone_at(server: Server, version: Version) -> Phone:
    id = f"P{version.text.replace('.', '')}"
    line = Connection(
        server.url, Credentials(user=ANNA.address, password=ANNA.password), Identity(device_id=id), version=version
    )
    return Phone(DeviceState(device_id=id, url=server.url, user=ANNA.address), line)


async def becomes(phone: Phone) -> str:
    for said in ("in", "asked"):
        try:
            await phone.connection.ask("FolderSync", folder_sync.Request(sync_key="0"), folder_sync.Response)
            return said
        except NeedsProvisioning:
            try:
                await phone.provision()
            except ClientError:
                break
        except ClientError:
            break
    return "out"


async def test_phones_of_each_version_do_what_was_foreseen(server: Server, tmp_path: Path) -> None:
    phones = {phone.state.device_id: phone for phone in (phone_at(server, version) for version in VERSIONS)}
    try:
        for phone in phones.values():
            await phone.set_up(phone.version)

        async def versions() -> set[str]:
            return {row["version"] for row in await asyncio.to_thread(lambda: eas(server, "device", "list"))}

        async with asyncio.timeout(PATIENCE):  # they are written with a delay of some seconds
            while await versions() != {version.text for version in VERSIONS}:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        for document, code in ((STRICT, 1), ({**STRICT, "allow_partial": True}, 0)):
            file = tmp_path / "policy.json"
            file.write_text(json.dumps(document))
            tried = await asyncio.to_thread(lambda f=file, c=code: eas(server, "policy", "try", str(f), code=c))
            foreseen = {row["device"]: row["outcome"] for row in tried["rows"]}
            assert set(foreseen) == set(phones)
            await asyncio.to_thread(lambda f=file: eas(server, "policy", "set", "default", str(f)))
            seen = {id: await becomes(phone) for id, phone in phones.items()}
            assert seen == {id: EXPECTED[outcome] for id, outcome in foreseen.items()}, document
    finally:
        for phone in phones.values():
            await phone.connection.close()


async def test_a_phone_that_waits_is_asked_at_once_by_a_roll_out(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(FIRST))
    await asyncio.to_thread(lambda: eas(server, "policy", "set", "default", str(file)))
    phone = phone_at(server, Version.V14_1)
    try:
        await phone.set_up(Version.V14_1)
        inbox = phone.state.folder(FolderType.INBOX).id
        asked = pinging.Request(heartbeat=600, folders=(pinging.Folder(id=inbox, item_class="Email"),))
        waiting = asyncio.create_task(phone.connection.ask("Ping", asked, pinging.Response, hang_seconds=600))
        async with asyncio.timeout(PATIENCE):
            while not (ask(server.data / SOCKET, {"do": "look"}) or {})["look"]["waiting"]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert not waiting.done()
        file.write_text(json.dumps({**STRICT, "allow_partial": True}))
        begun = await asyncio.to_thread(
            lambda: eas(server, "policy", "roll", "default", str(file), "--to", "100%")
        )
        assert (begun["reached"], begun["counts"]) == (1, {"pending": 1})
        await asyncio.wait_for(waiting, PATIENCE)
        assert await becomes(phone) == "asked"
        stands = await asyncio.to_thread(lambda: eas(server, "policy", "roll", "default"))
        assert stands["counts"] == {"holds": 1}
        await asyncio.to_thread(lambda: eas(server, "policy", "roll", "default", "--back"))
        assert await becomes(phone) == "asked"
        told = await asyncio.to_thread(lambda: eas(server, "policy", "effective", "anna", phone.state.device_id))
        assert (told["policy"], told["standing"], told["settings"][0]["from"]) == ("default", "holds", "default")
    finally:
        await phone.connection.close()

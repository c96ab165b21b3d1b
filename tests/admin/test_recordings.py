"""Recording a device of a running server: who may, what the log and the owner are told, how it ends, what is left."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eas.admin import people, recordings
from eas.admin.acting import Caller, Face, Role
from eas.admin.errors import Forbidden, Invalid, NotFound, Refused
from eas.admin.site import Site
from eas.app.tidying import tidy
from eas.client import mail
from eas.replay.format.model import Exchange, Meta
from eas.replay.format.reading import open_session
from eas.store.audit import entries
from eas.store.recordings import MOST, Part

ADMIN = Caller(name="root", role=Role.ADMIN, face=Face.CLI)
HELPDESK = Caller(name="helen", role=Role.HELPDESK)
LETTER = (
    b"From: anna@example.com\r\nTo: Ben <ben@example.com>\r\nSubject: A surprise party\r\n\r\nFriday, at Bellini's.\r\n"
)


def site_of(world: Any, caller: Caller = ADMIN) -> Site:
    return replace(world.app.site, caller=caller)


async def fetched(site: Site, number: int, folder: Path) -> tuple[Meta, list[Exchange]]:
    found = await recordings.fetch(site, number)
    file = folder / found.name
    file.write_bytes(b"".join(found.pieces))
    with open_session(file) as session:
        return session.meta, list(session.exchanges)


async def test_a_device_is_recorded_while_the_server_runs(
    world: Any, phone: Callable[..., Any], tmp_path: Path
) -> None:
    site, one = site_of(world), phone()
    await one.set_up()
    made = await recordings.start(site, "anna", device_id="PHONE1", contents=True, note="no mail")
    await world.app.recorded.look()
    await one.sync()
    await world.app.recorded.look()
    ended = await recordings.stop(site, made["number"])
    await world.app.recorded.look()
    await one.sync()
    assert (ended["state"], ended["why"]) == ("ended", "stopped by root")
    world.app.recorded.reels.close()
    await world.app.recorded.look()
    (listed,) = await recordings.recordings(site, who="anna", device_id="PHONE1")
    meta, exchanges = await fetched(site, made["number"], tmp_path)
    assert len(exchanges) == listed["exchanges"] > 1
    assert all("DeviceId=PHONE1" in one.request.target for one in exchanges)
    assert (meta.get("user"), meta.get("device"), meta.all("note")[0]) == ("anna@example.com", "PHONE1", "no mail")
    assert "stopped by root" in meta.all("note")[1]
    assert (await site.recordings.one(made["number"])).key == b""  # type: ignore[union-attr]


async def test_without_contents_nothing_that_people_wrote_gets_in(
    world: Any, phone: Callable[..., Any], tmp_path: Path
) -> None:
    site, one = site_of(world, HELPDESK), phone()
    await one.set_up()
    made = await recordings.start(site, "anna", device_id="PHONE1")
    await world.app.recorded.look()
    await mail.send(one, LETTER)
    await one.sync()
    world.app.recorded.reels.close()
    (file,) = (world.app.settings.data / "recordings").iterdir()
    text = gzip.decompress(file.read_bytes()).decode()
    assert "Cmd=SendMail" in text
    for private in ("surprise", "Bellini", "ben@example.com", "anna-secret"):
        assert private not in text
    meta, _ = await fetched(site, made["number"], tmp_path)
    assert meta.get("masked")
    assert "anna@" not in str(meta)


async def test_contents_are_for_those_who_may_see_them(world: Any) -> None:
    helpdesk = site_of(world, HELPDESK)
    with pytest.raises(Forbidden):
        await recordings.start(helpdesk, "anna", contents=True)
    made = await recordings.start(site_of(world), "anna", contents=True)
    for act in (recordings.fetch, recordings.remove):
        with pytest.raises(Forbidden):
            await act(helpdesk, made["number"])
    await recordings.stop(helpdesk, made["number"])
    auditor = site_of(world, Caller(name="audrey", role=Role.AUDITOR))
    assert len(await recordings.recordings(auditor)) == 1
    for asked in (recordings.start(auditor, "anna"), recordings.fetch(auditor, 1), recordings.remove(auditor, 1)):
        with pytest.raises(Forbidden):
            await asked


async def test_the_log_tells_who_recorded_whom_and_took_a_copy(world: Any) -> None:
    site = site_of(world)
    made = await recordings.start(site, "anna@example.com", device_id="PHONE1", contents=True, hours=1)
    await recordings.stop(site, made["number"])
    with pytest.raises(NotFound):
        await recordings.fetch(site, made["number"])
    await recordings.remove(site, made["number"])
    found = await world.app.transactions.read(entries)
    assert [(one.action, one.about_user, one.about_device) for one in found] == [
        (f"recording.{name}", "anna", "PHONE1") for name in ("start", "stop", "fetch", "remove")
    ]
    assert found[0].details["contents"] is True


@pytest.mark.parametrize("wrong", [
    {"hours": 0}, {"hours": 72.5}, {"hours": float("nan")}, {"max_bytes": 10}, {"note": "x" * 201}, {"note": "a\nb"},
])
async def test_what_cannot_be_asked_for(world: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await recordings.start(site_of(world), "anna", **wrong)


async def test_a_device_is_recorded_once_at_a_time(world: Any) -> None:
    site = site_of(world)
    first = await recordings.start(site, "anna", device_id="PHONE1")
    with pytest.raises(Refused, match="recording 1 is running"):
        await recordings.start(site, "anna", device_id="PHONE1")
    await recordings.start(site, "ben")
    with pytest.raises(Refused, match="recording 2 is running"):
        await recordings.start(site, "ben", device_id="ONE")
    await recordings.stop(site, first["number"])
    assert (await recordings.start(site, "anna", device_id="PHONE1"))["number"] == 3
    for number in range(MOST - 2):
        await recordings.start(site, "anna", device_id=f"D{number}")
    with pytest.raises(Refused, match="as many"):
        await recordings.start(site, "anna", device_id="ONEMORE")


async def test_the_owner_sees_what_runs(world: Any) -> None:
    await recordings.start(site_of(world), "anna", device_id="PHONE1", note="no mail")
    for login, count in (("anna", 1), ("ben", 0)):
        own = site_of(world, Caller(name=login, role=Role.OWNER, user_id=world.ids[login]))
        assert len(await recordings.own_recordings(own, login)) == count
    with pytest.raises(Forbidden):
        await recordings.own_recordings(own, "anna")


async def test_it_ends_when_its_time_is_over(world: Any) -> None:
    site = site_of(world)
    await recordings.start(site, "anna", hours=1)
    (row,) = await site.recordings.running()
    await world.app.recorded.look()
    assert world.app.recorded.reels.running
    await site.recordings.remove(row.id)
    now = datetime.now(UTC)
    await site.recordings.begin(replace(row, since=now - timedelta(hours=2), until=now - timedelta(hours=1)))
    (listed,) = await recordings.recordings(site)
    assert (listed["state"], listed["why"]) == ("ended", "the time is over")
    await world.app.recorded.look()
    (ended,) = await site.recordings.all()
    assert (ended.why, ended.key, world.app.recorded.reels.running) == ("the time is over", b"", ())


async def test_one_with_a_full_disk_says_so(world: Any, phone: Callable[..., Any]) -> None:
    (world.app.settings.data / "recordings").write_text("this is no folder")
    site, one = site_of(world), phone()
    await recordings.start(site, "anna", contents=True)
    await world.app.recorded.look()
    await one.set_up()
    world.app.recorded.reels.close()
    await world.app.recorded.look()
    (listed,) = await recordings.recordings(site)
    assert (listed["state"], listed["why"]) == ("ended", "a fault: File exists")


async def test_what_other_nodes_have_is_told(world: Any, phone: Callable[..., Any], tmp_path: Path) -> None:
    site, one = site_of(world), phone()
    made = await recordings.start(site, "anna", contents=True)
    await site.recordings.note({made["number"]: [Part(file="1.b-7-aa.session.gz", node="b/7", exchanges=9, bytes=99)]})
    with pytest.raises(NotFound, match="there are parts on b"):
        await recordings.fetch(site, made["number"])
    await world.app.recorded.look()
    await one.set_up()
    world.app.recorded.reels.close()
    assert (await recordings.fetch(site, made["number"])).elsewhere == ["b"]
    meta, _ = await fetched(site, made["number"], tmp_path)
    assert "not all of it: 9 exchanges are on b" in meta.all("note")


async def test_old_ones_are_tidied_away_with_their_files(world: Any, phone: Callable[..., Any]) -> None:
    site, one = site_of(world), phone()
    await recordings.start(site, "anna", contents=True)
    await world.app.recorded.look()
    await one.set_up()
    await recordings.stop(site, 1)
    world.app.recorded.reels.close()
    folder = world.app.settings.data / "recordings"
    await tidy(world.app)
    assert len(list(folder.iterdir())) == 1
    await world.app.recorded.expire(datetime.now(UTC) + timedelta(days=1))
    assert not list(folder.iterdir())
    assert not await recordings.recordings(site)


async def test_with_a_user_the_recordings_go(world: Any, phone: Callable[..., Any]) -> None:
    site = site_of(world)
    await recordings.start(site, "anna", contents=True)
    await world.app.recorded.look()
    await phone().set_up()
    await world.app.recorded.look()
    await people.remove_user(site, "anna")
    await world.app.recorded.look()
    await world.app.recorded.sweep()
    world.app.recorded.reels.close()
    await world.app.recorded.look()
    assert not list((world.app.settings.data / "recordings").iterdir())

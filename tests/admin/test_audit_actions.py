"""The audit log as people read it: by whom, filtered, verified, exported, by device with its counts; how long it is
kept."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update
from typer.testing import CliRunner, Result

from eas import app as composition
from eas.admin import audit, wiping
from eas.admin.acting import Caller, Face, Role
from eas.admin.errors import Forbidden, Invalid
from eas.admin.own_deeds import note
from eas.admin.site import Site
from eas.app.tidying import tidy
from eas.cli import app as commands
from eas.client.phone import Phone, Wiped
from eas.config import load
from eas.store.audit import AuditLog, Entry
from eas.store.tables import audit_log

ANNA = "anna@example.com"


def site_of(world: Any, role: Role = Role.AUDITOR, name: str = "audrey") -> Site:
    return replace(world.app.site, caller=Caller(name=name, role=role, face=Face.PAGE, address="192.0.2.7"))


async def test_only_who_may_read_it_does(world: Any) -> None:
    for role in Role:
        site = site_of(world, role)
        for attempt in (
            audit.entries(site), audit.verify(site), audit.export(site), audit.action_names(site),
            audit.of_device(site, ANNA, "PHONE1"),
        ):
            if role in (Role.ADMIN, Role.AUDITOR):
                await attempt
            else:
                with pytest.raises(Forbidden):
                    await attempt


async def test_what_a_wiped_phone_did_and_what_was_done_to_it(world: Any, phone: Callable[..., Phone]) -> None:
    made = phone(device="PHONE1")
    await made.set_up()
    await made.sync()
    admin = site_of(world, Role.ADMIN, "eva")
    await wiping.wipe_device(admin, ANNA, "PHONE1", note="lost")
    with pytest.raises(Wiped):
        await made.folder_sync()
    found = await audit.of_device(site_of(world), ANNA, "PHONE1")
    assert [(entry["action"], entry["actor"], entry["face"]) for entry in found["entries"]] == [
        ("wipe.done", "server", "server"), ("wipe.sent", "server", "server"), ("device.wipe", "eva", "page"),
    ]
    (day,) = found["days"]
    assert day["requests"] > 3
    assert not {"user_id", "device_id"} & day.keys()
    listed = await audit.entries(site_of(world), user="anna", action="device", since="2026-01-01")
    (entry,) = listed["entries"]
    assert (entry["details"], entry["address"], listed["total"]) == ({"note": "lost"}, "192.0.2.7", 1)
    assert (await audit.verify(site_of(world)))["whole"]


async def test_what_the_server_does_by_itself_is_in_it(world: Any) -> None:
    await note(world.app.site, "device.auto-block", user=world.ids["anna"], device="PHONE1", details={"why": "storm"})
    await note(world.app.site, "policy.paused", user="gone")
    later, earlier = (await audit.entries(site_of(world), face="server"))["entries"]
    assert (earlier["actor"], earlier["user"], earlier["details"]) == ("server", "anna", {"why": "storm"})
    assert (later["action"], later["user"]) == ("policy.paused", "gone")


@pytest.mark.parametrize(
    ("text", "end", "moment"),
    [
        ("", False, None), ("2026-03-02", False, "2026-03-02T00:00:00+00:00"),
        ("2026-03-02", True, "2026-03-03T00:00:00+00:00"), ("2026-03-02T12:30", True, "2026-03-02T12:30:00+00:00"),
        ("2026-03-02T12:30:00+02:00", False, "2026-03-02T10:30:00+00:00"),
    ],
)
def test_days_and_moments(text: str, end: bool, moment: str | None) -> None:
    found = audit.moment_of(text, end=end)
    assert (found.isoformat() if found else None) == moment


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "9999-12-31T23:59:59-14:00", "1; drop"])
def test_what_is_no_day(text: str) -> None:
    with pytest.raises(Invalid):
        audit.moment_of(text, end=True)


async def test_the_clean_up_removes_what_is_older_than_is_kept(world: Any) -> None:
    log, old = AuditLog(world.app.transactions), datetime.now(UTC) - timedelta(days=40)
    for _ in range(3):
        await log.append(Entry(at=old, actor="eva", role="admin", face="cli", address="", action="device.block"))
    kept = world.app.settings.keep.model_copy(update={"audit_days": 30})
    app = replace(world.app, settings=world.app.settings.model_copy(update={"keep": kept}))
    await tidy(world.app)
    assert (await audit.entries(site_of(world)))["total"] == 3
    await tidy(app)
    (seal,) = (await audit.entries(site_of(world)))["entries"]
    assert (seal["action"], seal["details"]["through"]) == ("audit.trim", 3)
    found = await audit.verify(site_of(world))
    assert (found["whole"], found["removed_through"]) == (True, 3)


# The command line ---------------------------------------------------------------------------------------------------


class House:
    """A data folder with a user and a log."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.eas("user", "add", ANNA, "--name", "Anna", "--password", "anna-secret")
        self.eas("device", "list")

    def eas(self, *words: str, code: int | None = 0) -> Result:
        result = CliRunner().invoke(commands, [*words, "--data", str(self.data)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert code is None or result.exit_code == code, result.output
        return result

    def change(self, statement: Any) -> None:
        async def run() -> None:
            async with composition.build(load(overrides={"data": self.data}, environment={})) as parts:
                await parts.transactions.write(lambda c: c.execute(statement))

        asyncio.run(run())


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_on_the_command_line(house: House) -> None:
    rows = [line.split("\t") for line in house.eas("audit", "list", "--user", "anna").stdout.splitlines()]
    assert rows[-1][3:8] == ["cli", "user.add", "anna@example.com", "", "done"]
    listed = json.loads(house.eas("audit", "list", "--json", "--action", "user").stdout)
    assert listed["total"] == 1
    assert "anna-secret" not in house.eas("audit", "list", "--json").stdout
    told = house.eas("audit", "verify").stdout
    head = told.partition("head: ")[2].strip()
    assert told.startswith("whole: ")
    house.eas("audit", "verify", "--head", head)
    house.eas("audit", "verify", "--head", "nonsense", code=1)
    house.change(update(audit_log).where(audit_log.c.number == 1).values(actor="mallory"))
    broken = house.eas("audit", "verify", code=1)
    assert "broken at entry 1" in broken.output
    assert json.loads(house.eas("audit", "verify", "--json", code=1).stdout)["broken"] == 1


def test_a_log_that_lost_its_end_is_found(house: House) -> None:
    told = json.loads(house.eas("audit", "verify", "--json").stdout)
    house.change(delete(audit_log).where(audit_log.c.number == told["rows"]))
    assert f"broken at entry {told['rows']}" in house.eas("audit", "verify", code=1).output


def test_a_copy_for_elsewhere(house: House, tmp_path: Path) -> None:
    lines = house.eas("audit", "export", "--since", "2020-01-01").stdout.splitlines()
    first = json.loads(lines[0])
    assert (first["number"], first["action"], len(first["hash"])) == (1, "user.add", 64)
    file = tmp_path / "audit.csv"
    house.eas("audit", "export", "--csv", "--to", str(file))
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert rows[0]["user"] == "anna@example.com"
    assert file.stat().st_mode & 0o077 == 0
    assert rows[-1]["action"] == "audit.export"  # the first copy
    house.eas("audit", "export", "--csv", "--json", code=2)
    house.eas("audit", "export", "--since", "yesterday", code=1)

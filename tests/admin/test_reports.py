"""Reports say what is so, cost a handful of statements however many devices there are, and harm no spreadsheet."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from groupware.postgresql import Postgresql
from sqlalchemy import Engine, event
from typer.testing import CliRunner

from eas import app, config
from eas.admin import reports
from eas.admin.acting import Caller, Role
from eas.admin.errors import Forbidden
from eas.admin.sheet import as_csv, cell
from eas.admin.site import Site
from eas.app.monthly import mail_if_due
from eas.cli import app as commands
from eas.engine.compliance import offer
from eas.engine.model import Access, Device, Policy, Wipe
from eas.protocol.version import Version
from eas.store import Assignee

ADMIN = Caller(name="root", role=Role.ADMIN)
NOW = datetime.now(UTC)


def site_of(world: Any, caller: Caller = ADMIN) -> Site:
    return replace(world.app.site, caller=caller)


def device(user_id: str, id: str, days: int | None = 0, **values: Any) -> Device:
    seen = None if days is None else NOW - timedelta(days=days, hours=1)
    given = {"type": "iPhone", "agent": "Apple-iPhone14C4/2002.55", "version": "16.1", "last_seen": seen, **values}
    return Device(user_id=user_id, id=id, **given)


@pytest.fixture
async def site(world: Any) -> Site:
    """Anna has four devices, Ben one; nobody else has any."""
    policy = Policy(settings={"DevicePasswordEnabled": "1"}, enforced=True)
    await world.store.save_policy(policy)
    current = offer(policy, Version.V16_1, frozenset())
    anna, ben = world.ids["anna"], world.ids["ben"]
    await world.store.add_devices([
        device(anna, "A1", information={"OS": "iOS 18.1", "Model": "X"}, policy_key="7", policy_digest=current),
        device(anna, "A2", 40, information={"OS": "iOS 18.1"}, policy_key="8", policy_digest="an older one"),
        device(anna, "A3", 400, type="Android", agent="Android/9-EAS-2.0", version="14.1", access=Access.BLOCKED),
        device(anna, "A4", None, type="", agent="", version="", policy_key="9"),
        device(ben, "B1", 1, wipe=Wipe.REQUESTED, first_seen=reports.month_before(NOW).begin),
    ])
    return site_of(world)


async def test_users_with_and_without_devices(site: Site) -> None:
    rows = {row["user"]: row for row in await reports.users(site)}
    assert (rows["anna"]["devices"], rows["ben"]["devices"]) == (4, 1)
    assert rows["anna"]["last_seen"] == (NOW - timedelta(hours=1)).isoformat(timespec="seconds")
    without = {row["user"] for row in await reports.users_without(site)}
    assert without == set(rows) - {"anna", "ben"}
    assert {row["user"] for row in await reports.users(site, without=True)} == without


async def test_devices_by_version_and_by_system(site: Site) -> None:
    assert await reports.versions(site) == [
        {"version": "16.1", "devices": 3, "users": 2, "percent": 60.0},
        {"version": "", "devices": 1, "users": 1, "percent": 20.0},
        {"version": "14.1", "devices": 1, "users": 1, "percent": 20.0},
    ]
    found = {(row["kind"], row["os"]): row["devices"] for row in await reports.systems(site)}
    assert found == {("iPhone", "iOS 18.1"): 2, ("iPhone", ""): 1, ("Android", ""): 1, ("Other", ""): 1}


@pytest.mark.parametrize(("days", "expected"), [
    (30, ["A4", "A3", "A2"]), (100, ["A4", "A3"]), (0, ["A4", "A3", "A2", "B1", "A1"]), (1_000_000_000, ["A4"]),
])
async def test_what_is_not_used(site: Site, days: int, expected: list[str]) -> None:
    rows = await reports.unused(site, days=days)
    assert [row["device"] for row in rows] == expected
    assert (rows[0]["last_seen"], rows[0]["days"]) == (None, None)


async def test_who_holds_which_policy(site: Site) -> None:
    held = {row["device"]: row["holds"] for row in await reports.policies(site)}
    assert held == {"A1": "current", "A2": "older", "A3": "none", "A4": "older", "B1": "none"}
    assert await reports.policy_counts(site) == [
        {"policy": "default", "enforced": True, "devices": 5, "current": 1, "older": 2, "none": 2}
    ]


async def test_a_group_s_policy_is_the_one_that_counts(site: Site, world: Any) -> None:
    admin = world.app.embedded.admin
    await admin.add_group("staff@example.com", "Staff", ["anna@example.com"], False)
    await world.store.set_policy(Assignee.GROUP, "Staff", Policy(name="staff", settings={"AllowCamera": "0"}))
    rows = {row["device"]: (row["policy"], row["holds"]) for row in await reports.policies(site)}
    assert (rows["A1"], rows["B1"]) == (("staff", "older"), ("default", "none"))


async def test_a_report_costs_the_same_however_many_devices_there_are(site: Site, world: Any) -> None:
    statements: list[str] = []
    def count(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        if statement.startswith("SELECT"):  # what is written meanwhile is no report's
            statements.append(statement)

    async def cost() -> list[int]:
        found = []
        for name in reports.REPORTS:
            statements.clear()
            await reports.rows_of(site, name)
            found.append(len(statements))
        return found

    event.listen(Engine, "before_cursor_execute", count)
    try:
        await cost()  # what is read once is in memory
        few = await cost()
        await world.store.add_devices([device(world.ids["ben"], f"N{n}") for n in range(300)])
        assert await cost() == few
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert (min(few) > 0, max(few) < 10) == (True, True)


async def test_the_summary_of_a_month(site: Site) -> None:
    told = await reports.monthly(site)
    month = reports.month_before(NOW)
    assert told["subject"] == f"Devices in {month.name}"
    lines = told["text"].splitlines()
    assert "Devices                              5" in lines
    assert f"  new in {month.name}".ljust(30) + "       1" in lines
    assert "  not used for 30 days               3" in lines
    assert "  wipe pending                       1" in lines
    assert "  iPhone                             3   60.0 %" in lines
    assert "  default                            1 hold it, 2 an older one, 2 none" in lines
    assert any(line.endswith("anna, iPhone (A2)") for line in lines)


@pytest.mark.parametrize(("now", "begin", "end"), [
    (datetime(2026, 1, 1, 0, 5, tzinfo=UTC), "2025-12-01", "2026-01-01"),
    (datetime(2026, 3, 31, 23, 59, tzinfo=UTC), "2026-02-01", "2026-03-01"),
])
def test_the_month_that_is_over(now: datetime, begin: str, end: str) -> None:
    month = reports.month_before(now)
    assert (f"{month.begin:%Y-%m-%d}", f"{month.end:%Y-%m-%d}") == (begin, end)


async def test_it_is_mailed(site: Site, world: Any) -> None:
    assert await reports.mail_monthly(site, to=["ben@example.com", "nobody@example.com"]) == ["ben@example.com"]
    inbox = await world.app.embedded.admin.folders("ben")
    assert any(info.folder.name == "Inbox" and info.items for info in inbox)


async def test_who_may_read_reports(world: Any) -> None:
    for role in (Role.HELPDESK, Role.AUDITOR):
        assert await reports.users(site_of(world, Caller(name="x", role=role)))
    for role in (Role.OWNER, Role.NOBODY):
        with pytest.raises(Forbidden):
            await reports.users(site_of(world, Caller(name="x", role=role)))
    with pytest.raises(Forbidden):
        await reports.mail_monthly(site_of(world, Caller(name="x", role=Role.HELPDESK)), to=["a@b.example"])


@pytest.mark.parametrize(("value", "shown"), [
    ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"), ("\n=1", "'\n=1"),
    ("\uff1d1", "'\uff1d1"), ("a=1", "a=1"), (-1, "-1"), (1.5, "1.5"), (True, "true"), (None, ""), ("", ""),
])
def test_a_cell_is_no_formula(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_csv_is_read_as_it_was_written() -> None:
    rows = [{"a": 'x"y', "b": "1,2", "c": None}, {"a": "Zoë\n", "b": "=HYPERLINK(1)", "c": 3}]
    assert list(csv.reader(io.StringIO(as_csv(("a", "b", "c"), rows), newline=""))) == [
        ["a", "b", "c"], ['x"y', "1,2", ""], ["Zoë\n", "'=HYPERLINK(1)", "3"],
    ]


def test_on_the_command_line_reports_are_tables_csv_and_json(tmp_path: Path) -> None:
    def eas(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(commands, [*words, "--data", str(tmp_path)])
        assert result.exit_code == code, result.output
        return str(result.output)

    eas("user", "add", "anna@example.test", "--password", "secret", "--name", "=cmd")
    for name in reports.REPORTS:
        assert isinstance(json.loads(eas("report", name, "--json")), list)
        assert eas("report", name, "--csv").splitlines()[0] == ",".join(reports.REPORTS[name].columns)
    assert eas("report", "users", "--csv").splitlines()[1] == "anna,anna@example.test,'=cmd,0,,true"
    assert "By version of the protocol" in eas("report", "monthly")
    assert "sent to anna@example.test" in eas("report", "monthly", "--mail-to", "anna@example.test")
    assert "monthly" in eas("report", "users", "--mail-to", "anna@example.test", code=2)
    assert eas("report", "no-such-thing", code=2)


# -- Once a month


async def test_the_summary_is_mailed_once_by_one_of_all_processes(site: Site, world: Any) -> None:
    first = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)
    to = ["ben@example.com"]
    sent = await asyncio.gather(*[mail_if_due(site, to, first + timedelta(minutes=n)) for n in range(4)])
    assert sum(sent) == 1
    assert not await mail_if_due(site, to, first + timedelta(days=2))
    assert await mail_if_due(site, to, datetime(2026, 4, 3, tzinfo=UTC))
    assert not await mail_if_due(site, to, datetime(2026, 5, 20, tzinfo=UTC))
    assert not await mail_if_due(site, [], datetime(2026, 6, 1, tzinfo=UTC))
    inbox = [info for info in await world.app.embedded.admin.folders("ben") if info.folder.name == "Inbox"]
    assert [info.items for info in inbox] == [2]


async def test_what_reached_nobody_is_tried_again(site: Site, world: Any) -> None:
    first = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)
    assert not await mail_if_due(site, ["somebody@elsewhere.test"], first)
    assert await mail_if_due(site, ["somebody@elsewhere.test", "ben@example.com"], first + timedelta(hours=1))


@pytest.mark.server
async def test_an_errand_is_one_process_s_over_postgresql(postgresql: Postgresql, tmp_path: Path) -> None:
    url = postgresql.new_database(name="errands")
    settings = [config.load(None, {"data": str(tmp_path / name), "database": url}, {}) for name in ("a", "b")]
    async with app.build(settings[0]) as one, app.build(settings[1]) as other:
        stores = [one.store.errands, other.store.errands]
        for period in ("2026-01", "2026-02"):
            took = await asyncio.gather(*[store.take("x", period) for store in stores * 3])
            assert sum(took) == 1
        assert not await stores[0].take("x", "2026-01")
        await stores[0].give_back("x", "2026-02")
        assert await stores[1].take("x", "2026-02")

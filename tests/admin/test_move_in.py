"""The states of other servers are read as they are, and their phones go on here."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from groupware.postgresql import USER, Postgresql, binary
from php_kit import dump, state
from typer.testing import CliRunner

from eas import app, config
from eas.admin import move_in
from eas.admin.acting import Caller, Role
from eas.admin.errors import Invalid
from eas.admin.move_in import Product, horde, sogo, zpush
from eas.admin.move_in.dump import DumpError, rows
from eas.admin.move_in.found import Found, Reading
from eas.admin.site import Site
from eas.cli import app as commands
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.errors import ClientError
from eas.client.phone import Phone
from eas.engine.model import Access, Device, FolderType, Level, Policy, Wipe
from eas.protocol.version import Version

SAMPLES = Path(__file__).parents[2] / "fixtures/move-in"


def by_key(reading: Reading) -> dict[tuple[str, str], Found]:
    return {(one.names[0], one.device): one for one in reading.found}


# -- Reading


@pytest.mark.parametrize("state_of", ["zpush-files", "zpush-mysql.sql"])
def test_zpush_in_both_forms_of_its_objects(state_of: str) -> None:
    reading = zpush.read(SAMPLES / state_of)
    found = by_key(reading)
    assert not reading.faults
    assert set(found) == {
        ("anna", "appldmpq70ygg5fh"), ("ben", "sec1a2b3c4d5e6f"), ("carla", "sec1a2b3c4d5e6f"),
        ("david", "androidc259148960"), ("reception", "outlook0123456789abcdef"), ("emma", "imei357800000000017"),
    }
    anna = found["anna", "appldmpq70ygg5fh"]
    assert (anna.type, anna.agent, anna.version) == ("iPhone", "Apple-iPhone14C4/2002.55", "14.1")
    assert anna.policy_key == "2841006337"
    assert (str(anna.first_seen), str(anna.last_seen)) == ("2025-02-03 07:12:00+00:00", "2026-11-20 21:40:12+00:00")
    assert anna.information == {
        "Model": "iPhone14C4", "OS": "iOS 18.1 22B83", "FriendlyName": "Anna's iPhone", "OSLanguage": "de",
    }
    ben, carla = found["ben", "sec1a2b3c4d5e6f"], found["carla", "sec1a2b3c4d5e6f"]
    assert (ben.wipe, str(ben.wipe_at)) == (Wipe.REQUESTED, "2026-11-18 09:30:00+00:00")
    assert (carla.wipe, carla.policy_key) == (Wipe.REQUESTED, "")
    david = found["david", "androidc259148960"]
    assert (david.wipe, str(david.wipe_at)) == (Wipe.DONE, "2026-03-01 12:00:00+00:00")
    assert found["emma", "imei357800000000017"].notes == ("linked to the user, without any device data",)


def test_zpush_as_json() -> None:
    (greta,) = zpush.read(SAMPLES / "zpush-json").found
    assert (greta.names, greta.device, greta.version) == (("greta",), "androidc1700000089", "16.1")
    assert (greta.wipe, greta.wipe_account_only) == (Wipe.REQUESTED, True)


@pytest.mark.parametrize("state_of", ["horde-mysql.sql", "horde-postgresql.sql"])
def test_horde(state_of: str) -> None:
    reading = horde.read(SAMPLES / state_of)
    found = by_key(reading)
    ben = found["ben@example.test", "APPLF17XK2ABHG7F"]
    assert (ben.type, ben.agent, ben.version) == ("iPhone", "Apple-iPhone12C1/2106.80", "16.0")
    assert (ben.policy_key, str(ben.last_seen)) == ("2222333344", "2026-11-20 18:05:00+00:00")
    assert ben.information == {"Model": "iPhone12,1", "OS": "iOS 17.6 21G80", "FriendlyName": "Ben's iPhone"}
    carla = found["carla@example.test", "SEC0011223344556"]
    assert (carla.blocked, carla.policy_key) == (True, "")
    assert {found[f"{one}@example.test", "ANDROIDC20202020"].wipe for one in ("farid", "hiro")} == {Wipe.REQUESTED}
    assert len(found) == 5
    assert not reading.faults


def test_sogo_with_a_table_for_each_user_and_one_for_all() -> None:
    each = sogo.read(SAMPLES / "sogo-mysql.sql").found
    assert [(one.names[0], one.device) for one in each] == [
        ("anna_a_example_d_test", "ApplDNPQ7KK1GRY5"),
        ("anna_d_bergstroem_a_example_d_test", "ApplDNPQ7KK1GRY5"), ("reception", "WIN0A1B2C3D4E5F6071"),
    ]
    assert (str(each[0].first_seen), str(each[0].last_seen)) == (
        "2025-03-01 08:00:00+00:00", "2026-11-20 20:15:00+00:00",
    )
    one = sogo.read(SAMPLES / "sogo-one-table.sql").found
    assert [(each.names[0], each.device) for each in one] == [
        ("emma@example.test", "SEC77AA88BB99CC0"), ("farid", "SEC77AA88BB99CC1"),
    ]


@pytest.mark.parametrize(("name", "escaped"), [
    ("anna", "anna"), ("anna@example.test", "anna_a_example_d_test"), ("a-b_c", "a_b_u_c"), ("1st", "_1st"), ("", ""),
])
def test_how_sogo_names_tables(name: str, escaped: str) -> None:
    assert sogo.escaped(name) == escaped


@pytest.mark.parametrize(("sample", "read"), [
    ("zpush-mysql.sql", zpush.read), ("horde-mysql.sql", horde.read), ("sogo-one-table.sql", sogo.read),
])
def test_a_file_of_sqlite_says_the_same_as_a_dump(sample: str, read: Any, tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    with closing(sqlite3.connect(file)) as connection:
        for table, row in rows(SAMPLES / sample, lambda table: True):
            columns = ", ".join(f'"{name}"' for name in row)
            connection.execute(f'CREATE TABLE IF NOT EXISTS "{table}" ({columns})')
            marks = ", ".join("?" * len(row))
            connection.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', list(row.values()))
        connection.commit()
    assert sorted(read(file).found, key=str) == sorted(read(SAMPLES / sample).found, key=str)


def test_a_file_that_cannot_be_read_costs_one_device(tmp_path: Path) -> None:
    (tmp_path / "users").write_bytes(dump({"anna": {"a1": 1, "b2": 1}}))
    for device, data in (("a1", b"C:8:\"StateObject\":3:{}"), ("b2", dump(state("StateObject", {}, own_form=True)))):
        (tmp_path / f"{device}-devicedata").write_bytes(data)
    reading = zpush.read(tmp_path)
    assert {one.device for one in reading.found} == {"a1", "b2"}
    (fault,) = reading.faults
    assert fault.startswith("device a1: its data cannot be read")


@pytest.mark.parametrize(("content", "reason"), [
    (b"INSERT INTO `users` VALUES ('a','b');", "columns"),
    (b"CREATE TABLE users (username text, device_id text); INSERT INTO users VALUES ('a');", "2 values"),
    (b"CREATE TABLE users (username text, device_id text); INSERT INTO users VALUES ('a', f('b'));", "no plain one"),
    (b"INSERT INTO users (username, device_id) VALUES ('a', 'b'", "no plain one"),
    (b"INSERT INTO users (username, device_id) VALUES ('a', 'b');\nINSERT INTO x VALUES ('", "ends within"),
    (b"COPY users (username, device_id) FROM stdin;\na\tb\n", "ends within"),
    (b"\x1f\x8b12345678901234567890", "compressed"), (b"PGDMP12345678901234567890", "pg_dump"),
    (b"SQLite format 3\x00 and no more", "database"), (b"Hello", "ends within"), (b"", "no table"),
])
def test_a_dump_that_is_none_is_refused_as_a_whole(content: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "dump.sql"
    file.write_bytes(content)
    with pytest.raises(DumpError, match=reason):
        zpush.read(file)


def test_the_texts_of_each_database(tmp_path: Path) -> None:
    """Backslashes say something in MySQL, and nothing in standard SQL."""
    file = tmp_path / "dump.sql"
    insert = b"INSERT INTO t (a, b, c, d) VALUES ('x\\\\''y\\n', 0x6162, NULL, -1.5), (X'00ff', '', TRUE, 'z');\n"
    for head, first in ((b"-- MySQL dump\n", b"x\\'y\n"), (b"-- PostgreSQL database dump\n", b"x\\\\'y\\n")):
        file.write_bytes(head + insert + b"INSERT INTO t (a) VALUES ('z') ON CONFLICT DO NOTHING;\nSELECT 1;\n")
        one, two, three = (dict(row) for _, row in rows(file, lambda table: table == "t"))
        assert one == {"a": first, "b": b"ab", "c": None, "d": b"-1.5"}
        assert two == {"a": b"\0\xff", "b": b"", "c": b"1", "d": b"z"}
        assert three == {"a": b"z"}
    file.write_bytes(b"INSERT INTO t (a, b) VALUES (E'\\'\\t;', $x$it's;$x$);")
    assert [dict(row) for _, row in rows(file, lambda table: True)] == [{"a": b"'\t;", "b": b"it's;"}]


# -- Taking over

ADMIN = Caller(name="root", role=Role.ADMIN)


def site_of(office: app.App) -> Site:
    return replace(office.site, caller=ADMIN)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[app.App]:
    """The demo office's people, without what is in their mailboxes."""
    async with app.build(config.load(None, {"data": str(tmp_path), "domain": "example.test"}, {})) as parts:
        for login in ("anna", "ben", "carla", "david", "emma", "farid", "greta", "hiro"):
            aliases = ("anna.bergstroem@example.test",) if login == "anna" else ()
            await parts.embedded.admin.add_user(f"{login}@example.test", f"{login}-secret", aliases=aliases)
        yield parts


async def test_all_samples_together(office: app.App) -> None:
    site = site_of(office)
    told = await move_in.import_devices(site, Product.ZPUSH, [SAMPLES / "zpush-files", SAMPLES / "zpush-json"])
    assert {(one["user"], one["device"]) for one in told["added"]} == {
        ("anna", "appldmpq70ygg5fh"), ("ben", "sec1a2b3c4d5e6f"), ("carla", "sec1a2b3c4d5e6f"),
        ("david", "androidc259148960"), ("emma", "imei357800000000017"), ("greta", "androidc1700000089"),
    }
    assert told["skipped"] == [
        {"user": "reception", "device": "outlook0123456789abcdef", "reason": "no user of this name is known here"}
    ]
    david = (await office.store.devices((await office.embedded.admin.user("david")).id))[0]
    assert (david.wipe, david.policy_key) == (Wipe.DONE, "")
    states = [SAMPLES / "sogo-mysql.sql", SAMPLES / "sogo-one-table.sql"]
    told = await move_in.import_devices(site, Product.SOGO, states)
    assert {(one["user"], one["device"]) for one in told["added"]} == {
        ("anna", "ApplDNPQ7KK1GRY5"), ("emma", "SEC77AA88BB99CC0"), ("farid", "SEC77AA88BB99CC1"),
    }
    assert [one["reason"] for one in told["skipped"]] == ["no user of this name is known here", move_in.TWICE]
    told = await move_in.import_devices(site, Product.HORDE, [SAMPLES / "horde-mysql.sql"])
    assert len(told["added"]) == 4
    assert {one["access"] for one in told["added"] if one["user"] == "carla"} == {"blocked"}
    assert len(await office.store.devices()) == 13


async def test_what_is_here_is_left_alone_and_a_dry_run_does_nothing(office: app.App) -> None:
    site, anna = site_of(office), (await office.embedded.admin.user("anna")).id
    mine = await office.store.add_device(Device(user_id=anna, id="ApplDMPQ70YGG5FH", type="iPhone", policy_key="5"))
    would = await move_in.import_devices(site, Product.ZPUSH, [SAMPLES / "zpush-mysql.sql"], dry_run=True)
    assert await office.store.devices() == [mine]
    told = await move_in.import_devices(site, Product.ZPUSH, [SAMPLES / "zpush-mysql.sql"])
    assert (told["added"], told["skipped"]) == (would["added"], would["skipped"])
    assert {"user": "anna", "device": "appldmpq70ygg5fh", "reason": move_in.ALREADY} in told["skipped"]
    assert await office.store.devices(anna) == [mine]
    again = await move_in.import_devices(site, Product.ZPUSH, [SAMPLES / "zpush-mysql.sql"])
    assert again["added"] == []


async def test_a_name_that_two_could_have_is_nobodys(office: app.App, tmp_path: Path) -> None:
    await office.embedded.admin.add_user("anna@branch.example", "anna-secret")
    links = {"anna@example.test": {"a1": 1}, "OFFICE\\ben": {"b1": 1}, "Anna": {"c1": 1}}
    (tmp_path / "users").write_bytes(dump(links))
    told = await move_in.import_devices(site_of(office), Product.ZPUSH, [tmp_path])
    assert {one["device"] for one in told["added"]} >= {"a1", "b1"}
    assert all(one["reason"] == "more than one user here could be meant" for one in told["skipped"])


async def test_a_state_that_cannot_be_read_takes_nothing_over(office: app.App, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="is it the STATE_DIR"):
        await move_in.import_devices(site_of(office), Product.ZPUSH, [SAMPLES / "zpush-files", tmp_path])
    assert await office.store.devices() == []


# -- The phone comes


def phone_of(office: app.App, login: str, device: str, key: int | None, type: str = "iPhone") -> Phone:
    """One that another server has served until now: it has folders, items and keys that nobody here knows."""
    line = Connection(
        "http://gateway.example", Credentials(user=f"{login}@example.test", password=f"{login}-secret"),
        Identity(device_id=device, device_type=type), version=Version.V14_1, policy_key=key,
        transport=httpx.ASGITransport(app=office.asgi),
    )
    return Phone(DeviceState(device_id=device, policy_key=key, version=Version.V14_1), line)


@pytest.mark.parametrize("enforced", [False, True])
async def test_a_moved_in_phone_goes_on(office: app.App, enforced: bool) -> None:
    """Under the id as it spells it; its key is good, or leads to a Provision; its folders come once."""
    if enforced:
        await office.store.save_policy(Policy(settings={"DevicePasswordEnabled": "1"}, enforced=True))
    await office.embedded.office.take("x@elsewhere.example", ["anna@example.test"], b"Subject: One\r\n\r\nWords\r\n")
    await move_in.import_devices(site_of(office), Product.ZPUSH, [SAMPLES / "zpush-files"])
    phone = phone_of(office, "anna", "ApplDMPQ70YGG5FH", 2841006337)
    async with phone.connection:
        phone.state.folder_key = "{5b2c7f0e-1111-4222-8333-944455556666}7"
        await phone.folder_sync()
        inbox = phone.state.folder(FolderType.INBOX)
        inbox.sync_key = "{0f0e0d0c-1111-4222-8333-944455556666}12"
        for _ in range(2):
            await phone.sync([inbox])
        assert len(inbox.items) == 1
    (anna,) = await office.store.devices((await office.embedded.admin.user("anna")).id)
    assert (anna.id, anna.type) == ("ApplDMPQ70YGG5FH", "iPhone")
    assert str(anna.first_seen) == "2025-02-03 07:12:00+00:00"
    assert (anna.policy_key == "2841006337") is not enforced


async def test_a_phone_without_a_type_gets_it_from_its_first_request(office: app.App) -> None:
    await move_in.import_devices(site_of(office), Product.SOGO, [SAMPLES / "sogo-mysql.sql"])
    phone = phone_of(office, "anna", "ApplDNPQ7KK1GRY5", None)
    async with phone.connection:
        await phone.set_up()
    (anna,) = await office.store.devices((await office.embedded.admin.user("anna")).id)
    assert (anna.type, str(anna.first_seen)) == ("iPhone", "2025-03-01 08:00:00+00:00")


async def test_only_a_phone_that_has_not_been_here_is_taken_for_another_spelling(office: app.App) -> None:
    anna = (await office.embedded.admin.user("anna")).id
    phone = phone_of(office, "anna", "PHONE1", None)
    async with phone.connection:
        await phone.set_up()
        await phone.sync()
    assert await office.store.claim_device(anna, "phone1", "iPhone") is None
    await office.store.add_device(replace((await office.store.devices(anna))[0], id="tablet-1", type=""))
    claimed = await office.store.claim_device(anna, "TABLET1", "iPad")
    assert claimed is not None
    assert (claimed.id, claimed.type) == ("TABLET1", "iPad")


async def test_a_wipe_that_was_asked_for_there_is_done_here(office: app.App) -> None:
    await move_in.import_devices(site_of(office), Product.ZPUSH, [SAMPLES / "zpush-mysql.sql"])
    ben = (await office.embedded.admin.user("ben")).id
    (device,) = await office.store.devices(ben)
    assert device.wipe is Wipe.REQUESTED
    phone = phone_of(office, "ben", "SEC1A2B3C4D5E6F", 1200456789, "SamsungDevice")
    async with phone.connection:
        with pytest.raises(Exception):  # noqa: B017, PT011 - however the client says it
            await phone.folder_sync()
    (device,) = await office.store.devices(ben)
    assert device.wipe in (Wipe.SENT, Wipe.DONE)


async def test_who_was_blocked_there_is_blocked_here_and_the_rules_decide_on_the_others(office: app.App) -> None:
    await office.site.access.set_default(Level.BLOCK)
    await move_in.import_devices(site_of(office), Product.HORDE, [SAMPLES / "horde-mysql.sql"])
    for login, device in (("carla", "SEC0011223344556"), ("ben", "APPLF17XK2ABHG7F")):
        phone = phone_of(office, login, device, None)
        async with phone.connection:
            with pytest.raises(ClientError, match="device is blocked for this user"):
                await phone.set_up()
    (carla,) = await office.store.devices((await office.embedded.admin.user("carla")).id)
    assert (carla.access, carla.access_reason) == (Access.BLOCKED, "blocked by Horde")


async def test_with_allow_they_are_let_in_whatever_the_rules_say(office: app.App) -> None:
    await office.site.access.set_default(Level.BLOCK)
    await move_in.import_devices(site_of(office), Product.HORDE, [SAMPLES / "horde-mysql.sql"], allow=True)
    phone = phone_of(office, "ben", "APPLF17XK2ABHG7F", None)
    async with phone.connection:
        await phone.set_up()
    (carla,) = await office.store.devices((await office.embedded.admin.user("carla")).id)
    assert carla.access is Access.BLOCKED


async def test_a_user_s_list_of_devices_counts_for_what_is_moved_in(office: app.App) -> None:
    anna = (await office.embedded.admin.user("anna")).id
    await office.site.access.set_list(anna, ["OTHER"])
    await move_in.import_devices(site_of(office), Product.ZPUSH, [SAMPLES / "zpush-files"], allow=False)
    (device,) = await office.store.devices(anna)
    assert device.listed is False
    claimed = await office.store.claim_device(anna, "ApplDMPQ70YGG5FH", "iPhone")
    assert claimed is not None
    assert claimed.listed is False


async def test_what_is_kept_beside_a_device_comes_along_when_its_id_is_spelled_anew(office: app.App) -> None:
    await move_in.import_devices(site_of(office), Product.ZPUSH, [SAMPLES / "zpush-files"])
    anna = (await office.embedded.admin.user("anna")).id
    await office.store.policing.save(Policy(name="own"))
    await office.store.policing.override(anna, "appldmpq70ygg5fh", "own")
    await office.store.claim_device(anna, "ApplDMPQ70YGG5FH", "iPhone")
    assert list((await office.store.policing.book()).devices) == [(anna, "ApplDMPQ70YGG5FH")]


def test_on_the_command_line(tmp_path: Path) -> None:
    def eas(*words: str) -> Any:
        result = CliRunner().invoke(commands, [*words, "--data", str(tmp_path)])
        assert result.exit_code == 0, result.output
        return result

    for login in ("anna", "ben"):
        eas("user", "add", f"{login}@example.test", "--password", "secret")
    state = str(SAMPLES / "zpush-files")
    told = json.loads(eas("import", "zpush", state, "--dry-run", "--json").stdout)
    assert (told["dry_run"], len(told["added"]), len(told["skipped"])) == (True, 2, 4)
    shown = eas("import", "zpush", state).output
    assert "2 taken over, 4 skipped" in shown
    assert "4: no user of this name is known here" in shown
    assert "1 of them are to be wiped" in shown
    assert len(json.loads(eas("device", "list", "--json").stdout)) == 2
    result = CliRunner().invoke(commands, ["import", "zpush", str(tmp_path), "--data", str(tmp_path)])
    assert (result.exit_code, "is it the STATE_DIR" in result.output) == (1, True)


@pytest.mark.server
@pytest.mark.parametrize("options", [(), ("--inserts",), ("--column-inserts", "--clean"), ("--rows-per-insert=2",)])
def test_what_pg_dump_writes_is_read(postgresql: Postgresql, tmp_path: Path, options: tuple[str, ...]) -> None:
    """Of a database into which the sample was read back."""
    name = postgresql.new_database().partition("?")[0].rpartition("/")[2]
    as_admin = ["-h", str(postgresql.path), "-U", USER]
    create = """
        CREATE TABLE horde_activesync_device_users (device_id varchar, device_user varchar, device_ping text,
                                                    device_folders text, device_policykey bigint);
        CREATE TABLE horde_activesync_state (sync_mod integer, sync_key varchar, sync_data bytea, sync_devid varchar,
                                             sync_folderid varchar, sync_user varchar, sync_pending bytea,
                                             sync_timestamp integer);
    """
    sample = (SAMPLES / "horde-postgresql.sql").read_text().replace("\\restrict", "-- ").replace("\\unrestrict", "-- ")
    command = [binary("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *as_admin, "-d", name]
    done = subprocess.run(command, input=create + sample, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "dump.sql"
    dumped = subprocess.run([binary("pg_dump"), *as_admin, *options, "-f", str(file), name], check=False)
    assert dumped.returncode == 0
    assert sorted(horde.read(file).found, key=str) == sorted(
        horde.read(SAMPLES / "horde-postgresql.sql").found, key=str
    )


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="sqlite3 is missing")
def test_what_sqlite_dumps_is_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.execute("CREATE TABLE states (device_id TEXT, state_type TEXT, state_data BLOB)")
        connection.execute("CREATE TABLE users (username TEXT, device_id TEXT)")
        data = dump(state("StateObject", {"deviceid": "a1", "deviceuser": "anna"}, own_form=True))
        connection.execute("INSERT INTO states VALUES ('a1', 'devicedata', ?)", [data])
        connection.execute("INSERT INTO users VALUES ('o''hara', 'b1')")
        connection.commit()
    text = subprocess.run(["sqlite3", tmp_path / "state.db", ".dump"], capture_output=True, check=True).stdout
    (tmp_path / "dump.sql").write_bytes(text)
    found = zpush.read(tmp_path / "dump.sql").found
    assert [(one.names, one.device) for one in found] == [(("anna",), "a1"), (("o'hara",), "b1")]

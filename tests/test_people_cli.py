"""`eas user remove` leaves nothing, `eas user rename` changes nothing but the name."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from eas import app, config
from eas.cli import app as commands
from eas.client import mail
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.errors import Unauthorised
from eas.client.phone import Phone
from eas.client.sync import Report

#: Takes more than a few seconds.
pytestmark = pytest.mark.long

#: Contents of others, in which people may be named for ever: mails, and what is found in them.
OF_OTHERS = {
    ("gw_content", "header"), ("gw_content", "data"), ("gw_content", "search"), ("gw_content", "structure"),
    ("gw_chunk", "data"), ("gw_contact", "address"), ("gw_contact", "address_key"), ("gw_contact", "name"),
    ("gw_contact_term", "term"), ("gw_submitted", "subject"),
    # What was done stays in the log until its days are over; `keep.audit_days`.
    ("audit_log", "about_user"), ("audit_log", "details"),
}


class Eas:
    def __init__(self, data: Path) -> None:
        self.data = data
        self.state = DeviceState.new("PHONE1")

    def __call__(self, *words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(commands, [*words, "--data", str(self.data)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json").stdout)

    def sync(self, user: str, to: str = "") -> Report:
        """One phone, which may log in under several names; with `to` it also sends a mail."""

        async def run() -> Report:
            async with app.build(config.load(None, {"data": str(self.data)}, {})) as parts:
                line = Connection(
                    "http://gateway.example", Credentials(user=user, password="secret"), Identity(device_id="PHONE1"),
                    transport=httpx.ASGITransport(app=parts.asgi),
                )
                async with line:
                    phone = Phone(self.state, line)
                    if not self.state.folders:
                        await phone.set_up()
                    if to:
                        letter = mail.compose(user, [to], "Hello", "There", date=datetime.now(UTC))
                        await mail.send(phone, letter)
                    return await phone.sync()

        return asyncio.run(run())

    def rows_that_say(self, *words: str) -> set[tuple[str, str]]:
        """(table, column) of all values in which one of the words stands."""
        found = set()
        with closing(sqlite3.connect(self.data / "eas.db")) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                rows = connection.execute(f'SELECT * FROM "{table}"')
                names = [column[0] for column in rows.description]
                for row in rows:
                    for name, value in zip(names, row, strict=True):
                        octets = value.encode() if isinstance(value, str) else value
                        if isinstance(octets, bytes) and any(word.encode() in octets.lower() for word in words):
                            found.add((table, name))
        return found


@pytest.fixture
def office(tmp_path: Path) -> Eas:
    eas = Eas(tmp_path / "data")
    for name in ("zq7anna", "ben"):
        eas("user", "add", f"{name}@example.test", "--password", "secret")
    eas("user", "set", "zq7anna", "--alias", "zq7a@example.test")
    eas("group", "add", "all@example.test", "--member", "zq7anna", "--member", "ben")
    eas("rights", "grant", "ben", "calendar", "zq7anna", "edit")
    eas("rights", "grant", "zq7anna", "calendar", "ben", "read")
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"name": "strict", "settings": {}}))
    eas("policy", "set", "zq7anna", str(policy))
    eas.sync("zq7anna@example.test", "ben@example.test")
    eas.sync("zq7anna@example.test", "zq7anna@example.test")
    return eas


def test_no_row_anywhere_speaks_of_somebody_who_was_removed(office: Eas) -> None:
    id = office.json("user", "show", "zq7anna")["id"]
    words = (id, "zq7anna", "zq7a@example.test")
    before = office.rows_that_say(*words)
    assert {("device", "user_id"), ("sync_state", "user_id"), ("gw_submitted", "user_id"), ("gw_right", "principal"),
            ("gw_group_member", "user_id"), ("policy_assignment", "subject"), ("gw_term", "entry")} <= before

    told = office.json("user", "remove", "zq7anna", "--dry-run")["rows"]
    assert office.rows_that_say(*words) == before
    assert told["device"] == 1
    assert {"gw_user", "gw_item", "gw_chunk", "sync_generation", "intent"} <= told.keys()
    assert office.json("user", "remove", "zq7anna", "--yes")["rows"] == told
    assert office.rows_that_say(*words) <= OF_OTHERS
    assert office.rows_that_say(id) == set()
    office("user", "show", "zq7anna", code=1)
    assert [user["login"] for user in office.json("user", "list")] == ["ben"]
    with pytest.raises(Unauthorised):
        office.sync("zq7anna@example.test")


def test_a_phone_goes_on_under_another_name(office: Eas) -> None:
    keys = {folder.id: folder.sync_key for folder in office.state.folders.values()}
    groups = office.json("user", "show", "zq7anna")["groups"]
    told = office.json("user", "rename", "zq7anna", "carla@example.test")
    assert (told["login"], told["address"]) == ("carla", "carla@example.test")
    # The old address is an alias now, so a phone that nobody has changed yet goes on as well.
    for name in ("carla@example.test", "zq7anna@example.test"):
        assert office.sync(name).quiet
    assert {folder.id: folder.sync_key for folder in office.state.folders.values()} == keys
    shown = office.json("user", "show", "carla")
    assert shown["groups"] == groups
    assert "zq7anna@example.test" in shown["aliases"]
    assert [one["grantee"] for one in office.json("rights", "list", "ben")] == ["carla@example.test"]
    assert office.json("policy", "show", "carla")["name"] == "strict"
    assert office.json("user", "rename", "carla", "dora")["address"] == "carla@example.test"
    assert "there is a user ben" in office("user", "rename", "dora", "ben@example.test", code=1).stderr
    assert "no user nobody" in office("user", "rename", "nobody", "x", code=1).stderr
    assert office.sync("dora@example.test").quiet
    office("user", "set", "dora", "--remove-alias", "zq7anna@example.test")
    with pytest.raises(Unauthorised):
        office.sync("zq7anna@example.test")

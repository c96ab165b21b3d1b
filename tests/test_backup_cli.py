"""A site as one file, and back, with its phones going on: `eas backup` and `eas restore` as their users run them."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from groupware.postgresql import Postgresql, binary
from serving import DidNotStart, Server
from typer.testing import CliRunner, Result

import eas.db
from eas import app, config
from eas.app import backups
from eas.backends.embedded import outbox
from eas.cli import app as commands
from eas.client import mail
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.errors import Refusal
from eas.client.phone import Phone
from eas.client.sync import Report
from eas.db.serving import SERVING
from eas.engine.model import FolderType

pytestmark = pytest.mark.long

LETTER = b"From: x@elsewhere.test\r\nTo: anna@example.test\r\nSubject: %s\r\nMessage-ID: <%s@x>\r\n\r\nHello\r\n"


@dataclass
class Site:
    """`eas` on a data folder, and a database where that is another one."""

    data: Path
    database: str = ""
    phones: dict[str, DeviceState] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        told = {"EAS_DATA": str(self.data), "EAS_DOMAIN": "example.test"}
        return told | ({"EAS_DATABASE": self.database} if self.database else {})

    def __call__(self, *words: str, code: int = 0, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(commands, list(words), env=self.settings, input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json").stdout)

    @asynccontextmanager
    async def phone(self, user: str = "anna", device: str = "PHONE1") -> AsyncIterator[Phone]:
        """The same one each time, with what it remembers, on whatever site."""
        state = self.phones.setdefault(device, DeviceState.new(device))
        async with app.build(config.load(None, {}, self.settings)) as parts:
            line = Connection(
                "http://gateway.example", Credentials(user=user, password="demo"), Identity(device_id=device),
                transport=httpx.ASGITransport(app=parts.asgi),
            )
            async with line:
                yield Phone(state, line)

    async def sync(self, **who: str) -> Report:
        """What a phone hears that has all folders, and asks for all of them."""
        async with self.phone(**who) as phone:
            if not phone.state.folders:
                await phone.set_up()
            return await phone.sync()

    def deliver(self, subject: str) -> None:
        text = subject.encode()
        self("deliver", "anna", "-", stdin=LETTER % (text, text.replace(b" ", b".")))

    def moved_to(self, data: Path, database: str = "") -> Site:
        """The same phones, another place."""
        return Site(data, database, self.phones)


def heard(site: Site, **who: str) -> list[str]:
    """The subjects of the mails that a phone hears of now, which holds all else already and begins nowhere anew."""
    report = asyncio.run(site.sync(**who))
    changed = [change for change in report.changes.values() if change]
    assert not any(change.reset or change.primed or change.returned or change.deleted for change in changed)
    state = site.phones[who.get("device", "PHONE1")]
    return [
        state.folders[change.folder_id].items[id].text("Email:Subject") for change in changed for id in change.added
    ]


@pytest.fixture
def office(tmp_path: Path) -> Site:
    site = Site(tmp_path / "data")
    site("demo")
    return site


def test_phones_go_on_when_a_site_moves_from_one_kind_of_database_to_the_other(
    office: Site, tmp_path: Path, postgresql: Postgresql
) -> None:
    asyncio.run(office.sync())
    office.deliver("before the move")
    first, second = tmp_path / "first.eas", tmp_path / "second.eas"
    made = office.json("backup", str(first))
    assert (made["users"], made["devices"], made["database"]) == (8, 1, "sqlite")
    assert first.stat().st_mode & 0o777 == 0o600
    assert office.json("backup", "--check", str(first)) == {n: v for n, v in made.items() if n not in ("done", "file")}

    larger = office.moved_to(tmp_path / "node", postgresql.new_database())
    larger("restore", "--moved", str(first))
    assert heard(larger) == ["before the move"]

    larger.deliver("on the larger one")
    assert larger.json("backup", str(second))["database"] == "postgresql"
    back = office.moved_to(tmp_path / "back")
    back("restore", "--moved", str(second))
    assert heard(back) == ["on the larger one"]
    assert heard(back) == []
    assert back.json("user", "list") == larger.json("user", "list")


def test_a_backup_is_made_beside_a_server_and_put_back_only_without_one(office: Site, tmp_path: Path) -> None:
    file = tmp_path / "office.eas"
    with Server(data=office.data):
        office("backup", str(file))
        told = office("restore", "--replace", "--yes", str(file), code=1)
        assert "a server works on this database: stop all that do first" in told.stderr
    told = office("restore", str(file), code=1)
    assert "the database is not empty" in told.stderr
    assert "--replace" in told.stderr
    office("user", "add", "new@example.test", "--password", "secret")
    assert "as of" in office("restore", "--replace", "--yes", str(file)).stdout
    office("user", "show", "new", code=1)
    office("user", "show", "anna")


def test_servers_on_other_machines_are_noticed(office: Site, tmp_path: Path, postgresql: Postgresql) -> None:
    """By a lock in the database; and none begins while a backup is being put back."""
    file = tmp_path / "office.eas"
    office("backup", str(file))
    node = office.moved_to(tmp_path / "node", postgresql.new_database())
    node("restore", str(file))
    other = office.moved_to(tmp_path / "other", node.database)
    with Server(data=node.data, settings=node.settings):
        told = other("restore", "--replace", "--yes", str(file), code=1)
        assert "a server works on this database: stop all that do first" in told.stderr
    other("restore", "--replace", "--yes", str(file))

    holder = subprocess.Popen(
        [binary("psql"), "-X", "-q", "-h", str(postgresql.path), "-U", "eas", "-d", postgresql.made[-1]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        holder.stdin.write(f"SELECT pg_advisory_lock({SERVING});\nSELECT 'held';\n")
        holder.stdin.flush()  # and it goes on holding it until it has read all
        assert any("held" in line for line in holder.stdout)
        with pytest.raises(DidNotStart, match="a backup is being restored into this database"):
            Server(data=node.data, settings=node.settings).start()
    finally:
        holder.stdin.close()
        holder.wait()
        holder.stdout.close()


def test_what_cannot_be_put_back_is_told_in_a_line(office: Site, tmp_path: Path) -> None:
    file, cut, newer = tmp_path / "office.eas", tmp_path / "cut.eas", tmp_path / "newer.eas"
    office("backup", str(file))
    octets = file.read_bytes()
    cut.write_bytes(octets[:-30])
    with closing(sqlite3.connect(office.data / "eas.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    office("backup", str(newer))
    empty = office.moved_to(tmp_path / "empty")
    for found, reason in (
        (cut, "the file ends in the middle"), (newer, "made by a newer version of this program"),
        (tmp_path / "none.eas", "No such file"), (office.data / "eas.db", "this is no backup"),
    ):
        assert reason in empty("restore", str(found), code=1).stderr
    empty("backup", "--check", str(cut), code=1)
    assert empty.json("backup", "--check", str(newer))["revision"] == "9999"
    assert empty.json("user", "list") == []
    assert "there is no database" in office.moved_to(tmp_path / "nowhere")("backup", str(cut), code=1).stderr
    assert cut.read_bytes() == octets[:-30]


def test_through_pipes(office: Site, tmp_path: Path) -> None:
    """As in `eas backup - | ssh other eas restore -`."""
    octets = office("backup", "-").stdout_bytes
    target = office.moved_to(tmp_path / "target")
    target("restore", "-", stdin=octets)
    assert target.json("user", "list") == office.json("user", "list")
    other = office.moved_to(tmp_path / "other")
    assert "ends in the middle" in other("restore", "-", stdin=octets[:-1], code=1).stderr
    assert other.json("user", "list") == []


async def test_a_slow_line_does_not_end_the_transaction(
    office: Site, tmp_path: Path, postgresql: Postgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL would end one in which nothing happens for some seconds."""
    monkeypatch.setattr(eas.db, "IDLE_SECONDS", 1.0)
    site = office.moved_to(tmp_path / "node", postgresql.new_database())

    class Slow(io.BytesIO):
        naps = 2

        def _nap(self) -> None:
            if self.naps:
                self.naps -= 1
                time.sleep(1.6)

        def write(self, octets: Any) -> int:
            self._nap()
            return super().write(octets)

        def read(self, size: int | None = -1) -> bytes:
            self._nap()
            return super().read(size)

    made = io.BytesIO()
    await backups.back_up(config.load(None, {}, office.settings), made)
    settings = config.load(None, {}, site.settings)
    put_back = await backups.restore(settings, Slow(made.getvalue()))
    again = Slow()
    assert (await backups.back_up(settings, again)).summary.rows == put_back.summary.rows


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("relayed", [True, False])
async def test_a_mail_that_may_have_gone_out_is_not_sent_again(
    office: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relayed: bool, moved: bool
) -> None:
    """The backup is made while a mail is being sent, the answer to the device is lost, and it asks again where the
    backup was put back. Where nothing can have left the database, or nothing has happened since, it is sent there."""
    relay = {"EAS_SMARTHOST__HOST": "smarthost.invalid"} if relayed else {}
    monkeypatch.setattr(Site, "settings", property(lambda self, old=Site.settings.fget: old(self) | relay))
    file = io.BytesIO()
    deliver = outbox.deliver

    async def delivered(*arguments: Any, **named: Any) -> Any:
        if not file.getvalue():
            await backups.back_up(config.load(None, {}, office.settings), file)
        return await deliver(*arguments, **named)

    monkeypatch.setattr(outbox, "deliver", delivered)
    letter = mail.compose("anna@example.test", ["ben@example.test"], "On its way", "Hello", date=datetime.now(UTC))

    async def send(site: Site) -> list[str]:
        """The subjects in Ben's inbox afterwards."""
        async with site.phone() as phone:
            if not phone.state.folders:
                await phone.set_up()
            with suppress(Refusal):  # [MS-ASCMD] Common Status Codes 118: it was sent before
                await mail.send(phone, letter, client_id="once")
        async with site.phone("ben", "BEN" + site.data.name) as phone:
            await phone.set_up()
            inbox = phone.state.folder(FolderType.INBOX)
            await phone.sync([inbox])
            return [item.text("Email:Subject") for item in inbox.items.values()]

    assert (await send(office)).count("On its way") == 1
    restored = office.moved_to(tmp_path / "restored")
    settings = config.load(None, {}, restored.settings)
    await backups.restore(settings, io.BytesIO(file.getvalue()), moved=moved)
    doubtful = relayed and not moved
    assert (await send(restored)).count("On its way") == (0 if doubtful else 1)
    listed = await asyncio.to_thread(restored.json, "doubtful")
    told = [(one["subject"], one["user"], one["doubt"]) for one in listed]
    expected = ("On its way", "anna@example.test", "under way when a backup was made")
    assert told == ([expected] if doubtful else [])

"""`eas user move`: other servers for a user whose devices, policies and rights stay."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from groupware.dovecot import Dovecot
from groupware.gateway import backend, toml
from groupware.smtp import Sink
from typer.testing import CliRunner, Result

from eas import app, config
from eas.cli import app as commands
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.errors import Unauthorised
from eas.client.phone import Phone
from eas.client.sync import Report

#: Takes more than a few seconds.
pytestmark = pytest.mark.long


class Site:
    """A gateway whose users of example.com are of one backend, by the name that it has in the settings just now."""

    def __init__(self, folder: Path, dovecot: Dovecot, sink: Sink) -> None:
        self._folder, self._office = folder, backend(dovecot, sink)
        self.state = DeviceState.new("PHONE1")
        self.named("old")

    def named(self, name: str) -> None:
        """"" for none: then they are the gateway's own."""
        settings: dict[str, Any] = {"data": str(self._folder / "data"), "domain": "example.com"}
        (self._folder / "eas.toml").write_text(toml(settings | ({"backends": {name: self._office}} if name else {})))

    def eas(self, *words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(commands, [*words, "--config", str(self._folder / "eas.toml")])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str) -> Any:
        return json.loads(self.eas(*words, "--json").stdout)

    def sync(self, user: str, password: str) -> Report:
        async def run() -> Report:
            async with app.build(config.load(self._folder / "eas.toml", environment={})) as parts:
                line = Connection(
                    "http://gateway.example", Credentials(user=user, password=password),
                    Identity(device_id="PHONE1"), transport=httpx.ASGITransport(app=parts.asgi),
                )
                async with line:
                    phone = Phone(self.state, line)
                    if not self.state.folders:
                        await phone.set_up()
                    return await phone.sync()

        return asyncio.run(run())

    def inbox(self) -> tuple[str, list[str]]:
        """Its id, and the subjects that the phone has there."""
        folder = next(folder for folder in self.state.folders.values() if folder.name.lower() == "inbox")
        return folder.id, sorted(item.text("Email:Subject") for item in folder.items.values())


@pytest.fixture
def site(tmp_path: Path, dovecot: Dovecot, mail_sink: Sink) -> Site:
    return Site(tmp_path, dovecot, mail_sink)


def test_folders_of_other_servers_are_fetched_and_all_else_stays(site: Site, dovecot: Dovecot) -> None:
    login, password = dovecot.new_user()
    dovecot.deliver(login, b"From: a@example.com\r\nSubject: Kept\r\nMessage-ID: <1@example.com>\r\n\r\nHello\r\n")
    site.sync(login, password)
    number, subjects = site.inbox()
    assert subjects == ["Kept"]
    site.eas("device", "block", login, "PHONE1")
    site.named("new")
    assert "no backend old" in site.eas("user", "move", login, "--backend", "old", code=1).stderr
    assert "no backend nothing" in site.eas("user", "move", login, "--backend", "nothing", code=1).stderr

    told = site.json("user", "move", login, "--backend", "new")
    assert (told["before"], told["backend"]) == ("old", "new")
    assert [one["access"] for one in site.json("device", "list", login)] == ["blocked"]
    site.eas("device", "allow", login, "PHONE1")
    site.sync(login, password)  # Status 12, and the folders
    site.sync(login, password)
    moved, subjects = site.inbox()
    assert subjects == ["Kept"]
    assert moved != number
    assert site.sync(login, password).quiet


def test_into_the_gateway_and_back(site: Site, dovecot: Dovecot) -> None:
    login, password = dovecot.new_user()
    site.sync(login, password)
    site.named("")
    told = site.eas("user", "move", login, "--backend", "embedded").stdout
    assert "eas user passwd" in told
    site.eas("user", "passwd", login, "--password", "another")
    site.sync(login, "another")
    site.sync(login, "another")
    assert site.sync(login, "another").quiet
    site.named("old")
    assert "is of embedded already" in site.eas("user", "move", login, "--backend", "embedded", code=1).stderr
    site.json("user", "move", login, "--backend", "old")
    site.sync(login, password)
    site.sync(login, password)
    assert site.sync(login, password).quiet
    with pytest.raises(Unauthorised):
        site.sync(login, "another")

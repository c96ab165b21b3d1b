"""The pages of owners whose mailboxes are on other servers, which want the owner's own password."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from filter_samples import letter
from groupware.dovecot import MASTER, MASTER_PASSWORD, Dovecot
from groupware.gateway import backend
from groupware.smtp import Sink
from sqlalchemy import text

from eas import app as composition
from eas.config import load
from eas.db import Base

pytestmark = pytest.mark.server

BASE = "http://mail.example.com"


@pytest.fixture(params=["own", "master"])
def entered(request: pytest.FixtureRequest, dovecot: Dovecot, mail_sink: Sink) -> dict[str, Any]:
    """The settings of a backend that is entered with the password of the mailbox, or by a master user."""
    made = backend(dovecot, mail_sink)
    if request.param == "master":
        for name in ("imap", "sieve"):
            made[name] |= {"master_user": MASTER, "master_password": MASTER_PASSWORD}
    return made


@pytest.fixture
async def app(entered: dict[str, Any], tmp_path: Path) -> AsyncIterator[Any]:
    (tmp_path / "data").mkdir()
    settings = load(overrides={"data": tmp_path / "data", "backends": {"office": entered}}, environment={})
    async with composition.build(settings) as made:
        yield made


class Owner:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def post(self, path: str, page: str, **data: Any) -> httpx.Response:
        found = (await self.client.get(page)).text
        hidden = dict(re.findall(r'name="(csrf|seen)" value="([^"]+)"', found))
        return await self.client.post(path, data={**hidden, **data})


async def test_filters_and_replies_on_the_servers(app: Any, dovecot: Dovecot) -> None:
    login, password = dovecot.new_user("anna")
    dovecot.append(login, "Bills", letter())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url=BASE) as client:
        entered = await client.post("/my/login", data={"login": login, "password": password})
        assert entered.status_code == 303
        owner = Owner(client)
        # As after a restart, or on another node: nobody remembers who came in.
        app.elsewhere.accounts._entered.clear()
        page = await client.get("/my/filters/new")
        assert page.status_code == 200
        assert ">Bills</option>" in page.text
        saved = await owner.post(
            "/my/filters/new", "/my/filters/new", name="Bills", on="1", every="1", what="subject:contains",
            value="invoice", header="", move="Bills", read="1", stop="1",
        )
        assert saved.status_code == 303
        assert "move to Bills" in (await client.get("/my/filters")).text
        away = await owner.post("/my/away", "/my/away", state="on", inside="Gone.", outside="Gone.")
        assert away.status_code == 303
        assert "move to Bills" in (await client.get("/my/filters")).text
        await asyncio.to_thread(dovecot.deliver, login, letter("an invoice"))
        with dovecot.imap(login, "Bills") as other:
            assert other.search(None, "SUBJECT", "invoice", "SEEN")[1] == [b"2"]
    await _nothing_is_told(app, password)


async def _nothing_is_told(app: Any, password: str) -> None:
    """The database has the owner's password nowhere."""
    def rows(connection: Any) -> str:
        return " ".join(
            str(row) for table in Base.metadata.sorted_tables
            for row in connection.execute(text(f'SELECT * FROM "{table.name}"'))
        )

    assert password not in await app.embedded.groupware.read(rows)


async def test_a_password_that_has_changed_since(app: Any, dovecot: Dovecot, entered: dict[str, Any]) -> None:
    if "master_user" in entered["imap"]:
        pytest.skip("a master user enters all the same")
    login, password = dovecot.new_user("anna")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url=BASE) as client:
        await client.post("/my/login", data={"login": login, "password": password})
        dovecot.set_password(login, "another")
        accounts = app.elsewhere.accounts
        [user_id] = accounts._entered
        await app.elsewhere.servers._imap.drop(accounts.present(user_id))
        accounts.forget(user_id)
        page = await client.get("/my/filters")
        assert page.status_code == 409
        assert "log out and in again" in page.text
        assert (await client.get("/my")).status_code == 200

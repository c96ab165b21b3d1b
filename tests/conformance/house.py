"""A whole server in this process, with anna and ben, for requests that are said octet by octet (`wire`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from premises import Premises
from wire import Wire

from eas.app import App, build
from eas.config import load
from eas.engine.model import FolderType, Policy
from eas.engine.ports import Chosen
from eas.engine.session import Limits
from eas.server.ports import OFFERED

#: Octets of a request: small, so that a test can go beyond it at no cost.
MAX_BODY = 1 << 20


@asynccontextmanager
async def open_house(data: Path, domain: str) -> AsyncIterator[House]:
    """Over a data folder in which anna and ben are."""
    settings = load(overrides={"data": data, "domain": domain, "limits.max_body_bytes": MAX_BODY}, environment={})
    async with build(settings) as app:
        house = House(
            data=data, embedded=app.embedded, database=app.database, app=app, limits=Limits(max_body_bytes=MAX_BODY)
        )
        await house.know("anna", "ben")
        yield house


@dataclass(kw_only=True)
class House(Premises):
    app: App
    limits: Limits
    _ids: dict[tuple[str, FolderType], str] = field(default_factory=dict)

    versions = OFFERED

    async def know(self, *logins: str) -> None:
        """Learn the ids of the users' folders."""
        for login in logins:
            for folder in await self.folders(login):
                self._ids.setdefault((login, folder.type), folder.id)

    def folder_id(self, login: str, type: FolderType) -> str:
        return self._ids[login, type]

    def wire(self, user: str, **stated: Any) -> Wire:
        return Wire(app=self.app.asgi, user=user, password=f"{user}-secret", **stated)

    async def store(self, login: str, type: FolderType, record: bytes) -> None:
        feed = (await self.mailbox(login)).feed(await self.folder(login, type))
        await feed.create(record, Chosen(name="stored"))

    async def enforce_policy(self) -> None:
        await self.app.store.save_policy(Policy(name="default", settings={"DevicePasswordEnabled": "1"}, enforced=True))

    async def set(self, login: str, **values: Any) -> None:
        await self.embedded.admin.change_user(login, **values)

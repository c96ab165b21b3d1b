"""What most tests share: a whole server in memory over a database in a file of its own, and devices to talk to it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from argon2 import PasswordHasher
from conformance import xsd
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from wire import Wire

from eas import app as composition
from eas.backends.embedded import passwords
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.config import load
from eas.engine.model import FolderType
from eas.protocol.version import Version
from eas.server import routes

pytest_plugins = ["groupware.fixtures"]

_VALIDATE = xsd.load()
DOMAIN = "example.com"
USERS = {"anna": "Anna Arnold", "ben": "Ben Berger", "carla": "Carla Costa"}

# How long an example takes, and to think of it, says more of what else the machine does than of it.
hypothesis_settings.register_profile(
    "eas", parent=hypothesis_settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("eas")
# The hashes of tests guard nothing: with the real parameters each test would spend a tenth of a second on them.
passwords._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
# Logs of tests are captured; a traceback with the values of all variables would take longer than the test.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_configure(config: pytest.Config) -> None:
    """Every application that is built in a test is watched, if the schemas are at hand."""
    if _VALIDATE is None:
        return
    build = routes.application

    def application(*args: Any, **kwargs: Any) -> Any:
        return xsd.Checked(build(*args, **kwargs), _VALIDATE)

    routes.application = application


def pytest_sessionfinish(session: Any) -> None:
    """Each process of `pytest -n` counts for itself."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["validated"] = xsd.Checked.count


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    xsd.Checked.count += getattr(node, "workeroutput", {}).get("validated", 0)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _VALIDATE is not None:
        terminalreporter.write_line(f"{xsd.Checked.count} answers validated against the response schemas")


@dataclass(kw_only=True)
class World:
    """A server of a small office. `ids` are the users' ids by login; passwords are the login and "-secret"."""

    app: composition.App
    ids: dict[str, str]
    open: list[Connection] = field(default_factory=list)

    @property
    def store(self) -> Any:
        return self.app.store

    @property
    def admin(self) -> Any:
        return self.app.embedded.admin

    async def device(self, login: str = "anna", device: str = "WIRE1") -> Any:
        return await self.store.device(self.ids[login], device)

    async def folder(self, type: FolderType, login: str = "anna") -> str:
        """The id of a user's folder of a type."""
        infos = await self.admin.folders(f"{login}@{DOMAIN}")
        return next(info.folder.id for info in infos if info.folder.type is type)

    def connection(self, login: str = "anna", device: str = "PHONE1", version: Version = Version.V14_1) -> Connection:
        """A client's line to this server, in memory."""
        line = Connection(
            "http://mail.example.com", Credentials(user=f"{login}@{DOMAIN}", password=f"{login}-secret"),
            Identity(device_id=device), version=version, transport=httpx.ASGITransport(self.app.asgi),
        )
        self.open.append(line)
        return line


async def _template(folder: Path) -> dict[str, str]:
    """A data folder with the office in it, made once and copied for each test."""
    async with composition.build(load(overrides={"data": folder, "domain": DOMAIN}, environment={})) as app:
        ids = {}
        for login, name in USERS.items():
            first, _, last = name.partition(" ")
            account = await app.embedded.admin.add_user(
                f"{login}@{DOMAIN}", f"{login}-secret", name=name, first_name=first, last_name=last, alias=login,
                zone="Europe/Berlin",
            )
            ids[login] = account.id
    return ids


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("office") / "data"
    folder.mkdir()
    return folder, asyncio.run(_template(folder))


@pytest.fixture
def world_settings() -> dict[str, Any]:
    """Further settings of `world`; a module that wants some has a fixture of this name."""
    return {}


@pytest.fixture
async def world(
    office: tuple[Path, dict[str, str]], tmp_path: Path, world_settings: dict[str, Any]
) -> AsyncIterator[World]:
    template, ids = office
    data = tmp_path / "data"
    shutil.copytree(template, data)
    settings = load(overrides={"data": data, "domain": DOMAIN, **world_settings}, environment={})
    async with composition.build(settings) as app:
        world = World(app=app, ids=ids)
        yield world
        for line in world.open:
            await line.close()


@pytest.fixture
def wire(world: World) -> Callable[..., Wire]:
    """Makes devices that say exactly what they are told to; see `wire.Wire`."""
    return lambda **values: Wire(**{"app": world.app.asgi, **values})


@pytest.fixture
def phone(world: World) -> Callable[..., Phone]:
    """Makes whole devices (eas.client); nothing is set up yet. `login`, `device` and `version` as for a connection."""

    def make(login: str = "anna", device: str = "PHONE1", version: Version = Version.V14_1, **values: Any) -> Phone:
        state = DeviceState(url="http://mail.example.com", user=f"{login}@{DOMAIN}", device_id=device)
        return Phone(state, world.connection(login, device, version), **values)

    return make

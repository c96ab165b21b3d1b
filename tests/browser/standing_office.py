"""The demo office with its gateway running, staff to look after it, phones that are in use, and a browser.

Everything is real: `eas serve` in a process of its own, phones that speak ActiveSync with it (eas.client), and Debian's
Chromium, which sees nothing but what the gateway sends.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from types import MappingProxyType

from fleet import fill
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request
from serving import EAS, Server

from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import ZERO, DeviceState
from eas.client.errors import ClientError, Forbidden, Refusal
from eas.client.phone import Phone, Wiped
from eas.client.sync import Report
from eas.engine.model import FolderType
from eas.protocol.version import Version

PASSWORD = "demo"
STAFF = MappingProxyType({"root": "admin", "helen": "helpdesk", "audrey": "auditor"})
STAFF_PASSWORD = "a-long-password-of-staff"
#: Seconds for whatever is to show: the machine does other things as well.
PATIENCE = 30.0
#: Seconds that a simulated phone waits at most before it asks anew.
HEARTBEAT = 60

WIDE = MappingProxyType({"width": 1280, "height": 900})
NARROW = MappingProxyType({"width": 360, "height": 740})

#: As docs of Chromium for machines without a network and without a user of their own have it.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--font-render-hinting=none",
)


def chromium() -> str:
    """The path of the browser. Raises RuntimeError where there is none."""
    found = os.environ.get("EAS_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise RuntimeError("Chromium is missing: tests/groupware/install.sh installs it")
    return found


async def launched(playwright: Playwright) -> Browser:
    return await playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))


def eas(*arguments: str, data: Path, stdin: str = "") -> str:
    """A command as an admin types it, beside the running server."""
    done = subprocess.run(
        [str(EAS), *arguments, "--data", str(data)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def office(folder: Path, settings: Mapping[str, str] = MappingProxyType({})) -> Server:
    """Filled and started."""
    data = folder / "data"
    eas("demo", data=data)
    for name, role in STAFF.items():
        eas("staff", "add", name, "--role", role, "--password-stdin", data=data, stdin=f"{STAFF_PASSWORD}\n")
    return Server(data=data, settings=settings).start()


# Phones -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class LivePhone:
    """A phone that keeps its inbox in step and waits for news. `told` is how its life ended: "wiped", "refused: ..." or
    what was wrong."""

    phone: Phone
    told: str = ""
    rounds: int = 0
    reports: list[Report] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None

    @property
    def inbox(self) -> dict[str, str]:
        """Subject by ServerId."""
        folder = self.phone.state.folder(FolderType.INBOX)
        return {name: item.text("Email:Subject") for name, item in folder.items.items()}

    def live(self) -> None:
        self.phone.on_round = self.reports.append
        self._task = asyncio.create_task(self._live())

    async def _live(self) -> None:
        try:
            while True:
                inbox = self.phone.state.folder(FolderType.INBOX)
                await self.phone.sync([inbox])
                self.rounds += 1
                answer = await self.phone.ping([inbox], HEARTBEAT)
                if answer.status == 7:
                    await self.phone.folder_sync()
        except Wiped:
            self.told = "wiped"
        except (Forbidden, Refusal) as error:
            self.told = f"refused: {error}"
        except ClientError as error:
            self.told = f"{type(error).__name__}: {error}"

    async def until(self, fact: Callable[[LivePhone], bool], seconds: float = PATIENCE) -> None:
        """Raises AssertionError if it does not come to be."""
        deadline = monotonic() + seconds
        while not fact(self):
            assert monotonic() < deadline, f"it did not come to be; told {self.told!r}, after {self.rounds} rounds"
            await asyncio.sleep(0.05)

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task


#: Phones as they call themselves: (DeviceType, User-Agent, what they say of themselves).
KINDS: Mapping[str, tuple[str, str, Mapping[str, str]]] = MappingProxyType(
    {
        "iphone": (
            "iPhone",
            "Apple-iPhone15C2/2203.52",
            {"Model": "iPhone15C2", "FriendlyName": "iPhone 14", "OS": "iOS 26.1"},
        ),
        "samsung": (
            "SAMSUNGSMS911B",
            "SAMSUNG-SM-S911B/101.14",
            {"Model": "SM-S911B", "FriendlyName": "Galaxy S23", "OS": "Android 14"},
        ),
        "outlook": (
            "Outlook",
            "Outlook-iOS-Android/1.0",
            {"Model": "Outlook for iOS and Android", "OS": "Android 15"},
        ),
    }
)


@asynccontextmanager
async def living(
    server: Server,
    user: str,
    device: str,
    kind: str = "iphone",
    version: Version = Version.V16_1,
    whole: bool = False,
) -> AsyncIterator[LivePhone]:
    """A phone of that user, set up, in step and waiting. `whole`: with all folders, not the inbox alone."""
    device_type, agent, information = KINDS[kind]
    state = DeviceState.new(device)
    line = Connection(
        server.url,
        Credentials(user=user, password=PASSWORD),
        Identity(device_id=device, device_type=device_type, agent=agent),
    )
    async with line:
        phone = Phone(state, line, information=information)
        await phone.set_up(version)
        if whole:
            await phone.sync()
        made = LivePhone(phone=phone)
        made.live()
        await made.until(lambda one: one.rounds > 0 or bool(one.told))
        try:
            yield made
        finally:
            await made.end()


def begun(phone: Phone) -> bool:
    return phone.state.folder(FolderType.INBOX).sync_key != ZERO


# The browser --------------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Watched:
    """A tab, and what it did that it should not: requests to others, complaints in its console, errors of scripts."""

    page: Page
    base: str
    elsewhere: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE * 1000)
        self.page.on("request", self._asked)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    async def go(self, path: str) -> None:
        answer = await self.page.goto(self.base + path)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"

    async def too_wide(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(
            await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )

    def clean(self) -> None:
        assert self.elsewhere == []
        assert self.complaints == []


@asynccontextmanager
async def tab(
    browser: Browser,
    server: Server,
    *,
    staff: str = "",
    owner: str = "",
    dark: bool = False,
    size: Mapping[str, int] = WIDE,
    script: bool = True,
) -> AsyncIterator[Watched]:
    """Logged in as one of the staff or as the owner of a mailbox, or as nobody."""
    context: BrowserContext = await browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    try:
        watched = Watched(page=await context.new_page(), base=server.url)
        if staff:
            await log_in(watched, "/admin", staff, STAFF_PASSWORD)
        elif owner:
            await log_in(watched, "/my", owner, PASSWORD)
        yield watched
    finally:
        await context.close()


async def log_in(watched: Watched, area: str, name: str, password: str) -> None:
    await watched.go(f"{area}/login")
    await watched.page.get_by_label("Name or address").fill(name)
    await watched.page.get_by_label("Password", exact=True).fill(password)
    await watched.page.get_by_role("button", name="Log in", exact=True).click()
    await watched.page.wait_for_url(lambda url: "/login" not in url)


def filled(folder: Path, count: int = 240, settings: Mapping[str, str] = MappingProxyType({})) -> Server:
    """The same with a company's phones beside those of the office, which nobody holds in their hands."""
    data = folder / "data"
    eas("demo", data=data)
    for name, role in STAFF.items():
        eas("staff", "add", name, "--role", role, "--password-stdin", data=data, stdin=f"{STAFF_PASSWORD}\n")
    fill(data, count, events=count * 60)
    return Server(data=data, settings=settings).start()

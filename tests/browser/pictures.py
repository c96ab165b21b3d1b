"""The pictures of docs/images: `make pictures` starts the demo office with a company's phones beside it, and looks.

    python tests/browser/pictures.py [NAME...]     all, or those whose names begin so
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from PIL import Image
from playwright.async_api import Browser, async_playwright
from serving import Server
from standing_office import NARROW, WIDE, Watched, eas, filled, launched, living, tab

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
#: Of a picture: pages have few, and edges of letters.
COLOURS = 200
#: Octets of a picture: they are kept with the source.
LARGEST = 150_000


class Picture(NamedTuple):
    """`area` is whose page it is: "admin", "my", or "" for who is not logged in. `whole`: to the end of the page."""

    name: str
    path: str
    area: str = "admin"
    dark: bool = False
    narrow: bool = False
    whole: bool = False


POLICY = {
    "name": "workshop", "enforced": True,
    "settings": {"DevicePasswordEnabled": True, "MinDevicePasswordLength": 6, "MaxInactivityTimeDeviceLock": 300},
}
#: A page of a phone in use.
PHONE = "/admin/devices/anna@example.test/APPL7F3K2Q"
PICTURES = (
    Picture("login", "/admin/login", ""),
    Picture("overview", "/admin", whole=True),
    Picture("overview-dark", "/admin", dark=True),
    Picture("devices", "/admin/devices"),
    Picture("devices-dark", "/admin/devices?condition=no-sync-for-long", dark=True),
    Picture("devices-phone", "/admin/devices", narrow=True),
    Picture("device", PHONE, whole=True),
    Picture("device-dark", PHONE, dark=True),
    Picture("device-phone", PHONE, narrow=True),
    Picture("live", "/admin/live"),
    Picture("users", "/admin/users?has=devices"),
    Picture("user", "/admin/users/anna@example.test"),
    Picture("wipes", "/admin/wipes"),
    Picture("audit", "/admin/audit"),
    Picture("access", "/admin/access"),
    Picture("policies", "/admin/policies"),
    Picture("reports", "/admin/reports"),
    Picture("report", "/admin/reports/systems"),
    Picture("staff", "/admin/staff"),
    Picture("my", "/my", "my"),
    Picture("my-setup", "/my/setup", "my"),
    Picture("my-filters", "/my/filters", "my"),
    Picture("my-phone", "/my", "my", narrow=True, dark=True),
)


def furnish(server: Server) -> None:
    """What an administrator has done here: rules, a policy for a group, lost phones."""
    policy = server.data / "workshop.json"
    policy.write_text(json.dumps(POLICY), encoding="utf-8")
    listed = json.loads(eas("device", "list", "--json", data=server.data))
    lost = [one for one in listed if one["user"].startswith("mia")]
    for said in (
        ("access", "rules", "add", "quarantine", "--type", "PocketPC", "--note", "only after a word with us"),
        ("access", "rules", "add", "block", "--os", "Windows Phone*", "--priority", "10", "--note", "no longer mended"),
        ("access", "quarantine", "carla", "OUTLOOK4C19", "--reason", "a phone that nobody knows"),
        ("policy", "set", "workshop@example.test", str(policy)),
        *(("device", "wipe", one["user"], one["device"]) for one in lost[:2]),
    ):
        eas(*said, data=server.data)


async def take(server: Server, browser: Browser, chosen: list[str]) -> None:
    for one in PICTURES:
        if chosen and not one.name.startswith(tuple(chosen)):
            continue
        async with tab(
            browser, server, staff="root" if one.area == "admin" else "", owner="anna" if one.area == "my" else "",
            dark=one.dark, size=NARROW if one.narrow else WIDE,
        ) as watched:
            await shot(watched, one)


async def shot(watched: Watched, one: Picture) -> None:
    answer = await watched.page.goto(watched.base + one.path)
    if answer is None or answer.status != 200:
        print(f"{one.name}: no such page")
        return
    file = IMAGES / f"{one.name}.png"
    await watched.page.screenshot(path=str(file), full_page=one.whole, scale="css", animations="disabled")
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    size = file.stat().st_size
    print(f"{one.name}: {size // 1000} kB{', too large' if size > LARGEST else ''}")


async def main(chosen: list[str]) -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, filled(Path(folder), 240) as server:
        async with AsyncExitStack() as stack:
            for user, device, kind in (
                ("anna", "APPL7F3K2Q", "iphone"), ("ben", "SEC1A77E03", "samsung"), ("carla", "OUTLOOK4C19", "outlook")
            ):
                await stack.enter_async_context(living(server, user, device, kind, whole=True))
            playwright = await stack.enter_async_context(async_playwright())
            browser = await launched(playwright)
            furnish(server)
            await asyncio.sleep(2)
            await take(server, browser, chosen)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

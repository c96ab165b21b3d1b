"""How long each page takes on the server: 2,000 devices of 1,300 users and 200,000 events. The aim is 300 ms each.

In one process, without a browser: from the request coming in to the last octet going out, the median of some rounds,
and how much of it a core worked, which other work on the machine does not change. With EAS_BENCH_DATA the filled folder
is kept.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import httpx
import structlog
from fleet import fill

from eas import app as composition
from eas.admin import staff
from eas.admin.acting import SERVER, Role
from eas.admin.web.sessions import ADMIN
from eas.admin.web.tour import plain_paths
from eas.config import load

DEVICES, EVENTS, ROUNDS, AIM_MS = 2000, 200_000, 7, 300
BASE = "http://127.0.0.1"


def paths() -> list[str]:
    """Every page of /admin that is asked for without more, and lists in other orders."""
    plain = plain_paths(ADMIN)
    return [
        *plain, "/admin/live/now", "/admin?span=168", "/admin/devices?q=galaxy&sort=user", "/admin/devices?state=storm",
        "/admin/devices?rows=500",
    ]


async def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with ExitStack() as stack:
        kept = os.environ.get("EAS_BENCH_DATA")
        folder = Path(kept or stack.enter_context(tempfile.TemporaryDirectory())) / f"pages-{DEVICES}-{EVENTS}"
        settings = load(overrides={"data": folder, "domain": "example.test"}, environment={})
        fresh = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        async with composition.build(settings) as app:
            if fresh:
                began = perf_counter()
                fill(folder, DEVICES, events=EVENTS)
                print(f"filled in {perf_counter() - began:.0f} s")
            await measure(app)


async def measure(app: composition.App) -> None:
    name = f"bench-{os.getpid()}"
    await staff.add(replace(app.site, caller=SERVER), name, Role.ADMIN, "a-long-password")
    transport = httpx.ASGITransport(app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, timeout=60) as client:
        await client.post("/admin/login", data={"login": name, "password": "a-long-password", "next": "/admin"})
        listed = (await client.get("/admin/devices?sort=user")).text
        found = re.findall(r'href="(/admin/(?:devices|users)/[^"?]+)"', listed)
        for path in [*paths(), *found[:2]]:
            took, worked = [], []
            for _ in range(ROUNDS):
                began, cpu = perf_counter(), process_time()
                answer = await client.get(path)
                took.append((perf_counter() - began) * 1000)
                worked.append((process_time() - cpu) * 1000)
            mark = "  more than the aim" if median(worked) > AIM_MS else ""
            size = len(answer.content) // 1024
            print(
                f"{median(took):6.0f} ms  of a core {median(worked):5.0f} ms  {answer.status_code} {size:5} KB  "
                f"{path}{mark}"
            )


if __name__ == "__main__":
    asyncio.run(main())

"""The section of a device's page that records it: begun, watched, ended, downloaded, removed. Masked alone: to record
contents takes the command line, or the API."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from eas.admin import recordings
from eas.admin.acting import Permission
from eas.admin.errors import Invalid, NotFound

from .rendering import file_of
from .visits import Page, Visit
from .words import segment, span

PATH = "/admin/devices/{who}/{device_id}/recordings"

#: For so long, in hours, and up to such a size, in MB.
HOURS = (("1", "1 hour"), ("2", "2 hours"), ("8", "8 hours"), ("24", "a day"), ("72", "3 days"))
SIZES = (("10", "10 MB"), ("50", "50 MB"), ("500", "500 MB"))


async def of_device(visit: Visit, who: str, device_id: str) -> dict[str, Any]:
    """What the section shows: `running` is the recording that goes on, None without one; `over` are the others."""
    found = await recordings.recordings(visit.site, who=who, device_id=device_id)
    running = next((one for one in found if one["state"] == "running"), None)
    return {
        "running": running, "over": [one for one in found if one is not running], "hours": HOURS, "sizes": SIZES,
        "hour": f"{recordings.HOURS:.0f}", "size": str(recordings.SIZE // 10**6),
    }


async def begin(visit: Visit) -> Response:
    who, device_id = visit.request.path_params["who"], visit.request.path_params["device_id"]
    hours, size = visit.text("hours"), visit.text("size")
    if hours not in dict(HOURS) or size not in dict(SIZES):
        raise Invalid("Choose how long, and how much.")
    await recordings.start(
        visit.site, who, device_id=device_id, hours=float(hours), max_bytes=int(size) * 10**6, note=visit.text("note"),
    )
    return visit.redirect(
        _back(visit), f"From now on this device is recorded, for {span(3600 * int(hours))}. Let whatever goes wrong "
        "happen on it, then download the recording."
    )


async def stop(visit: Visit) -> Response:
    await recordings.stop(visit.site, await _number(visit))
    return visit.redirect(_back(visit), "The recording has ended. It can be downloaded.")


async def remove(visit: Visit) -> Response:
    await recordings.remove(visit.site, await _number(visit))
    return visit.redirect(_back(visit), "The recording is removed.")


async def download(visit: Visit) -> Response:
    return file_of(await recordings.fetch(visit.site, await _number(visit)))


async def _number(visit: Visit) -> int:
    """That of a recording of this device. Raises NotFound."""
    params = visit.request.path_params
    mine = await recordings.recordings(visit.site, who=params["who"], device_id=params["device_id"])
    if params["number"] not in {one["number"] for one in mine}:
        raise NotFound("There is no such recording of this device.")
    return int(params["number"])


def _back(visit: Visit) -> str:
    params = visit.request.path_params
    return f"/admin/devices/{segment(params['who'])}/{segment(params['device_id'])}#recordings"


_ONE = f"{PATH}/{{number:int}}"
PAGES = (
    Page(path=PATH, handler=begin, permission=Permission.TEND, methods=("POST",)),
    Page(path=f"{_ONE}/stop", handler=stop, permission=Permission.TEND, methods=("POST",)),
    Page(path=f"{_ONE}/remove", handler=remove, permission=Permission.TEND, methods=("POST",)),
    Page(path=f"{_ONE}/session", handler=download, permission=Permission.TEND),
)

"""The list of devices: searched, filtered, ordered, exported."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from eas.admin import devices
from eas.admin.acting import Permission
from eas.admin.condition_names import ABOUT, Name
from eas.admin.sheet import as_csv

from .deeds import deeds_for, name_of
from .listing import listing
from .visits import Page, Visit

FILTERS = ("q", "state", "condition", "kind", "version")
PATH = "/admin/devices"

#: The columns of an export, as programs know them.
COLUMNS = (
    "user", "address", "name", "device", "kind", "model", "os", "type", "agent", "version", "first_seen", "last_seen",
    "access", "wipe", "provisioned", "storm",
)


async def show(visit: Visit) -> Response:
    asked = {name: visit.text(name) for name in FILTERS}
    everything, hits = await devices.found_by(visit.site, asked)
    shown = listing(PATH, visit.request.query_params, FILTERS, devices.SORTS, "-last_seen", len(hits))
    ordered = devices.in_order(hits, f"{'-' if shown.descending else ''}{shown.sort}")
    return visit.render(
        "devices/list.html", listing=shown, devices=ordered[shown.offset : shown.offset + shown.rows], asked=asked,
        kinds=sorted({one.kind for one in everything}), versions=sorted({one.version for one in everything} - {""}),
        conditions=[(name.value, about.title) for name, about in ABOUT.items() if name is not Name.NO_SERVER],
        states=[(name, words) for name, (words, _) in devices.STATES.items()], deeds=deeds_for(visit), name_of=name_of,
        everything=len(everything),
    )


async def export_csv(visit: Visit) -> Response:
    """What the filters leave."""
    return a_file(as_csv(COLUMNS, await _exported(visit)), "text/csv; charset=utf-8", "devices.csv")


async def export_json(visit: Visit) -> Response:
    return a_file(json.dumps(await _exported(visit), indent=1), "application/json", "devices.json")


async def _exported(visit: Visit) -> list[dict[str, Any]]:
    _, hits = await devices.found_by(visit.site, {name: visit.text(name) for name in FILTERS})
    return [one.plain() for one in devices.in_order(hits, visit.text("sort", "-last_seen"))]


def a_file(text: str, media_type: str, name: str) -> Response:
    return Response(text, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


PAGES = (
    Page(path=PATH, handler=show, permission=Permission.SEE, menu="Devices"),
    Page(path=f"{PATH}.csv", handler=export_csv, permission=Permission.SEE),
    Page(path=f"{PATH}.json", handler=export_json, permission=Permission.SEE),
)

"""The list of devices: searched, filtered, ordered, exported."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

from starlette.responses import Response

from eas.admin import devices
from eas.admin.acting import Permission

from .deeds import deeds_for, name_of
from .listing import listing
from .visits import Page, Visit

FILTERS = ("q", "state", "kind", "version")
PATH = "/admin/devices"

#: The columns of an export, as programs know them.
COLUMNS = (
    "user", "address", "name", "device", "kind", "model", "os", "type", "agent", "version", "first_seen", "last_seen",
    "access", "wipe", "provisioned", "storm",
)


async def show(visit: Visit) -> Response:
    everything = await devices.everyone(visit.site)
    asked = {name: visit.text(name) for name in FILTERS}
    hits = devices.chosen(everything, datetime.now(UTC), **asked)
    shown = listing(PATH, visit.request.query_params, FILTERS, devices.SORTS, "-last_seen", len(hits))
    ordered = devices.in_order(hits, f"{'-' if shown.descending else ''}{shown.sort}")
    return visit.render(
        "devices/list.html", listing=shown, devices=ordered[shown.offset : shown.offset + shown.rows], asked=asked,
        kinds=sorted({one.kind for one in everything}), versions=sorted({one.version for one in everything} - {""}),
        states=[(name, words) for name, (words, _) in devices.STATES.items()], deeds=deeds_for(visit), name_of=name_of,
        everything=len(everything),
    )


async def as_csv(visit: Visit) -> Response:
    """What the filters leave. A cell that a spreadsheet would take for a formula is marked as text."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in await _exported(visit):
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return _file(text.getvalue(), "text/csv; charset=utf-8", "devices.csv")


async def as_json(visit: Visit) -> Response:
    return _file(json.dumps(await _exported(visit), indent=1), "application/json", "devices.json")


async def _exported(visit: Visit) -> list[dict[str, object]]:
    asked = {name: visit.text(name) for name in FILTERS}
    found = await devices.search(
        visit.site, q=asked["q"], state=asked["state"], kind=asked["kind"], version=asked["version"],
        sort=visit.text("sort", "-last_seen"), rows=0,
    )
    return list(found["devices"])


def _cell(value: object) -> str:
    """[OWASP] CSV injection: devices name themselves."""
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _file(text: str, media_type: str, name: str) -> Response:
    return Response(text, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


PAGES = (
    Page(path=PATH, handler=show, permission=Permission.SEE, menu="Devices"),
    Page(path=f"{PATH}.csv", handler=as_csv, permission=Permission.SEE),
    Page(path=f"{PATH}.json", handler=as_json, permission=Permission.SEE),
)

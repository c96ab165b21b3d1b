"""/admin/audit: who did what to whom; whether the log of it is whole; copies of it."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response, StreamingResponse

from eas.admin import audit
from eas.admin.acting import ACTIONS, Face, Permission
from eas.admin.errors import Invalid
from eas.admin.sheet import cell
from eas.store.audit_reading import AuditBook

from .listing import listing
from .visits import Page, Visit

PATH = "/admin/audit"
FILTERS = ("actor", "user", "device", "action", "face", "outcome", "since", "until")
#: In what the log can be ordered: as it was written.
SORTS = ("number",)

FACES = {
    Face.PAGE: "Pages", Face.API: "API", Face.CLI: "Command line", Face.SERVER: "The server by itself",
}
OUTCOMES = [("done", "Done"), ("other", "Refused or failed")]


async def show(visit: Visit) -> Response:
    asked: dict[str, Any] = {name: visit.text(name) for name in FILTERS}
    wrong = ""
    try:
        found, shown = await _found(visit, asked)
    except Invalid as error:
        wrong = str(error)
        asked |= {"since": "", "until": ""}
        found, shown = await _found(visit, asked)
    # Those that there are, and not those that occur: to find these, the whole log would be read for each page.
    names = sorted({name for name, one in ACTIONS.items() if one.changes} | {asked["action"]} - {""})
    kinds = sorted({name.partition(".")[0] for name in names if "." in name})
    return visit.render(
        "audit/log.html", 422 if wrong else 200, listing=shown, entries=found["entries"], asked=asked, wrong=wrong,
        actions=[("", "Any"), *((kind, f"All of {kind}") for kind in kinds), *((name, name) for name in names)],
        faces=[("", "Any"), *((face.value, words) for face, words in FACES.items())],
        outcomes=[("", "Any"), *OUTCOMES], in_words=audit.details_in_words,
        head=await AuditBook(visit.site.audit.run).head(),
    )


async def _found(visit: Visit, asked: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """What the filters leave, of the page that was asked for; a page beyond the end is the last one."""
    query = visit.request.query_params
    hoped = listing(PATH, query, FILTERS, SORTS, "-number", sys.maxsize)
    found = await audit.entries(visit.site, **asked, skip=hoped.offset, most=hoped.rows)
    shown = listing(PATH, query, FILTERS, SORTS, "-number", found["total"])
    if shown.offset != hoped.offset:
        found = await audit.entries(visit.site, **asked, skip=shown.offset, most=shown.rows)
    return found, shown


async def verify(visit: Visit) -> Response:
    """All of the log is read."""
    noted = visit.text("noted")
    found, wrong = None, ""
    try:
        found = await audit.verify(visit.site, noted=noted)
    except Invalid as error:
        wrong = f"This is no head: it looks like 17:ab12… ({error})"
    return visit.render("audit/verify.html", 422 if wrong else 200, found=found, noted=noted, wrong=wrong)


async def as_csv(visit: Visit) -> Response:
    async def text(batches: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[str]:
        yield _line(audit.COLUMNS)
        async for batch in batches:
            rows = ({**entry, "details": json.dumps(entry["details"], ensure_ascii=False)} for entry in batch)
            yield "".join(_line([cell(row[name]) for name in audit.COLUMNS]) for row in rows)

    return await _copy(visit, text, "text/csv; charset=utf-8", "audit.csv")


async def as_json(visit: Visit) -> Response:
    """An object a line."""
    async def text(batches: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[str]:
        async for batch in batches:
            yield "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in batch)

    return await _copy(visit, text, "application/x-ndjson", "audit.json")


async def _copy(visit: Visit, text: Any, media_type: str, name: str) -> Response:
    asked = {key: visit.text(key) for key in ("actor", "user", "device", "action", "since", "until")}
    batches = await audit.export(visit.site, **asked)
    return StreamingResponse(
        text(batches), media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _line(cells: Any) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


async def of_device(visit: Visit) -> Response:
    """What was done to one device, and what it read and wrote by day."""
    who, device = visit.request.path_params["who"], visit.request.path_params["device"]
    found = await audit.of_device(visit.site, who, device)
    return visit.render(
        "audit/device.html", who=who, device=device, entries=found["entries"], days=found["days"], counts=COUNTS,
        in_words=audit.details_in_words,
    )


#: Counters of a day and their headings; those of items come in pairs, to the device and from it.
COUNTS = (
    ("requests", "Requests"), ("errors", "Errors"), ("bytes_out", "Bytes out"), ("bytes_in", "Bytes in"),
    ("email", "Mails"), ("calendar", "Appointments"), ("contacts", "Contacts"), ("tasks", "Tasks"), ("notes", "Notes"),
)

PAGES = (
    Page(path=PATH, handler=show, permission=Permission.AUDIT, menu="Audit log"),
    Page(path=f"{PATH}/verify", handler=verify, permission=Permission.AUDIT),
    Page(path=f"{PATH}.csv", handler=as_csv, permission=Permission.AUDIT),
    Page(path=f"{PATH}.json", handler=as_json, permission=Permission.AUDIT),
    Page(path=f"{PATH}/devices/{{who}}/{{device}}", handler=of_device, permission=Permission.AUDIT),
)

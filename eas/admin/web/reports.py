"""Reports as tables, files, and a summary of the month that can be mailed."""

from __future__ import annotations

import json
from collections.abc import Sequence

from starlette.responses import Response

from eas.admin.acting import Permission
from eas.admin.errors import Invalid, NotFound
from eas.admin.reports import DAYS, REPORTS, mail_monthly, monthly, rows_of
from eas.admin.sheet import as_csv

from .devices import a_file
from .listing import listing
from .visits import Page, Visit

PATH = "/admin/reports"


async def show(visit: Visit) -> Response:
    return visit.render("reports/list.html", reports=REPORTS, month=await monthly(visit.site), days=DAYS)


async def one(visit: Visit) -> Response:
    name, _, form = visit.request.path_params["name"].partition(".")
    if name not in REPORTS or form not in ("", "csv", "json"):
        raise NotFound("There is no such report.")
    report, days = REPORTS[name], _days(visit)
    rows = await rows_of(visit.site, name, days)
    if form == "csv":
        return a_file(as_csv(report.columns, rows), "text/csv; charset=utf-8", f"{name}.csv")
    if form == "json":
        return a_file(json.dumps(rows, indent=1), "application/json", f"{name}.json")
    columns = report.columns
    shown = listing(f"{PATH}/{name}", visit.request.query_params, ("days",), columns, columns[0], len(rows))
    if visit.text("sort"):
        rows = sorted(rows, key=lambda row: _key(row.get(shown.sort)), reverse=shown.descending)
    return visit.render(
        "reports/report.html", name=name, report=report, listing=shown, days=days,
        rows=rows[shown.offset : shown.offset + shown.rows],
    )


async def mail(visit: Visit) -> Response:
    to = visit.text("to").replace(",", " ").split()
    if not to or not all("@" in address for address in to):
        raise Invalid("Write the addresses to which the summary is to go, with blanks between them.")
    sent = await mail_monthly(visit.site, to=to)
    return visit.redirect(PATH, _said(to, sent))


def _said(to: Sequence[str], sent: Sequence[str]) -> str:
    left = [address for address in to if address not in sent]
    said = f"The summary is on its way to {', '.join(sent)}." if sent else ""
    return f"{said} It could not be handed over for {', '.join(left)}: see the server's log.".strip() if left else said


def _days(visit: Visit) -> int:
    text = visit.text("days")
    return min(int(text), 3650) if text.isascii() and text.isdigit() and len(text) < 6 else DAYS


def _key(value: object) -> tuple[int, float, str]:
    """Numbers before texts, nothing first."""
    if isinstance(value, int | float):
        return 1, float(value), ""
    return (0, 0.0, "") if value is None else (2, 0.0, str(value).casefold())


PAGES = (
    Page(path=PATH, handler=show, permission=Permission.SEE, menu="Reports"),
    Page(path=f"{PATH}/mail", handler=mail, permission=Permission.RULE, methods=("POST",)),
    Page(path=f"{PATH}/{{name}}", handler=one, permission=Permission.SEE),
)

"""The first page of /admin: the fleet at one look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from markupsafe import Markup
from starlette.responses import Response

from eas.admin.acting import Permission
from eas.admin.condition_names import ABOUT, Name, Severity
from eas.admin.conditions import Finding
from eas.admin.health import recent
from eas.admin.overview import overview

from . import charts
from .visits import Page, Visit

#: Spans that the page can show: (hours, days, what stands on the link).
SPANS = ((24, 30, "A day and a month"), (24 * 7, 90, "A week and a quarter"))


#: How a badge looks.
KINDS = {Severity.CRITICAL: "bad", Severity.WARNING: "warn", Severity.INFO: "info"}


class Picture(NamedTuple):
    """A chart of one of the series: `named` says the names of the series for people."""

    series: str
    title: str
    description: str
    draw: charts.Draw
    unit: str = ""
    named: Callable[[str], str] = str


PICTURES = (
    Picture("kinds", "Devices by kind", "How many devices asked on each day, by kind.", charts.areas),
    Picture(
        "versions", "Devices by version", "How many devices asked on each day, by version of ActiveSync.", charts.areas,
        named=lambda version: f"EAS {version}" if version[:1].isdigit() else version,
    ),
    Picture("requests", "Requests", "How many requests came in each hour, by command.", charts.columns),
    Picture("errors", "Errors", "How many requests were refused or failed in each hour.", charts.columns),
    Picture(
        "push", "Time until news arrive", "Seconds from a change being seen to the answer of the phone that waited: "
        "half of them took at most the lower line, 95 of 100 the upper one.", charts.lines, "s",
        lambda name: f"{name} within",
    ),
    Picture("held", "Phones that wait", "How many phones were held waiting for news, on the average of the hour.",
            charts.lines),
)


async def home(visit: Visit) -> Response:
    wanted = visit.text("span")
    hours, days, _ = next((span for span in SPANS if str(span[0]) == wanted), SPANS[0])
    told = await overview(visit.site, hours=hours, days=days)
    findings = (await recent(visit.site)).findings
    return visit.render(
        "admin/home.html", told=told, amiss=_amiss(findings.values()), spans=SPANS, hours=hours,
        pictures=[(one, drawn(one, told["series"][one.series])) for one in PICTURES],
    )


def _amiss(findings: Iterable[Sequence[Finding]]) -> list[dict[str, Any]]:
    """What is amiss with how many devices, the worst and the most frequent first; what is only worth knowing last."""
    counts: Counter[Name] = Counter()
    severity: dict[Name, Severity] = {}
    for several in findings:
        for one in several:
            counts[one.name] += 1
            severity[one.name] = max(severity.get(one.name, Severity.INFO), one.severity, key=list(Severity).index)
    order = sorted(counts, key=lambda name: (-list(Severity).index(severity[name]), -counts[name]))
    return [
        {
            "name": name.value, "count": counts[name], "kind": KINDS[severity[name]], "title": ABOUT[name].title,
            "means": ABOUT[name].means,
        }
        for name in order
    ]


def drawn(picture: Picture, series: Mapping[str, Any]) -> Markup:
    return picture.draw(charts.Chart(
        title=picture.title, description=picture.description, unit=picture.unit,
        labels=[label_of(one) for one in series["labels"]],
        series=[
            charts.Series(name=picture.named(name), values=values)
            for name, values in series["values"].items()
        ],
    ))


def label_of(text: str) -> str:
    """Of a day "3 Nov", of an hour "14:00" (UTC), of midnight the day."""
    if "T" not in text:
        day = date.fromisoformat(text)
        return f"{day.day} {day:%b}"
    hour = datetime.fromisoformat(f"{text}:00")
    return f"{hour:%H:%M}" if hour.hour else f"{hour.day} {hour:%b}"


PAGES = (Page(path="/admin", handler=home, permission=Permission.SEE, menu="Overview"),)

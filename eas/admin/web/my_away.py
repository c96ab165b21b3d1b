"""The reply while the owner is away: the same that a phone sets. Times are those of the owner's zone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.responses import Response

from eas.admin import own_mail
from eas.admin.acting import Permission
from eas.admin.errors import Invalid
from eas.items.timezone import zone_or_utc

from .my import me
from .visits import Page, Visit

SAID = {
    "off": "Nobody gets an automatic reply now.", "on": "The reply goes out from now on, until you switch it off.",
    "between": "The reply goes out in the time that you gave.",
}


async def show(visit: Visit) -> Response:
    away = await own_mail.own_away(visit.site, me(visit))
    for edge in ("start", "end"):
        away[edge] = _local(away[edge], away["zone"])
    return visit.render("my/away.html", away=away, wrong="")


async def save(visit: Visit) -> Response:
    zone = (await own_mail.own_away(visit.site, me(visit)))["zone"]
    typed = {name: visit.text(name) for name in ("state", "start", "end", "inside", "outside")}
    strangers = visit.text("strangers") == "1"
    try:
        await own_mail.set_own_away(visit.site, me(visit), own_mail.Away(
            state=typed["state"], start=_moment(typed["start"], zone), end=_moment(typed["end"], zone),
            inside=typed["inside"], outside=typed["outside"], strangers=strangers,
        ))
    except Invalid as error:
        away: dict[str, Any] = {**typed, "strangers": strangers, "zone": zone, "possible": True, "reason": ""}
        return visit.render("my/away.html", 422, away=away, wrong=str(error))
    return visit.redirect("/my/away", SAID[typed["state"]])


def _local(text: str, zone: str) -> str:
    """As a field of a form has it."""
    return f"{datetime.fromisoformat(text).astimezone(zone_or_utc(zone)):%Y-%m-%dT%H:%M}" if text else ""


def _moment(text: str, zone: str) -> str:
    """Raises Invalid."""
    if not text:
        return ""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone_or_utc(zone)).isoformat()
    except ValueError as error:
        raise Invalid(f"{text} is no time") from error


PAGES = (
    Page(path="/my/away", handler=show, permission=Permission.OWN, menu="Out of office"),
    Page(path="/my/away", handler=save, permission=Permission.OWN, methods=("POST",)),
)

"""Users with their devices: the list, and one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from eas.admin import actions, devices, policy_actions
from eas.admin.acting import Permission
from eas.admin.errors import ActionError
from eas.backends.embedded.roll import Enrolled, roll

from .listing import listing
from .visits import Page, Visit
from .words import segment

PATH = "/admin/users"
FILTERS = ("q", "has")
_NEVER = datetime.min.replace(tzinfo=UTC)

#: A user, the number of devices, and when one of them was last seen.
Line = tuple[Enrolled, int, datetime | None]

HAS: Mapping[str, tuple[str, Callable[[Line], bool]]] = {
    "devices": ("With devices", lambda line: line[1] > 0),
    "none": ("Without devices", lambda line: line[1] == 0),
    "off": ("ActiveSync off", lambda line: not line[0].activesync),
}
SORTS: Mapping[str, Callable[[Line], Any]] = {
    "name": lambda line: (line[0].name or line[0].login).casefold(), "address": lambda line: line[0].address,
    "devices": lambda line: line[1], "last_seen": lambda line: line[2] or _NEVER,
}


async def show(visit: Visit) -> Response:
    lines = await _lines(visit)
    words, has = visit.text("q").casefold().split(), visit.text("has")
    hits = [line for line in lines if _fits(line, words) and (has not in HAS or HAS[has][1](line))]
    shown = listing(PATH, visit.request.query_params, FILTERS, SORTS, "name", len(hits))
    hits.sort(key=SORTS[shown.sort], reverse=shown.descending)
    return visit.render(
        "users/list.html", listing=shown, users=hits[shown.offset : shown.offset + shown.rows], everything=len(lines),
        asked={name: visit.text(name) for name in FILTERS}, has=[(name, words) for name, (words, _) in HAS.items()],
    )


async def _lines(visit: Visit) -> list[Line]:
    counts: Counter[str] = Counter()
    seen: dict[str, datetime] = {}
    for row in await visit.site.store.fleet():
        counts[row.user_id] += 1
        if row.last_seen is not None:
            seen[row.user_id] = max(row.last_seen, seen.get(row.user_id, row.last_seen))
    people = await visit.site.groupware.read(roll)
    return [(one, counts[one.id], seen.get(one.id)) for one in people.values()]


def _fits(line: Line, words: list[str]) -> bool:
    text = f"{line[0].login} {line[0].address} {line[0].name}".casefold()
    return all(word in text for word in words)


async def one(visit: Visit) -> Response:
    who = visit.request.path_params["who"]
    user = await actions.user(visit.site, who)
    try:
        policy = str((await policy_actions.policy(visit.site, who)).get("name", ""))
    except ActionError:
        policy = ""
    return visit.render(
        "users/user.html", user=user, policy=policy, path_here=f"{PATH}/{segment(who)}",
        devices=devices.in_order(await devices.of_user(visit.site, who), "-last_seen"),
    )


async def switch(visit: Visit) -> Response:
    """ActiveSync on or off for a user."""
    who = visit.request.path_params["who"]
    on = visit.text("activesync") == "on"
    back = f"{PATH}/{segment(who)}"
    if not on and visit.text("sure") != "1":
        return visit.render("users/confirm.html", user=await actions.user(visit.site, who), back=back)
    await actions.set_user(visit.site, who, {"activesync": on})
    said = (
        "Phones of this user are let in again from their next request on." if on else
        "No phone of this user is let in any more; waits have been ended. What is on the phones stays on them."
    )
    return visit.redirect(back, said)


PAGES = (
    Page(path=PATH, handler=show, permission=Permission.SEE, menu="Users"),
    Page(path=f"{PATH}/{{who}}", handler=one, permission=Permission.SEE),
    Page(path=f"{PATH}/{{who}}/activesync", handler=switch, permission=Permission.RULE, methods=("POST",)),
)

"""Mail filters as a list and, one at a time, as a form. Without scripts: rows that are left empty do not count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from starlette.responses import Response

from eas.admin import own_mail
from eas.admin.acting import Permission
from eas.admin.errors import ActionError, Invalid, NotFound, Refused
from eas.engine.ports import Beside
from eas.items.mail_filters import MATCHES, Action, Condition, Do, Field, Filter, Match, dump

from .my import me
from .visits import Page, Visit

FIELD_WORDS: Mapping[Field, str] = {
    Field.FROM: "From", Field.TO: "To", Field.CC: "Cc", Field.RECIPIENT: "To or Cc", Field.SUBJECT: "Subject",
    Field.HEADER: "Another header field", Field.TEXT: "Text", Field.SIZE: "Size", Field.ATTACHMENT: "Attachment",
}
MATCH_WORDS: Mapping[Match, str] = {
    Match.CONTAINS: "contains", Match.CONTAINS_NOT: "does not contain", Match.IS: "is", Match.IS_NOT: "is not",
    Match.BEGINS: "begins with", Match.BEGINS_NOT: "does not begin with", Match.ENDS: "ends with",
    Match.ENDS_NOT: "does not end with", Match.OVER: "is more than (kB)", Match.UNDER: "is less than (kB)",
    Match.THERE: "is there", Match.MISSING: "is not there",
}
#: Empty rows below those that are filled in.
SPARE = 2
NEW = "new"


async def show(visit: Visit) -> Response:
    state = await own_mail.own_filters(visit.site, me(visit))
    if not state["possible"]:
        return visit.render("my/filters.html", state=state, lines=[], seen="")
    filters = filters_of(state)
    lines = [_line(one, state["targets"]) for one in filters]
    return visit.render("my/filters.html", state=state, lines=lines, seen=_mark(filters))


def _line(one: Filter, targets: Mapping[str, str]) -> dict[str, Any]:
    """A filter in a sentence."""
    conditions = [_condition(c) for c in one.conditions]
    joined = (" and " if one.every else " or ").join(conditions)
    return {
        "name": one.name, "on": one.on, "when": joined or "every message",
        "then": ", ".join(_action(a, targets) for a in one.in_order()),
        "gone": [a.value for a in one.actions if a.do in (Do.MOVE, Do.COPY) and a.value not in targets],
    }


def _condition(one: Condition) -> str:
    field = one.header if one.field is Field.HEADER else FIELD_WORDS[one.field].lower()
    if one.field is Field.SIZE:
        return f"{field} is {'more' if one.match is Match.OVER else 'less'} than {one.value} kB"
    value = f" “{one.value}”" if one.value else ""
    return f"{field} {MATCH_WORDS[one.match]}{value}"


_DONE: Mapping[Do, str] = {
    Do.READ: "mark as read", Do.FLAG: "flag", Do.COPY: "copy to {}", Do.FORWARD: "forward to {}", Do.MOVE: "move to {}",
    Do.DELETE: "delete", Do.STOP: "ask no further filter",
}


def _action(one: Action, targets: Mapping[str, str]) -> str:
    return _DONE[one.do].format(targets.get(one.value, one.value))


async def edit(visit: Visit) -> Response:
    state, filters, number = await _meant(visit)
    one = filters[number] if number is not None else Filter(name="", actions=(Action(do=Do.STOP),))
    return _form(visit, state, filters, one)


def _form(
    visit: Visit, state: Mapping[str, Any], filters: Sequence[Filter], one: Filter, status: int = 200, wrong: str = ""
) -> Response:
    offered = [Field(field) for field in state["fields"]]
    choices = [
        (FIELD_WORDS[field], [(f"{field}:{m}", f"{FIELD_WORDS[field]} {MATCH_WORDS[m]}") for m in MATCHES[field]])
        for field in offered
    ]
    rows = [(f"{c.field}:{c.match}", c.value, c.header) for c in one.conditions]
    given: dict[str, list[str]] = {do.value: [a.value for a in one.actions if a.do is do] for do in Do}
    targets = dict(sorted(state["targets"].items(), key=lambda item: item[1].casefold()))
    for value in (*given["move"], *given["copy"]):
        targets.setdefault(value, f"{value} (not there any more)")
    return visit.render(
        "my/filter.html", status, one=one, choices=choices, rows=[*rows, *[("", "", "")] * SPARE], given=given,
        targets=list(targets.items()), actions=state["actions"], wrong=wrong, seen=_mark(filters),
        number=visit.request.path_params["number"],
    )


async def save(visit: Visit) -> Response:
    state, filters, number = await _meant(visit)
    one = typed(visit)
    _check_seen(visit, filters)
    changed = [*filters, one] if number is None else [*filters[:number], one, *filters[number + 1 :]]
    try:
        await _write(visit, state, changed)
    except (Invalid, Refused) as error:
        return _form(visit, state, filters, one, 422, str(error))
    return visit.redirect("/my/filters", f"The filter “{one.name}” is saved, for messages that come from now on.")


def typed(visit: Visit) -> Filter:
    """What stands in the form, right or wrong."""
    conditions = []
    for what, value, header in zip(visit.texts("what"), visit.texts("value"), visit.texts("header"), strict=False):
        field, _, match = what.partition(":")
        if field in Field.__members__.values() and match in Match.__members__.values():
            named = header.strip() if field == Field.HEADER.value else ""
            said = "" if field == Field.ATTACHMENT.value else value.strip()
            conditions.append(Condition(field=Field(field), match=Match(match), value=said, header=named))
    actions = [Action(do=do) for do in (Do.READ, Do.FLAG, Do.DELETE, Do.STOP) if visit.text(do.value) == "1"]
    actions += [Action(do=do, value=v) for do in (Do.MOVE, Do.COPY) for v in visit.texts(do.value) if v]
    actions += [Action(do=Do.FORWARD, value=v) for v in visit.text("forward").replace(",", " ").split()]
    return Filter(
        name=visit.text("name"), on=visit.text("on") == "1", every=visit.text("every") != "0",
        conditions=tuple(conditions), actions=tuple(actions),
    )


async def do(visit: Visit) -> Response:
    """What the buttons of the list do."""
    state, filters, number = await _meant(visit)
    _check_seen(visit, filters)
    if number is None:
        raise NotFound("There is no such filter.")
    one, changed = filters[number], list(filters)
    match visit.text("do"):
        case "on" | "off" as way:
            changed[number] = replace(one, on=way == "on")
        case "up" | "down" as way:
            changed.insert(max(0, number + (-1 if way == "up" else 1)), changed.pop(number))
        case "delete":
            del changed[number]
        case _:
            raise Invalid("There is no such button.")
    await _write(visit, state, changed)
    return visit.redirect("/my/filters", f"Done: “{one.name}”.")


async def choose(visit: Visit) -> Response:
    """What runs of ours and of the filters that another program made."""
    state = await own_mail.own_filters(visit.site, me(visit))
    filters, other = filters_of(state), visit.text("other")
    try:
        beside = Beside(visit.text("beside"))
    except ValueError as error:
        raise Invalid("Choose one of the three.") from error
    await own_mail.set_own_filters(visit.site, me(visit), filters, beside=beside, other=other)
    return visit.redirect("/my/filters", {
        Beside.ONLY: "Only the filters of this page run now. The others are kept.",
        Beside.BOTH: "Both run now: the filters of this page first.",
        Beside.INSTEAD: "Only the filters of the other program run now. Those of this page are kept.",
    }[beside])


async def _meant(visit: Visit) -> tuple[dict[str, Any], list[Filter], int | None]:
    """The state, the filters, and which of them the path names, None for a new one. Raises NotFound, Refused."""
    state = await own_mail.own_filters(visit.site, me(visit))
    if not state["possible"]:
        raise Refused(state["reason"])
    filters, number = filters_of(state), visit.request.path_params["number"]
    if number == NEW:
        return state, filters, None
    if not number.isascii() or not number.isdigit() or len(number) > 4 or int(number) >= len(filters):
        raise NotFound("There is no such filter.")
    return state, filters, int(number)


async def _write(visit: Visit, state: Mapping[str, Any], filters: Sequence[Filter]) -> None:
    other = state["other"]["name"] if state["other"] else ""
    await own_mail.set_own_filters(
        visit.site, me(visit), filters, beside=Beside(state["beside"]), other=other
    )


def _check_seen(visit: Visit, filters: Sequence[Filter]) -> None:
    """Raises ActionError where they are others by now than those that the form was made of."""
    if visit.text("seen") != _mark(filters):
        raise ActionError("The filters were changed meanwhile, somewhere else. Nothing was done: load the page again.")


def _mark(filters: Sequence[Filter]) -> str:
    return sha256(dump(filters).encode()).hexdigest()[:16]


def filters_of(state: Mapping[str, Any]) -> list[Filter]:
    return [
        Filter(
            name=one["name"], on=one["on"], every=one["every"],
            conditions=tuple(Condition(**c) for c in one["conditions"]),
            actions=tuple(Action(**a) for a in one["actions"]),
        ) for one in state.get("filters", ())
    ]


PAGES = (
    Page(path="/my/filters", handler=show, permission=Permission.OWN, menu="Mail filters"),
    Page(path="/my/filters/beside", handler=choose, permission=Permission.OWN, methods=("POST",)),
    Page(path="/my/filters/{number}", handler=edit, permission=Permission.OWN),
    Page(path="/my/filters/{number}", handler=save, permission=Permission.OWN, methods=("POST",)),
    Page(path="/my/filters/{number}/do", handler=do, permission=Permission.OWN, methods=("POST",)),
)

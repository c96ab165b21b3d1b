"""What owners set for their mailbox: filters, and the reply while they are away. The same that phones set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from eas.engine.errors import NotAllowed
from eas.engine.model import Audience, OofReply, OutOfOffice
from eas.engine.ports import Beside
from eas.items.mail_filters import Do, Filter, faults
from eas.items.markup import text_of_html

from .acting import Permission, action
from .errors import Invalid
from .mailboxes import allowed, own_mailbox, owner_of
from .site import Site

#: Characters of a reply.
MAX_REPLY = 32_000


@action("own.filters", Permission.OWN, http=("GET", "/users/{who}/own/filters"))
async def own_filters(site: Site, who: str) -> dict[str, Any]:
    """As `eas.engine.ports.FilterState`, with `possible` false where nothing filters, and why in `reason`."""
    mailbox = await own_mailbox(site)
    try:
        state = await (await mailbox.filters()).read()
    except NotAllowed as error:
        return {"possible": False, "reason": str(error)}
    plain = asdict(state)
    return {
        **plain, "possible": True, "reason": "", "fields": [one.value for one in state.fields],
        "actions": [one.value for one in state.actions], "beside": state.beside.value, "others": list(state.others),
        "filters": [asdict(one) for one in state.filters],
    }


@action("own.set-filters", Permission.OWN, http=("PUT", "/users/{who}/own/filters"), secret=("filters", "other"))
async def set_own_filters(
    site: Site, who: str, filters: Sequence[Filter], *, beside: Beside = Beside.ONLY, other: str = ""
) -> None:
    """All of them, in the order in which they are asked. `other` is the script of another program that runs beside
    them, or in their place."""
    if wrong := faults(filters):
        raise Invalid("; ".join(wrong[:3]))
    user = await owner_of(site)
    own = {address.casefold() for address in user.addresses}
    for one in filters:
        if any(action.do is Do.FORWARD and action.value.casefold() in own for action in one.actions):
            raise Invalid(f"filter “{one.name}” forwards to this mailbox itself")
    assert site.accounts is not None
    with allowed():
        await (await site.accounts.open(user)[0].filters()).write(filters, beside, other)


# Away -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """`state` is off, on, or between (`start` and `end`, ISO with a zone; "" for none). `outside` "" says nothing to
    people outside; `strangers`: also to those who are not in the contacts."""

    state: str = "off"
    start: str = ""
    end: str = ""
    inside: str = ""
    outside: str = ""
    strangers: bool = True


_STATES = ("off", "on", "between")


@action("own.away", Permission.OWN, http=("GET", "/users/{who}/own/away"))
async def own_away(site: Site, who: str) -> dict[str, Any]:
    """The reply as plain text. `zone` is the owner's, `possible` whether a reply can be set at all."""
    user = await owner_of(site)
    assert site.accounts is not None
    try:
        found = await site.accounts.open(user)[0].out_of_office()
    except NotAllowed as error:
        return {**asdict(Away()), "zone": user.zone, "possible": False, "reason": str(error)}
    return {**asdict(_shown(found)), "zone": user.zone, "possible": True, "reason": ""}


def _shown(value: OutOfOffice) -> Away:
    known, unknown = (value.replies.get(one) for one in (Audience.EXTERNAL_KNOWN, Audience.EXTERNAL_UNKNOWN))
    outer = known if known is not None and known.text else unknown
    return Away(
        state=_STATES[value.state], start=value.start.isoformat() if value.start else "",
        end=value.end.isoformat() if value.end else "", inside=_text(value.replies.get(Audience.INTERNAL)),
        outside=_text(outer), strangers=bool(unknown is None or unknown.enabled or not value.state),
    )


def _text(reply: OofReply | None) -> str:
    if reply is None:
        return ""
    return (text_of_html(reply.text) if reply.html else reply.text).strip()


@action("own.set-away", Permission.OWN, http=("PUT", "/users/{who}/own/away"), secret=("away",))
async def set_own_away(site: Site, who: str, away: Away) -> None:
    value = _value(away)
    mailbox = await own_mailbox(site)
    with allowed():
        await mailbox.set_out_of_office(value)


def _value(away: Away) -> OutOfOffice:
    """Raises Invalid."""
    if away.state not in _STATES:
        raise Invalid("on, off or between two times")
    if max(len(away.inside), len(away.outside)) > MAX_REPLY:
        raise Invalid(f"a reply has at most {MAX_REPLY} letters")
    start, end = _moment(away.start), _moment(away.end)
    if away.state == "between" and (start is None or end is None or start >= end):
        raise Invalid("say from when to when you are away; the end comes after the beginning")
    if away.state != "off" and not away.inside.strip() and not away.outside.strip():
        raise Invalid("write what is to be answered")

    def reply(text: str, *, given: bool = True) -> OofReply:
        return OofReply(enabled=away.state != "off" and given and bool(text.strip()), text=text.strip())

    between = away.state == "between"
    return OutOfOffice(
        state=_STATES.index(away.state), start=start if between else None, end=end if between else None,
        replies={
            Audience.INTERNAL: reply(away.inside), Audience.EXTERNAL_KNOWN: reply(away.outside),
            Audience.EXTERNAL_UNKNOWN: reply(away.outside, given=away.strangers),
        },
    )


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise Invalid(f"{text} is no time") from error
    if found is not None and found.tzinfo is None:
        raise Invalid(f"{text} has no time zone")
    return found



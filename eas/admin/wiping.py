"""Wipes: asked for by the owner or by staff, agreed to by a second person where that is the rule, cancelled, and what
became of them. Who is concerned hears of it by mail.

An owner may wipe the own phones and take that back; what staff has asked for only staff takes back, for whoever holds a
stolen phone may know the owner's password.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from eas.backends.embedded import admin as embedded
from eas.engine.model import Device, Wipe
from eas.engine.wipes import OPEN, UNDER_WAY, NoSuchTurn, Order, Stage, Turn, may_approve
from eas.protocol.version import ACCOUNT_ONLY_WIPE, Version
from eas.store import wipes as stored

from .acting import Permission, Role, action
from .actions import _find_device, _people
from .errors import Forbidden, Invalid, NotFound, Refused
from .site import Site

#: Characters of what is said with a wipe.
MAX_NOTE = 200

#: What is wiped, in a sentence.
WHAT = {True: "what it has of this account", False: "the whole phone"}


@action(
    "device.wipe", Permission.OWN, staff=Permission.WIPE, http=("POST", "/users/{who}/devices/{device_id}/wipe")
)
async def wipe_device(
    site: Site, who: str, device_id: str, *, account_only: bool = False, note: str = ""
) -> dict[str, Any]:
    """Have a phone erase itself at its next request: all of it, or what it has of this account.

    The order that is open then. It waits for a second person where that is the rule and somebody else's phone is meant.
    Raises Refused for a device that knows no wipe of the account alone.
    """
    user_id, found = await _find_device(site, who, device_id)
    if account_only and not _knows_account_only(found):
        raise Refused(
            f"{device_id} speaks {found.version}: only devices that speak {ACCOUNT_ONLY_WIPE.since.text} can wipe the "
            "account alone; any other can be wiped whole, or blocked"
        )
    if len(note) > MAX_NOTE:
        raise Invalid(f"The note has {len(note)} characters; at most {MAX_NOTE} are kept.")
    before = await site.store.wipes.orders(user_id, device_id, UNDER_WAY)
    if before and account_only and not before[0].account_only:
        raise Refused(f"a wipe of the whole of {device_id} is under way; cancel it first")
    now, by = datetime.now(UTC), site.caller
    order = await site.store.wipes.ask(stored.wanted(
        user_id, device_id, account_only, now, by=by.name, role=_role(site, user_id), note=note,
        expires=site.wiping.waits_until(now, by_owner=_is_owner(site, user_id)),
    ))
    if order.stage in UNDER_WAY:
        site.tell({"do": "end", "user": user_id, "device": device_id})
    if order.id not in {one.id for one in before} and order.asked == now:
        await tell(site, "asked" if order.stage in UNDER_WAY else "waiting", order, found)
    return await _shown(site, order)


@action(
    "device.cancel-wipe", Permission.OWN, staff=Permission.WIPE,
    http=("DELETE", "/users/{who}/devices/{device_id}/wipe"),
)
async def cancel_wipe(site: Site, who: str, device_id: str) -> None:
    """Take back a wipe that has not been carried out. One that the phone has heard of may happen all the same."""
    user_id, found = await _known(site, who, device_id)
    orders = await site.store.wipes.orders(user_id, device_id, OPEN)
    if not orders and (found is None or found.wipe in (Wipe.NONE, Wipe.DONE)):
        raise Refused(f"no wipe of {device_id} is pending")
    _check_owner(site, user_id, orders, found)
    ended = await site.store.wipes.release(user_id, device_id, Turn.CANCEL, site.caller.name)
    if ended is not None and any(order.stage in UNDER_WAY for order in orders):
        await tell(site, "cancelled", ended, found)


@action(
    "device.readmit", Permission.OWN, staff=Permission.TEND,
    http=("POST", "/users/{who}/devices/{device_id}/readmit"),
)
async def readmit_device(site: Site, who: str, device_id: str) -> None:
    """Let a phone that was wiped set up the account again."""
    user_id, found = await _known(site, who, device_id)
    orders = await site.store.wipes.orders(user_id, device_id, (Stage.DONE,))
    if not orders and (found is None or found.wipe is not Wipe.DONE):
        raise Refused(f"{device_id} was not wiped, or is allowed again already")
    _check_owner(site, user_id, orders, found)
    await site.store.wipes.release(user_id, device_id, Turn.READMIT, site.caller.name)


@action(
    "wipe.approve", Permission.WIPE, http=("POST", "/users/{who}/devices/{device_id}/wipe/approve")
)
async def approve_wipe(site: Site, who: str, device_id: str, *, number: int = 0) -> dict[str, Any]:
    """Agree to a wipe that somebody else has asked for. `number` is that of the order which was looked at, lest it is
    another one by now; 0 for whichever waits. Raises Forbidden for whoever has asked for it."""
    user_id, order = await _waiting(site, who, device_id, number)
    if not may_approve(order, site.caller.name) or await _is_same_person(site, order):
        raise Forbidden("Somebody else has to agree: you have asked for this wipe yourself.")
    approved = await _decide(site, order, Turn.APPROVE)
    site.tell({"do": "end", "user": user_id, "device": device_id})
    await tell(site, "asked", approved, await site.store.device(user_id, device_id))
    return await _shown(site, approved)


@action(
    "wipe.decline", Permission.WIPE, http=("POST", "/users/{who}/devices/{device_id}/wipe/decline")
)
async def decline_wipe(site: Site, who: str, device_id: str, *, number: int = 0) -> dict[str, Any]:
    """Say no to a wipe that waits for a second person; whoever asked for it may do so, too."""
    user_id, order = await _waiting(site, who, device_id, number)
    declined = await _decide(site, order, Turn.DECLINE)
    await tell(site, "declined", declined, await site.store.device(user_id, device_id))
    return await _shown(site, declined)


@action("wipe.list", Permission.SEE, http=("GET", "/wipes"))
async def wipes(site: Site, *, waiting: bool = False, open: bool = False, most: int = 200) -> list[dict[str, Any]]:
    """Newest first; with `waiting` those that want a second person, with `open` those that are not over."""
    among = (Stage.WAITING,) if waiting else tuple(OPEN) if open else tuple(Stage)
    orders = await site.store.wipes.orders(among=among, most=max(1, min(most, 1000)))
    names = {account.id: account.login for account in await site.people.users()} if orders else {}
    shown = [_order(order, names.get(order.user_id, order.user_id)) for order in orders]
    return [one for one in shown if not (waiting or open) or one["state"] not in (Stage.EXPIRED, "expired")]


@action(
    "wipe.of-device", Permission.OWN, staff=Permission.SEE, http=("GET", "/users/{who}/devices/{device_id}/wipes")
)
async def device_wipes(site: Site, who: str, device_id: str) -> list[dict[str, Any]]:
    """All wipes of one phone, newest first."""
    user_id, _ = await _known(site, who, device_id)
    return [_order(order, who) for order in await site.store.wipes.orders(user_id, device_id)]


# Who, and what ------------------------------------------------------------------------------------------------------


def _knows_account_only(found: Device) -> bool:
    return any(version.text == found.version for version in Version if version in ACCOUNT_ONLY_WIPE)


def _is_owner(site: Site, user_id: str) -> bool:
    return bool(site.caller.user_id) and site.caller.user_id == user_id


def _role(site: Site, user_id: str) -> str:
    """As what somebody asks: of the own phone everybody is the owner."""
    return Role.OWNER.value if _is_owner(site, user_id) else site.caller.role.value


def _check_owner(site: Site, user_id: str, orders: Any, found: Device | None) -> None:
    """Raises Forbidden where an owner would undo what staff has asked for."""
    if site.caller.may(Permission.TEND):
        return
    if not orders or any(order.asked_role != Role.OWNER for order in orders):
        raise Forbidden("Your administrator has asked for this wipe; only they can take it back.")


async def _known(site: Site, who: str, device_id: str) -> tuple[str, Device | None]:
    """A user's id, and the partnership if there is one still: an order may outlive it. Raises NotFound."""
    async with _people(site) as people:
        user_id = (await people.user(who)).id
    found = await site.store.device(user_id, device_id)
    if found is None and not await site.store.wipes.orders(user_id, device_id, most=1):
        raise NotFound(f"{who} has no device {device_id}")
    return user_id, found


async def _waiting(site: Site, who: str, device_id: str, number: int) -> tuple[str, Order]:
    user_id, _ = await _known(site, who, device_id)
    now = datetime.now(UTC)
    orders = await site.store.wipes.orders(user_id, device_id, (Stage.WAITING,))
    fitting = [order for order in orders if order.stands(now) is Stage.WAITING and number in (0, order.id)]
    if not fitting:
        raise Refused(f"no wipe of {device_id} waits for a second person: it was decided, or its time is over")
    return user_id, fitting[0]


async def _is_same_person(site: Site, order: Order) -> bool:
    """One mailbox under two names is one person."""
    if not site.caller.user_id:
        return False
    try:
        return (await site.people.user(order.asked_by)).id == site.caller.user_id
    except embedded.AdminError:
        return False


async def _decide(site: Site, order: Order, turn: Turn) -> Order:
    try:
        decided = await site.store.wipes.decide(order.id, turn, site.caller.name)
    except NoSuchTurn as error:
        raise Refused(f"no longer possible: {error}") from error
    if decided is None:
        raise NotFound(f"no wipe {order.id}")
    return decided


async def _shown(site: Site, order: Order) -> dict[str, Any]:
    return _order(order, (await site.people.user(order.user_id)).login)


def _order(order: Order, login: str) -> dict[str, Any]:
    def moment(at: datetime | None) -> str | None:
        return at.isoformat() if at is not None else None

    return {
        "number": order.id, "user": login, "device": order.device_id, "account_only": order.account_only,
        "state": order.stands(datetime.now(UTC)).value, "asked_by": order.asked_by, "asked_role": order.asked_role,
        "asked": moment(order.asked), "note": order.note, "expires": moment(order.expires),
        "decided_by": order.decided_by, "decided": moment(order.decided), "sent": moment(order.sent),
        "ended_by": order.ended_by, "ended": moment(order.ended),
    }


# Who hears of it ----------------------------------------------------------------------------------------------------

#: Of what the owner hears, and of what those who look after phones hear, by the names of texts.
OWNER_HEARS = frozenset({"asked", "done", "failed", "cancelled"})


async def tell(site: Site, what: str, order: Order, device: Device | None) -> None:
    """Mail to whom it concerns, without waiting for it."""
    try:
        account = await site.people.user(order.user_id)
    except embedded.AdminError:
        return
    values = {
        "phone": phone_in_words(order.device_id, device), "device": order.device_id, "owner": account.address,
        "what": WHAT[order.account_only], "by": order.asked_by or "somebody", "note": order.note or "nothing",
        "decided_by": order.decided_by or order.ended_by or "somebody",
        "until": f"{order.expires:%Y-%m-%d %H:%M} UTC" if order.expires is not None else "",
        "link": site.notices.link("/admin/wipes"), "my_link": site.notices.link("/my"),
    }
    if what in OWNER_HEARS:
        site.notices.tell([account.address], f"wipe_{what}", **values)
    others = [one for one in site.notices.manner.admins if one.casefold() != account.address.casefold()]
    site.notices.tell(others, f"wipe_{what}_staff", **values)


def phone_in_words(device_id: str, device: Device | None) -> str:
    """As people know it: "iPhone 14 (ABC123)"."""
    known = "" if device is None else (device.information.get("FriendlyName") or device.information.get("Model") or "")
    return f"{known or (device.type if device is not None else '') or 'phone'} ({device_id})"

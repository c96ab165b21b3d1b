"""Moving in from another server: its partnerships become rows of our device table, so that the admin starts with a full
list, and with what was decided about each phone (blocked, to be wiped).

What the phones have synchronised is not taken over: their keys mean nothing here, so each synchronises its folders once
anew, without doubles. docs/move-in.md says what each product's state can give and what it cannot.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from eas.admin.acting import Permission, action
from eas.admin.errors import Invalid
from eas.admin.site import Site
from eas.backends.embedded.admin import Account
from eas.engine.model import Access, Device, Wipe
from eas.engine.partnership import wiped
from eas.store.moved_in import bare_id

from . import horde, sogo, zpush
from .dump import DumpError
from .found import Found, Reading

#: Of one import; beyond it, something else than a site's phones is read.
MAX_PARTNERSHIPS = 1_000_000
#: A device id as requests may have it, and ids that name no device.
_DEVICE = re.compile(r"[0-9A-Za-z._:{}-]{1,64}")
_NO_DEVICE = frozenset(("validate", "0"))

ALREADY = "is here already and was left alone"
TWICE = "stands here twice; the state that heard of it last was taken"


class Product(StrEnum):
    """Whose state is read."""

    ZPUSH = "zpush"
    SOGO = "sogo"
    HORDE = "horde"


TITLES: Mapping[Product, str] = {Product.ZPUSH: "Z-Push", Product.SOGO: "SOGo", Product.HORDE: "Horde"}
READERS: Mapping[Product, Callable[[Path], Reading]] = {
    Product.ZPUSH: zpush.read, Product.SOGO: sogo.read, Product.HORDE: horde.read,
}


@action("device.import", Permission.RULE)
async def import_devices(
    site: Site, product: Product, states: Sequence[Path], *, allow: bool = False, dry_run: bool = False
) -> dict[str, Any]:
    """Take over the partnerships in these states. What there was to each: `added` (with `dry_run`: what would be),
    `skipped` with the reason, `notes` on what was not taken over, `faults` in the states. With `allow` those that are
    not blocked there are let in by name, whatever the access rules say; else these decide. Raises Invalid if a state
    cannot be read; nothing is taken over then."""
    readings = [await asyncio.to_thread(_read, product, path) for path in states]
    found = [one for reading in readings for one in reading.found]
    if len(found) > MAX_PARTNERSHIPS:
        raise Invalid(f"more than {MAX_PARTNERSHIPS} partnerships")
    accounts = await site.people.users()
    logins = {account.id: account.login for account in accounts}
    held = {(one.user_id, bare_id(one.id)) for one in await site.store.devices()}
    new: list[tuple[Device, Found]] = []
    skipped = []
    for one, user, reason in _sorted_out(found, _Names(accounts), held):
        if user is None:
            skipped.append({"user": one.names[0], "device": one.device, "reason": reason})
        else:
            new.append((_device(one, user, product, allow), one))
    if not dry_run:
        added = {(one.user_id, one.id) for one in await site.store.add_devices([device for device, _ in new])}
        skipped += [
            {"user": logins[one.user_id], "device": one.id, "reason": ALREADY}
            for one, _ in new if (one.user_id, one.id) not in added
        ]
        new = [(device, one) for device, one in new if (device.user_id, device.id) in added]
    return {
        "product": product.value, "dry_run": dry_run, "added": [_told(device, logins) for device, _ in new],
        "skipped": skipped,
        "notes": [
            {"user": logins[device.user_id], "device": device.id, "note": note}
            for device, one in new for note in one.notes
        ],
        "faults": [fault for reading in readings for fault in reading.faults],
    }


def _read(product: Product, path: Path) -> Reading:
    """Raises Invalid."""
    try:
        return READERS[product](path)
    except DumpError as error:
        raise Invalid(str(error)) from error
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror or error}") from error


def _sorted_out(
    found: Sequence[Found], names: _Names, held: set[tuple[str, str]]
) -> Iterator[tuple[Found, str | None, str]]:
    """Each with the id of its user, or None and why it is skipped. A user's device that stands in several states is
    taken from the one that heard of it last."""
    taken = set(held)
    for one in sorted(found, key=lambda one: one.last_seen.timestamp() if one.last_seen else 0.0, reverse=True):
        user, reason = names.meant(one)
        if user is not None and (_DEVICE.fullmatch(one.device) is None or one.device.lower() in _NO_DEVICE):
            user, reason = None, "is no id of a device"
        elif user is not None and (key := (user, bare_id(one.device))) in taken:
            user, reason = None, ALREADY if key in held else TWICE
        elif user is not None:
            taken.add(key)
        yield one, user, reason


class _Names:
    """Who is meant by a name of another server: by login or address in any form, else by what stands before the @."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self._sure: dict[str, set[str]] = {}
        self._maybe: dict[str, set[str]] = {}
        for account in accounts:
            addresses = (account.address, *account.aliases)
            login = account.login if "@" in account.login else f"{account.login}@{account.domain}"
            for name in (account.login, login, *addresses):
                self._enter(self._sure, name, account.id)
                self._enter(self._maybe, name.partition("@")[0], account.id)

    @staticmethod
    def _enter(names: dict[str, set[str]], name: str, id: str) -> None:
        names.setdefault(name.casefold(), set()).add(id)
        names.setdefault(f"table {sogo.escaped(name)}", set()).add(id)

    def meant(self, found: Found) -> tuple[str | None, str]:
        """The user's id; or None, and why."""
        for known in (self._sure, self._maybe):
            for name in found.names:
                ids = known.get(self._key(found, name), set())
                if len(ids) == 1:
                    return next(iter(ids)), ""
                if ids:
                    return None, "more than one user here could be meant"
        return None, "no user of this name is known here"

    @staticmethod
    def _key(found: Found, name: str) -> str:
        if found.escaped:
            return f"table {name.lower()}"
        return (name.rpartition("\\")[2] or name).casefold()


def _device(found: Found, user_id: str, product: Product, allow: bool) -> Device:
    access = Access.BLOCKED if found.blocked else Access.ALLOWED if allow else Access.NONE
    said = {Access.BLOCKED: "blocked by", Access.ALLOWED: "taken over from"}.get(access)
    device = Device(
        user_id=user_id, id=found.device, type=found.type, agent=found.agent, version=found.version,
        first_seen=found.first_seen, last_seen=found.last_seen, information=dict(found.information),
        policy_key=found.policy_key, access=access, access_reason=f"{said} {TITLES[product]}" if said else "",
        wipe=found.wipe, wipe_at=found.wipe_at, wipe_account_only=found.wipe_account_only,
    )
    if found.wipe is not Wipe.DONE:
        return device
    return replace(device, policy_key="") if found.wipe_at is None else wiped(device, found.wipe_at)


def _told(device: Device, logins: Mapping[str, str]) -> dict[str, Any]:
    return {
        "user": logins[device.user_id], "device": device.id, "type": device.type,
        "model": device.information.get("Model", ""), "version": device.version,
        "last_seen": device.last_seen.isoformat() if device.last_seen else None, "access": device.access.value,
        "wipe": device.wipe.value, "policy_key": bool(device.policy_key),
    }


def reasons(skipped: Sequence[Mapping[str, Any]]) -> list[tuple[int, str]]:
    """How many were skipped for which reason, the most frequent first."""
    return [(count, reason) for reason, count in Counter(one["reason"] for one in skipped).most_common()]

"""All devices beside the policies: who has which, what another would do to them, and who has to be told of a change."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eas.backends.embedded.roll import Enrolled, memberships, roll
from eas.engine.foresight import LOCKED_OUT, MEANING, Foreseen, Foresight, Outcome, Standing, standing
from eas.engine.model import Device, Policy
from eas.engine.policybook import Book

from .site import Site

#: Where a policy is enforced and a device does not hold it.
UNMET = frozenset({Standing.PENDING, Standing.ASKED, Standing.CANNOT})
#: Why a setting is not told, for people.
WHY = {"version": "its version has no words for it", "family": "its family gives up the account over it"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Everything at one moment. `groups` by user's id, `people` too."""

    book: Book
    devices: Sequence[Device]
    groups: Mapping[str, Sequence[str]]
    people: Mapping[str, Enrolled]
    now: datetime

    def policy(self, device: Device, book: Book | None = None) -> Policy:
        """The one in force for it, in this book or another."""
        groups = self.groups.get(device.user_id, ())
        return (book or self.book).of(device.user_id, groups, device.id, self.now)

    def login(self, user_id: str) -> str:
        found = self.people.get(user_id)
        return found.login if found else user_id

    def address(self, user_id: str) -> str:
        found = self.people.get(user_id)
        return found.address if found else user_id


async def fleet_of(site: Site) -> Fleet:
    book, devices, groups, people = await asyncio.gather(
        site.store.policing.book(), site.store.policing.fleet(), site.groupware.read(memberships),
        site.groupware.read(roll),
    )
    return Fleet(book=book, devices=devices, groups=groups, people=people, now=datetime.now(UTC))


# What a policy would do ----------------------------------------------------------------------------------------------


def trial(fleet: Fleet, candidates: Iterable[tuple[Device, Policy]]) -> dict[str, Any]:
    """What each device would make of the policy beside it, and how many of each kind, worst first."""
    foresights: dict[int, Foresight] = {}
    rows, counts, settings = [], Counter[Outcome](), Counter[tuple[str, str]]()
    for device, policy in candidates:
        foresight = foresights.get(id(policy))
        if foresight is None:
            foresight = foresights[id(policy)] = Foresight(policy, fleet.now)
        found = foresight.of(device)
        counts[found.outcome] += 1
        settings.update(found.withheld.items())
        rows.append(_row(fleet, device, found))
    order = list(Outcome)
    rows.sort(key=lambda row: -order.index(row["outcome"]))
    return {
        "devices": len(rows), "locked_out": sum(counts[one] for one in LOCKED_OUT),
        "counts": {one.value: counts[one] for one in Outcome if counts[one]},
        "meaning": {one.value: MEANING[one] for one in Outcome if counts[one]},
        "withheld": [
            {"setting": name, "why": why, "devices": number} for (name, why), number in settings.most_common()
        ],
        "rows": rows,
    }


def _row(fleet: Fleet, device: Device, found: Foreseen) -> dict[str, Any]:
    return {
        "user": fleet.login(device.user_id), "address": fleet.address(device.user_id), "device": device.id,
        "type": device.type, "family": found.family, "version": device.version, "outcome": found.outcome,
        "why": in_words(found), "withheld": dict(found.withheld), "ignored": list(found.ignored),
        "warning": found.warning,
    }


def in_words(found: Foreseen) -> str:
    """Why, beyond what the outcome means; "" where there is nothing to add."""
    said = [
        f"{', '.join(name for name, why in found.withheld.items() if why == kind)}: {words}"
        for kind, words in WHY.items() if kind in found.withheld.values()
    ]
    if found.ignored:
        said.append(f"{found.family} takes and ignores {', '.join(found.ignored)}")
    return "; ".join(said)


# Telling --------------------------------------------------------------------------------------------------------------


def ask_again(site: Site, before: Fleet, book: Book) -> int:
    """End the waits of the devices for which something else is in force now, and that have to take it: their next
    request comes at once, and meets the gate. How many these are."""
    count = 0
    for device in before.devices:
        old, new = before.policy(device), before.policy(device, book)
        if old is not new and old != new and standing(device, new) in UNMET:
            site.tell({"do": "end", "user": device.user_id, "device": device.id})
            count += 1
    return count




def tell_expired(site: Site, fleet: Fleet, since: datetime) -> int:
    """End the waits of the devices whose own policy has ended since then. How many these are."""
    ended = [
        one for one in fleet.book.devices.values() if one.until is not None and since < one.until <= fleet.now
    ]
    for one in ended:
        site.tell({"do": "end", "user": one.user_id, "device": one.device_id})
    return len(ended)

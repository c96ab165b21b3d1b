"""A company's phones in a store, without the phones: users, partnerships of the families that there are, their days.

Made by a seeded generator, so that two runs are alike; written in bulk through the tables, because 200,000 requests
over HTTP would take minutes. Pages, reports and their measurements work on it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert

from eas.backends.embedded.codec import millis
from eas.backends.embedded.tables import AddressRow, UserRow
from eas.store.tables import device

DOMAIN = "example.test"
#: The moment of reading in tests and pictures, unless told otherwise.
FIRST = (
    "Mia",
    "Jonas",
    "Emma",
    "Luca",
    "Sofia",
    "Noah",
    "Lea",
    "Elias",
    "Clara",
    "Paul",
    "Ida",
    "Max",
    "Nora",
    "Oskar",
    "Alma",
)
LAST = (
    "Arnold",
    "Berger",
    "Costa",
    "Dietz",
    "Ek",
    "Fontaine",
    "Graf",
    "Holm",
    "Iversen",
    "Jansen",
    "Keller",
    "Lindt",
    "Moreau",
    "Novak",
    "Olsen",
    "Petit",
    "Quist",
    "Roth",
    "Silva",
    "Thoma",
    "Urban",
    "Vogel",
    "Weber",
    "Ziegler",
)


class Make(NamedTuple):
    """`weight`: how many of a hundred phones. `versions` of EAS, the usual one first."""

    weight: int
    type: str
    agents: Sequence[str]
    models: Sequence[tuple[str, str]]
    systems: Sequence[str]
    versions: Sequence[str]


MAKES = (
    Make(
        34,
        "iPhone",
        ("Apple-iPhone15C2/2203.52", "Apple-iPhone16C1/2205.64"),
        (("iPhone15C2", "iPhone 14 Pro"), ("iPhone16C1", "iPhone 15 Pro")),
        ("iOS 26.1", "iOS 26.0", "iOS 18.7"),
        ("16.1",),
    ),
    Make(7, "iPad", ("Apple-iPad13C1/2203.52",), (("iPad13C1", "iPad Air"),), ("iPadOS 26.1",), ("16.1",)),
    Make(
        21,
        "SAMSUNGSMS911B",
        ("SAMSUNG-SM-S911B/101.14", "SAMSUNG-SM-A546B/101.13"),
        (("SM-S911B", "Galaxy S23"), ("SM-A546B", "Galaxy A54")),
        ("Android 14", "Android 15"),
        ("16.1", "14.1"),
    ),
    Make(
        16,
        "Android",
        ("Android-Mail/2026.01.04.8211", "Android-Mail/2025.11.23"),
        (("Pixel 8", "Pixel 8"), ("Pixel 9", "Pixel 9")),
        ("Android 16", "Android 15"),
        ("16.1", "14.1"),
    ),
    Make(
        10,
        "Outlook",
        ("Outlook-iOS-Android/1.0",),
        (("Outlook for iOS and Android", ""),),
        ("OutlookBasicAuth",),
        ("14.1",),
    ),
    Make(5, "WindowsOutlook15", ("Microsoft.Outlook.15/16.0",), (("", ""),), ("Windows 11",), ("14.1",)),
    Make(3, "Android", ("Nine-Android/5.0.1",), (("Nine", "Fairphone 5"),), ("Android 14",), ("16.1", "14.1")),
    Make(2, "WindowsMail", ("MSFT-WIN-4/10.0.19041",), (("", "Surface"),), ("Windows 10",), ("14.1", "14.0")),
    Make(1, "WP8", ("MSFT-WP/8.10.14219",), (("NOKIA RM-917", "Lumia 930"),), ("Windows Phone 8.10",), ("14.0",)),
    Make(1, "PocketPC", ("MSFT-PPC/5.2.5082",), (("HTC Touch", ""),), ("Windows Mobile 6.5",), ("12.1", "2.5")),
)


@dataclass(frozen=True, slots=True)
class Phone:
    user_id: str
    id: str
    row: dict[str, Any]


def users(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Rows of people; the first ones are alike in every fleet."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        first, last = FIRST[number % len(FIRST)], LAST[number // len(FIRST) % len(LAST)]
        login = f"{first}.{last}{number if number >= len(FIRST) * len(LAST) else ''}".lower()
        made.append(
            {
                "id": f"{number:024x}",
                "login": login,
                "domain": DOMAIN,
                "address": f"{login}@{DOMAIN}",
                "name": f"{first} {last}",
                "alias": login,
                "department": chance.choice(("Sales", "Care", "Depot", "Office")),
                "zone": "Europe/Berlin",
                "created": millis(datetime(2026, 1, 5, tzinfo=UTC)),
            }
        )
    return made


def phones(owners: Sequence[dict[str, Any]], count: int, now: datetime, seed: int = 1) -> list[Phone]:
    """Rows of partnerships: most of them in use, a few blocked, wiped, forgotten in a drawer."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        make = chance.choices(MAKES, [one.weight for one in MAKES])[0]
        made.append(_phone(make, owners[number % len(owners)]["id"], number, now, chance))
    return made


def _phone(make: Make, user_id: str, number: int, now: datetime, chance: random.Random) -> Phone:
    model, friendly = chance.choice(make.models)
    first = now - timedelta(days=chance.triangular(1, 400, 60))
    idle = chance.choices(
        (
            timedelta(minutes=chance.uniform(0, 30)),
            timedelta(hours=chance.uniform(1, 60)),
            timedelta(days=chance.uniform(4, 120)),
        ),
        (86, 9, 5),
    )[0]
    wipe = chance.choices(("none", "requested", "sent", "done"), (985, 5, 3, 7))[0]
    id = f"{make.type[:8].upper()}{chance.getrandbits(64):016X}"
    storm = chance.random() < 0.004
    row = {
        "user_id": user_id,
        "id": id,
        "type": make.type,
        "row": 1,
        "agent": chance.choice(make.agents),
        "version": chance.choices(make.versions, range(len(make.versions), 0, -1))[0],
        "first_seen": first,
        "last_seen": max(first, now - idle),
        "information": {
            name: text
            for name, text in (
                ("Model", model),
                ("FriendlyName", friendly),
                ("OS", chance.choice(make.systems)),
                ("OSLanguage", "de-DE"),
            )
            if text
        },
        "policy_key": f"{chance.getrandbits(31)}" if chance.random() < 0.94 else "",
        "policy_digest": "",
        "offered_key": "",
        "offered_digest": "",
        "recovery_password": "",
        "wipe": wipe,
        "wipe_at": now - timedelta(hours=chance.uniform(1, 90)) if wipe != "none" else None,
        "wipe_account_only": False,
        "access": "blocked" if chance.random() < 0.01 else "allowed",
        "ping_folders": [["2", "Email"], ["7", "Calendar"]],
        "ping_heartbeat": chance.choice((470, 540, 900, 1680, 3540)),
        "remembered_sync": b"",
        "quirks": {},
        "wait_bound": None,
        "storm": {
            "command": "FolderSync",
            "since": (now - timedelta(hours=5)).isoformat(),
            "last": (now - timedelta(minutes=2)).isoformat(),
            "count": chance.randrange(400, 9000),
            "refused": True,
        }
        if storm
        else None,
    }
    return Phone(user_id, id, row)


def enter(connection: Connection, people: Sequence[dict[str, Any]], fleet: Sequence[Phone]) -> None:
    """Into an empty store, in one transaction."""
    connection.execute(insert(UserRow), list(people))
    connection.execute(insert(AddressRow), [{"address": one["address"], "user_id": one["id"]} for one in people])
    connection.execute(insert(device), [one.row for one in fleet])

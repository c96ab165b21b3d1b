"""A company's phones in a store, without the phones: users, partnerships of the families that there are, their days.

Made by a seeded generator, so that two runs are alike; written in bulk through the tables, because 200,000 requests
over HTTP would take minutes. Pages, reports and their measurements work on it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import pi, sin
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, create_engine, insert

from eas.backends.embedded.codec import millis
from eas.backends.embedded.tables import AddressRow, UserRow
from eas.engine.activity import Event, FolderNote, batch_of, hour_of
from eas.store.activity_rows import NUMBERS, put_devices, put_hours
from eas.store.activity_tables import device_day
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
    blocked = chance.random() < 0.01
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
        "access": "blocked" if blocked else "allowed",
        "admission": {
            "level": "block", "by": "personal", "why": "this device is blocked for this user",
            "since": first.isoformat(), "quarantined": None, "told": False,
        } if blocked else None,
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


def fill(data: Path, count: int, now: datetime | None = None, events: int = 0) -> None:
    """A data folder that has users already or not; so many phones for half as many people again."""
    now = now or datetime.now(UTC)
    people = users(max(1, count * 2 // 3))
    fleet = phones(people, count, now)
    engine = create_engine(f"sqlite:///{next(data.glob('*.db'))}")
    try:
        with engine.begin() as connection:
            enter(connection, people, fleet)
            if events:
                live_through(connection, fleet, events, now)
    finally:
        engine.dispose()


#: A phone's day in small: (command, how often of a hundred, seconds of waiting at most).
DAY = (("Ping", 44, 3000), ("Sync", 46, 0), ("FolderSync", 4, 0), ("GetItemEstimate", 2, 0), ("ItemOperations", 4, 0))


def lived(owner: Phone, count: int, now: datetime, chance: random.Random) -> list[Event]:
    """So many requests of the last three days, oldest first; of one phone in thirty, some went wrong."""
    last = owner.row["last_seen"].timestamp()
    weights = [one[1] for one in DAY]
    troubled = chance.random() < 1 / 30
    made, at = [], last - 3 * 86400 * min(1.0, count / 100)
    step = (last - at) / max(count, 1)
    for _ in range(count):
        at += step
        command, _, most = chance.choices(DAY, weights)[0]
        bad = troubled and chance.random() < 0.3
        sent, waited = (
            (chance.randrange(4), 0.0) if command == "Sync" else (0, chance.uniform(2, most) if most else 0.0)
        )
        http, status = (200, "1") if not bad else chance.choice(((503, ""), (200, "3"), (200, "142")))
        if command == "Ping" and not bad:
            status = chance.choice(("1", "2"))
        notes = (FolderNote("2", 3 if bad else 1, sent, 0),) if command == "Sync" and http == 200 else ()
        how = "" if command != "Ping" else "gone" if bad else "news" if status == "2" else "time"
        items = (("Email", "to_device", sent),) if sent else ()
        size = 180 + sent * chance.randrange(2000, 30000)
        made.append(
            Event(
                at=at,
                command=command,
                version=owner.row["version"],
                http=http,
                status=status,
                sent=sent,
                taken=0,
                bytes_in=chance.randrange(60, 400),
                bytes_out=size,
                ms=chance.uniform(1, 25),
                waited=waited,
                how=how,
                node="",
                folders=notes,
                items=items,
            )
        )
    return made


def live_through(connection: Connection, fleet: Sequence[Phone], events: int, now: datetime, seed: int = 2) -> None:
    """What they did, as the gateway writes it; and the counts of the hours, and of 60 days."""
    chance = random.Random(seed)
    each = events // max(len(fleet), 1)
    for first in range(0, len(fleet), 100):
        rows = []
        for one in fleet[first : first + 100]:
            done = lived(one, each, now, chance)
            rows.append((one.user_id, one.id, done, batch_of(done)))
        put_devices(connection, [row for row in rows if row[2]])
    _older_days(connection, fleet, now, chance)
    _hours(connection, len(fleet), now, chance)


def _older_days(connection: Connection, fleet: Sequence[Phone], now: datetime, chance: random.Random) -> None:
    """Counts of the two months before, but for days that are told by events."""
    rows = [
        {
            "user_id": one.user_id,
            "device_id": one.id,
            "day": (now - timedelta(days=back)).date().isoformat(),
            "version": one.row["version"],
            **dict.fromkeys(NUMBERS, 0),
            "requests": chance.randrange(60, 400),
            "bytes_in": chance.randrange(20_000, 90_000),
            "bytes_out": chance.randrange(100_000, 4_000_000),
            "wakeups": chance.randrange(20, 90),
            "waits": 60,
            "waits_held": 55,
            "waited_seconds": 70_000,
            "email_out": chance.randrange(5, 80),
        }
        for one in fleet
        for back in range(1, 60)
        if one.row["first_seen"] < now - timedelta(days=back) < one.row["last_seen"]
        and chance.random() < (0.72 if (now - timedelta(days=back)).weekday() > 4 else 0.97)
    ]
    if rows:
        connection.execute(insert(device_day).prefix_with("OR IGNORE"), rows)


def _hours(connection: Connection, count: int, now: datetime, chance: random.Random) -> None:
    found: dict[tuple[str, str, str], float] = {}
    for back in range(1, 49):
        at = now - timedelta(hours=back)
        busy = (0.25 + 0.75 * max(0.0, sin((at.hour - 5) * pi / 16))) * (0.5 if at.weekday() > 4 else 1.0)
        hour = hour_of(at.timestamp())
        for command, weight, _ in DAY:
            found[hour, "requests", command] = round(count * busy * weight / 5 * chance.uniform(0.85, 1.15))
        found[hour, "errors", "Sync 503"] = round(
            count * busy * (0.35 if back == 17 else 0.012) * chance.uniform(0.5, 1.5)
        )
        found[hour, "errors", "password"] = chance.randrange(0, 9)
        for label, share in (("0.05", 61), ("0.1", 24), ("0.2", 9), ("0.5", 4), ("2.0", 2)):
            found[hour, "push", label] = round(count * busy * share / 12 * chance.uniform(0.8, 1.2))
        for how, share in (("news", 40), ("time", 50), ("replaced", 8), ("gone", 3)):
            found[hour, "waits", how] = round(count * busy * share / 60)
        found[hour, "held", ""] = round(count * (0.62 + 0.2 * busy * chance.uniform(0.9, 1.1)) * 60)
        found[hour, "held_looks", ""] = 60
    put_hours(connection, "", found)

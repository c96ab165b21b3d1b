"""Searches in the collections of a server, in what our rows have of each object."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from davhome import Home, todo
from worlds import NOW, card, event

from eas.backends.dav.model import Unreachable
from eas.backends.dav.searching import search
from eas.engine.ports import Horizon, MailQuery
from eas.items import kql
from eas.items.timezone import zone_or_utc

pytestmark = pytest.mark.server


@pytest.fixture(params=["radicale", "xandikos", "cyrus"])
async def home(request: pytest.FixtureRequest, database_template: Path, tmp_path: Path) -> AsyncIterator[Home]:
    made = await Home.make(request.getfixturevalue(request.param), database_template, tmp_path)
    made.put("Calendar", "plan.ics", event("plan", NOW, 1, "CREATED:20260301T000000Z", summary="Budget planning"))
    more = ("CREATED:20260201T000000Z", "LOCATION:Grün 100%_")
    made.put("Calendar", "trip.ics", event("trip", NOW, 1, *more, summary="Trip"))
    made.put("Contacts", "ann.vcf", card("Ann Budget", "ann@example.org"))
    made.put("Tasks", "task.ics", todo("task", "Write the budget", "CREATED:20260101T000000Z"))
    yield made
    await made.close()


async def hits(home: Home, query: MailQuery, *names: str) -> list[str]:
    """The names of the collections of what is found."""
    within = [home.places[name] for name in names or ("Calendar", "Contacts", "Tasks")]
    found = await search(home.account, home.client, query, within)
    named = {str(at.number): name for name, at in home.places.items()}
    for hit in found:
        look = await home.feed(named[hit.collection]).look([hit.id], Horizon())
        assert hit.id in look.versions
    return [named[hit.collection] for hit in sorted(found, key=lambda hit: hit.received, reverse=True)]


@pytest.mark.parametrize(("text", "found"), [
    ("budget", {"Calendar", "Contacts", "Tasks"}), ("udge", {"Calendar", "Contacts", "Tasks"}),
    ("BUDGET plan", {"Calendar"}),
    ("grün", {"Calendar"}), ("100%_", {"Calendar"}), ("%", {"Calendar"}), ("_x", set()), ("nothing", set()),
])
async def test_words_are_found_wherever_they_stand(home: Home, text: str, found: set[str]) -> None:
    assert set(await hits(home, MailQuery(text=text))) == found


async def test_only_the_given_places_are_searched(home: Home) -> None:
    assert await hits(home, MailQuery(text="budget"), "Tasks") == ["Tasks"]
    assert await search(home.account, home.client, MailQuery(text="budget"), []) == ()


async def test_what_is_older_or_later_is_left_out(home: Home) -> None:
    """By when it was made."""
    day = NOW.replace(month=2, day=15)
    assert await hits(home, MailQuery(since=day), "Calendar", "Tasks") == ["Calendar"]
    assert await hits(home, MailQuery(before=day), "Calendar", "Tasks") == ["Calendar", "Tasks"]
    assert await hits(home, MailQuery(since=day, before=day + timedelta(days=1)), "Calendar", "Tasks") == []


@pytest.mark.parametrize(("query", "found"), [
    ("subject:budget", {"Calendar", "Contacts", "Tasks"}), ("budget kind:task", {"Tasks"}),
    ("budget NOT kind:task", {"Calendar", "Contacts"}), ("trip OR write", {"Calendar", "Tasks"}),
    ("budget received>=2026-02-15", {"Calendar", "Contacts"}), ("isread:false", set()), ("NOT budget", {"Calendar"}),
])
async def test_queries_in_parts(home: Home, query: str, found: set[str]) -> None:
    node = kql.parse(query, NOW, zone_or_utc("UTC"))
    assert set(await hits(home, MailQuery(matching=node))) == found


async def test_records_have_no_conversation(home: Home) -> None:
    assert await hits(home, MailQuery(conversation=b"x" * 16)) == []


async def test_a_server_that_is_away_leaves_what_is_known(home: Home) -> None:
    await hits(home, MailQuery(text="budget"))
    home.another_process()
    home.client.faults = {n: ("before", Unreachable("away")) for n in range(len(home.client.calls), 100)}
    assert len(await hits(home, MailQuery(text="budget"))) == 3


async def test_nobody_finds_what_is_somebody_elses(home: Home) -> None:
    await hits(home, MailQuery(text="budget"))
    ben: Any = replace(home.account, user=home.world.users["ben"])
    assert not await search(ben, home.client, MailQuery(text="budget"), list(home.places.values()))

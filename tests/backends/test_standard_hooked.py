"""What is made of hooks: whom they mean, which folders, and how little is asked for many of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine, event, insert
from worlds import EmbeddedWorld

from eas.backends.embedded.tables import UserRow
from eas.backends.standards import hooked as module
from eas.backends.standards.hooked import Hooked
from eas.backends.standards.logins import Known, known_as
from eas.backends.standards.spellings import spellings
from eas.backends.standards.tables import MemberRow, PlaceRow
from eas.backends.standards.tenant import Provider, Tenant
from eas.engine.errors import Unavailable

OFFICE = Tenant(name="office", domains=("example.com", "example.org"), domain="example.com", mail=Provider.EMBEDDED)
SHORT = Tenant(name="short", domains=("short.example",), login="{user}", mail=Provider.EMBEDDED)
OTHERS = Tenant(name="others", login="{login}", domain="misc.example", mail=Provider.EMBEDDED)

USERS = {
    "u-anna": ("office", "anna@example.com"), "u-ben": ("office", "ben@example.org"), "u-short": ("short", "anna"),
    "u-other": ("others", "carla@elsewhere.example"),
}
FOLDERS = {
    "u-anna": {
        1: ("imap", "INBOX"), 2: ("imap", "Würze"), 3: ("imap", "INBOX/Work"), 4: ("notes", "Notes"),
        5: ("imap", "Notes"), 6: ("dav", "/anna/calendar/"), 7: ("dav", "/anna/calendar/#VTODO"),
        8: ("dav", "/anna%40example.com/contacts/"),
    },
    "u-ben": {11: ("imap", "INBOX"), 12: ("imap", "Sent")},
    "u-short": {21: ("imap", "INBOX")},
    "u-other": {31: ("imap", "INBOX")},
}
GONE = {9: ("u-anna", "imap", "Gone")}


@dataclass
class House:
    """`waits` are those for whom somebody waits. `questions` are SELECTs."""

    hooked: Hooked
    world: EmbeddedWorld
    waits: set[str]
    rung: list[tuple[str, set[str]]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    now: float = 0.0

    async def tell(self, user: str, folders: Collection[str] | None = None, **more: Any) -> list[tuple[str, set[str]]]:
        assert self.hooked.changed(user, folders, **more)
        return await self.settled()

    async def settled(self) -> list[tuple[str, set[str]]]:
        if self.hooked._task is not None:
            await self.hooked._task
        rung, self.rung[:] = sorted(self.rung), []
        return rung


@pytest.fixture
async def house(database_template: Path, tmp_path: Path) -> AsyncIterator[House]:
    world = await EmbeddedWorld.make(database_template, tmp_path)
    ground = world.embedded.groupware

    def fill(tx: Any) -> None:
        for n, (user_id, (tenant, login)) in enumerate(USERS.items()):
            tx.connection.execute(insert(UserRow).values(
                id=user_id, login=f"user{n}", domain="hooks.example", address=f"user{n}@hooks.example", created=0,
                password="",
            ))
            tx.connection.execute(insert(MemberRow).values(user_id=user_id, tenant=tenant, login=login))
            for number, (source, locator) in FOLDERS[user_id].items():
                tx.connection.execute(insert(PlaceRow).values(
                    number=number, user_id=user_id, source=source, locator=locator,
                ))
        for number, (user_id, source, locator) in GONE.items():
            tx.connection.execute(insert(PlaceRow).values(
                number=number, user_id=user_id, source=source, locator=locator, present=False,
            ))

    await ground.write(fill)
    waits = set(USERS)
    made: list[House] = []
    hooked = Hooked(
        (OFFICE, SHORT, OTHERS), ground, lambda user_id, ids: made[0].rung.append((user_id, set(ids))),
        default_domain="example.com", monotonic=lambda: made[0].now if made else 0.0,
        forget=lambda user_id: made[0].forgotten.append(user_id), waits=waits.__contains__,
    )
    made.append(House(hooked, world, waits))

    def asked(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("SELECT"):
            made[0].questions.append(statement)

    event.listen(Engine, "before_cursor_execute", asked)
    try:
        yield made[0]
    finally:
        event.remove(Engine, "before_cursor_execute", asked)
        await hooked.close()
        await world.close()


# --- Names ------------------------------------------------------------------------------------------------------------

KNOWN: list[tuple[str, dict[str, str], set[tuple[str, str]]]] = [
    ("anna@example.com", {}, {("office", "anna@example.com")}),
    ("Anna@Example.COM ", {}, {("office", "anna@example.com")}),
    ("anna", {"domain": "example.org"}, {("office", "anna@example.org")}),
    ("anna", {}, {("office", "anna"), ("short", "anna"), ("others", "anna"), ("office", "anna@example.com")}),
    ("anna", {"backend": "short"}, {("short", "anna")}),
    ("anna@short.example", {}, {("short", "anna@short.example"), ("short", "anna")}),
    ("anna@short.example", {"backend": "office"}, {("office", "anna@short.example")}),
    (
        "carla@elsewhere.example", {},
        {(name, "carla@elsewhere.example") for name in ("office", "short", "others")} | {("others", "carla")},
    ),
    ("11@3", {"backend": "none"}, set()),
    (" ", {}, set()),
]


@pytest.mark.parametrize(("user", "more", "known"), KNOWN)
def test_whom_a_name_may_mean(user: str, more: dict[str, str], known: set[tuple[str, str]]) -> None:
    assert known_as(user, (OFFICE, SHORT, OTHERS), "example.com", **more) == {Known(*one) for one in known}


MEANT = [
    ("INBOX", {1}), ("inbox", {1}), ("Würze", {2}), ("W&APw-rze", {2}), ("INBOX.Work", {3}), ("INBOX/Work", {3}),
    ("Notes", {4, 5}), ("imap://anna@mail.example.com/INBOX/Work;UIDVALIDITY=5/;UID=3", {3}),
    ("imap://mail.example.com/W%C3%BCrze", {2}), ("/anna/calendar/", {6, 7}), ("/anna/calendar", {6, 7}),
    ("/anna/calendar/1%202.ics", {6, 7}), ("https://dav.example.com/anna/calendar/", {6, 7}),
    ("/anna@example.com/contacts/a.vcf", {8}),
]


@pytest.mark.parametrize(("folder", "numbers"), MEANT)
async def test_which_folder_a_name_means(house: House, folder: str, numbers: set[int]) -> None:
    assert await house.tell("anna@example.com", [folder]) == [("u-anna", {str(number) for number in numbers})]
    assert not house.forgotten


@pytest.mark.parametrize("folder", ["x" * 3000, "", "&", "http://[", "imap://[::1", "%", "://", "/", "&ZZZZ-"])
def test_strange_names_are_names(folder: str) -> None:
    assert all(0 < len(one) <= 1024 for one in spellings(folder))


# --- What is rung -----------------------------------------------------------------------------------------------------


async def test_without_folders_all_are_meant(house: House) -> None:
    assert await house.tell("anna@example.com") == [("u-anna", {"0", *map(str, FOLDERS["u-anna"])})]
    assert house.forgotten


async def test_a_folder_that_is_new_has_the_folders_looked_at_but_not_each_time(house: House) -> None:
    for name in ("New", "Gone"):
        assert await house.tell("anna@example.com", [name]) == [("u-anna", {"0"})]
    assert house.forgotten
    house.forgotten.clear()
    assert await house.tell("anna@example.com", ["New", "INBOX"]) == [("u-anna", {"1"})]
    assert not house.forgotten
    house.now += module.STRANGE_SECONDS
    assert await house.tell("anna@example.com", ["New"]) == [("u-anna", {"0"})]


async def test_changes_of_the_folders_themselves(house: House) -> None:
    assert await house.tell("ben@example.org", [], hierarchy=True) == [("u-ben", {"0"})]
    assert set(house.forgotten) == {"u-ben"}
    assert await house.tell("ben@example.org", []) == []


async def test_users_for_whom_nobody_waits_and_whom_nobody_knows(house: House) -> None:
    """The folders are forgotten all the same: a device may ask for them in a moment."""
    house.waits.clear()
    house.questions.clear()
    assert await house.tell("anna@example.com", ["INBOX"], hierarchy=True) == []
    assert house.forgotten == ["u-anna"]
    assert await house.tell("nobody@example.com", ["INBOX"]) == []
    assert len(house.questions) == 2


async def test_a_bare_name_may_mean_users_of_several_backends(house: House) -> None:
    assert await house.tell("anna", ["INBOX"]) == [("u-anna", {"1"}), ("u-short", {"21"})]
    assert await house.tell("anna", ["INBOX"], backend="short") == [("u-short", {"21"})]
    assert await house.tell("ben", ["Sent"], domain="example.org") == [("u-ben", {"12"})]


# --- Many -------------------------------------------------------------------------------------------------------------


async def test_hooks_of_a_moment_are_two_questions_and_one_ring_a_user(house: House) -> None:
    for n in range(1000):
        assert house.hooked.changed("anna@example.com", ["INBOX" if n % 2 else "Notes"])
        assert house.hooked.changed(f"user{n}@example.com", ["INBOX"])
    house.hooked.changed("ben@example.org", ["Sent"])
    house.questions.clear()
    assert await house.settled() == [("u-anna", {"1", "4", "5"}), ("u-ben", {"12"})]
    print(*house.questions, sep="\n")
    assert len(house.questions) <= 3 + 2  # three batches of users, of whom two have folders to look for


async def test_many_different_names_are_few_questions_and_no_giant_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PROBES", 4)
    house.hooked.changed("anna@example.com", ["INBOX", "Notes", "Würze"])
    house.hooked.changed("ben@example.org", ["Sent"])
    house.hooked.changed("anna", ["INBOX"], backend="short")
    assert await house.settled() == [("u-anna", {"1", "2", "4", "5"}), ("u-ben", {"12"}), ("u-short", {"21"})]


async def test_with_too_many_folders_or_users_all_folders_are_meant(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await house.tell("ben@example.org", [f"Folder {n}" for n in range(51)]) == [("u-ben", {"0", "11", "12"})]
    monkeypatch.setattr(module, "MAX_DETAILED", 1)
    monkeypatch.setattr(module, "MAX_NOTED", 2)
    assert house.hooked.changed("anna@example.com", ["INBOX"])
    assert house.hooked.changed("ben@example.org", ["Sent"])
    assert not house.hooked.changed("anna", ["INBOX"])
    assert house.hooked.changed("anna@example.com", ["Notes"])
    rung = dict(await house.settled())
    assert rung["u-ben"] == {"0", "11", "12"}
    assert {"1", "4", "5"} <= rung["u-anna"]
    assert await house.tell("anna", ["INBOX"], backend="short") == [("u-short", {"21"})]


async def test_nothing_is_lost_while_the_database_is_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", (0.02, 0.05))
    read = house.hooked._ground.read
    failures: list[Exception] = [Unavailable("away"), Unavailable("away")]

    async def failing(do: Callable[..., Any]) -> Any:
        if failures:
            raise failures.pop(0)
        return await read(do)

    monkeypatch.setattr(type(house.hooked._ground), "read", lambda self, do: failing(do))
    house.hooked.changed("anna@example.com", ["INBOX"])
    await asyncio.sleep(module.GATHER_SECONDS)
    house.hooked.changed("anna@example.com", ["Notes"], hierarchy=True)
    assert await house.settled() == [("u-anna", {"0", "1", "4", "5"})]
    assert not failures
    # A fault of ours costs what was told in that moment, and nothing after it.
    failures.append(ValueError("a bug"))
    assert await house.tell("anna@example.com", ["INBOX"]) == []
    assert await house.tell("anna@example.com", ["INBOX"]) == [("u-anna", {"1"})]


async def test_closing_leaves_no_task(house: House) -> None:
    house.hooked.changed("anna@example.com", ["INBOX"])
    assert house.hooked.pending == 1
    await house.hooked.close()
    assert house.hooked._task is None


# --- Servers that do not call -----------------------------------------------------------------------------------------


async def test_a_server_that_never_calls_while_polls_find_changes_is_blamed_now_and_then(house: House) -> None:
    with structlog.testing.capture_logs() as lines:
        house.now = module.SILENT_SECONDS - 1
        house.hooked.missed("office")
        assert not lines
        house.now += 3
        for _ in range(5):
            house.hooked.missed("office")
        assert [(line["log_level"], line["backend"]) for line in lines] == [("warning", "office")]
        await house.tell("ben@example.org", ["INBOX"])
        house.now += module.SILENT_SECONDS - 1
        house.hooked.missed("office")
        assert len(lines) == 1 + sum(line["log_level"] == "debug" for line in lines)
        house.hooked.missed("short")
        assert lines[-1]["backend"] == "short"

"""Collections of real servers as folders, and the decisions about them. RFC 4791, RFC 6352, RFC 5689."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from groupware.dav import DavHost
from groupware.radicale import Radicale
from worlds import EmbeddedWorld, card, event

from eas.backends.dav.client import DavClients
from eas.backends.dav.model import CollectionInfo, Principal
from eas.backends.dav.places import components, is_own, laid_out, locator_of, right_of, told_apart
from eas.backends.dav.source import DavSource
from eas.backends.standards.ports import Account, Numbered, Place
from eas.backends.standards.tenant import DavServer, Tenant
from eas.engine.errors import FolderExists, FolderGone, NotAllowed, Unavailable
from eas.engine.model import FolderType, Right, Secret
from eas.engine.ports import Chosen

EVERY = frozenset({"Calendar", "Tasks", "Contacts", "Notes"})
ANNA = Principal(href="/dav/principals/anna/", calendar_homes=("/dav/anna/",), addressbook_homes=("/dav/anna/",))


def calendar(segment: str, *components: str, **more: Any) -> CollectionInfo:
    told = {"href": f"/dav/anna/{segment}/", "kind": "calendar", "name": segment.title(), "components": components}
    return CollectionInfo(**told | more)


def book(segment: str, **more: Any) -> CollectionInfo:
    told = {"href": f"/dav/anna/{segment}/", "kind": "addressbook", "name": segment.title()}
    return CollectionInfo(**told | more)


def places(*infos: CollectionInfo, schedules: bool = False, remembered: dict[str, str] | None = None,
           principal: Principal = ANNA, classes: frozenset[str] = EVERY) -> list[Place]:
    return laid_out(infos, principal, classes, schedules=schedules, remembered=remembered or {})


def shown(found: Sequence[Place]) -> list[tuple[str, str, FolderType]]:
    return [(one.locator, one.name, one.type) for one in found]


# --- Decisions --------------------------------------------------------------------------------------------------------


def test_a_calendar_of_several_components_is_a_folder_for_each_class() -> None:
    assert shown(places(calendar("personal", "VEVENT", "VTODO"))) == [
        ("/dav/anna/personal/", "Personal", FolderType.CALENDAR),
        ("/dav/anna/personal/#VTODO", "Personal (Tasks)", FolderType.TASKS),
    ]


def test_a_locator_does_not_depend_on_the_classes_that_are_served() -> None:
    """A setting that puts appointments elsewhere must not make the task list another folder."""
    found = places(calendar("personal", "VEVENT", "VTODO"), classes=frozenset({"Tasks"}))
    assert shown(found) == [("/dav/anna/personal/#VTODO", "Personal (Tasks)", FolderType.TASKS)]


def test_a_locator_does_not_depend_on_how_the_server_spells_the_href() -> None:
    assert locator_of("/dav/a%40b/x") == locator_of("/dav/a@b/x/") == "/dav/a%40b/x/"


@pytest.mark.parametrize(("infos", "default"), [
    ([calendar("work", "VEVENT"), calendar("calendar", "VEVENT")], "/dav/anna/calendar/"),
    ([calendar("work", "VEVENT"), calendar("x1", "VEVENT", name="Personal")], "/dav/anna/x1/"),
    ([calendar("work", "VEVENT"), calendar("home", "VEVENT")], "/dav/anna/home/"),
    ([calendar("default", "VEVENT", privileges=frozenset({"read"})), calendar("work", "VEVENT")], "/dav/anna/work/"),
    ([calendar("default", "VEVENT", owner="/dav/principals/ben/"), calendar("work", "VEVENT")], "/dav/anna/work/"),
], ids=["by its segment", "by its name", "the first", "not one for reading only", "not somebody else's"])
def test_the_default_calendar(infos: list[CollectionInfo], default: str) -> None:
    found = places(*infos)
    assert [one.locator for one in found if one.type is FolderType.CALENDAR] == [default]
    assert {one.type for one in found if one.locator != default} == {FolderType.USER_CALENDAR}


def test_the_server_says_which_calendar_is_the_default() -> None:
    said = replace(ANNA, default_calendar="/dav/anna/w%6Frk")
    found = places(calendar("calendar", "VEVENT"), calendar("work", "VEVENT"), principal=said)
    assert shown(found)[0] == ("/dav/anna/work/", "Work", FolderType.CALENDAR)


def test_the_default_stays_when_a_collection_with_a_better_name_is_made() -> None:
    """A folder that changed its type would be another folder to a device."""
    infos = [calendar("work", "VEVENT"), calendar("calendar", "VEVENT")]
    assert places(*infos, remembered={"Calendar": "/dav/anna/work/"})[0].locator == "/dav/anna/work/"


def test_tasks_have_a_list_of_their_own_rather_than_one_that_is_a_calendar_too() -> None:
    found = places(calendar("calendar", "VEVENT", "VTODO"), calendar("list", "VTODO"))
    assert [one.locator for one in found if one.type is FolderType.TASKS] == ["/dav/anna/list/"]


@pytest.mark.parametrize(("privileges", "right"), [
    (None, Right.EDIT), ({"read", "write"}, Right.EDIT), ({"all"}, Right.EDIT), ({"read", "bind"}, Right.EDIT),
    ({"read", "write-properties"}, Right.READ), ({"read-free-busy"}, Right.FREE_BUSY), ((), Right.NONE),
])
def test_rights_follow_the_privileges(privileges: set[str] | None, right: Right) -> None:
    info = calendar("x", privileges=None if privileges is None else frozenset(privileges))
    assert right_of(info) is right


def test_what_others_share_is_no_default_and_schedules_nothing() -> None:
    theirs = calendar("shared", "VEVENT", owner="/dav/principals/ben/")
    own = calendar("own", "VEVENT", owner="/dav/principals/anna")
    found = {one.locator: one for one in places(own, theirs, schedules=True)}
    assert not found["/dav/anna/shared/"].own
    assert not found["/dav/anna/shared/"].schedules
    assert found["/dav/anna/shared/"].type is FolderType.USER_CALENDAR
    assert found["/dav/anna/own/"].own
    assert found["/dav/anna/own/"].schedules
    assert is_own(calendar("x"), ANNA)


def test_only_calendars_schedule() -> None:
    found = places(calendar("c", "VEVENT", "VTODO"), book("b"), schedules=True)
    assert {one.item_class for one in found if one.schedules} == {"Calendar"}


def test_names_are_told_apart_whatever_their_case() -> None:
    infos = [calendar("a", "VEVENT", name="Team"), calendar("b", "VEVENT", name="TEAM"), book("c", name="team")]
    names = [one.name for one in places(*infos)]
    assert len({name.casefold() for name in names}) == 3
    assert told_apart([]) == []


def test_a_calendar_that_tells_no_components_takes_all() -> None:
    assert components(calendar("x")) == ["VEVENT", "VTODO", "VJOURNAL"]
    assert components(calendar("x", "VFREEBUSY", "VTODO")) == ["VTODO"]
    assert components(book("x")) == [""]


def test_what_may_not_be_read_and_what_has_too_long_a_name_is_no_folder() -> None:
    hidden = calendar("hidden", "VEVENT", privileges=frozenset({"unbind"}))
    assert places(hidden, calendar("ü" * 300, "VEVENT")) == []


# --- Servers ----------------------------------------------------------------------------------------------------------


@dataclass
class Home:
    """A user with a source over a server of DAV, and the other side."""

    world: EmbeddedWorld
    dav: DavHost
    account: Account
    clients: DavClients
    sources: list[DavSource] = field(default_factory=list)

    @property
    def login(self) -> str:
        return self.account.login

    def source(self, *classes: str) -> DavSource:
        return DavSource(self.account, self.clients.of(self.account), frozenset(classes) or EVERY, self.resolve)

    async def resolve(self, id: str) -> Numbered | None:
        return None

    async def of(self, type: FolderType, source: DavSource | None = None) -> Place:
        return next(one for one in await (source or self.source()).places() if one.type is type)


@pytest.fixture
async def make_home(database_template: Path, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    made: list[Home] = []

    async def make(server: Any, **settings: Any) -> Home:
        world = await EmbeddedWorld.make(database_template, tmp_path)
        login, password = settings.pop("user", None) or server.new_user()
        server_settings = DavServer(
            url=server.url, ca_file=getattr(server, "ca_file", ""), timeout_seconds=20.0, **settings
        )
        account = Account(
            user=world.users["anna"], tenant=Tenant(name="t", dav=server_settings), login=login,
            secret=Secret(password), ground=world.embedded.groupware,
        )
        home = Home(world, getattr(server, "dav", server), account, DavClients())
        made.append(home)
        return home

    yield make
    for home in made:
        await home.clients.close()
        await home.world.close()


@pytest.fixture(params=["radicale", "xandikos", "cyrus"])
async def home(request: pytest.FixtureRequest, make_home: Callable[..., Any]) -> Home:
    home: Home = await make_home(request.getfixturevalue(request.param))
    return home


@pytest.mark.server
async def test_every_class_has_its_default_folder_and_the_same_one_again(home: Home) -> None:
    found = await home.source().places()
    for type in (FolderType.CALENDAR, FolderType.TASKS, FolderType.CONTACTS, FolderType.NOTES):
        assert len([one for one in found if one.type is type]) == 1, type
    assert len({one.name.casefold() for one in found}) == len({one.locator for one in found}) == len(found)
    assert all(one.parent == "" and one.own and one.right is Right.EDIT for one in found)
    again = await home.source().places()
    assert shown(again) == shown(found)


@pytest.mark.server
async def test_inboxes_and_outboxes_are_no_folders(home: Home) -> None:
    names = {one.locator.rstrip("/").rpartition("/")[2].casefold() for one in await home.source().places()}
    assert not names & {"inbox", "outbox", "attachments", "notifications"}


@pytest.mark.server
async def test_default_folders_of_a_user_without_any_are_made(
    radicale: Radicale, make_home: Callable[..., Any]
) -> None:
    home = await make_home(radicale, user=radicale.new_user(empty=True))
    found = await home.source().places()
    assert sorted((one.name, one.type) for one in found) == [
        ("Calendar", FolderType.CALENDAR), ("Contacts", FolderType.CONTACTS), ("Notes", FolderType.NOTES),
        ("Tasks", FolderType.TASKS),
    ]
    # Only what is served is made.
    other = await make_home(radicale, user=radicale.new_user(empty=True))
    assert [one.name for one in await other.source("Contacts").places()] == ["Contacts"]


@pytest.mark.server
async def test_two_devices_that_come_at_once_make_one_default_folder_each(
    radicale: Radicale, make_home: Callable[..., Any]
) -> None:
    home = await make_home(radicale, user=radicale.new_user(empty=True))
    looks = await asyncio.gather(*(home.source().places() for _ in range(3)))
    last = shown(await home.source().places())
    assert len(last) == 4
    assert all(set(shown(one)) <= set(last) for one in looks)


@pytest.mark.server
@pytest.mark.parametrize(("type", "item_class"), [
    (FolderType.USER_CALENDAR, "Calendar"), (FolderType.USER_TASKS, "Tasks"), (FolderType.USER_CONTACTS, "Contacts"),
])
async def test_a_folder_is_made_renamed_and_deleted(home: Home, type: FolderType, item_class: str) -> None:
    source = home.source()
    await source.places()
    chosen = Chosen(name=f"f-{item_class.lower()}-1")
    locator = home.source().planned(None, "Klavier & <Ä>", type, chosen)
    made = await home.source().create(None, "Klavier & <Ä>", type, locator, again=False)
    assert (made.locator, made.name, made.type, made.item_class) == (locator, "Klavier & <Ä>", type, item_class)
    assert made in await home.source().places()
    # The same once more, after a crash; and by mistake.
    assert await home.source().create(None, "Klavier & <Ä>", type, locator, again=True) == made
    with pytest.raises(FolderExists):
        await home.source().create(None, "Klavier & <Ä>", type, locator, again=False)
    other = home.source().planned(None, "klavier & <ä>", type, Chosen(name="other"))
    with pytest.raises(FolderExists):
        await home.source().create(None, "klavier & <ä>", type, other, again=False)

    assert await home.source().rename(made, None, "Geige") == []
    (renamed,) = [one for one in await home.source().places() if one.locator == locator]
    assert renamed.name == "Geige"
    taken = (await home.of(FolderType.CALENDAR)).name
    with pytest.raises(FolderExists):
        await home.source().rename(renamed, None, taken)
    await home.source().delete(renamed)
    assert locator not in {one.locator for one in await home.source().places()}
    with pytest.raises(FolderGone):
        await home.source().delete(renamed)


@pytest.mark.server
async def test_folders_do_not_lie_in_each_other(radicale: Radicale, make_home: Callable[..., Any]) -> None:
    home = await make_home(radicale)
    calendar = await home.of(FolderType.CALENDAR)
    with pytest.raises(NotAllowed):
        home.source().planned(calendar, "x", FolderType.USER_CALENDAR, Chosen(name="x"))
    with pytest.raises(NotAllowed):
        await home.source().rename(calendar, calendar, "x")
    with pytest.raises(NotAllowed):
        home.source("Tasks").planned(None, "x", FolderType.USER_CALENDAR, Chosen(name="x"))
    assert home.source("Tasks").makes(FolderType.USER_TASKS)
    assert not home.source("Tasks").makes(FolderType.USER_CALENDAR)
    assert not home.source().makes(FolderType.USER_MAIL)


@pytest.mark.server
async def test_nothing_is_planned_before_the_server_was_asked(
    radicale: Radicale, make_home: Callable[..., Any]
) -> None:
    home = await make_home(radicale)
    with pytest.raises(Unavailable):
        home.source().planned(None, "x", FolderType.USER_CALENDAR, Chosen(name="x"))


@pytest.mark.server
async def test_a_folder_is_emptied_but_stays(home: Home) -> None:
    source = home.source()
    book = await home.of(FolderType.CONTACTS)
    calendar = await home.of(FolderType.CALENDAR)
    client = home.clients.of(home.account)
    for n in range(7):
        home.dav.put(f"{book.locator}c{n}.vcf", home.login, card(f"Ben {n}"))
        home.dav.put(f"{calendar.locator}e{n}.ics", home.login, event(f"e{n}", home.world.clock.at))
    await source.empty(book)
    assert not (await client.changes(book.locator, "", kind="addressbook")).changed
    assert len((await client.changes(calendar.locator, "", kind="calendar")).changed) == 7
    await source.empty(calendar)
    assert not (await client.changes(calendar.locator, "", kind="calendar")).changed
    assert {book.locator, calendar.locator} <= {one.locator for one in await source.places()}


TODO = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:t\r\nDTSTAMP:20261121T080000Z\r\n"
    b"SUMMARY:t\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
)


@pytest.mark.server
async def test_what_a_calendar_shares_with_a_task_list_goes_with_neither(
    radicale: Radicale, make_home: Callable[..., Any]
) -> None:
    """A device that deletes or empties a calendar does not mean the tasks that another program keeps in it."""
    home = await make_home(radicale)
    path = f"/{home.login}/both/"
    home.dav.make_calendar(path, home.login, "Both", "VEVENT", "VTODO")
    home.dav.put(f"{path}t.ics", home.login, TODO)
    home.dav.put(f"{path}e.ics", home.login, event("e", home.world.clock.at))
    source = home.source()
    both = {one.item_class: one for one in await source.places() if one.locator.partition("#")[0] == locator_of(path)}
    assert [(one.name, one.locator[-6:]) for one in both.values()] == [("Both", "/both/"), ("Both (Tasks)", "#VTODO")]
    with pytest.raises(NotAllowed):
        await source.delete(both["Calendar"])
    await source.empty(both["Calendar"])
    assert home.dav.request("GET", f"{path}t.ics", home.login).status == 200
    assert home.dav.request("GET", f"{path}e.ics", home.login).status == 404
    await source.rename(both["Tasks"], None, "Geteilt (Tasks)")
    names = {one.name for one in await source.places()}
    assert {"Geteilt", "Geteilt (Tasks)"} <= names
    await source.delete(both["Tasks"])
    assert home.dav.request("GET", f"{path}t.ics", home.login).status == 404


@pytest.mark.server
async def test_a_collection_that_one_may_only_read_is_shown_and_left_alone(
    radicale: Radicale, make_home: Callable[..., Any]
) -> None:
    home = await make_home(radicale)
    path = radicale.make_frozen(home.login)
    source = home.source()
    (frozen,) = [one for one in await source.places() if one.locator == locator_of(f"/{path}")]
    assert (frozen.right, frozen.type) == (Right.READ, FolderType.USER_CALENDAR)
    for attempt in (source.delete(frozen), source.empty(frozen), source.rename(frozen, None, "mine")):
        with pytest.raises(NotAllowed):
            await attempt


@pytest.mark.server
async def test_what_another_program_makes_renames_and_deletes_is_seen(home: Home) -> None:
    source = home.source()
    above = (await home.of(FolderType.CALENDAR, source)).locator.rstrip("/").rpartition("/")[0]
    home.dav.make_calendar(f"{above}/from-elsewhere/", home.login, "From elsewhere", "VEVENT")
    (made,) = [one for one in await source.places() if one.name == "From elsewhere"]
    assert made.type is FolderType.USER_CALENDAR
    assert home.dav.request("DELETE", made.locator, home.login).status in (200, 204)
    assert made.locator not in {one.locator for one in await source.places()}


@pytest.mark.server
async def test_a_probe_differs_when_something_has_changed_and_only_then(home: Home) -> None:
    source = home.source()
    watched = [Numbered(number=n, place=one) for n, one in enumerate(await source.places(), start=1)]
    before = await source.probe(watched)
    assert await home.source().probe(watched) == before
    calendar = await home.of(FolderType.CALENDAR)
    home.dav.put(f"{calendar.locator}a.ics", home.login, event("a", home.world.clock.at))
    after = await source.probe(watched)
    assert after != before
    home.dav.put(f"{calendar.locator}a.ics", home.login, event("a", home.world.clock.at, summary="Another"))
    changed = await source.probe(watched)
    assert changed not in (before, after)
    assert home.dav.request("DELETE", f"{calendar.locator}a.ics", home.login).status in (200, 204)
    assert await source.probe(watched) != changed


@pytest.mark.server
@pytest.mark.parametrize(("setting", "expected"), [("auto", True), ("no", False), ("yes", True)])
async def test_the_server_says_or_the_settings_say_who_schedules(
    cyrus: Any, make_home: Callable[..., Any], setting: str, expected: bool
) -> None:
    home = await make_home(cyrus, schedules=setting)
    assert (await home.of(FolderType.CALENDAR)).schedules is expected


@pytest.mark.server
async def test_a_server_that_does_not_schedule_is_not_taken_for_one(
    radicale: Radicale, make_home: Callable[..., Any]
) -> None:
    home = await make_home(radicale)
    assert not (await home.of(FolderType.CALENDAR)).schedules

"""The pages of owners, over HTTP: each page, each form, and nobody else's phones."""

from __future__ import annotations

import plistlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from eas.admin.own_words import did
from eas.admin.web.sessions import opened, sealed
from eas.commands.all import COMMANDS
from eas.engine.errors import Unavailable
from eas.engine.model import Device, FolderType, Secret, Wipe
from eas.engine.ports import Chosen

BASE = "http://mail.example.com"
PAGES = ("/my", "/my/setup", "/my/passwords", "/my/filters", "/my/filters/new", "/my/away", "/my/log")


def browser(world: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(world.app.asgi), base_url=BASE)


class Owner:
    """Somebody who is logged in."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def login(self, name: str) -> None:
        await self.client.post("/my/login", data={"login": f"{name}@example.com", "password": f"{name}-secret"})

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path)

    async def post(self, path: str, page: str = "/my", **data: Any) -> httpx.Response:
        """With the token that stands in a page."""
        found = re.search(r'name="csrf" value="([^"]+)"', (await self.client.get(page)).text)
        assert found is not None
        return await self.client.post(path, data={"csrf": found[1], **data})


@pytest.fixture
async def anna(world: Any) -> Any:
    async with browser(world) as client:
        owner = Owner(client)
        await owner.login("anna")
        yield owner


@pytest.fixture
async def devices(world: Any) -> dict[str, Device]:
    """A phone of Anna's and one of Ben's."""
    now = datetime.now(UTC)
    made = {}
    for login, id in (("anna", "PHONE1"), ("ben", "BENS")):
        made[login] = await world.store.add_device(Device(
            user_id=world.ids[login], id=id, type="iPhone", agent="Apple-iPhone12C1/1801.1", version="16.1",
            first_seen=now - timedelta(days=3), last_seen=now - timedelta(minutes=1),
            information={"FriendlyName": f"{login}s <phone>", "OS": "iOS 18"},
        ))
    return made


async def filters(world: Any, login: str = "anna") -> Any:
    user = await world.app.site.groupware.read(lambda c: _user(c, world.ids[login]))
    return (await (await world.app.site.accounts.open(user)[0].filters()).read()).filters


def _user(connection: Any, id: str) -> Any:
    from eas.backends.embedded.accounts import load_user

    return load_user(connection, id)


# --- Who comes in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PAGES, "/my/phones/PHONE1", "/my/phones/PHONE1/wipe"])
async def test_nobody_sees_a_page_without_logging_in(world: Any, path: str) -> None:
    async with browser(world) as client:
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/my/login")


@pytest.mark.parametrize("path", PAGES)
async def test_each_page_is_there(anna: Owner, devices: Any, path: str) -> None:
    page = await anna.get(path)
    assert page.status_code == 200
    assert "<h1>" in page.text
    assert "<script" not in page.text.replace("htmx", "")
    assert " style=" not in page.text
    assert 'aria-current="page"' in page.text


async def test_a_form_without_its_token_does_nothing(anna: Owner, devices: Any, world: Any) -> None:
    for path in ("/my/phones/PHONE1/wipe", "/my/phones/PHONE1/folders", "/my/filters/new", "/my/away", "/my/passwords"):
        assert (await anna.client.post(path, data={"name": "x"})).status_code == 403
    assert (await world.device("anna", "PHONE1")).wipe is Wipe.NONE


# --- Phones -----------------------------------------------------------------------------------------------------------


async def test_my_phones_in_words(anna: Owner, devices: Any) -> None:
    page = (await anna.get("/my")).text
    assert "annas &lt;phone&gt;" in page
    assert "1 minute ago" in page
    assert "Works" in page
    assert "BENS" not in page


@pytest.mark.parametrize("step", ["", "/wipe", "/wipe-account", "/remove"])
async def test_somebody_elses_phone_is_not_there(anna: Owner, devices: Any, world: Any, step: str) -> None:
    assert (await anna.get(f"/my/phones/BENS{step}")).status_code == 404
    before = await world.device("ben", "BENS")
    for path in ("name", "folders", "cancel", "readmit", "wipe", "wipe-account", "remove"):
        answer = await anna.post(f"/my/phones/BENS/{path}", label="mine", shown="5")
        assert answer.status_code == 404
    assert await world.device("ben", "BENS") == before
    assert (await anna.get("/my/phones/BENS/eat")).status_code == 404


async def test_the_api_asks_whose_they_are(anna: Owner, devices: Any, world: Any) -> None:
    assert (await anna.get("/api/v1/users/anna/own/devices")).json()[0]["device"] == "PHONE1"
    for path in ("own/devices", "own/log", "own/filters", "own/away", "own/settings", "own/devices/BENS"):
        assert (await anna.get(f"/api/v1/users/ben/{path}")).status_code == 403
        assert (await anna.get(f"/api/v1/users/{world.ids['ben']}/{path}")).status_code == 403
    assert (await anna.get("/api/v1/users/anna/own/devices/BENS")).status_code == 404


async def test_staff_are_no_owners(anna: Owner, world: Any) -> None:
    """What an admin may do to all, they do in /admin; what is in a mailbox they do not see."""
    assert (await anna.get("/admin")).status_code == 303


async def test_a_phone_gets_a_name(anna: Owner, devices: Any, world: Any) -> None:
    assert (await anna.post("/my/phones/PHONE1/name", label="  Car  & <home> ")).status_code == 303
    assert (await world.device("anna", "PHONE1")).label == "Car & <home>"
    assert "Car &amp; &lt;home&gt;" in (await anna.get("/my")).text
    too_long = await anna.post("/my/phones/PHONE1/name", label="x" * 41)
    assert too_long.status_code == 422
    assert "at most 40" in too_long.text


async def test_a_lost_phone_is_wiped_after_it_was_asked(anna: Owner, devices: Any, world: Any) -> None:
    asked = await anna.get("/my/phones/PHONE1/wipe")
    assert "erases itself completely" in asked.text
    assert (await world.device("anna", "PHONE1")).wipe is Wipe.NONE
    assert (await anna.post("/my/phones/PHONE1/wipe")).status_code == 303
    assert (await world.device("anna", "PHONE1")).wipe is Wipe.REQUESTED
    page = await anna.get("/my/phones/PHONE1")
    assert "Will be wiped" in page.text
    # Forgotten now, it would come back unwiped.
    assert (await anna.post("/my/phones/PHONE1/remove")).status_code == 409
    assert (await anna.post("/my/phones/PHONE1/cancel")).status_code == 303
    assert (await world.device("anna", "PHONE1")).wipe is Wipe.NONE
    log = (await anna.get("/my/log")).text
    assert "You asked for the phone to be wiped" in log
    assert "You took the wipe back" in log


async def test_the_account_alone(anna: Owner, devices: Any, world: Any) -> None:
    assert (await anna.post("/my/phones/PHONE1/wipe-account")).status_code == 303
    assert (await world.device("anna", "PHONE1")).wipe_account_only


async def test_a_phone_is_removed(anna: Owner, devices: Any, world: Any) -> None:
    assert (await anna.post("/my/phones/PHONE1/remove")).status_code == 303
    assert await world.device("anna", "PHONE1") is None
    assert "There is no phone yet" in (await anna.get("/my")).text


async def test_what_goes_to_a_phone(anna: Owner, devices: Any, world: Any, phone: Any) -> None:
    """Unticked folders leave the phone at its next FolderSync, nothing is lost, and they come back."""
    one = phone(device="PHONE1")
    await one.set_up()
    user = await world.app.site.groupware.read(lambda c: _user(c, world.ids["anna"]))
    mailbox = world.app.site.accounts.open(user)[0]
    team = await mailbox.create_folder("0", "Team", FolderType.USER_CALENDAR, Chosen(name="team"))
    below = await mailbox.create_folder("0", "Projects", FolderType.USER_MAIL, Chosen(name="projects"))
    inner = await mailbox.create_folder(below.id, "Old", FolderType.USER_MAIL, Chosen(name="old"))
    await one.folder_sync()
    assert {team.id, below.id, inner.id} <= one.state.folders.keys()
    page = (await anna.get("/my/phones/PHONE1")).text
    shown = re.findall(r'name="shown" value="(\d+)"', page)
    assert {team.id, below.id, inner.id} <= set(shown)
    inbox = (await mailbox.folders())[0].id
    assert inbox not in shown  # every phone has it
    ticked = [id for id in shown if id not in (team.id, below.id)]
    saved = await anna.post("/my/phones/PHONE1/folders", shown=[*shown, inbox], folder=ticked)
    assert saved.status_code == 303
    assert set((await world.device("anna", "PHONE1")).left_out) == {team.id, below.id}
    await one.folder_sync()
    assert not {team.id, below.id, inner.id} & one.state.folders.keys()
    assert inbox in one.state.folders
    other = phone(device="PHONE2")
    await other.set_up()
    assert {team.id, below.id, inner.id} <= other.state.folders.keys()
    assert {team.id, below.id, inner.id} <= {folder.id for folder in await mailbox.folders()}
    await anna.post("/my/phones/PHONE1/folders", shown=shown, folder=shown)
    await one.folder_sync()
    assert {team.id, below.id, inner.id} <= one.state.folders.keys()


async def test_a_phone_that_waits_is_told_of_the_choice(anna: Owner, devices: Any, world: Any) -> None:
    listening = world.app.bell.listen(world.ids["anna"], "PHONE1", {"0"})
    try:
        await anna.post("/my/phones/PHONE1/folders", shown="999999")
        assert listening.ended
    finally:
        listening.close()


async def test_what_a_phone_did_last_in_words(anna: Owner, world: Any, phone: Any) -> None:
    device = phone(device="PHONE2")
    await device.set_up()
    await device.sync()
    page = (await anna.get("/my/phones/PHONE2")).text
    assert "What it did last" in page
    for said in ("It fetched its security settings", "It looked which folders there are", "It looked for news"):
        assert said in page
    answer = await anna.get("/api/v1/users/ben/own/devices/BENS/events")
    assert answer.status_code == 403


def test_every_kind_of_request_has_words() -> None:
    event = {"waited": 0.0, "fine": True, "means": "", "sent": 0, "taken": 0}
    plain = {name for name in COMMANDS if did({**event, "command": name}) == f"asked for {name}"}
    assert plain <= {"GetHierarchy", "Notify", "ValidateCert"}
    assert did({**event, "command": "Sync", "sent": 3, "taken": 1}) == "got 3 items and handed in 1 item"
    assert did({**event, "command": "Ping", "waited": 720.0}) == "waited for news for 12 minutes"
    assert did({**event, "command": "Ping", "fine": False, "means": "No."}) == "was told that it cannot be done: No."


async def test_a_mailbox_that_is_away(anna: Owner, devices: Any, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The phone can still be wiped."""
    async def away(*_: Any) -> Any:
        raise Unavailable("the mail server does not answer")

    monkeypatch.setattr("eas.admin.own.own_mailbox", away)
    page = await anna.get("/my/phones/PHONE1")
    assert page.status_code == 200
    assert "does not answer" in page.text


# --- Setting up -------------------------------------------------------------------------------------------------------


async def test_the_settings_in_words(anna: Owner) -> None:
    page = (await anna.get("/my/setup")).text
    for said in ("mail.example.com", "anna@example.com", "Thunderbird", "Samsung", "Gmail", "Outlook"):
        assert said in page


async def test_a_profile_without_a_password(anna: Owner, world: Any) -> None:
    answer = await anna.post("/my/setup/profile")
    assert answer.headers["content-type"] == "application/x-apple-aspen-config"
    [account] = plistlib.loads(answer.content)["PayloadContent"]
    assert account["PayloadType"] == "com.apple.eas.account"
    assert (account["Host"], account["UserName"], account["SSL"]) == ("mail.example.com", "anna@example.com", False)
    assert "Password" not in account
    assert answer.content == (await anna.post("/my/setup/profile")).content  # stable names


async def test_a_code_for_the_phone(anna: Owner, world: Any) -> None:
    page = (await anna.post("/my/setup", with_password="1")).text
    assert "data:image/svg+xml;base64," in page
    link = re.search(r"<code>(http://mail.example.com/my/get\?code=[^<]+)</code>", page)
    assert link is not None
    async with browser(world) as phone:  # nobody is logged in there
        for _ in range(2):  # who only looks uses nothing up
            assert "anna@example.com" in (await phone.get(link[1])).text
        code = {"code": link[1].partition("=")[2]}
        fetched = await phone.post("/my/get", data=code)
        assert fetched.status_code == 200
        [account] = plistlib.loads(fetched.content)["PayloadContent"]
        assert (await phone.post("/my/get", data=code)).status_code == 404
        assert (await phone.get(link[1])).status_code == 404
        assert (await phone.get("/my/get?code=guessed")).status_code == 404
    line = world.connection("anna", "PHONE9")
    line.credentials = type(line.credentials)(user="anna@example.com", password=account["Password"])
    assert (await line.options()).commands
    assert "Phone set up by a code" in (await anna.get("/my/passwords")).text
    assert "A phone fetched" in (log := (await anna.get("/my/log")).text) or "a phone fetched" in log


# --- Passwords --------------------------------------------------------------------------------------------------------


async def test_a_device_password_is_shown_once(anna: Owner) -> None:
    page = (await anna.post("/my/passwords", name="kitchen")).text
    shown = re.search(r'<code class="large">([^<]+)</code>', page)
    assert shown is not None
    listed = (await anna.get("/my/passwords")).text
    assert "kitchen" in listed
    assert shown[1] not in listed
    id = re.search(r'name="id" value="(\d+)"', listed)
    assert id is not None
    assert (await anna.post("/my/passwords/revoke", id=id[1])).status_code == 303
    assert "kitchen" not in (await anna.get("/my/passwords")).text
    assert (await anna.post("/my/passwords", name="")).status_code == 422


# --- Filters ----------------------------------------------------------------------------------------------------------


async def new_filter(anna: Owner, number: str = "new", **data: Any) -> httpx.Response:
    seen = re.search(r'name="seen" value="([^"]+)"', (await anna.get(f"/my/filters/{number}")).text)
    assert seen is not None
    values: dict[str, Any] = {
        "seen": seen[1], "name": "Bills", "on": "1", "every": "1", "what": ["subject:contains", ""],
        "value": ["invoice", ""], "header": ["", ""], "read": "1", "stop": "1",
    }
    return await anna.post(f"/my/filters/{number}", **values | data)


async def test_a_filter_is_made_changed_and_deleted(anna: Owner, world: Any) -> None:
    assert (await new_filter(anna)).status_code == 303
    [one] = await filters(world)
    assert (one.name, one.conditions[0].value, len(one.conditions)) == ("Bills", "invoice", 1)
    page = (await anna.get("/my/filters")).text
    assert "subject contains “invoice”" in page
    assert "mark as read, ask no further filter" in page
    inbox = await world.folder(FolderType.INBOX)
    changed = await new_filter(
        anna, "0", name="Large <b>", what=["size:over", "attachment:there", "header:is"],
        value=["100", "ignored", "x"], header=["ignored", "", "X-Mark"], every="0", move=inbox,
        copy=[inbox, ""], forward="ben@example.com, carla@example.com",
    )
    assert changed.status_code == 303
    [one] = await filters(world)
    assert [c.value for c in one.conditions] == ["100", "", "x"]
    assert (one.every, [a.value for a in one.actions if a.value]) == (
        False, [inbox, inbox, "ben@example.com", "carla@example.com"]
    )
    page = (await anna.get("/my/filters")).text
    assert "Large &lt;b&gt;" in page
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen is not None
    assert (await anna.post("/my/filters/0/do", do="off", seen=seen[1])).status_code == 303
    assert not (await filters(world))[0].on
    stale = await anna.post("/my/filters/0/do", do="delete", seen=seen[1])
    assert stale.status_code == 400
    assert len(await filters(world)) == 1


async def test_the_order_of_filters(anna: Owner, world: Any) -> None:
    for name in ("a", "b"):
        await new_filter(anna, name=name)
    seen = re.search(r'name="seen" value="([^"]+)"', (await anna.get("/my/filters")).text)
    assert seen is not None
    await anna.post("/my/filters/1/do", do="up", seen=seen[1])
    assert [one.name for one in await filters(world)] == ["b", "a"]
    assert (await anna.get("/my/filters/9")).status_code == 404


@pytest.mark.parametrize(("wrong", "said"), [
    ({"name": ""}, "give it a name"), ({"forward": "nobody"}, "no mail address"), ({"value": ["", ""]}, "which text"),
    ({"forward": "anna@example.com"}, "this mailbox itself"), ({"read": "", "stop": ""}, "what is to be done"),
])
async def test_what_is_wrong_with_a_filter(anna: Owner, world: Any, wrong: dict[str, Any], said: str) -> None:
    answer = await new_filter(anna, **wrong)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="invoice"' in answer.text or "value" in wrong
    assert await filters(world) == ()


async def test_filters_are_ones_own(anna: Owner, world: Any) -> None:
    await new_filter(anna)
    assert await filters(world, "ben") == ()


# --- Away -------------------------------------------------------------------------------------------------------------


async def test_away_in_the_owners_own_time(anna: Owner, world: Any) -> None:
    saved = await anna.post(
        "/my/away", state="between", start="2026-12-20T08:00", end="2027-01-04T08:00", inside="Back in January.\n.",
        outside="Closed.", strangers="1",
    )
    assert saved.status_code == 303
    user = await world.app.site.groupware.read(lambda c: _user(c, world.ids["anna"]))
    value = await world.app.site.accounts.open(user)[0].out_of_office()
    assert value.start == datetime(2026, 12, 20, 7, tzinfo=UTC)  # Europe/Berlin
    page = (await anna.get("/my/away")).text
    assert 'value="2026-12-20T08:00"' in page
    assert "Back in January." in page
    await anna.post("/my/away", state="off", inside="Back in January.", outside="")
    page = (await anna.get("/my/away")).text
    assert "Back in January." in page  # kept for the next time
    for wrong in ({"state": "between", "start": "", "end": ""}, {"state": "on"}, {"state": "x"}):
        assert (await anna.post("/my/away", **wrong)).status_code == 422
    assert (await anna.post("/my/away", state="between", start="soon", end="later", inside="x")).status_code == 422


# --- What they logged in with -----------------------------------------------------------------------------------------


def test_what_somebody_logged_in_with_is_sealed_by_the_cookie() -> None:
    text = sealed(Secret(value="pass wörd"), "token")
    assert "pass" not in text
    assert opened(text, "token") == Secret(value="pass wörd")
    assert opened(text, "another token") is None
    assert opened("nonsense", "token") is None
    assert opened(sealed(Secret(value="t", bearer=True), "x"), "x") == Secret(value="t", bearer=True)

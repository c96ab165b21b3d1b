"""A device recorded through its page and through the API, over HTTP without a browser; what the owner's page says."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from eas.admin import recordings, staff
from eas.admin.acting import SERVER, Role

BASE = "http://mail.example.com"
PASSWORD = "correct horse"
PAGE = "/admin/devices/anna@example.com/PHONE1"


@pytest.fixture
async def office(world: Any, phone: Callable[..., Any]) -> Any:
    for role in (Role.ADMIN, Role.HELPDESK, Role.AUDITOR):
        await staff.add(replace(world.app.site, caller=SERVER), role.value, role, PASSWORD)
    await phone().set_up()
    return world


@pytest.fixture
async def client(office: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(office.app.asgi), base_url=BASE) as made:
        yield made


async def enter(client: httpx.AsyncClient, role: Role) -> str:
    await client.post("/admin/login", data={"login": role.value, "password": PASSWORD, "next": "/admin"})
    found = re.search(r'name="csrf" value="([^"]+)"', (await client.get(PAGE)).text)
    assert found is not None
    return found[1]


async def some_requests(office: Any, phone: Callable[..., Any]) -> None:
    await office.app.recorded.look()
    await phone().set_up()
    office.app.recorded.reels.close()
    await office.app.recorded.look()


async def test_a_helper_records_downloads_and_removes(
    office: Any, client: httpx.AsyncClient, phone: Callable[..., Any]
) -> None:
    csrf = await enter(client, Role.HELPDESK)
    said = await client.post(f"{PAGE}/recordings", data={"csrf": csrf, "hours": "8", "size": "10", "note": "no mail"})
    assert said.headers["location"] == f"{PAGE}#recordings"
    await some_requests(office, phone)
    page = (await client.get(PAGE)).text
    assert re.search(r"recording</span> <span class=\"badge ok\">masked</span> until", page)
    assert "no mail" in page
    assert 'name="hours"' not in page
    file = await client.get(f"{PAGE}/recordings/1/session")
    assert file.headers["content-type"] == "application/gzip"
    assert 'filename="anna-1.session.gz"' in file.headers["content-disposition"]
    text = gzip.decompress(file.content).decode()
    assert text.startswith("eas-session 1\n")
    assert "Cmd=FolderSync" in text
    assert "anna@example.com" not in text
    await client.post(f"{PAGE}/recordings/1/stop", data={"csrf": csrf})
    page = (await client.get(PAGE)).text
    assert "stopped by helpdesk" in page
    assert 'name="hours"' in page
    await client.post(f"{PAGE}/recordings/1/remove", data={"csrf": csrf})
    assert "stopped by helpdesk" not in (await client.get(PAGE)).text
    assert not list((office.app.settings.data / "recordings").iterdir())


async def test_what_a_page_does_not_take(office: Any, client: httpx.AsyncClient) -> None:
    csrf = await enter(client, Role.HELPDESK)
    for wrong in ({"hours": "99"}, {"size": "-1"}, {"note": "x" * 201}):
        said = await client.post(f"{PAGE}/recordings", data={"csrf": csrf, "hours": "1", "size": "10", **wrong})
        assert said.status_code == 422
    await recordings.start(replace(office.app.site, caller=SERVER), "ben")
    for step, ask in (("stop", client.post), ("remove", client.post), ("session", client.get)):
        values = {"data": {"csrf": csrf}} if step != "session" else {}
        assert (await ask(f"{PAGE}/recordings/1/{step}", **values)).status_code == 404


async def test_contents_and_who_may_only_look(
    office: Any, client: httpx.AsyncClient, phone: Callable[..., Any]
) -> None:
    await recordings.start(replace(office.app.site, caller=SERVER), "anna", contents=True)
    await some_requests(office, phone)
    await enter(client, Role.HELPDESK)
    page = (await client.get(PAGE)).text
    assert "not masked" in page
    assert "recordings/1/stop" in page
    assert "recordings/1/session" not in page
    assert (await client.get(f"{PAGE}/recordings/1/session")).status_code == 403
    client.cookies.clear()
    await client.post("/admin/login", data={"login": "auditor", "password": PASSWORD, "next": "/admin"})
    page = (await client.get(PAGE)).text
    assert "not masked" in page
    assert "recordings/1" not in page


async def test_the_owner_is_told_by_whom_and_how(office: Any, client: httpx.AsyncClient) -> None:
    await client.post("/my/login", data={"login": "anna@example.com", "password": "anna-secret"})
    assert "being recorded" not in (await client.get("/my")).text
    await recordings.start(replace(office.app.site, caller=SERVER), "anna", device_id="PHONE1", note="no mail")
    for path in ("/my", "/my/phones/PHONE1"):
        page = (await client.get(path)).text
        assert re.search("Your phone .{3,30} is being recorded", page)
        assert "by server" in page
        assert "Without contents" in page
    await recordings.stop(replace(office.app.site, caller=SERVER), 1)
    assert "being recorded" not in (await client.get("/my")).text


async def test_the_same_by_the_api(office: Any, client: httpx.AsyncClient, phone: Callable[..., Any]) -> None:
    site = replace(office.app.site, caller=SERVER)
    token = (await staff.add_token(site, "admin", "tests"))["token"]
    client.headers["Authorization"] = f"Bearer {token}"
    api = "/api/v1"
    made = await client.post(f"{api}/users/anna/recordings", json={"device_id": "PHONE1", "hours": 1, "contents": True})
    assert (made.status_code, made.json()["number"], made.json()["contents"]) == (200, 1, True)
    again = await client.post(f"{api}/users/anna/recordings", json={"device_id": "PHONE1"})
    assert (again.status_code, again.json()["error"]) == (409, "recording 1 is running already; stop it first")
    await some_requests(office, phone)
    file = await client.get(f"{api}/recordings/1/session")
    assert b"Cmd=Provision" in gzip.decompress(file.content)
    assert (await client.post(f"{api}/recordings/1/stop", json={})).json()["why"] == "stopped by admin"
    (listed,) = (await client.get(f"{api}/recordings?who=anna")).json()
    assert (listed["state"], listed["parts"][0]["here"]) == ("ended", True)
    assert (await client.delete(f"{api}/recordings/1")).status_code == 200
    assert (await client.get(f"{api}/recordings/1/session")).status_code == 404
    described = (await client.get("/api/openapi.json")).json()["paths"][f"{api}/recordings/{{number}}/session"]["get"]
    assert "application/octet-stream" in described["responses"]["200"]["content"]

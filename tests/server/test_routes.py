"""HTTP as devices meet it: paths, logins, OPTIONS, limits. [MS-ASHTTP]."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from held import until_subscribed
from wire import Wire, basic, e, sync

from eas.engine.model import FolderType
from eas.protocol import http, wbxml

PATHS = [
    "/Microsoft-Server-ActiveSync", "/microsoft-server-activesync", "/Microsoft-Server-ActiveSync/",
    "/Microsoft-Server-ActiveSync/default.eas", "/MICROSOFT-SERVER-ACTIVESYNC/Default.eas",
]
FOLDER_SYNC = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))

Wires = Callable[..., Wire]


@pytest.mark.parametrize("path", PATHS)
async def test_options_says_what_there_is(wire: Wires, path: str) -> None:
    """R1107, R247, R249: versions ascend, since Firefox OS takes the last one."""
    got = await wire().ask("OPTIONS", path)
    assert (got.http, got.body, got.headers["content-length"]) == (200, b"", "0")
    assert got.headers["ms-asprotocolversions"] == "2.5,12.0,12.1,14.0,14.1,16.0,16.1"
    commands = got.headers["ms-asprotocolcommands"].split(",")
    assert {"Sync", "FolderSync", "Ping", "Provision", "Settings", "Search", "ValidateCert"} <= set(commands)
    assert "Find" in commands
    assert got.headers["allow"] == got.headers["public"] == "OPTIONS,POST"


async def test_every_path_answers_commands(wire: Wires) -> None:
    device = wire()
    for path in PATHS:
        headers = {
            "Authorization": basic("anna", "anna-secret"), "MS-ASProtocolVersion": "14.1", "Content-Type": http.WBXML,
        }
        got = await device.ask("POST", f"{path}?{device.query('FolderSync')}", headers, wbxml.encode(FOLDER_SYNC))
        assert (got.http, got.status) == (200, "1"), path


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "GET"])
@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic !!!!", "Bearer abc", basic("anna", "wrong"), basic("nobody", "anna-secret"), basic("", "")],
)
async def test_without_a_good_login_there_is_a_challenge(wire: Wires, method: str, authorization: str) -> None:
    """R178, R523"""
    got = await wire().ask(method, http.PATH, {"Authorization": authorization})
    assert got.http == 401
    assert got.headers["www-authenticate"] == 'Basic realm="ActiveSync"'


@pytest.mark.parametrize(
    "login", ["anna", "ANNA", "anna@example.com", "Anna@Example.COM", "EXAMPLE\\anna", "defaultcontext\\anna", "\\anna"]
)
async def test_a_login_has_many_forms(wire: Wires, login: str) -> None:
    got = await wire().ask("OPTIONS", http.PATH, {"Authorization": basic(login, "anna-secret")})
    assert got.http == 200


async def test_guessing_is_slowed_down_and_the_right_device_is_not(wire: Wires) -> None:
    """[MS-ASHTTP] R190 R273 R287: 503 and Retry-After, not 401: a phone that is told 401 asks its owner for a
    password."""
    good = {"Authorization": basic("anna", "anna-secret")}
    assert (await wire().ask("OPTIONS", http.PATH, good)).http == 200
    for n in range(10):
        assert (await wire().ask("OPTIONS", http.PATH, {"Authorization": basic("anna", f"guess {n}")})).http == 401
    later = await wire().ask("OPTIONS", http.PATH, {"Authorization": basic("anna", "another")})
    assert later.http == 503
    assert int(later.headers["retry-after"]) >= 1
    assert (await wire().ask("OPTIONS", http.PATH, good)).http == 200


async def test_other_methods_and_paths(wire: Wires) -> None:
    """R186, R187, R465; R182"""
    assert (await wire().ask("PUT", http.PATH)).http == 501
    assert (await wire().ask("DELETE", http.PATH)).http == 501
    assert (await wire().ask("GET", "/elsewhere")).http == 404
    assert (await wire().ask("POST", "/")).http == 404


async def test_a_browser_is_told_that_it_works(wire: Wires) -> None:
    got = await wire().ask("GET", http.PATH)
    assert got.http == 200
    assert b"ActiveSync works" in got.body
    head = await wire().ask("HEAD", http.PATH)
    assert (head.http, head.body) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


async def test_health_needs_no_login(wire: Wires) -> None:
    got = await wire().ask("GET", "/health", {})
    assert (got.http, got.body) == (200, b"ok\n")


async def test_a_first_folder_sync_says_what_is_offered(wire: Wires) -> None:
    """R1104, R1202; nowhere else, where X-MS-RP makes clients drop their state (R226)."""
    device = wire()
    got = await device.post("FolderSync", FOLDER_SYNC)
    assert got.headers["x-ms-rp"] == got.headers["ms-asprotocolversions"] == "2.5,12.0,12.1,14.0,14.1,16.0,16.1"
    assert "FolderSync" in got.headers["ms-asprotocolcommands"]
    key = got.text("SyncKey")
    again = await device.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", key)))
    assert "x-ms-rp" not in again.headers
    assert "ms-asprotocolversions" not in again.headers


async def test_answers_have_their_length_and_type(wire: Wires) -> None:
    """R216, R219"""
    got = await wire().post("FolderSync", FOLDER_SYNC)
    assert got.headers["content-type"] == "application/vnd.ms-sync.wbxml"
    assert got.headers["content-length"] == str(len(got.body))
    assert got.headers["ms-server-activesync"] == "16.1"


@pytest.mark.parametrize("content_type", ["application/vnd.ms-sync", "application/vnd.ms-sync.wbxml; charset=x", ""])
async def test_wbxml_has_more_than_one_name(wire: Wires, content_type: str) -> None:
    got = await wire().post("FolderSync", FOLDER_SYNC, content_type=content_type)
    assert got.status == "1"


async def test_a_body_beyond_the_limit_is_refused_unread(wire: Wires) -> None:
    got = await wire().post("FolderSync", FOLDER_SYNC, headers={"Content-Length": str(1 << 40)})
    assert got.http == 413


async def test_a_long_answer_is_compressed_for_those_who_ask(wire: Wires, world: Any) -> None:
    """[MS-ASHTTP] R197, R214, R215, R412"""
    for number in range(40):
        await world.admin.add_folder("anna@example.com", f"Folder {number}", FolderType.USER_MAIL)
    plain = await wire().post("FolderSync", FOLDER_SYNC)
    packed = await wire().post("FolderSync", FOLDER_SYNC, headers={"Accept-Encoding": "gzip, deflate"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.body) / 2
    # httpx has unpacked it.
    assert len(packed.all("Changes", "Add")) == len(plain.all("Changes", "Add")) > 40
    short = await wire().post("FolderSync", b"\x00", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in short.headers


async def test_a_client_that_hangs_up_ends_its_wait(world: Any, wire: Wires) -> None:
    """No task, no subscription, no error is left."""
    device = wire()
    folders = await device.post("FolderSync", FOLDER_SYNC)
    inbox = next(add for add in folders.all("Changes", "Add") if add.child("FolderHierarchy:Type").text == "2")
    collection = inbox.child("FolderHierarchy:ServerId").text
    await primed(device, collection)
    ping = e(
        "Ping:Ping", e("HeartbeatInterval", "60"),
        e("Folders", e("Folder", e("Id", collection), e("Class", "Email"))),
    )
    before = asyncio.all_tasks()
    gone, answered = asyncio.Event(), []
    body = wbxml.encode(ping)
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    headers = {"authorization": basic("anna", "anna-secret"), "ms-asprotocolversion": "14.1"}
    scope = {
        "type": "http", "method": "POST", "path": http.PATH, "query_string": device.query("Ping").encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()], "client": ("192.0.2.1", 1),
    }
    held = asyncio.create_task(world.app.asgi(scope, receive, send))
    await until_subscribed(world.app.bell)
    assert not held.done()
    gone.set()
    async with asyncio.timeout(60):
        await held
        while not asyncio.all_tasks() <= before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def primed(device: Wire, collection: str) -> str:
    """The key of a first Sync and what follows, up to nothing new."""
    key = "0"
    for _ in range(10):
        got = await device.post("Sync", sync(key, collection))
        if not got.body:
            break
        key = got.text("Collections", "Collection", "SyncKey")
    return key



"""WebDAV collections, on a real server (wsgidav) and on one that misbehaves. [MS-ASDOC]; RFC 4918"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest
from wsgidav.wsgidav_app import WsgiDAVApp

from eas.backends.documents import webdav
from eas.backends.documents.libraries import Libraries, UserDocuments
from eas.engine.errors import (
    BackendError,
    Blocked,
    CredentialsRequired,
    ItemGone,
    NotAllowed,
    TimedOut,
    TooLarge,
    Unavailable,
    Unreachable,
)
from eas.engine.model import User
from eas.items.documents import Login, parse_link

LOGIN = Login(user="dora", password="dora-secret")
ANNA = User(id="u", login="anna", address="a@example.com", addresses=("a@example.com",), name="Anna")


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a collection for everybody and one that wants a login."""
    root = tmp_path_factory.mktemp("dav")
    for name in ("open", "closed"):
        (root / name / "sub dir").mkdir(parents=True)
        (root / name / "plan ü.txt").write_bytes(b"0123456789")
        (root / name / "empty.bin").write_bytes(b"")
        (root / name / "sub dir" / "inner.txt").write_bytes(b"inner")
    app = WsgiDAVApp({
        "provider_mapping": {f"/{name}": str(root / name) for name in ("open", "closed")},
        "simple_dc": {"user_mapping": {"/open": True, "/closed": {LOGIN.user: {"password": LOGIN.password}}}},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "verbose": 0, "logging": {"enable": False}, "dir_browser": {"enable": False},
    })
    httpd = make_server("127.0.0.1", 0, app, handler_class=_Silent)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def documents(*bases: str, transport: httpx.AsyncBaseTransport | None = None) -> UserDocuments:
    links = [parse_link(base) for base in bases]
    return Libraries(servers=[link for link in links if link is not None], transport=transport).of(ANNA)


async def test_a_collection_and_what_lies_in_it(server: str) -> None:
    there = documents(f"{server}/open")
    found, total = await there.listing(f"{server}/open/", None, 0, 100)
    assert [(one.display_name, one.is_folder, one.length) for one in found] == [
        ("open", True, 0), ("sub dir", True, 0), ("empty.bin", False, 0), ("plan ü.txt", False, 10),
    ]
    assert total == 4
    assert found[1].link_id == f"{server}/open/sub%20dir"
    assert found[3].content_type == "text/plain"
    assert all(one.created.year > 2000 and one.modified.year > 2000 for one in found)
    page, total = await there.listing(f"{server}/open", None, 2, 1)
    assert ([one.display_name for one in page], total) == (["empty.bin"], 4)
    below, _ = await there.listing(found[1].link_id, None, 0, 100)
    assert [one.display_name for one in below] == ["sub dir", "inner.txt"]
    (alone,), total = await there.listing(found[3].link_id, None, 0, 100)
    assert (alone.display_name, total) == ("plan ü.txt", 1)


async def test_reading_whole_and_by_ranges(server: str) -> None:
    there, link = documents(f"{server}/open"), f"{server}/open/plan%20%C3%BC.txt"
    for first, last, data in ((0, None, b"0123456789"), (3, 5, b"345"), (8, 99, b"89"), (0, 3, b"0123")):
        got = await there.read(link, None, first, last)
        assert (got.data, got.first, got.total) == (data, first, 10)
        assert got.modified.year > 2000
    assert (await there.read(link, None, 10, 20)).data == b""
    assert (await there.read(f"{server}/open/empty.bin", None, 0, None)).total == 0


async def test_logins_are_those_of_the_request(server: str) -> None:
    there = documents(f"{server}/closed")
    found, _ = await there.listing(f"{server}/closed", LOGIN, 0, 100)
    assert len(found) == 4
    with pytest.raises(CredentialsRequired):
        await there.listing(f"{server}/closed", None, 0, 100)
    with pytest.raises(NotAllowed):
        await there.read(f"{server}/closed/empty.bin", Login(user="dora", password="wrong"), 0, None)


async def test_what_is_not_there_and_what_is_not_opened(server: str) -> None:
    there = documents(f"{server}/open")
    with pytest.raises(ItemGone):
        await there.listing(f"{server}/open/nothing", None, 0, 9)
    with pytest.raises(ItemGone):
        await there.read(f"{server}/open/nothing", None, 0, None)
    for elsewhere in (f"{server}/closed", f"{server}/openly", server, "http://127.0.0.1:1/open", "https://127.0.0.1/open",
                      "\\\\documents\\open"):
        with pytest.raises(Blocked):
            await there.listing(elsewhere, LOGIN, 0, 9)


async def test_a_collection_of_each_user(server: str) -> None:
    there = documents(f"{server}/open/{{user}}")
    with pytest.raises(ItemGone):
        await there.listing(f"{server}/open/anna", None, 0, 9)
    with pytest.raises(Blocked):
        await there.listing(f"{server}/open/ben", None, 0, 9)


async def test_a_server_that_is_not_there() -> None:
    with pytest.raises(Unreachable):
        await documents("http://127.0.0.1:9/x").listing("http://127.0.0.1:9/x", None, 0, 9)


# Servers that misbehave -----------------------------------------------------------------------------------------------

BASE = "http://dav.example.com/docs"


def listing(*responses: str) -> bytes:
    return (
        '<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">' + "".join(responses) + "</d:multistatus>"
    ).encode()


def entry(href: str, folder: bool = False, more: str = "") -> str:
    kind = "<d:collection/>" if folder else ""
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:resourcetype>{kind}</d:resourcetype>{more}</d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


def raising(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda request: httpx.Response(302, headers={"Location": "http://127.0.0.1/admin"}), Blocked),
        (lambda request: httpx.Response(307, headers={"Location": f"{BASE}/other"}), Blocked),
        (lambda request: httpx.Response(403), NotAllowed), (lambda request: httpx.Response(401), CredentialsRequired),
        (lambda request: httpx.Response(404), ItemGone), (lambda request: httpx.Response(500), Unavailable),
        (lambda request: httpx.Response(207, content=b"no xml"), Unavailable),
        (lambda request: httpx.Response(207, content=listing()), ItemGone),
        (lambda request: httpx.Response(207, headers={"Content-Encoding": "gzip"}, content=b""), Unavailable),
        (raising(httpx.ConnectError("no")), Unreachable), (raising(httpx.ConnectTimeout("no")), Unreachable),
        (raising(httpx.ReadTimeout("late")), TimedOut), (raising(httpx.RemoteProtocolError("bad")), Unavailable),
    ],
)
async def test_failures(answer: Callable[[httpx.Request], httpx.Response], error: type[BackendError]) -> None:
    there = documents(BASE, transport=httpx.MockTransport(answer))
    with pytest.raises(error):
        await there.listing(BASE, None, 0, 9)


async def test_a_listing_is_not_believed_beyond_its_folder() -> None:
    evil = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    body = listing(
        entry("/docs/", True), entry("/docs/in.txt", more="<d:getcontentlength>-5</d:getcontentlength>"),
        entry("http://other.example.com/docs/abs.txt"), entry("/elsewhere/x"), entry("/docs/sub/deep.txt"),
        entry("/docs/../up.txt"), entry("/docs/%2e%2e"), entry("/docs/a%2Fb"), entry("http://[::1/x"), entry(""),
    ).replace(b'<?xml version="1.0"?>', b'<?xml version="1.0"?>' + evil.encode())
    there = documents(BASE, transport=httpx.MockTransport(lambda request: httpx.Response(207, content=body)))
    found, total = await there.listing(BASE, None, 0, 99)
    assert [one.link_id for one in found] == [BASE, f"{BASE}/abs.txt", f"{BASE}/in.txt"]
    assert (total, found[2].length) == (3, 0)


async def test_a_login_goes_to_the_configured_server_alone() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(207, content=listing(entry("/docs/", True)))

    there = documents(BASE, transport=httpx.MockTransport(answer))
    await there.listing(BASE, LOGIN, 0, 9)
    with pytest.raises(Blocked):
        await there.listing("http://evil.example.com/docs", LOGIN, 0, 9)
    assert [(request.url.host, request.headers["authorization"][:6]) for request in seen] == [
        ("dav.example.com", "Basic ")
    ]


async def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdav, "MAX_LISTING", 100)
    monkeypatch.setattr(webdav, "MAX_OCTETS", 10)
    there = documents(BASE, transport=httpx.MockTransport(
        lambda request: httpx.Response(207 if request.method == "PROPFIND" else 200, content=b"x" * 1000)
    ))
    with pytest.raises(TooLarge):
        await there.listing(BASE, None, 0, 9)
    with pytest.raises(TooLarge):
        await there.read(f"{BASE}/big", None, 0, None)


class Dripping(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield b"x"


async def test_a_server_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdav, "ALL_SECONDS", 0.1)
    there = documents(BASE, transport=httpx.MockTransport(lambda request: httpx.Response(200, stream=Dripping())))
    with pytest.raises(TimedOut):
        await there.read(f"{BASE}/x", None, 0, None)


async def test_a_server_that_knows_no_ranges() -> None:
    there = documents(BASE, transport=httpx.MockTransport(lambda request: httpx.Response(200, content=b"0123456789")))
    got = await there.read(f"{BASE}/x", None, 2, 4)
    assert (got.data, got.total) == (b"234", 10)

"""A collection of a WebDAV server: PROPFIND for what lies there, GET for octets. Reading alone.

The address is that of the settings with the segments of the link behind it. Redirects are refused, since they would
lead elsewhere; so are proxies and logins of the environment. The login that a device states goes to this server and
nowhere else. Whatever a listing names that does not lie directly in what was asked for is passed over. RFC 4918.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

import httpx
from lxml import etree

from eas.engine.errors import (
    Blocked,
    CredentialsRequired,
    ItemGone,
    NotAllowed,
    TimedOut,
    TooLarge,
    Unavailable,
    Unreachable,
)
from eas.items.documents import UNKNOWN_TYPE, Content, Document, Link, Login, is_segment

#: Seconds: a device waits half a minute for a search, and somewhat longer for a large document.
CONNECT_SECONDS, READ_SECONDS, ALL_SECONDS = 5.0, 15.0, 90.0
#: Octets of a listing: some ten thousand entries.
MAX_LISTING = 16 << 20
#: Octets of a document in one answer, which is built in memory. Larger ones are fetched by ranges.
MAX_OCTETS = 64 << 20

_DAV = "{DAV:}"
_PROPERTIES = ("displayname", "resourcetype", "creationdate", "getlastmodified", "getcontentlength", "getcontenttype",
               "ishidden")
_PROPFIND = (
    '<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop>'
    + "".join(f"<D:{name}/>" for name in _PROPERTIES) + "</D:prop></D:propfind>"
).encode()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDav:
    """`base` is the collection that the settings name."""

    base: Link
    transport: httpx.AsyncBaseTransport | None = None

    async def listing(
        self, link: Link, login: Login | None, start: int, count: int
    ) -> tuple[Sequence[Document], int]:
        """Raises ItemGone, NotAllowed, Blocked, CredentialsRequired, Unreachable, TimedOut, TooLarge, Unavailable."""
        async with self._asked("PROPFIND", link, login, {"Depth": "1"}, _PROPFIND) as response:
            if response.status_code != 207:
                raise Unavailable(f"HTTP {response.status_code} to a PROPFIND")
            body = await _whole(response, MAX_LISTING)
        itself, inside = _documents(body, link)
        inside.sort(key=lambda one: (not one.is_folder, one.display_name.casefold(), one.display_name))
        everything = [itself, *inside]
        return everything[start : start + count], len(everything)

    async def read(self, link: Link, login: Login | None, first: int, last: int | None) -> Content:
        """Raises what `listing` raises."""
        end = "" if last is None else last
        headers = {}
        if first or last is not None:
            headers["Range"] = f"bytes={first}-{end}"
        async with self._asked("GET", link, login, headers) as response:
            modified = _http_date(response.headers.get("last-modified", ""))
            if response.status_code == 416:
                return Content(data=b"", first=first, total=_total(response, 1), modified=modified)
            if response.status_code == 206:
                data = await _whole(response, MAX_OCTETS)
                return Content(data=data, first=first, total=_total(response, first + len(data)), modified=modified)
            if response.status_code != 200:
                raise Unavailable(f"HTTP {response.status_code} to a GET")
            whole = await _whole(response, MAX_OCTETS)
        cut = whole[first:] if last is None else whole[first : last + 1]
        return Content(data=cut, first=first, total=len(whole), modified=modified)

    @asynccontextmanager
    async def _asked(
        self, method: str, link: Link, login: Login | None, headers: dict[str, str], body: bytes | None = None
    ) -> AsyncIterator[httpx.Response]:
        auth = httpx.BasicAuth(login.user, login.password) if login is not None else None
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        try:
            async with (
                asyncio.timeout(ALL_SECONDS),  # one that sends an octet now and then is not waited for
                httpx.AsyncClient(
                    transport=self.transport, timeout=timeout, follow_redirects=False, trust_env=False
                ) as client,
                client.stream(
                    # A range that is compressed would be none of the document, and a small answer could grow large.
                    method, link.text, headers={"Accept-Encoding": "identity", **headers}, content=body, auth=auth
                ) as response,
            ):
                _check(response.status_code, login)
                yield response
        except httpx.ConnectTimeout as error:
            raise Unreachable("the document server does not answer") from error
        except (httpx.TimeoutException, TimeoutError) as error:
            raise TimedOut("the document server takes too long") from error
        except httpx.ConnectError as error:
            raise Unreachable("the document server cannot be connected to") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"the document server failed: {type(error).__name__}") from error


def _check(status: int, login: Login | None) -> None:
    """What a status of the server means, if it is none of success."""
    if 300 <= status < 400:
        raise Blocked("the document server sends us elsewhere")
    if status == 401 and login is None:
        raise CredentialsRequired
    if status in (401, 403, 407):
        raise NotAllowed(f"HTTP {status}")
    if status in (404, 409, 410):
        raise ItemGone(f"HTTP {status}")


async def _whole(response: httpx.Response, most: int) -> bytes:
    """The body as it comes. Raises TooLarge before more than that is held, Unavailable if it is compressed."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unavailable("the document server compresses though asked not to")
    pieces, size = list[bytes](), 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > most:
            raise TooLarge(f"more than {most} octets")
        pieces.append(piece)
    return b"".join(pieces)


def _total(response: httpx.Response, least: int) -> int:
    """The size of the whole document out of Content-Range."""
    total = response.headers.get("content-range", "").rpartition("/")[2]
    return int(total) if total.isascii() and total.isdigit() and len(total) < 19 else least


# --- Listings ---------------------------------------------------------------------------------------------------------


def _documents(body: bytes, link: Link) -> tuple[Document, list[Document]]:
    """What the link points to, and what lies directly in it. Raises ItemGone, Unavailable."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise Unavailable("the document server's listing is not XML") from error
    itself: Document | None = None
    inside: list[Document] = []
    for response in root.iterchildren(f"{_DAV}response"):
        segments = _segments(response.findtext(f"{_DAV}href") or "")
        if segments == link.segments:
            itself = _document(response, link)
        elif segments is not None and segments[:-1] == link.segments:
            inside.append(_document(response, link.below(segments[-1])))
    if itself is None:
        raise ItemGone("not in its own listing")
    return itself, inside if itself.is_folder else []


def _segments(href: str) -> tuple[str, ...] | None:
    """The path of an href, decoded; None for one that climbs, or cannot be read. Its host is of no interest: the path
    is what is asked for, of the configured server."""
    try:
        path = urlsplit(href.strip()).path
    except ValueError:
        return None
    kept = tuple(unquote(segment) for segment in path.split("/") if segment)
    return kept if all(map(is_segment, kept)) else None


def _properties(response: etree._Element) -> Iterator[etree._Element]:
    """Those that were found."""
    for stated in response.iterchildren(f"{_DAV}propstat"):
        if " 200" in (stated.findtext(f"{_DAV}status") or ""):
            for found in stated.iterchildren(f"{_DAV}prop"):
                yield from found.iterchildren()


def _document(response: etree._Element, link: Link) -> Document:
    texts: dict[str, str] = {}
    is_folder = False
    for one in _properties(response):
        name = etree.QName(one).localname
        texts[name] = (one.text or "").strip()
        is_folder |= name == "resourcetype" and one.find(f"{_DAV}collection") is not None
    own = link.segments[-1] if link.segments else link.host
    modified = _http_date(texts.get("getlastmodified", ""))
    length = texts.get("getcontentlength", "")
    media_type = texts.get("getcontenttype", "").partition(";")[0].strip()
    known = length.isascii() and length.isdigit() and len(length) < 19 and not is_folder
    return Document(
        link_id=link.text, display_name=own, is_folder=is_folder, modified=modified,
        created=_iso_date(texts.get("creationdate", "")) or modified,
        is_hidden=texts.get("ishidden") == "1" or own.startswith("."), length=int(length) if known else 0,
        content_type=UNKNOWN_TYPE if is_folder else media_type or UNKNOWN_TYPE,
    )


def _http_date(text: str) -> datetime:
    """1970 for what is no date."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return _EPOCH


def _iso_date(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

"""One device's line to the server: requests out, answers in, HTTP's own rules kept. No state but version and keys.

`Connection.ask` sends a message of `eas.commands` and loads the answer; `Connection.post` is the same without types.
Everything that goes over the line can be watched (`watchers`), and the line can be made to lose requests or answers
(`fate`), which is what tests of lost answers use. [MS-ASHTTP].
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx

from eas.commands.all import COMMANDS
from eas.protocol import http
from eas.protocol import query as queries
from eas.protocol.query import Query
from eas.protocol.schema import SchemaError, dump, load
from eas.protocol.version import Version
from eas.protocol.wbxml import Element, decode, encode

from .errors import (
    PROVISIONING,
    BadAnswer,
    Busy,
    Forbidden,
    HttpFailure,
    LostAnswer,
    NeedsProvisioning,
    Refusal,
    Unauthorised,
)

R = TypeVar("R")

#: Seconds without an answer after which a phone gives up; a hanging request gets its heartbeat on top.
PATIENCE_SECONDS = 90.0
#: Redirects (451) followed for one request. A site has a few servers; more is a loop.
MAX_REDIRECTS = 3
#: Common statuses ([MS-ASCMD]) stand above every command's own, but for ValidateCert and Search, which end below 20.
FIRST_COMMON_STATUS = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the device says it is; constant over its life. [MS-ASHTTP] DeviceId, DeviceType."""

    device_id: str
    device_type: str = "EasPhone"
    agent: str = "eas-phone/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what became of it. `status` is 0 where no answer came. Bodies are Elements where they are WBXML,
    else bytes; an empty one is None. `seconds` is how long the answer took."""

    command: str
    query: Query
    request: Element | bytes | None
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    response: Element | bytes | None = None
    request_size: int = 0
    response_size: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`root` is None for an empty body and for one that is not WBXML; `body` is then what came. `parts` are those of a
    multipart answer, the document (number 0) left out."""

    status: int
    headers: Mapping[str, str]
    root: Element | None = None
    body: bytes = b""
    parts: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What OPTIONS says. Versions that we do not know are left out; they are in the server's order."""

    versions: tuple[Version, ...]
    commands: tuple[str, ...]
    server: str = ""


class Fate(Enum):
    """What becomes of a request: it arrives and is answered, it never arrives, or its answer never does."""

    ANSWERED = auto()
    REQUEST_LOST = auto()
    ANSWER_LOST = auto()


Watcher = Callable[[Exchange], None]


class Connection:
    """A client of one account on one device. `base_url` is that of the server, with or without the path.

    `encoded` asks with base64 queries where the version has them. `policy_key` None sends none at all, 0 says "not
    yet". `fate` decides what becomes of each request; by default it is answered.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        identity: Identity,
        *,
        version: Version = Version.V14_1,
        policy_key: int | None = None,
        encoded: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
        verify: bool = True,
    ) -> None:
        self.url = endpoint(base_url)
        self.credentials = credentials
        self.identity = identity
        self.version = version
        self.policy_key = policy_key
        self.encoded = encoded
        self.watchers: list[Watcher] = []
        self.fate: Callable[[str], Fate] = lambda command: Fate.ANSWERED
        #: Headers to send with every request beside our own, or instead of them.
        self.extra_headers: dict[str, str] = {}
        self.client = httpx.AsyncClient(transport=transport, verify=verify, timeout=PATIENCE_SECONDS)

    async def close(self) -> None:
        await self.client.aclose()

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    # -- typed ---------------------------------------------------------------------------------------------------------

    async def ask(self, command: str, request: object, response: type[R], *, hang_seconds: float = 0.0) -> R | None:
        """Send `request`; the answer as a `response`, None if it is empty.

        Raises Refusal for a common Status at the root, NeedsProvisioning for those that mean it, BadAnswer for an
        answer that is no such message, and what `post` raises.
        """
        document = dump(COMMANDS[command].root, request, self.version)
        answer = await self.post(command, document, hang_seconds=hang_seconds)
        return self.read(command, answer, response)

    def read(self, command: str, answer: Answer, response: type[R]) -> R | None:
        """The message in an answer, None if there is no document. Raises BadAnswer."""
        if answer.root is None:
            return None
        try:
            return load(response, answer.root, self.version)
        except SchemaError as error:
            raise BadAnswer(f"{command}: {error}") from error

    # -- untyped -------------------------------------------------------------------------------------------------------

    async def post(
        self,
        command: str,
        body: Element | bytes | None = None,
        *,
        hang_seconds: float = 0.0,
        content_type: str = "",
        **parameters: Any,
    ) -> Answer:
        """Send one command. `parameters` are fields of Query. bytes go as MIME unless `content_type` says otherwise.

        Raises LostAnswer, Unauthorised, Forbidden, Busy, HttpFailure, Refusal, NeedsProvisioning, BadAnswer.
        """
        query = Query(
            command=command, device_id=self.identity.device_id, device_type=self.identity.device_type,
            user=self.credentials.user, version=self.version, policy_key=self.policy_key,
            encoded=self.encoded and self.version >= Version.V12_1 and command in queries.CODE_OF_COMMAND, **parameters,
        )
        raw = encode(body) if isinstance(body, Element) else body or b""
        kind = content_type or (http.WBXML if isinstance(body, Element) else http.MIME if body else "")
        exchange = Exchange(command=command, query=query, request=body, request_size=len(raw))
        for _ in range(MAX_REDIRECTS):
            answer = await self._send(exchange, raw, kind, hang_seconds)
            if answer.status != 451:
                break
            self._redirect(answer)
        self._judge(command, answer)
        return answer

    async def options(self) -> Offer:
        """What the server offers. Raises as `post`, and BadAnswer where no version is named."""
        try:
            headers = {"User-Agent": self.identity.agent, **self.extra_headers}
            response = await self.client.request("OPTIONS", self.url, auth=self._auth(), headers=headers)
        except httpx.TransportError as error:
            raise LostAnswer(f"OPTIONS: {error or type(error).__name__}") from error
        self._judge("OPTIONS", Answer(status=response.status_code, headers=response.headers))
        offer = offered(response.headers)
        if not offer.versions:
            raise BadAnswer("OPTIONS names no protocol version: is this an ActiveSync server?")
        return offer

    def _auth(self) -> httpx.BasicAuth:
        return httpx.BasicAuth(self.credentials.user.encode(), self.credentials.password.encode())

    async def _send(self, exchange: Exchange, raw: bytes, kind: str, hang_seconds: float) -> Answer:
        fate = self.fate(exchange.command)
        started = time.perf_counter()
        if fate is Fate.REQUEST_LOST:
            self._tell(exchange)
            raise LostAnswer(f"{exchange.command}: the request did not arrive")
        headers = headers_of(exchange.query, self.identity, kind) | self.extra_headers
        try:
            response = await self.client.post(
                f"{self.url}?{query_text(exchange.query)}", content=raw, headers=headers, auth=self._auth(),
                timeout=httpx.Timeout(PATIENCE_SECONDS, read=PATIENCE_SECONDS + hang_seconds),
            )
        except httpx.TransportError as error:
            self._tell(replace(exchange, seconds=time.perf_counter() - started))
            raise LostAnswer(f"{exchange.command}: {error or type(error).__name__}") from error
        seconds = time.perf_counter() - started
        if fate is Fate.ANSWER_LOST:
            self._tell(replace(exchange, seconds=seconds))
            raise LostAnswer(f"{exchange.command}: the answer did not arrive")
        answer = read_answer(exchange.command, response)
        self._tell(
            replace(
                exchange, status=answer.status, headers=answer.headers, response=answer.root or answer.body or None,
                response_size=len(response.content), seconds=seconds,
            )
        )
        return answer

    def _tell(self, exchange: Exchange) -> None:
        for watcher in self.watchers:
            watcher(exchange)

    def _redirect(self, answer: Answer) -> None:
        """Go where X-MS-Location says. Credentials that went over TLS do not go on without it."""
        target = urljoin(self.url, answer.headers.get("x-ms-location", ""))
        here, there = urlsplit(self.url), urlsplit(target)
        weaker = (here.scheme, there.scheme) == ("https", "http")
        if there.scheme not in ("http", "https") or not there.netloc or weaker:
            raise BadAnswer(f"redirected to {target!r}, which is not followed")
        self.url = endpoint(target)

    def _judge(self, command: str, answer: Answer) -> None:
        """Raise what a status says, of HTTP or of the root."""
        if answer.status == 200:
            status = root_status(answer.root)
            if status is not None and status >= FIRST_COMMON_STATUS:
                if status in PROVISIONING:
                    raise NeedsProvisioning(command, status)
                raise Refusal(command, status)
            return
        if answer.status == 449:
            raise NeedsProvisioning(command, 449)
        if answer.status == 401:
            raise Unauthorised("the server does not take this name and password")
        if answer.status == 403:
            raise Forbidden("the server does not let this user or device in")
        if answer.status == 503:
            stated = answer.headers.get("retry-after", "")
            raise Busy("the server is busy", int(stated) if stated.isascii() and stated.isdigit() else None)
        raise HttpFailure(answer.status, f"{command}: the server answers HTTP {answer.status}")


# Pure parts ---------------------------------------------------------------------------------------------------------


def endpoint(url: str) -> str:
    """The address to post to, from one with or without scheme and path; https where nothing is said."""
    if "://" not in url:
        url = f"https://{url}"
    parts = urlsplit(url)
    path = parts.path if parts.path.strip("/") else http.PATH
    return f"{parts.scheme}://{parts.netloc}{path}"


def offered(headers: Mapping[str, str]) -> Offer:
    """The offer in the headers of an OPTIONS answer."""
    known = {version.text: version for version in Version}
    names = [text.strip() for text in headers.get("ms-asprotocolversions", "").split(",")]
    commands = [text.strip() for text in headers.get("ms-asprotocolcommands", "").split(",")]
    return Offer(
        versions=tuple(known[name] for name in names if name in known),
        commands=tuple(filter(None, commands)),
        server=headers.get("ms-server-activesync", ""),
    )


def negotiate(offer: Offer, wanted: Version | None = None, newest: Version = Version.V16_1) -> Version:
    """The version to speak: the wanted one, else the highest that both sides have. Raises BadAnswer for none."""
    if wanted is not None:
        if wanted not in offer.versions:
            names = ", ".join(version.text for version in offer.versions)
            raise BadAnswer(f"the server speaks {names}, not {wanted.text}")
        return wanted
    common = [version for version in offer.versions if version <= newest]
    if not common:
        raise BadAnswer("the server speaks no version that this client has")
    return max(common)


def query_text(query: Query) -> str:
    return queries.encode_base64(query) if query.encoded else queries.plain(query)


def headers_of(query: Query, identity: Identity, content_type: str) -> dict[str, str]:
    headers = {"User-Agent": identity.agent, **http.request_headers(query)}
    return headers | ({"Content-Type": content_type} if content_type else {})


def read_answer(command: str, response: httpx.Response) -> Answer:
    """Raises BadAnswer for WBXML that is none."""
    kind = response.headers.get("content-type", "")
    root, parts, body = None, tuple[bytes, ...](), response.content
    try:
        if body and response.status_code == 200:
            if http.media_type(kind) == http.MULTIPART:
                document, *rest = http.parts_of(body)
                root, parts = decode(document), tuple(rest)
            elif http.is_wbxml(kind):
                root = decode(body)
    except ValueError as error:
        raise BadAnswer(f"{command}: {error}") from error
    return Answer(status=response.status_code, headers=response.headers, root=root, body=body, parts=parts)


def root_status(root: Element | None) -> int | None:
    """The Status that is a child of the root, None if there is none."""
    if root is None:
        return None
    space = root.tag.partition(":")[0]
    # MeetingResponse says what is true of the whole request in a Result. [MS-ASCMD] Status (MeetingResponse) R4175.
    holder = root.child("MeetingResponse:Result") or root
    child = holder.child(f"{space}:Status")
    return int(child.text) if child is not None and child.text.isascii() and child.text.isdigit() else None

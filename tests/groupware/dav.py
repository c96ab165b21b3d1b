"""What the DAV servers have in common: a plain HTTP client of the other side, and collections for a new user."""

from __future__ import annotations

import base64
import http.client
import shutil
import ssl
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from .mail import Users
from .process import Child

_CALENDAR = "urn:ietf:params:xml:ns:caldav"
_ADDRESSBOOK = "urn:ietf:params:xml:ns:carddav"


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True, kw_only=True)
class DavHost:
    """`url` is the root, with a slash at its end. `ca_file` is "" where it is not https."""

    url: str = ""
    ca_file: str = ""
    users: Users = field(default_factory=Users)

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def password(self, login: str) -> str:
        return self.users.passwords[login]

    def request(
        self, method: str, path: str, login: str, body: bytes | str = b"", password: str | None = None, **headers: str
    ) -> Answer:
        """`path` is absolute, or relative to `url`. Underscores in names of headers stand for hyphens."""
        secret = self.password(login) if password is None else password
        token = base64.b64encode(f"{login}:{secret}".encode()).decode()
        sent = {"Authorization": f"Basic {token}"} | {name.replace("_", "-"): value for name, value in headers.items()}
        line = self._connection()
        try:
            octets = body.encode() if isinstance(body, str) else body
            line.request(method, path if path.startswith("/") else urlsplit(self.url).path + path, octets, sent)
            answer = line.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, fields, answer.read())
        finally:
            line.close()

    def _connection(self) -> http.client.HTTPConnection:
        if not self.ca_file:
            return http.client.HTTPConnection(self.host, self.port, timeout=30)
        trust = ssl.create_default_context(cafile=self.ca_file)
        return http.client.HTTPSConnection(self.host, self.port, timeout=30, context=trust)

    def put(self, path: str, login: str, body: bytes | str, **headers: str) -> Answer:
        """An object as another client stores it. Raises AssertionError if it is refused."""
        kind = "text/vcard" if path.endswith(".vcf") else "text/calendar"
        answer = self.request("PUT", path, login, body, **{"Content_Type": f"{kind}; charset=utf-8", **headers})
        assert answer.status in (200, 201, 204), answer
        return answer

    def make_calendar(self, path: str, login: str, name: str, *components: str) -> None:
        """A collection for components such as VEVENT."""
        allowed = "".join(f'<C:comp name="{component}"/>' for component in components)
        self._make(path, login, (
            f'<D:mkcol xmlns:D="DAV:" xmlns:C="{_CALENDAR}"><D:set><D:prop>'
            "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
            f"<D:displayname>{name}</D:displayname>"
            f"<C:supported-calendar-component-set>{allowed}</C:supported-calendar-component-set>"
            "</D:prop></D:set></D:mkcol>"
        ))

    def make_addressbook(self, path: str, login: str, name: str) -> None:
        self._make(path, login, (
            f'<D:mkcol xmlns:D="DAV:" xmlns:C="{_ADDRESSBOOK}"><D:set><D:prop>'
            "<D:resourcetype><D:collection/><C:addressbook/></D:resourcetype>"
            f"<D:displayname>{name}</D:displayname></D:prop></D:set></D:mkcol>"
        ))

    def _make(self, path: str, login: str, body: str) -> None:
        answer = self.request("MKCOL", path, login, body, Content_Type="application/xml; charset=utf-8")
        assert answer.status == 201, answer


@dataclass(slots=True, kw_only=True)
class DavServer(DavHost, ABC):
    """One that is a process of ours, with its files in `path`."""

    path: Path
    child: Child | None = None

    @abstractmethod
    def start(self) -> DavServer:
        """On the same port with the same objects each time."""

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()

    def restart(self) -> None:
        self.kill()
        self.start()

    def stop(self) -> None:
        if self.child is not None:
            self.child.kill()
        shutil.rmtree(self.path, ignore_errors=True)

"""The documents that an admin opened, for one user: a link is looked up among them, and anything else is blocked.

A link never decides where the gateway connects to: it only chooses one of the places that the settings name, and what
lies below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from eas.engine.errors import BadLink, Blocked
from eas.engine.model import User
from eas.items.documents import Content, Document, Link, Login, is_segment, parse_link

from .shares import Share
from .webdav import WebDav

#: What stands for the user's login in the path of a share and in the address of a server.
USER = "{user}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Libraries:
    """`shares` are folders by the (folded) name of the share, reached as \\\\host\\name; `servers` are addresses of
    WebDAV collections. `transport` is for tests."""

    host: str = "documents"
    shares: Mapping[str, Path] = field(default_factory=dict)
    servers: Sequence[Link] = ()
    transport: httpx.AsyncBaseTransport | None = None

    def of(self, user: User) -> UserDocuments:
        return UserDocuments(self, user.login)


class UserDocuments:
    """The port `eas.engine.ports.Documents`."""

    def __init__(self, libraries: Libraries, login: str) -> None:
        self._libraries, self._login = libraries, login

    async def listing(
        self, link: str, login: Login | None, start: int, count: int
    ) -> tuple[Sequence[Document], int]:
        place, asked = self._place(link)
        return await place.listing(asked, login, start, count)

    async def read(self, link: str, login: Login | None, first: int, last: int | None) -> Content:
        place, asked = self._place(link)
        return await place.read(asked, login, first, last)

    def _place(self, text: str) -> tuple[Share | WebDav, Link]:
        """Raises BadLink, Blocked."""
        link = parse_link(text)
        if link is None:
            raise BadLink("not a link to a document")
        if link.origin:
            return self._server(link), link
        folder = self._libraries.shares.get(link.segments[0].casefold()) if link.segments else None
        if folder is None or link.host != self._libraries.host.lower():
            raise Blocked(f"{link.host} has no such share")
        return Share(folder=self._own(folder), depth=1), link

    def _own(self, folder: Path) -> Path:
        """Raises Blocked for a user whose login cannot be the name of a folder."""
        if USER in str(folder) and (not is_segment(self._login) or self._login.startswith(".")):
            raise Blocked("no folder of this user")
        return Path(str(folder).replace(USER, self._login))

    def _server(self, link: Link) -> WebDav:
        for base in self._libraries.servers:
            if USER in "".join(base.segments) and not is_segment(self._login):
                continue
            segments = tuple(segment.replace(USER, self._login) for segment in base.segments)
            own = Link(host=base.host, segments=segments, origin=base.origin)
            if link.origin == own.origin and link.segments[: len(segments)] == segments:
                return WebDav(base=own, transport=self._libraries.transport)
        raise Blocked(f"{link.origin} is no document server")

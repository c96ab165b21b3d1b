"""Documents of file shares and document servers: what devices see of them, and the links by which they ask. Pure.

[MS-ASDOC]; [MS-ASCMD] LinkId.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, unquote, urlsplit

from eas.protocol.schema import DASHED, FLAG, INT, element

#: Characters of a link: what Windows takes for a path, several times over.
MAX_LINK = 4096
#: Folders above a document.
MAX_SEGMENTS = 64

#: The type of what has none that is known, folders among it.
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document or a folder. Times are aware, in UTC; `length` in octets, 0 for a folder. [MS-ASDOC] Elements."""

    link_id: str = element("DocumentLibrary:LinkId")
    display_name: str = element("DocumentLibrary:DisplayName")
    is_folder: bool = element("DocumentLibrary:IsFolder", FLAG)
    created: datetime = element("DocumentLibrary:CreationDate", DASHED)
    modified: datetime = element("DocumentLibrary:LastModifiedDate", DASHED)
    is_hidden: bool = element("DocumentLibrary:IsHidden", FLAG, default=False)
    length: int = element("DocumentLibrary:ContentLength", INT, default=0)
    content_type: str = element("DocumentLibrary:ContentType", default=UNKNOWN_TYPE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who the device says it is to the document's server, which may be somebody else than here."""

    user: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Some octets of a document: `data` begins at `first`. `total` counts all of them."""

    data: bytes
    first: int
    total: int
    modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    r"""A link taken apart. `origin` is "" for a file share (\\host\share\path, file://host/share/path), else the scheme
    and the place of a web server ("https://host:port", without the port that is usual). `segments` are decoded; none of
    them is "", "." or "..", none has a slash, a backslash or a control character in it. `host` is in lower case."""

    host: str
    segments: tuple[str, ...]
    origin: str = ""

    @property
    def text(self) -> str:
        if self.origin:
            return "/".join((self.origin, *(quote(segment, safe="") for segment in self.segments)))
        return "\\\\" + "\\".join((self.host, *self.segments))

    def below(self, *names: str) -> Link:
        return Link(host=self.host, segments=(*self.segments, *names), origin=self.origin)


def parse_link(text: str) -> Link | None:
    """None for what is no link, for one that climbs (".."), and for one that names a user or a query."""
    text = text.strip()
    if not text or len(text) > MAX_LINK:
        return None
    if text.startswith("\\\\"):
        host, *segments = text[2:].split("\\")
        return _link(host, segments)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
        return None
    segments = [unquote(segment) for segment in parts.path.split("/")]
    if parts.scheme == "file" and port is None:
        if not host:  # file:////host/share is as common
            segments = segments[2:] if segments[:2] == ["", ""] else []
            host, segments = (segments[0], segments[1:]) if segments else ("", [])
        return _link(host, segments)
    if parts.scheme not in _PORTS:
        return None
    place = f"[{host}]" if ":" in host else host
    usual = port in (None, _PORTS[parts.scheme])
    return _link(host, segments, f"{parts.scheme}://{place}" + ("" if usual else f":{port}"))


_PORTS = {"http": 80, "https": 443}


def _link(host: str, segments: list[str], origin: str = "") -> Link | None:
    kept = tuple(segment for segment in segments if segment)
    if not _is_host(host) or len(kept) > MAX_SEGMENTS or not all(map(is_segment, kept)):
        return None
    return Link(host=host.lower(), segments=kept, origin=origin.lower())


def _is_host(text: str) -> bool:
    return bool(text) and len(text) <= 255 and all(c.isalnum() or c in ".-_:" for c in text)


def is_segment(text: str) -> bool:
    """Whether a text can be one step of a path."""
    return text not in ("", ".", "..") and not any(c in "/\\" or ord(c) < 32 or c == "\x7f" for c in text)

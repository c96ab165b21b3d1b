"""Kinds of values that settings have; what is allowed is said once, for the faults and for the documentation."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from eas.items.documents import is_segment, parse_link

DRIVERS = ("sqlite+aiosqlite", "postgresql+asyncpg", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a setting may be, in words that continue "... is wanted"."""

    words: str


def guess(word: str, words: Iterable[str]) -> str:
    """The nearest of some words, as an ending of a sentence; "" if none is near."""
    near = difflib.get_close_matches(word, list(words), 1)
    return f"; {near[0]}?" if near else ""


_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})")
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")


def _host_port(value: str) -> str:
    found = _HOST_PORT.fullmatch(value)
    if not found or int(found["port"]) > 65535:
        raise ValueError
    return value


def _door(value: str) -> str:
    return value if not value or value.startswith(("/", "./")) else _host_port(value)


def _host(value: str) -> str:
    if re.search(r"[\s/@]", value) or (":" in value and not re.fullmatch(r"[0-9A-Fa-f:.]+", value)):
        raise ValueError
    return value


def _domain(value: str) -> str:
    value = value.strip().lower().rstrip(".")
    if value and not _DOMAIN.fullmatch(value):
        raise ValueError
    return value


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(guess(value, available_timezones()))
    return value


def _network(value: str) -> str:
    try:
        return str(ip_network(value.strip(), strict=False))
    except ValueError:
        raise ValueError from None


def _url(value: str) -> str:
    try:
        if value and make_url(value).drivername not in DRIVERS:
            raise ValueError
    except ArgumentError:
        raise ValueError from None
    return value


def _file(value: Path) -> Path:
    if not value.is_file():
        raise ValueError("there is no such file")
    return value


def _host_maybe_port(value: str) -> str:
    value = value.strip().lower()
    return _host_port(value) if _HOST_PORT.fullmatch(value) else _host(value)


def _share(value: str) -> str:
    name, equals, folder = value.partition("=")
    if not equals or not is_segment(name.strip()) or not folder.strip().startswith("/"):
        raise ValueError
    return f"{name.strip()}={folder.strip()}"


def _server(value: str) -> str:
    link = parse_link(value)
    if link is None or not link.origin:
        raise ValueError
    return value.strip()


def _mailbox(value: str) -> str:
    local, _, domain = value.strip().rpartition("@")
    if value.strip() and (not local or re.search(r"[\s<>,;:\x00-\x1f\x7f]", local) or not _domain(domain)):
        raise ValueError
    return value.strip()


def _public_url(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise ValueError
    return value.rstrip("/")


HostPort = Annotated[str, AfterValidator(_host_port), Allowed("HOST:PORT, as 127.0.0.1:8080 or [::1]:8080")]
Door = Annotated[
    str, AfterValidator(_door), Allowed("HOST:PORT, or the path of a Unix socket that begins with / or ./")
]
Host = Annotated[str, AfterValidator(_host), Allowed("a host name or an address, without a port")]
AnyHost = Annotated[
    str, AfterValidator(_host_maybe_port), Allowed("a host name or an address, with or without :PORT")
]
Domain = Annotated[str, AfterValidator(_domain), Allowed("a domain, as example.org")]
Zone = Annotated[str, AfterValidator(_zone), Allowed("the IANA name of a time zone, as Europe/Berlin")]
Network = Annotated[str, AfterValidator(_network), Allowed("an address or a network, as 10.0.0.0/8")]
Url = Annotated[str, AfterValidator(_url), Allowed(f"an SQLAlchemy URL ({', '.join(DRIVERS)})")]
File = Annotated[Path, AfterValidator(_file), Allowed("the path of a file that can be read")]

Mailbox = Annotated[str, AfterValidator(_mailbox), Allowed("a mail address, as it@example.org")]
PublicUrl = Annotated[
    str, AfterValidator(_public_url), Allowed("an http or https address, as https://mail.example.org")
]

ShareFolder = Annotated[str, AfterValidator(_share), Allowed("NAME=FOLDER with a whole path, as plans=/srv/plans")]
Address = Annotated[str, AfterValidator(_server), Allowed("the http or https address of a WebDAV collection")]


class Part(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

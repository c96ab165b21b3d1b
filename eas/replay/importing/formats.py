"""The formats that can be imported: by what they are recognised, who writes them, and what they do not tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from eas.replay.format.model import Exchange, SessionError

from . import exchange, har, horde, mitmproxy, pcap, sogo, zpush
from .sources import Source
from .tally import Tally


@dataclass(frozen=True, slots=True)
class Format:
    """`recognised` is looked for in the first bytes. `lacks` are notes for the head of the session."""

    name: str
    title: str
    read: Callable[[Source, Tally], Iterator[Exchange]]
    recognised: re.Pattern[bytes]
    lacks: tuple[str, ...] = ()
    #: A log of one device that does not name it.
    nameless: bool = False


_NO_HTTP = "there are no HTTP headers in the log: Content-Type is supplied, User-Agent and others are unknown"

#: In the order in which they are tried.
FORMATS = (
    Format("pcap", "capture", pcap.read, pcap.RECOGNISED),
    Format("mitmproxy", "mitmproxy flow file", mitmproxy.read, mitmproxy.RECOGNISED),
    Format("har", "HAR", har.read, har.RECOGNISED),
    Format(
        "exchange", "Exchange mailbox log", exchange.read, exchange.RECOGNISED,
        (
            "Exchange replaces most texts by their length unless it logs verbosely: placeholders of that length",
            "times are to the second",
        ),
    ),
    Format(
        "zpush", "Z-Push log", zpush.read, zpush.RECOGNISED,
        (
            _NO_HTTP, "request lines are put together from command, user and device",
            "times are to the second, and taken for UTC",
        ),
    ),
    Format(
        "horde", "Horde log", horde.read, horde.RECOGNISED,
        (
            _NO_HTTP, "request lines are put together from command, user and device",
            "times are to the second; a status of HTTP is in the log for failures only: 200 is supplied",
        ),
        nameless=True,
    ),
    Format(
        "sogo", "SOGo log", sogo.read, sogo.RECOGNISED,
        (_NO_HTTP, "times are to the second, without a year, and taken for UTC"),
    ),
)
NAMES = tuple(one.name for one in FORMATS)


def named(name: str) -> Format | None:
    return next((one for one in FORMATS if one.name == name), None)


def format_of(source: Source) -> Format:
    """By the contents. Raises SessionError for what is none of them."""
    head = source.head()
    found = next((one for one in FORMATS if one.recognised.search(head)), None)
    if found is not None:
        return found
    if head.startswith(b"eas-session "):
        raise SessionError("this is a session file already", file=source.name)
    known = ", ".join(NAMES)
    raise SessionError(f"not recognised as one of {known}; --format says which it is", file=source.name)

"""Files of any format -> one row of numbered exchanges without passwords, and the head that goes before them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from urllib.parse import quote, unquote

from eas.protocol import query as queries
from eas.replay.format.model import (
    CLIENT,
    DEVICE,
    DEVICE_TYPE,
    ORIGIN,
    PROTOCOL,
    SERVER,
    STARTED,
    USER,
    Exchange,
    Meta,
    header,
)
from eas.replay.format.writing import moment
from eas.replay.masking.secrets import without_passwords

from .formats import Format, format_of, named
from .sources import opened
from .tally import Note, Tally

#: Exchanges that are looked at for the head.
AHEAD = 50
#: Seconds that an exchange may take.
LONGEST = 10 * 86400

_LINE = re.compile(r"[A-Za-z]{1,32} \S+")


@dataclass(slots=True)
class Import:
    """`device` and `user` choose; "" takes all. `devices` counts by id while the exchanges are gone through."""

    files: Sequence[str | Path]
    format: str = ""
    device: str = ""
    user: str = ""
    tally: Tally = field(default_factory=Tally)
    devices: dict[str, int] = field(default_factory=dict)
    formats: list[Format] = field(default_factory=list)

    def exchanges(self) -> Iterator[Exchange]:
        """Raises OSError and SessionError."""
        for file in self.files:
            with opened(file) as source:
                chosen = named(self.format) or format_of(source)
                if chosen not in self.formats:
                    self.formats.append(chosen)
                for exchange in chosen.read(source, self.tally):
                    yield from self._taken(self._named(exchange) if chosen.nameless else exchange)

    def _named(self, exchange: Exchange) -> Exchange:
        """The log does not say whose it is: whoever imports it does."""
        request = exchange.request
        if not self.device or _who(exchange)[0] or not request.query:
            return exchange
        return replace(exchange, request=replace(request, target=f"{request.target}&DeviceId={quote(self.device)}"))

    def _taken(self, exchange: Exchange) -> Iterator[Exchange]:
        if not _LINE.fullmatch(f"{exchange.request.method} {exchange.request.target}"):
            self.tally.add(Note.BROKEN, f"a request line that is none: {exchange.request.target[:60]}")
            return
        device, user = _who(exchange)
        if (self.device and device.lower() != self.device.lower()) or (self.user and not _same(user, self.user)):
            self.tally.add(Note.UNWANTED)
            return
        self.tally.imported += 1
        if device or device not in self.devices:
            self.devices[device] = self.devices.get(device, 0) + 1
        yield without_passwords(replace(_lasting(exchange), number=self.tally.imported))


def _lasting(exchange: Exchange) -> Exchange:
    """Where a clock was set in between, or a time is broken, nobody knows how long it took."""
    if 0 <= exchange.answer.seconds < LONGEST:  # not for what is no number, either
        return exchange
    return replace(
        exchange, answer=replace(exchange.answer, seconds=0.0),
        comments=(*exchange.comments, "nobody knows how long it took"),
    )


def _who(exchange: Exchange) -> tuple[str, str]:
    """The device and the user that a request names; "" for those that name none."""
    try:
        found = queries.parse(exchange.request.query)
        return found.device_id, found.user
    except queries.QueryError:
        pass
    said = dict(part.partition("=")[::2] for part in exchange.request.query.split("&"))
    lower = {name.lower(): unquote(value) for name, value in said.items()}
    return lower.get("deviceid", ""), lower.get("user", "")


def _same(user: str, wanted: str) -> bool:
    """anna, anna@example.com and EXAMPLE\\anna are one, where one of them is not said in full."""
    names = {user.lower(), user.lower().rpartition("\\")[2]}
    return wanted.lower() in names | {name.partition("@")[0] for name in names}


def with_head(run: Import) -> tuple[Meta, Iterator[Exchange]]:
    """The head, for which the first exchanges are looked at, and all exchanges."""
    exchanges = run.exchanges()
    first = list(islice(exchanges, AHEAD))
    return _head(run, first), chain(first, exchanges)


def _head(run: Import, first: Sequence[Exchange]) -> Meta:
    who = [_who(exchange) for exchange in first]
    devices = {device for device, _ in who if device}
    facts = {
        SERVER: _first(header(exchange.answer.headers, "MS-Server-ActiveSync") for exchange in first),
        STARTED: moment(first[0].time) if first else "",
        ORIGIN: "imported from " + " and ".join(one.title for one in run.formats),
    }
    if len(devices) == 1:  # of several devices no field can tell
        facts |= {
            DEVICE: devices.pop(),
            USER: _first(user for _, user in who),
            DEVICE_TYPE: _first(_device_type(exchange) for exchange in first),
            CLIENT: _first(header(exchange.request.headers, "User-Agent") for exchange in first),
            PROTOCOL: _first(_version(exchange) for exchange in first),
        }
    notes = dict.fromkeys(note for one in run.formats for note in one.lacks)
    return Meta().with_(facts).noting(*notes)


def _first(values: Iterable[str]) -> str:
    return next(filter(None, values), "")


def _device_type(exchange: Exchange) -> str:
    try:
        return queries.parse(exchange.request.query).device_type
    except queries.QueryError:
        return ""


def _version(exchange: Exchange) -> str:
    try:
        version = queries.parse(exchange.request.query).version
    except queries.QueryError:
        version = None
    return version.text if version else header(exchange.request.headers, "MS-ASProtocolVersion")

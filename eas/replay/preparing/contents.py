"""What a session tells of an item later than with its first window: whole bodies, and what is in attachments.

Kept in a temporary file, for a mailbox that is prepared; in memory there is only where it stands.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO
from urllib.parse import unquote

from eas.protocol.http import media_type
from eas.protocol.query import QueryError, parse
from eas.protocol.wbxml import Element, decode, encode
from eas.replay.format import body as bodies
from eas.replay.format.model import Binary, Exchange, LeftOut, Parts, SessionError, Text, header
from eas.replay.playing.learning import collection_id, document_of, text, within

MIME = "4"


@dataclass(slots=True)
class Contents(AbstractContextManager["Contents"]):
    """`item`: the fullest body that the session has of an item, `file`: the octets of an attachment."""

    _spool: IO[bytes] = field(default_factory=TemporaryFile)
    _files: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    _bodies: dict[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spool.close()

    def read(self, exchanges: Iterable[Exchange]) -> None:
        for exchange in exchanges:
            if exchange.answer.status != 200:
                continue
            root = document_of(exchange.answer.body)
            if root is None:
                self._attachment(exchange)
            elif root.tag == "ItemOperations:ItemOperations":
                self._fetched(exchange, root)
            elif root.tag == "AirSync:Sync":
                self._told(root)

    def file(self, reference: str) -> tuple[bytes, str] | None:
        """Octets and media type ("" where that was not told)."""
        found = self._files.get(reference)
        return (self._at(found[0], found[1]), found[2]) if found else None

    def item(self, folder: str, id: str) -> Element | None:
        """An airsyncbase:Body, whole; None where the session has none."""
        found = self._bodies.get((folder, id))
        return decode(self._at(*found[1:])) if found else None

    def _at(self, start: int, length: int) -> bytes:
        self._spool.seek(start)
        return self._spool.read(length)

    def _put(self, data: bytes) -> tuple[int, int]:
        start = self._spool.seek(0, 2)
        self._spool.write(data)
        return start, len(data)

    # -- what is told

    def _attachment(self, exchange: Exchange) -> None:
        """GetAttachment, up to 12.1."""
        try:
            name = parse(exchange.request.query).attachment_name
        except QueryError:
            return
        if name and isinstance(exchange.answer.body, Text | Binary):
            kind = media_type(header(exchange.answer.headers, "Content-Type"))
            self._files[unquote(name)] = self._files[name] = (*self._put(exchange.answer.body.data), kind)

    def _fetched(self, exchange: Exchange, root: Element) -> None:
        parts = exchange.answer.body.parts if isinstance(exchange.answer.body, Parts) else ()
        for fetch in within(root, "ItemOperations:Response", "ItemOperations:Fetch"):
            properties = fetch.child("ItemOperations:Properties")
            reference = text(fetch, "AirSyncBase:FileReference")
            if properties is None:
                continue
            if not reference:
                self._body(text(fetch, "AirSync:CollectionId"), text(fetch, "AirSync:ServerId"), properties)
            elif (data := _octets(properties, parts)) is not None:
                kind = media_type(text(properties, "AirSyncBase:ContentType"))
                self._files[reference] = (*self._put(data), kind)

    def _told(self, root: Element) -> None:
        for collection in within(root, "AirSync:Collections", "AirSync:Collection"):
            for part in ("AirSync:Commands", "AirSync:Responses"):
                for command in (one for commands in collection.children(part) for one in commands.elements):
                    if (data := command.child("AirSync:ApplicationData")) is not None:
                        self._body(collection_id(collection), text(command, "AirSync:ServerId"), data)

    def _body(self, folder: str, id: str, item: Element) -> None:
        """The best one wins: a message in MIME, then the longer text."""
        body = item.child("AirSyncBase:Body")
        if body is None or not id or text(body, "AirSyncBase:Truncated") == "1":
            return
        data = body.child("AirSyncBase:Data")
        if data is None:
            return
        worth = len(data.content) + (1 << 40 if text(body, "AirSyncBase:Type") == MIME else 0)
        if (known := self._bodies.get((folder, id))) is None or known[0] < worth:
            self._bodies[folder, id] = (worth, *self._put(encode(body)))


def _octets(properties: Element, parts: tuple[object, ...]) -> bytes | None:
    """None where they were not recorded whole."""
    if properties.child("ItemOperations:Range") is not None:
        return None
    if (part := text(properties, "ItemOperations:Part")).isdigit() and int(part) < len(parts):
        found = parts[int(part)]
        if found is None or isinstance(found, LeftOut):
            return None
        try:
            return bodies.wire(found)  # type: ignore[arg-type]
        except SessionError:
            return None
    data = properties.child("ItemOperations:Data")
    if data is None:
        return None
    try:
        return data.content if isinstance(data.content, bytes) else b64decode(data.text)
    except binascii.Error:
        return None

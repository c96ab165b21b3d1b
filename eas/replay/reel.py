"""One recording in one process: a file to which exchanges are appended.

Each exchange is a gzip member of its own, appended in one piece: whenever the process dies, what is there can be read
to its end. In the thread of `Reels` alone.
"""

from __future__ import annotations

import os
import re
import secrets
import zlib
from pathlib import Path
from typing import Protocol

from eas.protocol import query as queries
from eas.protocol.query import QueryError
from eas.store.recordings import Recording

from .model import CLIENT, DEVICE, DEVICE_TYPE, NOTE, ORIGIN, PROTOCOL, SERVER, STARTED, USER, Exchange, Meta, header
from .taken import Taken
from .writing import exchange_text, head_text, moment

#: Of zlib: the next better level takes twice as long for three percent.
LEVEL = 6


class Full(Exception):
    """The recording has reached its size."""


class Mask(Protocol):
    def meta(self, meta: Meta) -> Meta: ...

    def exchange(self, exchange: Exchange) -> Exchange: ...


def file_name(id: int, node: str) -> str:
    """`node` is the machine and the process."""
    return f"{id}.{re.sub('[^0-9A-Za-z-]+', '-', node)[:80]}-{secrets.token_hex(2)}.session.gz"


class Reel:
    """The file is made with the first exchange. `elsewhere`: octets that other processes have written."""

    def __init__(self, folder: Path, recording: Recording, node: str, origin: str) -> None:
        self.id, self.node, self.file = recording.id, node, file_name(recording.id, node)
        self.exchanges = self.bytes = self.elsewhere = 0
        #: Octets of which others know.
        self.told = 0
        self.closed = False
        self._path, self._recording, self._origin = folder / self.file, recording, origin
        self._descriptor = -1
        self._mask: Mask | None = None

    def add(self, taken: Taken) -> None:
        """Raises Full once there is no room for another one, and OSError."""
        from .masking.secrets import without_passwords

        exchange = without_passwords(taken.exchange(self.exchanges + 1))
        if self._descriptor < 0:
            self._open(exchange)
        if self._mask is not None:
            exchange = self._mask.exchange(exchange)
        self._append(exchange_text(exchange))
        self.exchanges += 1
        if self.bytes + self.elsewhere >= self._recording.max_bytes:
            raise Full

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self.closed = True

    def _open(self, first: Exchange) -> None:
        meta = _head(self._recording, first, self._origin)
        if not self._recording.contents:
            from .masking.masker import Masker

            self._mask = Masker(self._recording.key)
            meta = self._mask.meta(meta)
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._append(head_text(meta))

    def _append(self, text: str) -> None:
        """All of it, or nothing."""
        packer = zlib.compressobj(LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        data = packer.compress(text.encode()) + packer.flush()
        if self.bytes + self.elsewhere + len(data) > self._recording.max_bytes:
            raise Full
        try:
            written = os.write(self._descriptor, data)
            if written != len(data):
                raise OSError(28, "no room for all of an exchange")
        except OSError:
            os.ftruncate(self._descriptor, self.bytes)
            raise
        self.bytes += len(data)


def _head(recording: Recording, first: Exchange, origin: str) -> Meta:
    said = _said(first)
    fields = {
        DEVICE: recording.device_id, DEVICE_TYPE: said.get(DEVICE_TYPE, "") if recording.device_id else "",
        USER: recording.address, CLIENT: header(first.request.headers, "User-Agent"),
        SERVER: header(first.request.headers, "Host"), PROTOCOL: said.get(PROTOCOL, ""),
        STARTED: moment(recording.since), ORIGIN: origin, NOTE: recording.note,
    }
    return Meta().with_(fields)


def _said(first: Exchange) -> dict[str, str]:
    stated = header(first.request.headers, "MS-ASProtocolVersion")
    try:
        found = queries.parse(first.request.query)
    except QueryError:
        return {PROTOCOL: stated}
    return {DEVICE_TYPE: found.device_type, PROTOCOL: found.version.text if found.version else stated}

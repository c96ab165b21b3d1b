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

from eas.protocol import query as queries
from eas.protocol.query import QueryError
from eas.replay.format.model import (
    CLIENT,
    DEVICE,
    DEVICE_TYPE,
    NOTE,
    ORIGIN,
    PROTOCOL,
    SERVER,
    STARTED,
    USER,
    Exchange,
    Meta,
    header,
)
from eas.replay.format.writing import head_text, moment
from eas.store.recordings import Recording

from .taken import Taken
from .typist import Job, Typist

#: Of zlib: the next better level takes twice as long for three percent.
LEVEL = 6


class Full(Exception):
    """The recording has reached its size."""


def file_name(id: int, node: str) -> str:
    """`node` is the machine and the process."""
    return f"{id}.{re.sub('[^0-9A-Za-z-]+', '-', node)[:80]}-{secrets.token_hex(2)}.session.gz"


class Reel:
    """The file is made with the first exchange. `elsewhere`: octets that other processes have written."""

    def __init__(self, folder: Path, recording: Recording, node: str, origin: str, typist: Typist) -> None:
        self.id, self.node, self.file = recording.id, node, file_name(recording.id, node)
        self.exchanges = self.bytes = self.elsewhere = 0
        #: Octets of which others know.
        self.told = 0
        self.closed = False
        self._path, self._recording, self._origin = folder / self.file, recording, origin
        self._descriptor, self._typist = -1, typist

    def add(self, taken: Taken) -> None:
        """Raises Full once there is no room for another one, OSError, and what Typist raises."""
        if self._descriptor < 0:
            self._open(taken)
        key = None if self._recording.contents else self._recording.key
        self._append(self._typist.text(Job(taken, self.exchanges + 1, key)))
        self.exchanges += 1
        if self.bytes + self.elsewhere >= self._recording.max_bytes:
            raise Full

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self.closed = True

    def _open(self, first: Taken) -> None:
        bare = first.copy()
        bare.leave_out("the head needs none")
        meta = _head(self._recording, bare.exchange(1), self._origin)
        if not self._recording.contents:
            from eas.replay.masking.masker import Masker

            meta = Masker(self._recording.key).meta(meta)
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

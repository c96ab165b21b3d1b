"""Exchanges are written down as text, masked unless contents are wanted: small ones in place, large ones by another
process, because to mask a MiB takes a second in which nothing else of this one would get on well.

Job -> text over the pipes of `python -m` this module, which ends when its input does. If it dies, the work is done in
place. For one thread.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import IO, TYPE_CHECKING, Any

from eas.replay.format.writing import exchange_text

from .taken import Taken

if TYPE_CHECKING:
    from eas.replay.masking.masker import Masker

#: Octets of bodies that are masked in place: some ten milliseconds of a thread.
SMALL = 16 << 10
#: Seconds in which the process ends by itself when its input has ended.
PATIENCE = 5.0
_SIZE = Struct(">Q")


@dataclass(frozen=True, slots=True)
class Job:
    """`key`: of the pseudonyms; None writes what people wrote. `number`: of the exchange."""

    taken: Taken
    number: int
    key: bytes | None


class Failed(Exception):
    """The work could not be done; the text says why."""


def text_of(job: Job) -> str:
    """The block of the exchange. Without passwords in any case."""
    from eas.replay.masking.secrets import without_passwords

    exchange = without_passwords(job.taken.exchange(job.number))
    return exchange_text(exchange if job.key is None else _masker(job.key).exchange(exchange))


@lru_cache(8)
def _masker(key: bytes) -> Masker:
    from eas.replay.masking.masker import Masker

    return Masker(key)


class Typist:
    """The process is started with the first large job."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def text(self, job: Job) -> str:
        """Raises Failed, and whatever masking in place raises."""
        if job.taken.kept <= SMALL:
            return text_of(job)
        try:
            done, said = self._ask(job)
        except (OSError, EOFError):
            self.close()
            return text_of(job)
        if not done:
            raise Failed(said)
        return said

    def _ask(self, job: Job) -> tuple[bool, str]:
        if self._child is None:
            # A session of its own: Ctrl-C is for the gateway, which writes what is left.
            self._child = subprocess.Popen(
                [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        _put(self._child.stdin, job)
        found = _next(self._child.stdout)
        return bool(found[0]), str(found[1])

    def close(self) -> None:
        """The process is gone; another one is started when it is needed."""
        child, self._child = self._child, None
        if child is None:
            return
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with suppress(OSError):  # what was not written is of no use any more
                    stream.close()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _put(stream: IO[bytes], value: object) -> None:
    data = pickle.dumps(value)
    stream.write(_SIZE.pack(len(data)) + data)
    stream.flush()


def _next(stream: IO[bytes]) -> Any:
    """Of one of our own, on the other end of a pipe. Raises EOFError."""
    return pickle.loads(_exactly(stream, *_SIZE.unpack(_exactly(stream, _SIZE.size))))


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def main() -> None:
    """Job after job, until there are no more."""
    os.nice(10)  # phones first
    while True:
        try:
            job = _next(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = (True, text_of(job))
        except Exception as error:  # whatever it is, the recording ends with its name
            answer = (False, f"{type(error).__name__}: {error}")
        _put(sys.stdout.buffer, answer)


if __name__ == "__main__":
    from eas.replay.recording import typist

    typist.main()  # the module as others know it: what is pickled names it

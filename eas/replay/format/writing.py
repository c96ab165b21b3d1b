"""Sessions to text, one exchange at a time. docs/sessions.md has the grammar."""

from __future__ import annotations

import gzip
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol, TextIO
from urllib.parse import quote

from eas.protocol import query as queries

from .lines import written
from .model import FORMAT, Answer, Exchange, Headers, Meta, Request

#: What stands in no name of a method or a header (RFC 9110, Tokens), and #, with which comments begin here.
_STRANGE = re.compile(r"[^!$%&'*+\-.^_`|~0-9A-Za-z]")
MAX_METHOD = 32
#: The name of standard input and output, where a file is wanted.
STANDARD = "-"
#: Characters that are copied at a time.
_BLOCK = 1024 * 1024


def moment(time: datetime) -> str:
    """A time of an exchange: UTC, to the millisecond."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def head_text(meta: Meta) -> str:
    lines = [f"eas-session {FORMAT}", *(f"{name}: {_line(value)}" for name, value in meta.fields)]
    return "\n".join(lines) + "\n"


def exchange_text(exchange: Exchange) -> str:
    """The block of one exchange, with the empty line before it."""
    return "\n".join(["", *_lines(exchange)]) + "\n"


def _lines(exchange: Exchange) -> Iterator[str]:
    yield f"=== {exchange.number} {moment(exchange.time)}"
    yield from (f"# {comment}" if comment else "#" for comment in map(_line, exchange.comments))
    yield from _request(exchange.request)
    yield from _answer(exchange.answer)


def _request(request: Request) -> Iterator[str]:
    yield f"--> {_STRANGE.sub('_', request.method)[:MAX_METHOD] or '_'} {_target(request.target)}"
    if decoded := plain_query(request.query):
        yield f"query: {decoded}"
    yield from _headers(request.headers)
    yield from written(request.body)


def _answer(answer: Answer) -> Iterator[str]:
    said = str(answer.status) if answer.status is not None and 100 <= answer.status <= 999 else "none"
    why = f" # {_line(answer.why)}" if answer.why else ""
    yield f"<-- {said} {max(0.0, answer.seconds):.3f}s{why}"
    yield from _headers(answer.headers)
    yield from written(answer.body)


def _headers(headers: Headers) -> Iterator[str]:
    for name, value in headers:
        yield f"{_name(name)}: {_line(value)}".rstrip()


def _target(target: str) -> str:
    """Without what ends a word in a request line; bytes that are no ASCII may stand there."""
    return "".join(c if c.isprintable() and not c.isspace() else quote(c, errors="replace") for c in target) or "/"


def _name(name: str) -> str:
    """A header's name; what is in no name becomes an underscore, and words of the grammar begin with a capital."""
    token = _STRANGE.sub("_", name) or "_"
    return token.capitalize() if token in ("body", "query") else token


def _line(value: str) -> str:
    """What stands on one line: a header's value with anything else is no header."""
    return "".join(character if character.isprintable() else "\ufffd" for character in value).strip()


def plain_query(query: str) -> str:
    """What a base64 query says, as a plain one would say it; "" for a query that is plain already, or nothing."""
    if not query or "=" in query.rstrip("=") or "&" in query:
        return ""
    try:
        found = queries.parse(query)
    except queries.QueryError:
        return ""
    if not found.encoded:
        return ""
    said = {"ProtocolVersion": found.version.text if found.version else "", "Locale": str(found.locale)}
    if found.policy_key is not None:
        said["PolicyKey"] = str(found.policy_key)
    if found.accept_multipart:
        said["AcceptMultiPart"] = "T"
    return "&".join([queries.plain(found), *(f"{name}={value}" for name, value in said.items() if value)])


# Files ---------------------------------------------------------------------------------------------------------------


class Sink(Protocol):
    """Where a session goes: the head first, once."""

    def head(self, meta: Meta) -> None: ...

    def add(self, exchange: Exchange) -> None: ...


class Writer:
    """Writes to a text stream, and flushes after each exchange: what was seen is kept when the program dies."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        #: Characters so far.
        self.written = 0

    def head(self, meta: Meta) -> None:
        self._put(head_text(meta))

    def add(self, exchange: Exchange) -> None:
        self._put(exchange_text(exchange))

    def copy(self, text: str) -> None:
        """Text of exchanges that were written before."""
        self._put(text)

    def _put(self, text: str) -> None:
        self.written += len(text)
        self._stream.write(text)
        self._stream.flush()


@contextmanager
def writer(file: str | Path) -> Iterator[Writer]:
    """A Writer on a file, compressed where its name ends in .gz; `-` is standard output. Raises OSError.

    Nobody else may read the file: it holds what a device sends and gets.
    """
    if str(file) == STANDARD:
        yield Writer(sys.stdout)
        return
    raw: IO[bytes] = _private(Path(file))
    with raw:
        if str(file).endswith(".gz"):
            with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed:
                yield Writer(_text(packed))
        else:
            yield Writer(_text(raw))


def replace_head(file: Path, meta: Meta) -> None:
    """Another head for a file that is complete: some of it is known at the end only. The exchanges are copied as they
    are. Raises OSError."""
    packed = file.suffix == ".gz"
    part = file.with_name(f".{file.name}.part{'.gz' if packed else ''}")
    opened = gzip.open if packed else open
    try:
        with opened(file, "rt", encoding="utf-8", newline="\n") as old, writer(part) as new:
            new.head(meta)
            for line in old:
                if line.startswith("=== "):
                    new.copy("\n" + line)
                    break
            while block := old.read(_BLOCK):
                new.copy(block)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def _private(path: Path) -> IO[bytes]:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "wb")


def _text(binary: IO[bytes] | gzip.GzipFile) -> TextIO:
    return io.TextIOWrapper(binary, encoding="utf-8", newline="\n", write_through=True)

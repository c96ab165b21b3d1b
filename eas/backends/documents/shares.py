"""A folder of this machine as a file share, for reading alone.

Every step down is opened by itself, relative to the one before and never through a symbolic link, so that no name, and
no link that somebody puts into the share, leads out of it. Only ordinary files and folders exist.
"""

from __future__ import annotations

import asyncio
import errno
import mimetypes
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from eas.engine.errors import ItemGone, NotAllowed, TooLarge, Unavailable
from eas.items.documents import UNKNOWN_TYPE, Content, Document, Link, Login, is_segment

#: Entries of one folder: a listing is sorted as a whole, and nobody pages through more on a phone.
MAX_ENTRIES = 20_000
#: Octets of a document in one answer, which is built in memory. Larger ones are fetched by ranges.
MAX_OCTETS = 64 << 20

#: O_NONBLOCK: a named pipe would else wait for its writer.
_ENTRY = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`depth` segments of a link name the share itself. There is no other login than that to the gateway."""

    folder: Path
    depth: int

    async def listing(
        self, link: Link, login: Login | None, start: int, count: int
    ) -> tuple[Sequence[Document], int]:
        """Raises ItemGone, NotAllowed, TooLarge, Unavailable."""
        return await asyncio.to_thread(self._list, link, start, count)

    async def read(self, link: Link, login: Login | None, first: int, last: int | None) -> Content:
        """Raises ItemGone (also for folders), NotAllowed, TooLarge, Unavailable."""
        return await asyncio.to_thread(self._read, link, first, last)

    def _list(self, link: Link, start: int, count: int) -> tuple[Sequence[Document], int]:
        with self._opened(link) as (entry, status):
            names = _names(entry) if stat.S_ISDIR(status.st_mode) else []
            found = [_document(link, link.segments[-1], status)] if start == 0 and count else []
            # The first of the results is the folder itself.
            for name in names[max(0, start - 1) : start + count - 1]:
                try:
                    below = os.stat(name, dir_fd=entry, follow_symlinks=False)
                except OSError:  # it has just gone
                    continue
                found.append(_document(link.below(name), name, below))
            return found, 1 + len(names)

    def _read(self, link: Link, first: int, last: int | None) -> Content:
        with self._opened(link) as (entry, status):
            if stat.S_ISDIR(status.st_mode):
                raise ItemGone("a folder has no content")
            end = status.st_size if last is None else min(last + 1, status.st_size)
            if end - first > MAX_OCTETS:
                raise TooLarge(f"{end - first} octets")
            data = b""
            if end > first:
                os.lseek(entry, first, os.SEEK_SET)
                with os.fdopen(os.dup(entry), "rb") as file:
                    data = file.read(end - first)
            return Content(data=data, first=first, total=status.st_size, modified=_moment(status.st_mtime))

    @contextmanager
    def _opened(self, link: Link) -> Iterator[tuple[int, os.stat_result]]:
        with _failures():
            at = os.open(self.folder, _FOLDER)
            try:
                for name in link.segments[self.depth :]:
                    below = os.open(name, _ENTRY, dir_fd=at)
                    os.close(at)
                    at = below
                status = os.fstat(at)
                if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                    raise ItemGone("neither a file nor a folder")
                yield at, status
            finally:
                os.close(at)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise NotAllowed("the file system refuses it") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ItemGone("no such document") from error
    except OSError as error:
        # ELOOP is a symbolic link, ENXIO a socket, ENAMETOOLONG and EINVAL names that no file has.
        if error.errno in _NO_DOCUMENT:
            raise ItemGone("no such document") from error
        raise Unavailable(f"the share cannot be read: {error.strerror}") from error


_NO_DOCUMENT = frozenset((errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG, errno.EINVAL))


def _names(folder: int) -> list[str]:
    """Of the folders and files that can be shown, folders first. Raises TooLarge."""
    found: list[tuple[bool, str, str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if not (is_folder or entry.is_file(follow_symlinks=False)):
                continue
            if not entry.name.isprintable() or not is_segment(entry.name):
                continue  # no link could name it
            found.append((not is_folder, entry.name.casefold(), entry.name))
            if len(found) > MAX_ENTRIES:
                raise TooLarge("too many entries")
    return [name for _, _, name in sorted(found)]


def _document(link: Link, name: str, status: os.stat_result) -> Document:
    is_folder = stat.S_ISDIR(status.st_mode)
    # Few file systems tell when a file was made; it was not after anything that is known of it.
    made = getattr(status, "st_birthtime", min(status.st_ctime, status.st_mtime))
    return Document(
        link_id=link.text, display_name=name, is_folder=is_folder, created=_moment(made),
        modified=_moment(status.st_mtime), is_hidden=name.startswith("."),
        length=0 if is_folder else status.st_size,
        content_type=UNKNOWN_TYPE if is_folder else mimetypes.guess_type(name)[0] or UNKNOWN_TYPE,
    )


def _moment(seconds: float) -> datetime:
    """Files from the year 30,000 are of 1970."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)

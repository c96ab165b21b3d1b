"""Messages that the server writes to its own user. Pure."""

from __future__ import annotations

from email.utils import format_datetime

from eas.items import rawheader
from eas.items.headers import Address
from eas.items.markup import clean
from eas.items.native import Viewer
from eas.items.rawheader import Field

#: Characters of a title that are repeated.
MAX_TITLE = 200


def not_kept(title: str, folder: str, name: str, viewer: Viewer) -> bytes:
    """That a change on a device was not kept. `title` is what people know the item by, "" if that is not known."""
    title, folder = _line(title), _line(folder)
    what = f'"{title}"' if title else "an item"
    text = (
        f"What you changed on your phone was not kept: {what} is in the folder \"{folder}\", where you may read but "
        "not write.\r\n\r\nThe phone shows it again as it was. Ask the folder's owner if you need to write there.\r\n"
    )
    return written(f"Not kept: {title or folder}", text, name, viewer)


def written(subject: str, text: str, name: str, viewer: Viewer) -> bytes:
    """From the user to the user, since no other address is sure to exist. The Message-ID follows from `name`."""
    own = Address(viewer.name, viewer.addresses[0] if viewer.addresses else "postmaster@localhost")
    domain = own.address.rpartition("@")[2] or "localhost"
    fields = [
        rawheader.address_field("From", [Address("ActiveSync", own.address)]), rawheader.address_field("To", [own]),
        rawheader.field("Subject", _line(subject)),
        Field(b"Date", format_datetime(viewer.now).encode("ascii")),
        Field(b"Message-ID", f"<{name}@{domain}>".encode("ascii", "replace")),
        Field(b"Auto-Submitted", b"auto-generated"), Field(b"MIME-Version", b"1.0"),
        Field(b"Content-Type", b"text/plain; charset=utf-8"), Field(b"Content-Transfer-Encoding", b"8bit"),
    ]
    head = rawheader.joined(rawheader.in_ascii(field) for field in fields)
    return head + text.encode("utf-8", "replace")


def _line(text: str) -> str:
    return " ".join(clean(text).split())[:MAX_TITLE]

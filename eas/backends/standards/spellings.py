"""What a hook may call a folder, and the locators (`ports.Place`) that may be meant: pure.

A wrong guess does no harm: it names a folder that is not there, or has one looked at in vain.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import unquote

from eas.backends.dav.hrefs import canonical, path_of
from eas.backends.imap.folders import canonical as mailbox
from eas.backends.imap.names import decoded

#: Characters of a locator; what is longer is no folder.
MAX_LOCATOR = 1024
#: A calendar collection may be several folders (`dav.places`).
COMPONENTS = ("", "#VEVENT", "#VTODO", "#VJOURNAL")


@lru_cache(maxsize=4096)
def spellings(folder: str) -> tuple[str, ...]:
    """A mailbox as IMAP has it, in UTF-8 or modified UTF-7, with "/" or "." between its levels, or an imap URL; of DAV
    a path or a URL, of a collection or of something in it."""
    scheme = folder.partition("://")[0].lower() if "://" in folder else ""
    if scheme in ("http", "https"):
        found = [*_collections(path_of(folder)), *_collections(folder)]  # the latter of a second server
    elif scheme in ("imap", "imaps"):
        found = _mailboxes(unquote(path_of(folder).partition(";")[0].lstrip("/"), errors="replace"))
    elif folder.startswith("/"):
        found = [*_collections(folder), *_mailboxes(folder)]
    else:
        found = _mailboxes(folder)
    return tuple(dict.fromkeys(one for one in found if one and len(one) <= MAX_LOCATOR))


def _mailboxes(name: str) -> list[str]:
    names = [name]
    if "&" in name and name.isascii():
        names.append(decoded(name.encode()))
    names += [other for one in tuple(names) for other in (one.replace("/", "."), one.replace(".", "/"))]
    return [mailbox(one) for one in names]


def _collections(path: str) -> list[str]:
    """Of itself, and of the one it may be in."""
    whole = canonical(path)
    above = whole.rpartition("/")[0]
    return [f"{one}/{component}" for one in (whole, above) if one for component in COMPONENTS]

"""Hrefs: what a server calls a resource. RFC 4918 8.3 (URL Handling), RFC 3986 6.2 (Comparison Ladder).

An href is kept and sent back as the server wrote it: mostly an absolute path ("/dav/anna/Default/1%202.ics"), a whole
URL only on the second of two configured servers. Servers do not always write the same one alike (`@` or `%40`), so two
are compared by `canonical`. Collections are called by that, with a slash, where a name must not change (`source`).
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, unquote_to_bytes, urljoin, urlsplit

#: What may not stand in a path, RFC 3986 3.3, with percent signs that encode nothing. It is encoded before it is sent:
#: a blank or a line end would end the first line of a request.
_STRAY = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9%/\-._~!$&'()*+,;=:@]")

#: Longer ones are no names of objects (`std_place.locator` and `std_object.href` take 1,024).
MAX_HREF = 1024


def canonical(href: str) -> str:
    """Equal for hrefs that name the same thing, whatever is percent-encoded in them and whether a collection ends in a
    slash. All is encoded that may be: some servers take a bare "+" for a blank."""
    origin, path = split(href)
    return origin.lower() + quote(unquote_to_bytes(path), safe="/").rstrip("/")


def sendable(href: str) -> str:
    """As it was written, but for what may not stand in a request."""
    origin, path = split(href)
    return origin + _STRAY.sub(lambda found: quote(found[0].encode("utf-8", "replace"), safe=""), path)


def split(href: str) -> tuple[str, str]:
    """Origin ("" for a path) and path."""
    scheme, mark, rest = href.partition("://")
    if not mark or "/" in scheme:
        return "", href
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}", slash + path or "/"


def resolved(href: str, asked: str, origin: str) -> str | None:
    """What a server's answer to a request for `asked` at `origin` ("https://dav.example.com:8443") names, as a path;
    None for what lies on another host, or is no href.

    Only the host counts of a whole URL: behind a proxy servers often have their scheme and port wrong, and what is
    asked for is the path, of the configured origin.
    """
    try:
        parts = urlsplit(href.strip())
        if (parts.scheme or parts.netloc) and parts.hostname != urlsplit(origin).hostname:
            return None
    except ValueError:
        return None
    path = parts.path
    if not path.startswith("/"):
        path = urljoin(split(asked)[1], path)
    return path if path.startswith("/") and len(path) <= MAX_HREF else None


def path_of(href: str) -> str:
    """Of a path or a whole URL; "" for what is neither."""
    try:
        return urlsplit(href).path
    except ValueError:
        return ""


def is_below(href: str, collection: str) -> bool:
    """Directly or deeper; a collection is not below itself."""
    return canonical(href).startswith(canonical(collection) + "/")


def member(collection: str, name: str) -> str:
    """The href of an object or a collection of this name; `name` is not encoded yet."""
    return f"{collection.rstrip('/')}/{quote(name, safe='')}"


def last_segment(href: str) -> str:
    """Decoded, as people read it; "" of the root."""
    return unquote(canonical(href).rpartition("/")[2], errors="replace")

"""Categories as IMAP keywords, which are atoms: names <-> keywords. Pure.

A name of letters and digits is its own keyword. A blank becomes "_", as other mail programs do it; what else an atom
cannot hold, or has a meaning here, becomes "&", base32 of its UTF-8 in small letters, and "-". Base32, since keywords
are compared without regard to case. RFC 3501 9 (flag-keyword, atom); RFC 4648 6.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from binascii import Error

#: Dovecot's `mail_max_keyword_length`, the least of those known. What is longer is kept by us.
MAX_KEYWORD = 50

#: What neither an atom nor this encoding has a use of its own for.
_RUN = re.compile(r"[^A-Za-z0-9!#$'+,./:;<=>?@ -]+")
_ENCODED = re.compile(r"&([a-z2-7]+)-", re.IGNORECASE)
#: What programs use for themselves beside keywords that begin with "$" or "\\". Folded.
_OTHERS = frozenset((
    "junk", "nonjunk", "notjunk", "junkrecorded", "forwarded", "redirected", "mdnsent", "unknown-0", "receipt-handled",
    "pinned", "hasattachment", "hasnoattachment", "recent", "old",
))


def keyword_of(name: str) -> str | None:
    """None for a name that makes no keyword: it is empty, or too long."""
    if not name:
        return None
    keyword = _RUN.sub(_encoded, name).replace(" ", "_")
    if is_reserved(keyword):
        keyword = _encoded_text(keyword[0]) + keyword[1:]
    return keyword if len(keyword) <= MAX_KEYWORD else None


def category_of(keyword: str) -> str | None:
    """None for a keyword that is no category: a system flag, or one of those that programs use for themselves."""
    if not keyword or is_reserved(keyword):
        return None
    return _ENCODED.sub(_decoded, keyword.replace("_", " "))


def is_reserved(keyword: str) -> bool:
    """Whether the keyword says something else than a category, and is left alone."""
    return keyword[:1] in ("$", "\\") or keyword.lower() in _OTHERS


def _encoded(found: re.Match[str]) -> str:
    return _encoded_text(found[0])


def _encoded_text(text: str) -> str:
    octets = text.encode("utf-8", "surrogatepass")
    return f"&{b32encode(octets).decode('ascii').rstrip('=').lower()}-"


def _decoded(found: re.Match[str]) -> str:
    """What is not ours stays as it is."""
    text = found[1].upper()
    try:
        return b32decode(text + "=" * (-len(text) % 8)).decode("utf-8", "surrogatepass")
    except (Error, UnicodeDecodeError):
        return found[0]

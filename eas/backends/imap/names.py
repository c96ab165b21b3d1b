"""Names of mailboxes: modified UTF-7 and back. RFC 3501, Mailbox International Naming Convention.

A name that a server writes otherwise (raw UTF-8, a lone "&", base64 that is none) is shown as well as it can be, and
`encoded(decoded(name)) == name` does not hold for it; `session` remembers the spelling of the server for those.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache

_SHIFTED = re.compile(rb"&([^-&]*)(-?)")
#: Printable US-ASCII without "&" stands for itself.
_OTHER = re.compile("[^ -%'-~]+|&")


@lru_cache(maxsize=4096)
def decoded(name: bytes) -> str:
    """Never fails. "inbox" in any case is INBOX."""
    if b"&" not in name:
        text = name.decode("utf-8", "replace")
        return "INBOX" if text.upper() == "INBOX" else text
    out, at = [], 0
    for found in _SHIFTED.finditer(name):
        out.append(name[at : found.start()].decode("utf-8", "replace"))
        out.append(_unshifted(found[1], found[0]))
        at = found.end()
    out.append(name[at:].decode("utf-8", "replace"))
    return "".join(out)


def _unshifted(base64: bytes, whole: bytes) -> str:
    if not base64:
        return "&" if whole == b"&-" else whole.decode("ascii")
    try:
        octets = binascii.a2b_base64(base64.replace(b",", b"/") + b"=" * (-len(base64) % 4), strict_mode=True)
        return octets.decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError):
        return whole.decode("utf-8", "replace")


@lru_cache(maxsize=4096)
def encoded(name: str) -> bytes:
    """Never fails; a lone surrogate becomes U+FFFD."""
    return _OTHER.sub(_shifted, name).encode("ascii")


def _shifted(found: re.Match[str]) -> str:
    if found[0] == "&":
        return "&-"
    octets = found[0].encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace").encode("utf-16-be")
    return "&" + binascii.b2a_base64(octets, newline=False).rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"

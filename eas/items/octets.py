"""Octets that may be many: bytes, or what stands for them where they lie in a file (with bytes' methods, and `after`).
"""

from __future__ import annotations


def after(head: bytes, body: bytes) -> bytes:
    """`head + body`, without a copy in memory of a body that is not there."""
    put = getattr(body, "after", None)
    joined: bytes = put(head) if put is not None else head + body
    return joined

"""The last listing of a mailbox on a server that counts no changes, kept so that the next one tells what has changed.

Few different sets of flags occur, so UIDs are kept as spans by them: a mailbox of 50,000 takes some kilobytes. Who has
heard of an older listing gets the whole one. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b

from . import spans
from .model import Spans

#: Characters of a listing that is kept: of mailboxes with more disorder the whole listing is told each time.
MAX_KEPT = 256 << 10

Flags = Mapping[int, frozenset[str]]


def dump(flags: Flags) -> tuple[str, str]:
    """A digest, and the listing ("" if it is too long to be kept)."""
    uids: dict[frozenset[str], list[int]] = {}
    for uid, some in flags.items():
        uids.setdefault(some, []).append(uid)
    by_key: dict[str, list[int]] = {}
    for some, found in uids.items():
        by_key.setdefault(_key(some), []).extend(found)
    texts = {key: spans.text(spans.of(found)) for key, found in sorted(by_key.items())}
    text = json.dumps(texts, separators=(",", ":"))
    digest = blake2b(text.encode(), digest_size=12).hexdigest()
    return digest, f"{digest}{text}" if len(text) <= MAX_KEPT else ""


def digest_of(kept: str) -> str:
    return kept[:24]


def changes(kept: str, flags: Flags) -> tuple[set[int], Spans]:
    """The UIDs that are new, or have other flags, since a listing that was kept; and those that are gone."""
    before: dict[str, Spans] = {key: spans.parse(text) for key, text in json.loads(kept[24:]).items()}
    keys: dict[frozenset[str], str] = {}
    touched = set[int]()
    for uid, some in flags.items():
        key = keys.get(some)
        if key is None:
            key = keys[some] = _key(some)
        if not spans.holds(before.get(key, ()), uid):
            touched.add(uid)
    return touched, spans.without(spans.union(*before.values()), spans.of(flags))


def _key(flags: frozenset[str]) -> str:
    """\\Recent says who was here first, not what the message is."""
    return " ".join(sorted(flag.lower() for flag in flags if flag.lower() != "\\recent"))

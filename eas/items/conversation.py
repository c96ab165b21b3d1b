"""Conversations: which messages belong together, and in which order. Pure.

Outlook and Exchange write a Thread-Index: a header block of 22 octets (a 1, five octets of time, a GUID) and five
octets for each reply or forward. Others have References. Both lead to one id as far as the messages allow: the GUID, or
a digest of the first message's id, which is also what our own replies write into their Thread-Index.

[MS-ASEMAIL] ConversationId, ConversationIndex; [MS-ASCON] Conversation Index Header;
[MS-OXOMSG] PidTagConversationIndex.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from eas.items import headers

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
#: Ticks of FILETIME: 100 ns.
_TICKS_PER_MICROSECOND = 10

_RESERVED = b"\x01"
_TIME = slice(1, 6)
_GUID = slice(6, 22)
_HEADER = 22
_LEVEL = 5
#: Levels that are shown: nobody scrolls further, and each message carries them all.
MAX_LEVELS = 200


@dataclass(frozen=True, slots=True)
class Conversation:
    """`id` has 16 octets. `index` is a header of 5 octets, and 5 for each level."""

    id: bytes
    index: bytes


def conversation_of(fields: Mapping[bytes, bytes], received: datetime) -> Conversation:
    """The conversation of a message by its header fields; without any of use it is one by itself, or of its subject."""
    thread = thread_index(fields)
    if thread is not None:
        return Conversation(thread[_GUID], thread[_TIME] + thread[_HEADER : _HEADER + MAX_LEVELS * _LEVEL])
    before = ancestors(fields)
    sent = headers.moment(fields.get(b"date", b"")) or received
    # How long after the first message each answer came is not known; that there were so many is.
    levels = bytes(_LEVEL * min(len(before), MAX_LEVELS))
    return Conversation(_root_id(fields, before), _time(sent) + levels)


def thread_index(fields: Mapping[bytes, bytes]) -> bytes | None:
    """The decoded Thread-Index, cut to whole levels; None if there is none, or none that holds a GUID."""
    given = fields.get(b"thread-index")
    if not given:
        return None
    raw = headers.base64_bytes(given)
    if len(raw) < _HEADER or not any(raw[_GUID]):
        return None
    return raw[: len(raw) - (len(raw) - _HEADER) % _LEVEL]


def ancestors(fields: Mapping[bytes, bytes]) -> list[bytes]:
    """The ids of the messages that this one answers, first one first."""
    found = headers.message_ids(fields.get(b"references", b""))
    answered = headers.message_ids(fields.get(b"in-reply-to", b""))[:1]
    return found if not answered or answered[0] in found else found + answered


def _root_id(fields: Mapping[bytes, bytes], before: list[bytes]) -> bytes:
    own = headers.message_ids(fields.get(b"message-id", b""))
    for message_id in before[:1] or own[:1]:
        return _digest(b"id:" + message_id.lower())
    topic = topic_of(headers.text(fields.get(b"subject", b"")))
    return _digest(b"topic:" + topic.lower().encode("utf-8", "replace"))


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def _time(moment: datetime) -> bytes:
    """Bits 55 to 16 of the FILETIME, big endian."""
    ticks = max(timedelta(), moment - _EPOCH) // _TICK * _TICKS_PER_MICROSECOND
    return (ticks >> 16 & 0xFF_FFFF_FFFF).to_bytes(5, "big")


def answering(original: Mapping[bytes, bytes], sent: datetime) -> bytes:
    """The Thread-Index (not yet base64) of a reply to, or forward of, a message with these fields, sent at `sent`."""
    thread = thread_index(original)
    if thread is None:
        first = headers.moment(original.get(b"date", b"")) or sent
        known = conversation_of(original, first)
        thread = _RESERVED + known.index[:5] + known.id + known.index[5:]
    return thread[: _HEADER + (MAX_LEVELS - 1) * _LEVEL] + _level(thread[_TIME], sent)


def _level(header: bytes, sent: datetime) -> bytes:
    """One response level: how long after the header's time, in 31 bits, coarse (bit 31 set) beyond about 1.7 years.

    The last octet (a random number and a repetition count) is 0: nobody reads it, and equal input gives equal output.
    """
    first = int.from_bytes(header, "big") << 16
    now = int.from_bytes(_time(sent), "big") << 16
    delta = max(0, now - first)
    if delta >> 49:
        return (0x8000_0000 | delta >> 23 & 0x7FFF_FFFF).to_bytes(4, "big") + b"\0"
    return (delta >> 18 & 0x7FFF_FFFF).to_bytes(4, "big") + b"\0"


#: What mailers put before the subject of replies and forwards, in the languages that were seen; "[3]" counts in some.
_PREFIX = re.compile(
    r"\s*(?:re|fwd?|aw|wg|sv|vs|vb|tr|rif|r|i|enc|res|rv|odp|pd|ynt|ilt|antw|doorst|tl|bls|回复|转发|答复)"
    r"(?:\[[0-9]{1,4}\]|\([0-9]{1,4}\))?\s*[:：]",
    re.IGNORECASE,
)
#: Prefixes of one subject that are taken off.
_MAX_PREFIXES = 50


def topic_of(subject: str) -> str:
    """The subject without prefixes of replies and forwards. [MS-ASEMAIL] ThreadTopic."""
    at = 0
    for _ in range(_MAX_PREFIXES):
        found = _PREFIX.match(subject, at)
        if found is None:
            break
        at = found.end()
    return subject[at:].strip()

"""The recipient information cache: whom the user writes to, kept as small vCards that only the server writes.

The rank of an entry grows with each message, and the more the later it is sent: a message counts twice as much as one
of HALF_LIFE before it. So that nothing has to be ranked again as time goes by, the rank is the logarithm of that sum,
counted from a fixed day. Higher is better.

[MS-ASCNTC] Refreshing the Recipient Information Cache, WeightedRank; [MS-ASCMD] MaxItems.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import log2

from eas.items.body import Wanted
from eas.items.contacts import Contact, new_card
from eas.items.contentline import Line, glimpse, serialize
from eas.items.native import Unreadable, Viewer
from eas.protocol.version import Version

#: After which a message counts half: somebody written to daily last year ranks as one written to a few times lately.
HALF_LIFE = timedelta(days=30)
_FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)
#: Steps of the rank in one half-life, so that one message more is seen in a whole number (a 32-bit one, for ages).
_STEPS = 1000

_RANK = "X-EAS-WEIGHTED-RANK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """`name` "" if none is known."""

    address: str
    name: str
    rank: int


def written_to(before: Recipient | None, address: str, name: str, at: datetime) -> Recipient:
    """The entry after one more message."""
    now = (at - _FIRST_DAY) / HALF_LIFE
    if before is not None:
        old = before.rank / _STEPS
        high = max(now, old)
        now = high + log2(2 ** (now - high) + 2 ** (old - high))
    return Recipient(
        address=address, name=name or (before.name if before else ""), rank=max(1, round(now * _STEPS))
    )


def to_native(recipient: Recipient, uid: str) -> bytes:
    card = new_card(uid)
    for line in card.find("FN"):
        card.replace(line, line.with_text(recipient.name or recipient.address, card.version))
    card.add(Line("EMAIL", "").with_text(recipient.address, card.version))
    card.add(Line(_RANK, str(recipient.rank)))
    return serialize(card)


def read(data: bytes) -> Recipient:
    """Raises Unreadable."""
    address, rank = glimpse(data, "EMAIL"), glimpse(data, _RANK) or "0"
    if not address or not rank.isascii() or not rank.isdigit():
        raise Unreadable("no entry of the recipient information cache")
    return Recipient(address=address, name=glimpse(data, "FN") or "", rank=int(rank))


def from_native(data: bytes, wanted: Wanted, viewer: Viewer, version: Version) -> Contact:
    """The elements that an entry may have. Exchange sends no Alias either (R1010). Raises Unreadable."""
    entry = read(data)
    return Contact(email1=entry.address, file_as=entry.name or entry.address, weighted_rank=entry.rank)

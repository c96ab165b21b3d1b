"""How far a device has heard of a mailbox, as text. Pure.

    i1:<epoch>:<uidvalidity>:<highestmodseq>:<uidnext>:<messages>:<counter>:<digest>

`highestmodseq` 0 where the server counts no changes; then `digest` is that of all flags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FORM = re.compile("i1:" + 6 * "([0-9]{1,19}):" + "([0-9a-f]{0,32})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    epoch: int
    validity: int
    modseq: int
    uid_next: int
    messages: int
    counter: int
    digest: str = ""

    def __str__(self) -> str:
        return (
            f"i1:{self.epoch}:{self.validity}:{self.modseq}:{self.uid_next}:{self.messages}:{self.counter}:{self.digest}"
        )

    def can_follow(self, now: Stand) -> bool:
        """Whether what happened since can be told. From another epoch, or from the future (one of the two was put back
        to an older state), it cannot."""
        return (
            (self.epoch, self.validity) == (now.epoch, now.validity)
            and self.counter <= now.counter and self.uid_next <= now.uid_next and self.modseq <= now.modseq
            and bool(self.modseq) == bool(now.modseq)
        )


def parse(text: str | None) -> Stand | None:
    """None for what is no token of ours."""
    found = _FORM.fullmatch(text) if text and len(text) < 200 else None
    if found is None:
        return None
    epoch, validity, modseq, uid_next, messages, counter = (int(found[n]) for n in range(1, 7))
    return Stand(
        epoch=epoch, validity=validity, modseq=modseq, uid_next=uid_next, messages=messages, counter=counter,
        digest=found[7],
    )

"""Text in the place of content that a log gives the length of, or only a part."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

#: What stands there, once for each character.
MARK = "x"
#: Characters of all placeholders of one document; a length beyond that is a broken log, or a message nobody needs.
MAX_LENGTH = 8 * 1024 * 1024
#: Tags that a comment names.
NAMED = 12


@dataclass(slots=True)
class Placeholders:
    """What was replaced in one message, by tag."""

    replaced: Counter[str] = field(default_factory=Counter)
    short: Counter[str] = field(default_factory=Counter)
    _left: int = MAX_LENGTH

    def text(self, tag: str, length: int) -> str:
        """As many marks as the content had bytes; fewer where that is beyond reason."""
        shown = min(length, self._left)
        self._left -= shown
        if shown < length:
            self.short[tag] += 1
        self.replaced[tag] += 1
        return MARK * shown

    def cut(self, tag: str) -> None:
        self.short[tag] += 1

    def comments(self, whose: str) -> list[str]:
        """For the exchange: `whose` is "request" or "answer"."""
        said = []
        if self.replaced:
            said.append(f"{whose}: placeholders for texts that the log leaves out: {_listed(self.replaced)}")
        if self.short:
            said.append(f"{whose}: cut short in the log: {_listed(self.short)}")
        return said


def _listed(counts: Counter[str]) -> str:
    shown = [f"{tag} ({count} times)" if count > 1 else tag for tag, count in counts.most_common(NAMED)]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} others" if more > 0 else "")

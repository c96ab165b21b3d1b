"""Masking of what is imported. What the importer itself says of an exchange has nothing private in it, and stays."""

from __future__ import annotations

import re
from dataclasses import replace

from eas.replay.format.model import NOTE, Exchange, Meta
from eas.replay.masking.masker import Masker

#: Comments of the readers: their words, counts and names of our tags; nothing that was quoted.
_OURS = re.compile(
    r"(?:request|answer): (?:placeholders for texts that the log leaves out|cut short in the log): [\w:, ()]+"
    r"|(?:request|answer): (?:bytes of it are lost|cut short in the log, after \d+ bytes)"
    r"|(?:request|answer): the document ends inside [A-Za-z0-9]*:?[A-Za-z0-9]*"
    r"|(?:request|answer): (?:[A-Za-z0-9]+:[A-Za-z0-9]+ has no end|a second document in one message|too many elements)"
    r"|nobody knows how long it took"
    r"|the log (?:begins in the middle of this exchange|has no status of HTTP: 200 is supposed)"
    r"|(?:AccessState|AccessStateReason): [A-Z][A-Za-z]{2,20}"
)


class Mask:
    """Pseudonyms by a key; what two keys give has nothing in common."""

    def __init__(self, key: bytes) -> None:
        self._masker = Masker(key)

    def meta(self, meta: Meta) -> Meta:
        """The notes are those of the table of formats."""
        bare = replace(meta, fields=tuple(field for field in meta.fields if field[0] != NOTE))
        return self._masker.meta(bare).noting(*meta.all(NOTE))

    def exchange(self, exchange: Exchange) -> Exchange:
        masked = self._masker.exchange(exchange)
        comments = zip(exchange.comments, masked.comments, strict=True)
        return replace(
            masked, comments=tuple(plain if _OURS.fullmatch(plain) else changed for plain, changed in comments),
        )

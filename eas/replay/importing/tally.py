"""What happened while files were imported: counted, with the place where it happened first. Said once, at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Note(Enum):
    """What is counted: the words for one, and for several."""

    OTHER = ("request that is not ActiveSync: passed over", "requests that are not ActiveSync: passed over")
    UNWANTED = (
        "exchange of another device or user: passed over", "exchanges of other devices or users: passed over",
    )
    BROKEN = ("record that cannot be read: passed over", "records that cannot be read: passed over")
    UNANSWERED = ("exchange without an answer", "exchanges without an answer")
    REPLACED = (
        "text of which only the length is known: a placeholder of that length",
        "texts of which only the length is known: placeholders of that length",
    )
    CUT = ("content that is cut short in the record", "contents that are cut short in the record")
    CORRUPT = (
        "body that the recording program did not keep as it was: left out",
        "bodies that the recording program did not keep as they were: left out",
    )
    NOT_WBXML = (
        "document that is not of the code pages: kept as text",
        "documents that are not of the code pages: kept as text",
    )
    ENCRYPTED = (
        "TLS connection, encrypted: passed over; `eas session proxy` can record such devices",
        "TLS connections, encrypted: passed over; `eas session proxy` can record such devices",
    )
    HTTP2 = ("HTTP/2 connection: passed over", "HTTP/2 connections: passed over")
    LOST = ("gap of lost packets in a connection", "gaps of lost packets in connections")
    HALF = (
        "message of which the capture has no beginning: passed over",
        "messages of which the capture has no beginning: passed over",
    )


@dataclass(slots=True)
class Tally:
    """The counts of one import; several files have one tally."""

    imported: int = 0
    counts: dict[Note, int] = field(default_factory=dict)
    first: dict[Note, str] = field(default_factory=dict)

    def add(self, note: Note, where: str = "", count: int = 1) -> None:
        """`where` is kept of the first one: "z-push.log:12: what is wrong"."""
        if not count:
            return
        self.counts[note] = self.counts.get(note, 0) + count
        if where and note not in self.first:
            self.first[note] = "".join(one if one.isprintable() else "\ufffd" for one in where)

    def sentences(self) -> list[str]:
        """In the order of `Note`."""
        return [
            f"{count} {note.value[count != 1]}" + (f" (first: {self.first[note]})" if note in self.first else "")
            for note in Note if (count := self.counts.get(note, 0))
        ]

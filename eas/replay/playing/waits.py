"""Requests that a server holds: which those are, and how long they are let wait when a session is played.

[MS-ASCMD] HeartbeatInterval (Ping), HeartbeatInterval (Sync), Wait; Status (Ping) 2; Limit.
"""

from __future__ import annotations

from enum import StrEnum

from eas.protocol.wbxml import Element
from eas.replay.format.model import Answer, Body, Document, Request

from .learning import document_of, text
from .targets import command_of

#: Below that an answer came at once: what was waited for had already happened.
AT_ONCE_SECONDS = 3.0

#: Root -> child that says how long, and its unit in seconds.
_HELD_BY = {
    "Ping:Ping": (("Ping:HeartbeatInterval", 1),),
    "AirSync:Sync": (("AirSync:HeartbeatInterval", 1), ("AirSync:Wait", 60)),
}
_CHANGES = "2"  # Status (Ping)


class Waits(StrEnum):
    """As recorded, as short as the server lets them be, or not at all."""

    KEPT = "kept"
    SHORT = "short"
    NONE = "none"


def is_wait(request: Request) -> bool:
    """Whether the server is asked to hold the request. A Sync without a body is held if the one before was."""
    root = document_of(request.body)
    if root is None or root.tag == "Ping:Ping":
        return command_of(request.target) == "Ping"
    return any(root.child(tag) is not None and text(root, tag) != "0" for tag, _ in _HELD_BY.get(root.tag, ()))


def heartbeat(root: Element | None) -> float:
    """Seconds that a request asks for, 0 for none."""
    for tag, unit in _HELD_BY.get(root.tag if root is not None else "", ()):
        stated = text(root, tag) if root is not None else ""
        if stated.isascii() and stated.isdigit():
            return float(int(stated) * unit)
    return 0.0


def ended_by_change(answer: Answer) -> bool:
    """Whether the recorded wait ended because something happened."""
    if answer.seconds < AT_ONCE_SECONDS:
        return False
    root = document_of(answer.body)
    if root is None:
        return False
    if root.tag == "Ping:Ping":
        return text(root, "Ping:Status") == _CHANGES
    return root.tag == "AirSync:Sync" and root.child("AirSync:Collections") is not None


def shortened(body: Body, seconds: float) -> Body:
    """The request with a wait of at most so long; 0 takes the wait out of a Sync."""
    root = document_of(body)
    if root is None or root.tag not in _HELD_BY:
        return body
    units = dict(_HELD_BY[root.tag])
    out = []
    for child in root.elements:
        unit = units.get(child.tag)
        if unit is not None and child.text.isascii() and child.text.isdigit() and int(child.text) * unit > seconds:
            if not seconds:
                continue
            child = Element(child.tag, str(max(1, int(seconds // unit))))
        out.append(child)
    made = Element(root.tag, tuple(out))
    return body if made == root else Document(made)


def longest_told(root: Element | None) -> float:
    """Seconds that the server says are the bound for a heartbeat that it refuses, 0 where it says none."""
    if root is None:
        return 0.0
    if root.tag == "Ping:Ping" and text(root, "Ping:Status") == "5":
        said, unit = text(root, "Ping:HeartbeatInterval"), 1
    elif root.tag == "AirSync:Sync" and text(root, "AirSync:Status") == "14":
        said, unit = text(root, "AirSync:Limit"), 60
    else:
        return 0.0
    return float(int(said) * unit) if said.isascii() and said.isdigit() else 0.0


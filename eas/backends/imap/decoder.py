"""Octets as they come -> responses, and long listings quickly. Without I/O: see `connection` for that."""

from __future__ import annotations

import re

from .model import Fetched
from .responses import TOLD, UNTOLD, Said, Untagged, flag_sets, moment, typed
from .syntax import Framer

#: The forms in which listings of UIDs and flags come: Dovecot's, Cyrus's, and whatever else has these items alone. No
#: match goes over the end of a line.
_FLAGS = rb'FLAGS \(([^()"{}\r\n]*+)\)'
_UID = rb"([1-9][0-9]{0,18}+)"
_NUMBER = rb"([0-9]{1,18}+)"
_DATE = rb'INTERNALDATE "([^"\\\r\n]*+)"'
_LISTINGS = (
    re.compile(rb"^\* [0-9]++ FETCH \(UID %b %b\)\r\n" % (_UID, _FLAGS), re.MULTILINE),
    re.compile(rb"^\* [0-9]++ FETCH \(UID %b %b MODSEQ \(%b\)\)\r\n" % (_UID, _FLAGS, _NUMBER), re.MULTILINE),
    re.compile(rb"^\* [0-9]++ FETCH \(UID %b %b %b\)\r\n" % (_UID, _FLAGS, _DATE), re.MULTILINE),
)
_SHORT = re.compile(
    rb"\* [0-9]++ FETCH \((?:UID %b ?)?(?:%b ?)?(?:UID %b ?)?(?:MODSEQ \(%b\) ?)?"
    rb'(?:INTERNALDATE "([^"\r\n]*+)" ?)?(?:RFC822.SIZE %b ?)?(?:UID %b ?)?(?:MODSEQ \(%b\))?\)\r\n'
    % (_UID, _FLAGS, _UID, _NUMBER, _NUMBER, _UID, _NUMBER)
)


class Decoder:
    """Feed it octets, get what became complete by them. After ImapSyntaxError it is of no more use."""

    def __init__(self) -> None:
        self.framer = Framer()
        #: The end of a command was in what was fed last.
        self.tagged = False

    def feed(self, data: bytes) -> list[Untagged | bytes]:
        framer = self.framer
        framer.feed(data)
        self.tagged = False
        out: list[Untagged | bytes] = []
        if not framer.begun:
            framer.at = _listing(framer.data, out)
        while True:
            if not framer.begun:
                framer.at = _short_lines(framer.data, framer.at, out)
            response = framer.next()
            if response is None:
                return out
            if isinstance(response, bytes):
                out.append(response)
            elif response != [b""]:
                one = typed(response)
                out.append(one)
                if type(one) is Said and one.tag != "*":
                    self.tagged = True


def _listing(data: bytes, out: list[Untagged | bytes]) -> int:
    """Reads all lines at once if all are of one form, which costs half of what it does one by one; gives where the rest
    begins."""
    end = data.rfind(b"\n") + 1
    lines = data.count(b"\n", 0, end)
    if lines < _WORTHWHILE:
        return 0
    new, sets = tuple.__new__, flag_sets
    for form in _LISTINGS:
        if form.match(data) is None:
            continue
        found = form.findall(data, 0, end)
        if len(found) != lines:
            return 0
        if form is _LISTINGS[0]:
            out += [new(Fetched, (int(uid), sets[raw], 0, None, None, None, UNTOLD)) for uid, raw in found]
        elif form is _LISTINGS[2]:
            out += [new(Fetched, (int(uid), sets[raw], 0, moment(date), None, None, TOLD)) for uid, raw, date in found]
        else:
            out += [new(Fetched, (int(uid), sets[raw], int(modseq), None, None, None, UNTOLD))
                    for uid, raw, modseq in found]  # fmt: skip
        return end
    return 0


_WORTHWHILE = 8


def _short_lines(data: bytes, at: int, out: list[Untagged | bytes]) -> int:
    """Reads as many as there are in a row; gives where the next one begins."""
    match, new, sets = _SHORT.match, tuple.__new__, flag_sets
    while found := match(data, at):
        uid, flags, uid2, modseq, date, size, uid3, modseq2 = found.groups()
        number = int(uid or uid2 or uid3 or 0)
        if not number:
            return at
        at = found.end()
        out.append(new(Fetched, (
            number, None if flags is None else sets[flags], int(modseq or modseq2 or 0),
            None if date is None else moment(date), None if size is None else int(size), None,
            UNTOLD if date is None and size is None else TOLD,
        )))  # fmt: skip
    return at

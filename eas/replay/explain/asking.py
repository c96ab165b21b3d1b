"""Requests that come too often, bring nothing, are not answered, or are refused each time."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping

from eas.engine.quirks import PATIENCE
from eas.replay.format.model import Binary, Body, Text
from eas.replay.showing.seen import Seen, retry_after
from eas.replay.showing.waiting import CUT, Waits
from eas.replay.showing.wording import bad_statuses, words_of, words_of_http

from .findings import Name, Sign

#: Idle requests within a minute that are a storm.
STORM, MINUTE = 30, 60.0
#: The same request with the same answer so often, each within a minute of the one before, is a loop.
LOOP = 4
#: Requests without an answer from which on each is told, also where the device asked again and was answered.
UNANSWERED = 3
#: Refusals of a command in a row.
REFUSALS = 3
#: What has rules of its own, or is asked for again and again by right.
NO_LOOP = frozenset({"Sync", "FolderSync", "Ping", "OPTIONS", "GetItemEstimate", "Provision"})
#: HTTP statuses and Status values with rules of their own.
OWN_HTTP = frozenset({401, 403, 449, 400, 500, 501, 502, 503, 504, 505, 507})
OWN_STATUS = frozenset(map(str, (*range(101, 112), *range(126, 146), 177)))
OWN_OF_COMMAND: Mapping[str, frozenset[str]] = {
    "Sync": frozenset({"3", "4", "5", "12", "14"}), "FolderSync": frozenset({"6", "9"}),
    "Ping": frozenset({"4", "5", "8"}),
}
#: What says that the server failed, beside the common ones. [MS-ASCMD] Status of each.
FAULT_OF_COMMAND: Mapping[str, frozenset[str]] = {
    "Sync": frozenset({"5"}), "FolderSync": frozenset({"6"}), "Ping": frozenset({"8"}),
}
FAULTS = frozenset({"110", "111", "114"})


def content_of(body: Body) -> Hashable:
    """What tells whether two messages are the same."""
    return hash(body.data) if isinstance(body, Text | Binary) else hash(body)


def patience(one: Seen) -> int:
    """Seconds that this kind of device waits for an answer."""
    for row in PATIENCE:
        asked = ((row.type, one.device_type), (row.agent, one.agent))
        if all(re.search(pattern, text, re.IGNORECASE) for pattern, text in asked if pattern):
            return row.seconds
    return PATIENCE[-1].seconds


class Repeats:
    """Loops and storms."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Hashable, int, float]] = {}
        self._idle: deque[float] = deque(maxlen=STORM)
        self._previous = ""

    def see(self, one: Seen) -> Iterator[Sign]:
        content = (content_of(one.exchange.request.body), content_of(one.exchange.answer.body), one.http,
                   one.exchange.request.target)
        before, run, ended = self._last.get(one.command, (None, 0, 0.0))
        now = one.time.timestamp()
        same = content == before
        run = run + 1 if same and self._previous == one.command and now - ended <= MINUTE else 1
        self._previous = one.command
        self._last[one.command] = (content, run, one.end.timestamp())
        if run >= LOOP and one.command not in NO_LOOP and one.http == 200:
            yield Sign(Name.LOOP, f"{one.command} came {run} times in a row and got the same answer")
        if same:
            self._idle.append(now)
            if len(self._idle) == STORM and now - self._idle[0] <= MINUTE:
                yield Sign(Name.STORM, f"{STORM} times {one.command} and the like within "
                           f"{max(now - self._idle[0], 0.1):.0f} s, without effect")

    def end(self) -> Iterable[Sign]:
        return ()


class Answers:
    """Requests without an answer, with a late one, with one that the server failed at, or that it put off."""

    #: Requests without an answer that may still get one when they come again.
    MOST = 100

    def __init__(self) -> None:
        self._waits = Waits()
        self._away_until = 0.0
        self._unanswered = 0
        self._open: dict[Hashable, Sign] = {}

    def see(self, one: Seen) -> Iterator[Sign]:
        waits = self._waits.see(one) is not None
        if one.time.timestamp() < self._away_until - 1:
            yield Sign(Name.CAME_TOO_EARLY, f"{self._away_until - one.time.timestamp():.0f} s before the time")
        self._away_until = 0.0
        if not waits:
            yield from self._late(one)
        if one.http == 503:
            self._away_until = one.end.timestamp() + retry_after(one)
            after = f", for {retry_after(one):.0f} s" if retry_after(one) else ", without saying for how long"
            yield Sign(Name.SERVER_BUSY, f"{one.command} was answered with 503{after}")
        elif one.http is not None and (one.http in (500, 507) or (one.http in CUT and not waits)):
            yield Sign(Name.SERVER_FAULT, f"{one.command}: HTTP {one.http}")
        for said in bad_statuses(one):
            if said.value in FAULTS or said.value in FAULT_OF_COMMAND.get(one.command, ()):
                yield Sign(Name.SERVER_FAULT, f"{one.command}: Status {said.value}", said.folder)

    def _late(self, one: Seen) -> Iterator[Sign]:
        """Once in a while a device goes out of reach, asks again, and is answered: that is well."""
        seconds = patience(one)
        content = (one.command, content_of(one.exchange.request.body))
        before = self._open.pop(content, None)
        if one.http is None:
            self._unanswered += 1
            why = one.exchange.answer.why
            limit = f"; such devices wait {seconds} s" if 0.9 * seconds <= one.seconds <= 1.2 * seconds else ""
            said = f"{one.command}, after {one.seconds:.0f} s{f' ({why})' if why else ''}{limit}"
            sign = Sign(Name.UNANSWERED, said, "", (one.number,))
            if before is not None or self._unanswered >= UNANSWERED or len(self._open) >= self.MOST:
                yield sign
            else:
                self._open[content] = sign
        elif one.seconds > seconds:
            yield Sign(Name.SLOW, f"{one.command} took {one.seconds:.0f} s, and such devices wait {seconds} s")

    def end(self) -> Iterable[Sign]:
        return self._open.values()


class Refusals:
    """The same refusal of the same command each time."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], tuple[str, int]] = {}

    def see(self, one: Seen) -> Iterator[Sign]:
        if one.http is None:
            return
        found = {"": f"HTTP {one.http}"} if one.http != 200 and one.http not in OWN_HTTP else {}
        texts = {"": words_of_http(one.http).means}
        for said in bad_statuses(one):
            if said.value not in OWN_STATUS and said.value not in OWN_OF_COMMAND.get(one.command, ()):
                found[said.folder] = f"Status {said.value}"
                texts[said.folder] = words_of(one.command, said).means
        about = [(one.command, folder) for folder in {"", *found, *(step.folder for step in one.steps)}]
        for place in about:
            refusal = found.get(place[1], "")
            before, run = self._runs.pop(place, ("", 0))
            if not refusal:
                continue
            run = run + 1 if refusal == before else 1
            if len(self._runs) < 5_000:
                self._runs[place] = (refusal, run)
            if run >= REFUSALS:
                yield Sign(Name.REFUSED_AGAIN, f"{one.command} got {refusal} {run} times in a row: {texts[place[1]]}",
                           place[1])

    def end(self) -> Iterable[Sign]:
        return ()

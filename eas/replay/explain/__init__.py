"""What went wrong in a session: findings with the exchanges in which they show. docs/sessions.md, "What went wrong".

Each kind of trouble is looked for by a small machine that sees the exchanges of one device in their order (`Watch`);
WATCHES is all of them. What they remember is bounded, so that a session may be of any length and of many devices.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from eas.replay.showing.seen import Folders, Seen

from .asking import Answers, Refusals, Repeats
from .entry import Login, Policy, Versions
from .findings import ABOUT, About, Finding, Name, Sign, Watch, Weight
from .items import Given, Refused, Sent
from .keys import Keys
from .messages import Messages
from .waits import Cuts, News

__all__ = ["ABOUT", "WATCHES", "About", "Explainer", "Finding", "Name", "Sign", "Weight"]

WATCHES: tuple[Callable[[], Watch], ...] = (
    Login, Policy, Versions, Answers, Keys, Repeats, Refusals, Cuts, News, Refused, Sent, Given, Messages,
)
#: Devices that are watched at the same time; the one that was not heard of for longest makes room.
MOST_DEVICES = 500
#: Findings that are told apart, and numbers of exchanges that each names: the first, and the last.
MOST_FINDINGS, FIRST_NUMBERS = 1_000, 10


class Explainer:
    def __init__(self) -> None:
        self._watched: OrderedDict[str, tuple[Folders, list[Watch]]] = OrderedDict()
        self._found: dict[tuple[Name, str, str], Finding] = {}

    def see(self, one: Seen) -> list[Sign]:
        """What the exchange shows, with the names of folders. Exchanges are to come in their order."""
        folders, watches = self._device(one.device)
        folders.learn(one)
        signs = [_named(sign, folders) for watch in watches for sign in watch.see(one)]
        for sign in signs:
            self._note(sign, one.device, folders, (*sign.numbers, one.number))
        return signs

    def end(self) -> list[Finding]:
        """All findings, most serious first."""
        while self._watched:
            self._leave(*self._watched.popitem(last=False))
        return sorted(self._found.values(), key=lambda one: (-one.about.weight, one.numbers[0]))

    def _device(self, device: str) -> tuple[Folders, list[Watch]]:
        if device not in self._watched:
            if len(self._watched) >= MOST_DEVICES:
                self._leave(*self._watched.popitem(last=False))
            self._watched[device] = (Folders(), [make() for make in WATCHES])
        self._watched.move_to_end(device)
        return self._watched[device]

    def _leave(self, device: str, watched: tuple[Folders, Iterable[Watch]]) -> None:
        folders, watches = watched
        for watch in watches:
            for sign in watch.end():
                self._note(_named(sign, folders), device, folders, sign.numbers)

    def _note(self, sign: Sign, device: str, folders: Folders, numbers: tuple[int, ...]) -> None:
        place = (sign.name, device, sign.folder)
        if place not in self._found:
            if len(self._found) >= MOST_FINDINGS:
                return
            self._found[place] = Finding(sign.name, device, folders.name(sign.folder), sign.said)
        found = self._found[place]
        found.count += 1
        found.said = sign.said
        for number in numbers:
            if number in found.numbers:
                continue
            if len(found.numbers) > FIRST_NUMBERS:
                found.numbers.pop()
            found.numbers.append(number)


def _named(sign: Sign, folders: Folders) -> Sign:
    said = sign.said.replace("{folder}", folders.name(sign.folder))
    return Sign(sign.name, said, sign.folder, sign.numbers)

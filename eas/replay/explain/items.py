"""Items: refused, sent or given twice, acknowledged late or never."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from eas.protocol.wbxml import Element
from eas.replay.showing.seen import Seen, Step
from eas.replay.showing.wording import ITEMS, bad_statuses, words_of

from .findings import Name, Sign

#: Items of a device that are remembered.
MOST = 20_000
#: Statuses within these say what became of an item.
OF_ITEMS = ITEMS | {"Move:Response", "ItemOperations:Fetch", "MeetingResponse:Result"}
SENDING = frozenset({"SendMail", "SmartReply", "SmartForward"})
SENT_BEFORE = "118"


class Refused:
    def see(self, one: Seen) -> Iterator[Sign]:
        for said in bad_statuses(one):
            if said.within in OF_ITEMS:
                what = said.within.partition(":")[2]
                yield Sign(Name.ITEM_REFUSED, f"{one.command} {what}: Status {said.value}: "
                           f"{words_of(one.command, said).means}", said.folder)

    def end(self) -> Iterable[Sign]:
        return ()


@dataclass(slots=True)
class _Sent:
    number: int
    client_id: str
    key: str
    taken: bool = False


class Sent:
    """New items and mails of the device."""

    def __init__(self) -> None:
        self._sent: OrderedDict[Hashable, _Sent] = OrderedDict()
        self._waiting: OrderedDict[tuple[str, str], int] = OrderedDict()

    def see(self, one: Seen) -> Iterator[Sign]:
        if one.command in SENDING and one.exchange.request.body is not None:
            yield from self._mail(one)
        for step in one.steps:
            yield from self._adds(one, step)

    def end(self) -> Iterator[Sign]:
        for (folder, _), number in self._waiting.items():
            yield Sign(Name.ADDS_UNANSWERED, f"sent to {{folder}} in exchange {number}", folder, (number,))

    def _mail(self, one: Seen) -> Iterator[Sign]:
        statuses = {said.value for said in bad_statuses(one)}
        taken = one.http == 200 and not statuses
        content = hash((one.exchange.request.target, one.exchange.request.body))
        before = self._sent.get(content)
        if before is not None and before.taken and SENT_BEFORE not in statuses:
            yield Sign(Name.SENT_TWICE, f"{one.command} as in exchange {before.number}", "", (before.number,))
        self._remember(content, _Sent(one.number, "", "", taken))

    def _adds(self, one: Seen, step: Step) -> Iterator[Sign]:
        acknowledged = {
            _text(response, "AirSync:ClientId"): _text(response, "AirSync:Status") for response in step.responses()
            if response.tag == "AirSync:Add"
        }
        well = one.http == 200 and one.status() in ("", "1") and step.status in ("", "1")
        for client_id in acknowledged:
            number = self._waiting.pop((step.folder, client_id), None)
            if number is not None:
                yield Sign(Name.ADDS_LATE, f"sent to {{folder}} in exchange {number}", step.folder, (number,))
        for add in step.up():
            if add.tag == "AirSync:Add":
                client_id = _text(add, "AirSync:ClientId")
                yield from self._add(one, step, add, client_id, acknowledged.get(client_id))
                if well and client_id not in acknowledged and len(self._waiting) < MOST:
                    self._waiting[step.folder, client_id] = one.number

    def _add(self, one: Seen, step: Step, add: Element, client_id: str, status: str | None) -> Iterator[Sign]:
        data = add.child("AirSync:ApplicationData")
        content = (step.folder, hash(data))
        before = self._sent.get(content)
        again = before is not None and before.client_id == client_id and before.key == step.key
        if before is not None and before.taken and not again and data is not None and data.elements:
            yield Sign(Name.SENT_TWICE, f"to {{folder}}, as in exchange {before.number}", step.folder, (before.number,))
        self._remember(content, _Sent(one.number, client_id, step.key, status == "1"))

    def _remember(self, content: Hashable, sent: _Sent) -> None:
        self._sent[content] = sent
        self._sent.move_to_end(content)
        if len(self._sent) > MOST:
            self._sent.popitem(last=False)


class Given:
    """Items that the server told the device of as new."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._keys: dict[str, set[str]] = {}
        self._begun: dict[str, int] = {}

    def see(self, one: Seen) -> Iterator[Sign]:
        if one.command == "MoveItems" and one.asked is not None:
            for move in one.asked.elements:
                self._held.pop((_text(move, "Move:SrcFldId"), _text(move, "Move:SrcMsgId")), None)
        for step in one.steps:
            if step.key == "0":
                self._begun[step.folder] = one.number
                self._keys.pop(step.folder, None)
            repeated = self._repeated(step)
            for change in step.up():
                if change.tag == "AirSync:Delete":
                    self._held.pop((step.folder, _text(change, "AirSync:ServerId")), None)
            for change in step.down():
                yield from self._told(one, step, change, repeated)

    def end(self) -> Iterable[Sign]:
        return ()

    def _repeated(self, step: Step) -> bool:
        """Whether the answer may be one that was given before; of each folder the last keys are remembered."""
        keys = self._keys.setdefault(step.folder, set())
        repeated = step.key in keys
        if len(keys) >= 50:
            keys.clear()
        keys.add(step.key)
        return repeated

    def _told(self, one: Seen, step: Step, change: Element, repeated: bool) -> Iterator[Sign]:
        place = (step.folder, _text(change, "AirSync:ServerId"))
        if change.tag in ("AirSync:Delete", "AirSync:SoftDelete"):
            self._held.pop(place, None)
        if change.tag != "AirSync:Add":
            return
        before = self._held.get(place)
        if before is not None and not repeated and before > self._begun.get(step.folder, -1):
            yield Sign(Name.GIVEN_TWICE, f"{place[1]} in {{folder}}, as in exchange {before}", step.folder, (before,))
        self._held[place] = one.number
        self._held.move_to_end(place)
        if len(self._held) > MOST:
            self._held.popitem(last=False)


def _text(element: Element, tag: str) -> str:
    child = element.child(tag)
    return child.text if child is not None else ""

"""A device as simple as can be, for the machines that lose its requests and answers.

It holds a value for each item, keeps its own changes until they are answered, repeats a request word for word if no
answer comes, or gives up and asks something else with the same key, and begins anew when its key is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from eas.engine.apply import DeviceCommand, Done, ItemStatus
from eas.engine.collection import CollectionAnswer, CollectionRequest
from eas.engine.diff import Verb
from eas.engine.ids import parse_server_id, server_id
from eas.engine.keys import ZERO
from eas.engine.options import CollectionOptions
from eas.protocol.wbxml import Element

#: What is looked at of an item, by class: tag -> name.
SEEN: Mapping[str, Mapping[str, str]] = {
    "Contacts": {
        "Contacts:FirstName": "name", "Contacts:MobilePhoneNumber": "mobile", "Contacts:HomePhoneNumber": "home",
    },
    "Email": {"Email:Subject": "name", "Email:Read": "read", "Email:Flag": "flag"},
}
TAGS = {item_class: {name: tag for tag, name in seen.items()} for item_class, seen in SEEN.items()}

Value = dict[str, str]


def value_of(item_class: str, content: tuple[Element, ...]) -> Value:
    seen = SEEN[item_class]
    return {seen[e.tag]: _text(e) for e in content if e.tag in seen}


def _text(element: Element) -> str:
    """Of a flag its status, 0 for none."""
    if element.tag != "Email:Flag":
        return element.text
    return next((child.text for child in element.elements if child.tag == "Email:Status"), "0")


def data_of(item_class: str, value: Mapping[str, str]) -> Element:
    tags = TAGS[item_class]
    return Element("AirSync:ApplicationData", tuple(
        Element(tags[name], _flag(said) if name == "flag" else said) for name, said in value.items()
    ))


def _flag(status: str) -> Any:
    return (Element("Email:Status", "2"), Element("Email:FlagType", "Flag for follow up")) if status == "2" else ()


@dataclass(slots=True)
class Mine:
    """A change made here, not answered yet. `named` is the ClientId of an Add, else the ServerId."""

    verb: Done
    named: str
    said: Value = field(default_factory=dict)


@dataclass(slots=True)
class Phone:
    """`partial`: what a Change leaves out stays (an empty Supported). `renames`: after key 0 it sends its Adds under
    other ClientIds, in its first request; else it fetches first and keeps the names."""

    collection: str
    item_class: str
    label: str = "A"
    partial: bool = False
    renames: bool = True
    window: int = 100
    options: CollectionOptions = field(default_factory=CollectionOptions)
    key: str = ZERO
    held: dict[int, Value] = field(default_factory=dict)
    mine: list[Mine] = field(default_factory=list)
    waiting: CollectionRequest | None = None
    state_options: bool = True
    fresh: bool = False
    numbers: int = 0
    trace: list[str] = field(default_factory=list)

    # -- what its user does

    def view(self) -> dict[int, Value]:
        """What its user sees of what the server knows."""
        seen = {id: dict(value) for id, value in self.held.items()}
        for change in self.mine:
            id = self._id(change.named) if change.verb is not Done.ADD else None
            if id is None or id not in seen:
                continue
            if change.verb is Done.DELETE:
                del seen[id]
            else:
                seen[id].update(change.said)
        return seen

    def add(self, value: Value) -> None:
        self.numbers += 1
        self.mine.append(Mine(Done.ADD, f"{self.label}{self.numbers}", value))

    def change(self, id: int, said: Value) -> None:
        if not self.partial and self.item_class != "Email":
            said = {**self.view()[id], **said}
        self.mine.append(Mine(Done.CHANGE, server_id(self.collection, id), said))

    def delete(self, id: int) -> None:
        self.mine.append(Mine(Done.DELETE, server_id(self.collection, id)))

    # -- asking

    def ask(self, *, get_changes: bool = True, window: int | None = None) -> CollectionRequest:
        """The request that is under way, or a new one."""
        if self.waiting is None:
            self.waiting = self._request(get_changes, self.window if window is None else window)
        return self.waiting

    def _request(self, get_changes: bool, window: int) -> CollectionRequest:
        options = self.options if self.state_options else None
        if self.key == ZERO:
            asked = CollectionRequest(
                collection_id=self.collection, key=ZERO, digest="", options=options,
                supported=() if self.partial else None,
            )
        else:
            pulls_first = self.fresh and not self.renames
            commands = () if pulls_first else tuple(map(self._command, self.mine))
            asked = CollectionRequest(
                collection_id=self.collection, key=self.key, digest="", options=options, window=window,
                get_changes=get_changes or pulls_first, commands=commands,
            )
        return replace(asked, digest=repr(asked))

    def _command(self, change: Mine) -> DeviceCommand:
        data = None if change.verb is Done.DELETE else data_of(self.item_class, change.said)
        return DeviceCommand(verb=change.verb, named=change.named, data=data)

    # -- hearing

    def receive(self, request: CollectionRequest, answer: CollectionAnswer) -> None:
        assert request is self.waiting
        self.waiting = None
        if answer.news:
            assert answer.key != request.key, "the same key for something new"
        if request.options == self.options:
            self.state_options = False
        if request.key == ZERO:
            self.key, self.fresh = answer.key, True
            return
        self.fresh = False
        for result, _ in answer.results:
            self._result(result.verb, result.named, result.status, result.server_id)
        ids = [said.id for said in answer.said]
        assert len(ids) == len(set(ids)), "an item is told twice in one answer"
        learnt = {self._id(result.server_id) for result, _ in answer.results if result.verb is Done.ADD}
        assert learnt.isdisjoint(ids), "an item is told in the answer that gives its id"
        for said in answer.said:
            self._said(said.verb, said.id, said.content)
        self.key = answer.key

    def _result(self, verb: Done, named: str, status: int, created: str) -> None:
        done = next(change for change in self.mine if (change.verb, change.named) == (verb, named))
        self.mine.remove(done)
        ok = status == ItemStatus.SUCCESS
        id = self._id(created if verb is Done.ADD else named)
        self.trace.append(f"{self.label} {verb} {named} {ItemStatus(status).name} {created}")
        if verb is Done.ADD:
            assert ok, f"an Add was refused: {status}"
            assert id is not None
            self.held[id] = dict(done.said)
        elif verb is Done.DELETE:
            self.held.pop(id or 0, None)
        elif ok and id in self.held:
            self.held[id].update(done.said)

    def _said(self, verb: Verb, id: int, content: tuple[Element, ...]) -> None:
        self.trace.append(f"{self.label} <- {verb} {id}")
        match verb:
            case Verb.ADD:
                assert id not in self.held, f"{id} was added twice"
                self.held[id] = value_of(self.item_class, content)
            case Verb.CHANGE:
                assert id in self.held, f"{id} was changed, which is not here"
                now = value_of(self.item_class, content)
                self.held[id] = {**self.held[id], **now} if self.item_class == "Email" else now
            case _:
                self.held.pop(id, None)

    def begin_anew(self) -> None:
        """Drop what came from the server, keep what it never confirmed."""
        self.key, self.waiting, self.state_options = ZERO, None, True
        self.held.clear()
        self.mine = [change for change in self.mine if change.verb is Done.ADD]
        if self.renames:
            for change in self.mine:
                self.numbers += 1
                change.named = f"{self.label}{self.numbers}"
        self.trace.append(f"{self.label} begins anew")

    def _id(self, named: str) -> int | None:
        parsed = parse_server_id(named)
        return parsed[1] if parsed else None

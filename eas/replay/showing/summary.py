"""One exchange in one line, as data: `eas session show` prints it, `--json` gives it to programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from eas.admin.words import Words
from eas.protocol.wbxml import Element
from eas.replay.format.writing import moment

from .seen import HIERARCHY, Folders, Said, Seen, Step
from .wording import bad_statuses, words_of, words_of_http

#: Folders that a line names, those first in which something happened; of more it says how many.
NAMED = 3
#: Characters of a key that is shown; those of some servers are long, and mean nothing to anybody.
KEY = 12


@dataclass(frozen=True, slots=True)
class Line:
    """`gap` is seconds since the exchange before began, None for the first. `about` names folders and what they did,
    `trouble` what is not well, each in words and with the next step."""

    one: Seen
    gap: float | None
    about: str
    trouble: tuple[Words, ...]


def line(one: Seen, before: Seen | None, folders: Folders) -> Line:
    gap = (one.time - before.time).total_seconds() if before is not None else None
    return Line(one, gap, ", ".join(filter(None, _about(one, folders))), tuple(_trouble(one, folders)))


def _about(one: Seen, folders: Folders) -> Iterable[str]:
    steps = [step for step in one.steps if step.folder != HIERARCHY]
    if one.command in ("Ping", "GetItemEstimate"):
        steps = [Step(folder=folder) for folder in watched(one)]
    steps.sort(key=lambda step: not _happens(step))
    yield "; ".join(_step(step, folders) for step in steps[:NAMED])
    if len(steps) > NAMED:
        yield f"{len(steps) - NAMED} more folders"
    if one.command == "FolderSync":
        yield _keys(one.steps[0])
        yield _counted(_hierarchy(one.told))
    if (seconds := one.heartbeat()):
        yield f"waits up to {seconds} s"
    if one.command == "Sync" and one.asked is None and one.exchange.request.body is None:
        yield "the same as before"
    if one.command == "Ping" and one.status() == "2":
        yield "news in " + (", ".join(folders.name(folder) for folder in changed(one)[:NAMED]) or "no folder")


def _step(step: Step, folders: Folders) -> str:
    said = [folders.name(step.folder)]
    if keys := _keys(step):
        said.append(keys)
    if up := _counted(_by_kind(step.up())):
        said.append(f"sends {up}")
    if down := _counted(_by_kind(step.down())):
        said.append(f"gets {down}{' and there is more' if step.more else ''}")
    return " ".join(said)


def _keys(step: Step) -> str:
    if step.key == "0":
        return "from nothing"
    if len(step.key) > KEY or len(step.next_key) > KEY or not step.key:
        return ""
    return f"key {step.key}" + (f" to {step.next_key}" if step.next_key not in ("", step.key) else "")


def _happens(step: Step) -> bool:
    return any(True for _ in step.up()) or any(True for _ in step.down()) or step.status not in ("", "1")


def _by_kind(elements: Iterable[Element]) -> Counter[str]:
    return Counter(one.tag.partition(":")[2] for one in elements)


def _hierarchy(told: Element | None) -> Counter[str]:
    changes = told.child("FolderHierarchy:Changes") if told is not None else None
    return _by_kind(one for one in (changes.elements if changes is not None else ()) if one.elements)


def _counted(counts: Counter[str]) -> str:
    return " and ".join(f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts.items())


def watched(one: Seen) -> list[str]:
    """The folders that a Ping waits for, or an estimate is asked of."""
    if one.asked is None:
        return []
    return [found.text for found in _all(one.asked, "Ping:Id")] or [
        found.text for found in _all(one.asked, "GetItemEstimate:CollectionId")
    ]


def changed(one: Seen) -> list[str]:
    """The folders in which a Ping says that there is news."""
    folders = one.told.child("Ping:Folders") if one.told is not None else None
    return [folder.text for folder in folders.children("Ping:Folder")] if folders is not None else []


def _all(element: Element, tag: str) -> Iterable[Element]:
    for child in element.elements:
        if child.tag == tag:
            yield child
        yield from _all(child, tag)


def folders_of(one: Seen) -> list[str]:
    """Ids of all folders that an exchange is about."""
    return [*(step.folder for step in one.steps), *watched(one), *changed(one)]


def _trouble(one: Seen, folders: Folders) -> Iterable[Words]:
    if one.http is None:
        yield Words("no answer" + (f": {one.exchange.answer.why}" if one.exchange.answer.why else ""))
    elif one.http != 200:
        words = words_of_http(one.http)
        yield Words(f"HTTP {one.http}: {words.means}", words.next)
    for said, count in Counter(bad_statuses(one)).items():
        at = f" in {folders.name(said.folder)}" if said.folder else ""
        times = f" {count} times" if count > 1 else ""
        words = words_of(one.command, said)
        yield Words(f"Status {said.value}{at}{times}: {words.means}", words.next)


# For programs --------------------------------------------------------------------------------------------------------


def as_data(line: Line, folders: Folders) -> dict[str, Any]:
    one = line.one
    return {
        "number": one.number, "time": moment(one.time), "gap": line.gap, "device": one.device, "user": one.user,
        "command": one.command, "version": one.stated, "http": one.http, "why": one.exchange.answer.why,
        "seconds": one.seconds, "bytes_in": one.asked_bytes, "bytes_out": one.told_bytes, "wait": one.heartbeat(),
        "folders": [_folder(step, folders) for step in one.steps if step.folder != HIERARCHY],
        "watched": [{"id": folder, "name": folders.name(folder)} for folder in watched(one)],
        "news": changed(one),
        "statuses": [_status(one, said) for said in one.statuses()],
        "comments": list(one.exchange.comments),
    }


def _folder(step: Step, folders: Folders) -> dict[str, Any]:
    return {
        "id": step.folder, "name": folders.name(step.folder), "key": step.key, "next_key": step.next_key,
        "status": step.status, "sends": dict(_by_kind(step.up())), "gets": dict(_by_kind(step.down())),
        "more": step.more,
    }


def _status(one: Seen, said: Said) -> dict[str, str]:
    words = words_of(one.command, said)
    return {"within": said.within, "folder": said.folder, "status": said.value, "means": words.means,
            "next": words.next}

"""[MS-ASCMD] What the elements of a Sync answer are like: parents, children, types, numbers."""

from __future__ import annotations

from boxes_kit import (
    CONTACTS,
    TASKS,
    box,
    change,
    commands,
    contact,
    delete,
    fetch,
    filtered,
    letter,
    second,
    task,
)
from lab import FROM_12_1, FROM_14, Lab, case
from shapes_kit import BYTE, CONTAINER, EMPTY, NUMBER, TEXT, Shape, check, ids_of, statuses
from wire import e

from eas.protocol.version import COLLECTION_CLASS

SYNC = "AirSync:Sync"
OF = (SYNC, "Collections", "Collection")
SAID, ANSWERED = (*OF, "Commands"), (*OF, "Responses")


def names(*given: str) -> frozenset[str]:
    return frozenset(given)


SHAPES = {
    (SYNC,): Shape(
        ids="R2795 R2796 R2797 R2798", kind=CONTAINER, children=names("Collections", "Limit", "Status")
    ),
    (SYNC, "Status"): Shape(ids="R5585 R5586 R5587 R5588", kind=BYTE),
    (SYNC, "Limit"): Shape(ids="R1828 R1829 R1830 R1831", kind=NUMBER),
    (SYNC, "Collections"): Shape(ids="R1415 R1416 R1417 R1418", kind=CONTAINER, children=names("Collection")),
    OF: Shape(
        ids="R1363 R1364 R1365 R1366", kind=CONTAINER, most=None,
        children=names("Class", "SyncKey", "CollectionId", "Status", "MoreAvailable", "Commands", "Responses"),
    ),
    (*OF, "Class"): Shape(ids="", kind=TEXT),
    (*OF, "SyncKey"): Shape(ids="R2839 R2840 R2841 R2842", kind=TEXT, least=1),
    (*OF, "CollectionId"): Shape(ids="R1400 R1401 R1402 R1403", kind=TEXT, least=1),
    (*OF, "Status"): Shape(ids="R2767 R2768 R2769 R2770 R4411", kind=BYTE, least=1),
    (*OF, "MoreAvailable"): Shape(ids="R1951 R1952 R1953 R1954", kind=EMPTY),
    SAID: Shape(
        ids="R1423 R1425 R1426 R1427", kind=CONTAINER, children=names("Add", "Change", "Delete", "SoftDelete")
    ),
    (*SAID, "Add"): Shape(
        ids="R1039 R1040 R1041 R1042", kind=CONTAINER, children=names("ServerId", "ApplicationData", "Class"), most=None
    ),
    (*SAID, "Add", "ServerId"): Shape(ids="R2605 R2606 R2607 R2608 R5701", kind=TEXT, least=1),
    (*SAID, "Add", "ApplicationData"): Shape(
        ids="R5848 R1059 R1061 R1062", kind=CONTAINER, children=None, least=1
    ),
    (*SAID, "Change"): Shape(
        ids="R1147 R1148 R1149 R1150", kind=CONTAINER, children=names("ServerId", "ApplicationData", "Class"), most=None
    ),
    (*SAID, "Change", "ServerId"): Shape(ids="R2605 R5701", kind=TEXT, least=1),
    (*SAID, "Change", "ApplicationData"): Shape(ids="R5848 R1059", kind=CONTAINER, children=None, least=1),
    (*SAID, "Delete"): Shape(
        ids="R1490 R1491 R1492 R1493", kind=CONTAINER, children=names("ServerId", "Class"), most=None
    ),
    (*SAID, "Delete", "ServerId"): Shape(ids="R2605 R5701", kind=TEXT, least=1),
    (*SAID, "SoftDelete"): Shape(
        ids="R2655 R2656 R2657 R2658", kind=CONTAINER, children=names("ServerId"), most=None
    ),
    (*SAID, "SoftDelete", "ServerId"): Shape(ids="R2605 R5701", kind=TEXT, least=1),
    ANSWERED: Shape(
        ids="R2504 R2506 R2507", kind=CONTAINER, children=names("Add", "Change", "Delete", "Fetch")
    ),
    (*ANSWERED, "Add"): Shape(
        ids="R1043 R1044 R1045 R1046", kind=CONTAINER, most=None,
        children=names("ServerId", "ClientId", "Class", "Status", "ApplicationData"),
    ),
    (*ANSWERED, "Add", "ClientId"): Shape(ids="R1347 R1348 R1349 R1350", kind=TEXT, least=1),
    (*ANSWERED, "Add", "ServerId"): Shape(ids="R5572 R5573 R5574 R5575", kind=TEXT),
    (*ANSWERED, "Add", "Status"): Shape(ids="R2767 R4411", kind=BYTE, least=1),
    (*ANSWERED, "Add", "ApplicationData"): Shape(ids="R1065", kind=CONTAINER, children=None),
    (*ANSWERED, "Change"): Shape(
        ids="R1151 R1152 R1153 R1154", kind=CONTAINER, most=None,
        children=names("ServerId", "Class", "Status", "InstanceId", "ApplicationData"),
    ),
    (*ANSWERED, "Change", "ServerId"): Shape(ids="R5572", kind=TEXT),
    (*ANSWERED, "Change", "Status"): Shape(ids="R2767 R4411", kind=BYTE, least=1),
    (*ANSWERED, "Delete"): Shape(
        ids="R6408 R6409 R6410 R6411", kind=CONTAINER, children=names("ServerId", "Status"), most=None
    ),
    (*ANSWERED, "Delete", "ServerId"): Shape(ids="R5572", kind=TEXT),
    (*ANSWERED, "Delete", "Status"): Shape(ids="R2767", kind=BYTE, least=1),
    (*ANSWERED, "Fetch"): Shape(
        ids="R1659 R1660 R1661 R1662", kind=CONTAINER, children=names("ServerId", "Status", "ApplicationData"),
        most=None,
    ),
    (*ANSWERED, "Fetch", "ServerId"): Shape(ids="R5572", kind=TEXT),
    (*ANSWERED, "Fetch", "Status"): Shape(ids="R2767 R4411", kind=BYTE, least=1),
    (*ANSWERED, "Fetch", "ApplicationData"): Shape(ids="R1063 R1065 R1066", kind=CONTAINER, children=None, least=1),
}
#: Not of every server, or not in every version: nothing is cited for them.
MAY_LACK = {
    (*OF, "Class"), (*ANSWERED, "Add", "ApplicationData"), (*ANSWERED, "Change", "ApplicationData"),
    (*ANSWERED, "Change", "InstanceId"),
}


#: [MS-ASCMD] Status (Sync) R4420
STATUSES = {"1", "3", "4", "5", "6", "7", "8", "9", "12", "13", "14", "15", "16"}
IDS = ids_of({path: shape for path, shape in SHAPES.items() if path not in MAY_LACK})


@case("MS-ASCMD", f"{IDS} R4420", FROM_12_1)
async def every_element_of_an_answer_has_its_place_and_form(lab: Lab) -> None:
    answers = []
    contacts = await (await box(lab, CONTACTS)).begin()
    first, unique = await contacts.add(contact(FirstName="Shape", LastName=lab.unique())), lab.unique()
    other = await second(lab, contacts)
    await contacts.sure(commands(change(first, contact(FirstName="Formed", LastName=unique))))  # a change
    await contacts.add(contact(LastName=lab.unique()))
    await other.sure(e("AirSync:WindowSize", "1"))  # more available
    await other.pull()
    await contacts.go(commands(delete(first)))
    await other.pull()  # a deletion
    await other.ask(commands(change(first, contact(LastName="Gone")), delete("no-such-item")))  # answers that fail
    answers += contacts.answers + other.answers
    inbox, message, _ = await letter(lab)
    await inbox.ask(commands(fetch(message)))
    answers += inbox.answers
    tasks = await (await box(lab, TASKS)).begin()
    done = await tasks.add(task(unique, complete=True))
    await tasks.ask(filtered(8))  # a soft deletion
    answers += tasks.answers
    waited = await contacts.ask(last=(e("AirSync:Wait", "60"),))  # a limit
    answers.append(waited.root)
    seen: set[tuple[str, ...]] = set()
    for answer in answers:
        check(answer, SHAPES, seen)
        assert statuses(answer) <= STATUSES
    assert not SHAPES.keys() - seen - MAY_LACK, SHAPES.keys() - seen
    assert ((*OF, "Class") in seen) == (lab.version in COLLECTION_CLASS)
    await tasks.go(commands(delete(done)))


@case("MS-ASCMD", "R942", FROM_14)
async def no_class_where_it_is_that_of_the_folder(lab: Lab) -> None:
    contacts = await (await box(lab, CONTACTS)).begin()
    id = await contacts.add(contact(LastName=lab.unique()))
    other = await box(lab, CONTACTS)
    await other.sure()
    answer = await other.sure(e("AirSync:WindowSize", "512"))
    assert answer.inside("Commands", "Add")
    assert not any(child.tag == "AirSync:Class" for one in answer.inside("Commands") for child in one.elements)
    await contacts.go(commands(delete(id)))



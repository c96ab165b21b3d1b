"""Where an event takes place, and what is attached to it: [MS-ASCAL] Location; [MS-ASAIRS] Location, Attachments."""

from __future__ import annotations

import base64

from calendar_kit import Book, added, c, compact, day, inner, kept, names, status_of, stored, text, timed, weekly
from lab import BEFORE_16, FROM_16, Lab, case
from wire import e

from eas.protocol.wbxml import Element

WHOLE = {
    "DisplayName": "Harbour Hall", "Annotation": "ring twice", "Street": "Quay 1; left, second door", "City": "Antwerp",
    "State": "Flanders", "Country": "Belgium", "PostalCode": "2000", "Latitude": "51.2194", "Longitude": "4.4025",
    "Accuracy": "12.5", "Altitude": "7.0", "AltitudeAccuracy": "1.5", "LocationUri": "https://hall.example/x",
}


def place(**parts: str) -> Element:
    return e("AirSyncBase:Location", *(e(name, value) for name, value in parts.items()))


@case("MS-ASAIRS", "R1207 R1208 R1225 R1001015 R1361 R1362 R1366 R1000991 MS-ASCAL:R2134 MS-ASCAL:R2134001 "
      "MS-ASCAL:R2135 MS-ASCAL:R2135001 MS-ASCAL:R29411", FROM_16)
async def a_place_is_a_structure_and_every_part_comes_back(lab: Lab) -> None:
    shown = await kept(lab, *timed(lab, day(), place(**WHOLE)))
    assert "Calendar:Location" not in [child.tag for child in shown.elements]
    (found,) = inner(shown, "Location")
    told = {child.tag.partition(":")[2]: child.text for child in found.elements}
    numbers = {"Latitude", "Longitude", "Accuracy", "Altitude", "AltitudeAccuracy"}
    assert {name: float(value) if name in numbers else value for name, value in told.items()} == {
        name: float(value) if name in numbers else value for name, value in WHOLE.items()
    }


@case("MS-ASAIRS", "R1208 R1366 R1000991", FROM_16)
async def every_part_of_a_place_is_optional(lab: Lab) -> None:
    for name, value in WHOLE.items():
        shown = await kept(lab, *timed(lab, day(), place(**{name: value})))
        assert names(inner(shown, "Location")[0]) == [name]


@case("MS-ASAIRS", "R1208", FROM_16)
async def a_place_with_a_number_that_is_none_is_refused(lab: Lab) -> None:
    book = await Book.opened(lab)
    for name in ("Latitude", "Longitude", "Accuracy", "Altitude", "AltitudeAccuracy"):
        assert await book.refused(*timed(lab, day(), place(DisplayName="x", **{name: "north"}))) == "6"


@case("MS-ASAIRS", "R1001013", FROM_16)
async def an_empty_location_takes_the_place_away(lab: Lab) -> None:
    book = await Book.opened(lab)
    server = await book.add(*timed(lab, day(), place(**WHOLE)))
    await book.change(server, c("Subject", "x"))
    assert inner(await stored(lab, server), "Location")
    await book.change(server, e("AirSyncBase:Location"))
    assert not inner(await stored(lab, server), "Location")


@case("MS-ASCAL", "R29611 R29711", FROM_16)
async def an_occurrence_has_a_place_of_its_own(lab: Lab) -> None:
    book = await Book.opened(lab)
    server = await book.add(*timed(lab, day(), place(**WHOLE), weekly()))
    await book.change(server, place(DisplayName="Elsewhere", City="Ghent"), instance=compact(day(7)))
    shown = await stored(lab, server)
    (exception,) = inner(shown, "Exceptions", "Exception")
    assert text(exception, "Location", "City") == "Ghent"
    assert text(shown, "Location", "City") == "Antwerp"


@case("MS-ASCAL", "R29411 R300", BEFORE_16)
async def a_place_is_a_text(lab: Lab) -> None:
    shown = await kept(lab, *timed(lab, day(), c("Location", "Room 1; second, floor")))
    (found,) = (child for child in shown.elements if child.tag == "Calendar:Location")
    assert found.text == "Room 1; second, floor"


def attach(client: str, content: bytes, name: str = "notes.txt", **more: str) -> Element:
    return e(
        "AirSyncBase:Add", e("ClientId", client), e("Method", more.pop("Method", "1")), e("Content", content),
        e("DisplayName", name), *(e(tag, value) for tag, value in more.items()),
    )


def attachments(*given: Element) -> Element:
    return Element("AirSyncBase:Attachments", given)


async def _fetched(lab: Lab, reference: str) -> tuple[str, bytes]:
    got = await lab.talker().post("ItemOperations", e(
        "ItemOperations:ItemOperations",
        e("Fetch", e("Store", "Mailbox"), e("AirSyncBase:FileReference", reference)),
    ))
    status = got.text("Response", "Fetch", "Status")
    return status, base64.b64decode(got.text("Response", "Fetch", "Properties", "Data")) if status == "1" else b""


@case("MS-ASAIRS", "R1082 R1367 R1001000", FROM_16)
async def what_is_attached_is_answered_with_references_and_can_be_fetched(lab: Lab) -> None:
    book = await Book.opened(lab)
    got = await book.send(added(*timed(lab, day(), attachments(
        attach("a1", b"one\r\n"), attach("a2", bytes(range(256)) * 40, "plan.pdf", ContentType="application/pdf"),
    ))))
    (told,) = got.all("Collections", "Collection", "Responses", "Add")
    assert text(told, "Status") == "1"
    references = {
        text(one, "ClientId"): text(one, "FileReference")
        for one in inner(told, "ApplicationData", "Attachments", "Attachment")
    }
    assert set(references) == {"a1", "a2"}
    shown = inner(await stored(lab, text(told, "ServerId")), "Attachments", "Attachment")
    assert {text(one, "DisplayName"): text(one, "FileReference") for one in shown} == {
        "notes.txt": references["a1"], "plan.pdf": references["a2"],
    }
    assert {text(one, "EstimatedDataSize") for one in shown} == {"5", "10240"}
    assert {text(one, "Method") for one in shown} == {"1"}
    assert await _fetched(lab, references["a1"]) == ("1", b"one\r\n")
    assert await _fetched(lab, references["a2"]) == ("1", bytes(range(256)) * 40)


@case("MS-ASAIRS", "R1082 R1367 R1001000", FROM_16)
async def attachments_are_added_and_deleted_in_a_change(lab: Lab) -> None:
    book = await Book.opened(lab)
    server = await book.add(*timed(lab, day(), attachments(attach("a1", b"one")), c("Reminder", "5")))
    got = await book.change(server, attachments(attach("a2", b"two", "two.txt")))
    assert status_of(got, "Change") == "1"
    shown = {text(one, "DisplayName"): text(one, "FileReference")
             for one in inner(await stored(lab, server), "Attachments", "Attachment")}
    assert set(shown) == {"notes.txt", "two.txt"}
    gone = e("AirSyncBase:Delete", e("FileReference", shown["notes.txt"]))
    assert status_of(await book.change(server, attachments(gone)), "Change") == "1"
    after = await stored(lab, server)
    assert [text(one, "DisplayName") for one in inner(after, "Attachments", "Attachment")] == ["two.txt"]
    assert text(after, "Reminder") == "5"
    assert (await _fetched(lab, shown["notes.txt"]))[0] != "1"
    assert await _fetched(lab, shown["two.txt"]) == ("1", b"two")


@case("MS-ASAIRS", "R1392", FROM_16)
async def only_normal_files_are_attached_to_events(lab: Lab) -> None:
    book = await Book.opened(lab)
    for method in ("2", "5", "6"):
        assert await book.refused(*timed(lab, day(), attachments(attach("a1", b"x", Method=method)))) == "6"

"""Items from words and as words."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from eas.client.device import APPLICATION_DATA, Folder, Item
from eas.client.phone_cli import mail_marks
from eas.client.words import Here, WordError, cell, fields_of, find, in_order, new_item, title
from eas.engine.model import FolderType
from eas.items.appointment import Appointment
from eas.items.body import Body, BodyType
from eas.items.contacts import Contact
from eas.items.notes import Note
from eas.items.tasks import Task
from eas.protocol.wbxml import Element

BERLIN = Here(ZoneInfo("Europe/Berlin"))


def test_event_gets_an_end_and_the_devices_time_zone() -> None:
    event = new_item("Calendar", ["subject=Lunch = good", "start=2026-07-01T12:30", "busy_status=free"], BERLIN)
    assert isinstance(event, Appointment)
    assert event.subject == "Lunch = good"
    assert event.start_time == datetime(2026, 7, 1, 10, 30, tzinfo=UTC)
    assert event.end_time == datetime(2026, 7, 1, 11, 30, tzinfo=UTC)
    assert event.busy_status == 0
    assert event.timezone is not None
    assert event.timezone.bias == -60


def test_due_date_of_a_task_is_local_and_universal() -> None:
    """[MS-ASTASK] DueDate, UtcDueDate."""
    task = new_item("Tasks", ["subject=x", "due=2026-07-01", "done=no"], BERLIN)
    assert isinstance(task, Task)
    assert task.due_date == datetime(2026, 7, 1, tzinfo=UTC)
    assert task.utc_due_date == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert task.complete is False


def test_contact_takes_days_lists_and_pictures(tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    picture.write_bytes(b"\x89PNG")
    words = ["first=Mia", "birthday=1990-02-03", "categories=Friends, Climbing", f"picture={picture}", "body=Hello"]
    contact = new_item("Contacts", words, BERLIN)
    assert contact == Contact(
        first_name="Mia", birthday=date(1990, 2, 3), categories=("Friends", "Climbing"), picture=b"\x89PNG",
        body=Body(type=BodyType.TEXT, data="Hello"),
    )


def test_note_has_the_class_that_the_protocol_wants() -> None:
    note = new_item("Notes", ["title=x"], BERLIN)
    assert isinstance(note, Note)
    assert note.message_class == "IPM.StickyNote"


def test_empty_value_deletes_a_field() -> None:
    assert fields_of("Contacts", ["job_title="], BERLIN) == {"job_title": None}
    assert fields_of("Contacts", ["categories="], BERLIN) == {"categories": ()}


@pytest.mark.parametrize(
    ("item_class", "words", "says"),
    [
        ("Contacts", ["jobtitle=x"], "job_title"),
        ("Contacts", ["job_title"], "no name=value"),
        ("Contacts", ["birthday=tomorrow"], "birthday cannot be"),
        ("Contacts", ["picture=/nonexistent"], "picture cannot be"),
        ("Calendar", ["start=soon"], "start_time cannot be"),
        ("Calendar", ["recurrence=weekly"], "no form in words"),
        ("Calendar", ["attendees=ben"], "no form in words"),
        ("Calendar", ["busy_status=7"], "busy_status cannot be"),
        ("Tasks", ["done=perhaps"], "yes or no"),
        ("Contacts", [], "nothing to add"),
    ],
)
def test_words_that_do_not_fit_are_explained(item_class: str, words: list[str], says: str) -> None:
    with pytest.raises(WordError, match=says):
        new_item(item_class, words, BERLIN)


def folder(*subjects: str) -> Folder:
    made = Folder(id="5", parent="0", name="Inbox", type=FolderType.INBOX)
    for number, subject in enumerate(subjects, 1):
        day = f"2026-01-0{number}T00:00:00.000Z"
        children = (Element("Email:Subject", subject), Element("Email:DateReceived", day))
        made.items[f"5:{number}"] = Item(server_id=f"5:{number}", data=Element(APPLICATION_DATA, children))
    return made


def test_items_are_found_by_id_and_by_words_of_their_title() -> None:
    inbox = folder("Lunch", "Re: Lunch", "Doors")
    assert find(inbox, "5:2").server_id == "5:2"
    assert find(inbox, "doo").server_id == "5:3"
    assert find(inbox, "lunch").server_id == "5:1", "the whole title wins"
    with pytest.raises(WordError, match="0 items"):
        find(inbox, "windows")
    with pytest.raises(WordError, match=r"2 items .* 5:1 Lunch; 5:2 Re: Lunch"):
        find(inbox, "unc")


def test_newest_mail_stands_first_and_dates_are_local() -> None:
    assert [title("Email", item) for item in in_order(folder("a", "b", "c"))] == ["c", "b", "a"]
    assert cell("2026-07-01T10:30:00.000Z", BERLIN) == "2026-07-01 12:30"
    assert cell("20260701T103000Z", BERLIN) == "2026-07-01 12:30"
    assert cell("Room 7", BERLIN) == "Room 7"


def test_what_can_change_about_a_mail() -> None:
    assert mail_marks(["read=yes", "flag=no", "categories=a, b"]) == {
        "read": True, "flagged": False, "categories": ("a", "b")
    }
    for word in ("subject=x", "read=perhaps", "read"):
        with pytest.raises(WordError):
            mail_marks([word])

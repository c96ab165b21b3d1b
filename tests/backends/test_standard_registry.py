"""Numbers of folders on other servers: whatever happens to the folders, a number means one folder for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from worlds import EmbeddedWorld

from eas.backends.standards import registry
from eas.backends.standards.ports import Place
from eas.backends.standards.registry import Row, plan
from eas.engine.model import FolderType


def place(locator: str, mark: str = "", parent: str = "") -> Place:
    return Place(
        locator=locator, parent=parent, name=locator, type=FolderType.USER_MAIL, item_class="Email", mark=mark
    )


async def numbers(world: EmbeddedWorld, *places: Place, source: str = "imap") -> dict[str, int]:
    found = await registry.numbered(world.embedded.groupware, world.users["anna"].id, source, places)
    assert [one.place for one in found] == list(places)
    return {one.place.locator: one.number for one in found}


async def test_the_same_folders_have_the_same_numbers(embedded: EmbeddedWorld) -> None:
    first = await numbers(embedded, place("INBOX"), place("Sent"))
    assert len(set(first.values())) == 2
    assert await numbers(embedded, place("Sent"), place("INBOX")) == first


async def test_two_sources_and_two_users_have_numbers_of_their_own(embedded: EmbeddedWorld) -> None:
    ours = await numbers(embedded, place("INBOX"))
    assert (await numbers(embedded, place("INBOX"), source="dav"))["INBOX"] != ours["INBOX"]
    theirs = await registry.numbered(
        embedded.embedded.groupware, embedded.users["ben"].id, "imap", [place("INBOX")]
    )
    assert theirs[0].number != ours["INBOX"]


async def test_a_folder_that_was_hidden_comes_back_under_its_number(embedded: EmbeddedWorld) -> None:
    first = await numbers(embedded, place("INBOX"), place("Lists"))
    await numbers(embedded, place("INBOX"))
    assert await numbers(embedded, place("INBOX"), place("Lists")) == first


async def test_a_folder_renamed_elsewhere_keeps_its_number_by_its_mark(embedded: EmbeddedWorld) -> None:
    first = await numbers(embedded, place("Old", "F1"), place("Other", "F2"))
    after = await numbers(embedded, place("New", "F1"), place("Other", "F2"))
    assert after == {"New": first["Old"], "Other": first["Other"]}


async def test_two_folders_that_changed_their_names_keep_their_numbers(embedded: EmbeddedWorld) -> None:
    user, ground = embedded.users["anna"].id, embedded.embedded.groupware
    first = await numbers(embedded, place("A"), place("A/x"), place("B"))
    await ground.write(lambda tx: registry.renamed(tx, user, "imap", [("A", "B"), ("A/x", "B/x"), ("B", "A")]))
    after = await numbers(embedded, place("A"), place("B"), place("B/x"))
    assert after == {"B": first["A"], "B/x": first["A/x"], "A": first["B"]}


async def test_what_is_begun_twice_is_one(embedded: EmbeddedWorld) -> None:
    user, ground = embedded.users["anna"].id, embedded.embedded.groupware
    one = await ground.write(lambda tx: registry.begin(tx, user, "imap", "New", "chosen"))
    two = await ground.write(lambda tx: registry.begin(tx, user, "imap", "New", "chosen"))
    assert one == two
    await ground.write(lambda tx: registry.made(tx, user, one, "chosen", place("New")))
    assert (await numbers(embedded, place("New")))["New"] == one.number
    there = await ground.read(lambda c: registry.begun(c, user, "chosen"))
    assert there is not None
    assert there.done


async def test_a_new_folder_does_not_get_the_number_of_one_that_is_gone(embedded: EmbeddedWorld) -> None:
    """Devices may still know that number, with the items of the old folder."""
    user, ground = embedded.users["anna"].id, embedded.embedded.groupware
    old = await numbers(embedded, place("Lists"))
    await numbers(embedded)
    begun = await ground.write(lambda tx: registry.begin(tx, user, "imap", "Lists", "chosen"))
    assert begun.number != old["Lists"]


LOCATORS, MARKS = st.sampled_from("ABCD"), st.sampled_from(["", "1", "2", "3"])
ROWS = st.lists(st.tuples(LOCATORS, MARKS, st.booleans()), unique_by=lambda row: row[0])
PLACES = st.lists(st.tuples(LOCATORS, MARKS), unique_by=lambda one: one[0])


@given(ROWS, PLACES)
def test_after_a_plan_the_rows_say_what_the_server_says(
    rows: Sequence[tuple[str, str, bool]], places: Sequence[tuple[str, str]]
) -> None:
    held = {n: Row(n, locator, mark, present) for n, (locator, mark, present) in enumerate(rows, 1)}
    wanted = [place(locator, mark) for locator, mark in places]
    todo = plan(list(held.values()), wanted)
    for number in todo.gone:
        held[number] = replace(held[number], present=False)
    for number, one in (*todo.renamed, *todo.back):
        held[number] = Row(number, one.locator, one.mark, True)
    for n, one in enumerate(todo.new, 100):
        held[n] = Row(n, one.locator, one.mark, True)
    assert sorted((row.locator, row.mark) for row in held.values() if row.present) == sorted(places)
    locators = [row.locator for row in held.values()]
    assert len(set(locators)) == len(locators)
    assert plan(list(held.values()), wanted).empty


async def test_two_that_make_one_folder_end_with_one(embedded: EmbeddedWorld) -> None:
    """Each in a process of its own; the server makes it for one, and tells the other that it is there."""
    user, ground = embedded.users["anna"].id, embedded.embedded.groupware
    one = await ground.write(lambda tx: registry.begin(tx, user, "imap", "New", "first"))
    two = await ground.write(lambda tx: registry.begin(tx, user, "imap", "New", "second"))
    number = await ground.write(lambda tx: registry.made(tx, user, one, "first", place("New")))
    await ground.write(lambda tx: registry.give_up(tx, two.number))
    assert (await numbers(embedded, place("New")))["New"] == number
    there = await ground.read(lambda c: registry.begun(c, user, "first"))
    assert there is not None
    assert (there.number, there.done) == (number, True)

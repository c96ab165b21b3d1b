"""The difference of two folder lists, as a device is told it."""

from eas.engine.hierarchy import Entry, changes_between


def test_added_updated_deleted():
    known = {"1": Entry("0", "Inbox", 2), "7": Entry("1", "Old", 12), "8": Entry("0", "Gone", 12)}
    present = {"1": Entry("0", "Inbox", 2), "7": Entry("0", "New", 12), "9": Entry("7", "Child", 12)}
    found = changes_between(known, present, "k")
    assert (found.added, found.updated, found.deleted) == (
        {"9": Entry("7", "Child", 12)}, {"7": Entry("0", "New", 12)}, ("8",)
    )


def test_parents_come_before_their_children():
    present = {"5": Entry("6", "c", 12), "6": Entry("7", "b", 12), "7": Entry("0", "a", 12)}
    assert list(changes_between({}, present, "k").added) == ["7", "6", "5"]


def test_a_circle_of_folders_does_not_hang():
    present = {"5": Entry("6", "a", 12), "6": Entry("5", "b", 12)}
    assert set(changes_between({}, present, "k").added) == {"5", "6"}

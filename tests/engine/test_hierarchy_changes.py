"""The difference of two folder lists, as a device is told it."""

from eas.engine.hierarchy import Entry, changes_between, given


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


def test_folders_that_a_device_is_not_to_have():
    present = {
        "1": Entry("0", "Inbox", 2), "2": Entry("0", "Calendar", 8), "5": Entry("0", "Team", 13),
        "6": Entry("5", "Below", 13), "7": Entry("6", "Far below", 13), "8": Entry("0", "Other", 12),
        "9": Entry("8", "Drafts", 3), "10": Entry("unknown", "Lost", 12),
    }
    assert given(present, ()) == present
    # Not the special ones, whoever asks for it; what stands under what is left out comes to the root if it is one.
    assert given(present, ("1", "2", "5", "8", "nothing")) == {
        "1": present["1"], "2": present["2"], "9": Entry("0", "Drafts", 3), "10": present["10"],
    }


def test_folders_in_a_circle_are_no_reason_to_hang():
    assert given({"5": Entry("6", "a", 12), "6": Entry("5", "b", 12)}, ("5",)) == {}

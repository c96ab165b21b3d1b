"""Categories as keywords, flags and notes, there and back."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.backends.imap import flags
from eas.backends.imap.flags import DONE, NOTED, NOTHING, change, seen, version
from eas.backends.imap.keywords import MAX_KEYWORD, category_of, is_reserved, keyword_of
from eas.items.native import FollowUp, MailFlags

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

NAMES = st.text(min_size=1, max_size=12) | st.text(string.printable, min_size=1, max_size=30) | st.sampled_from((
    "Red Category", "Persönlich", "junk", "$Label1", "\\Seen", "a_b", "&ea-", "Кат", "x" * 50, "x" * 51, " ", "_",
))
#: RFC 3501 9: what an atom cannot hold.
_NO_ATOM = set('(){%*"\\] \x7f') | {chr(n) for n in range(32)}


# --- Categories -------------------------------------------------------------------------------------------------------


@given(NAMES)
def test_a_name_comes_back_from_its_keyword(name: str) -> None:
    keyword = keyword_of(name)
    if keyword is None:
        assert len(name.encode("utf-8", "surrogatepass")) > 20
        return
    assert keyword.isascii()
    assert not _NO_ATOM.intersection(keyword)
    assert len(keyword) <= MAX_KEYWORD
    assert not is_reserved(keyword)
    assert category_of(keyword) == name


@given(NAMES, NAMES)
def test_other_names_have_other_keywords_whatever_the_case(one: str, other: str) -> None:
    first, second = keyword_of(one), keyword_of(other)
    if first is not None and second is not None and first.lower() == second.lower():
        assert one.lower() == other.lower()


@pytest.mark.parametrize("name", [
    "$label1", "$MailFlagBit0", "$NotJunk", "NonJunk", "$MDNSent", "$Forwarded", "\\Seen", "\\*", "Junk", "",
])
def test_what_programs_use_for_themselves_is_no_category(name: str) -> None:
    assert category_of(name) is None


@pytest.mark.parametrize(("name", "keyword"), [("Red", "Red"), ("Red Category", "Red_Category"), ("grün", "gr&yo6a-n")])
def test_plain_names_stay_readable_elsewhere(name: str, keyword: str) -> None:
    assert keyword_of(name) == keyword


@given(st.text(string.ascii_letters + string.digits + "&-_=+!", max_size=20))
def test_whatever_others_write_is_read_as_something(keyword: str) -> None:
    assert category_of(keyword) is None or isinstance(category_of(keyword), str)


# --- Flags and notes --------------------------------------------------------------------------------------------------

MOMENTS = st.none() | st.just(AT)
FOLLOW_UPS = st.none() | st.builds(
    FollowUp, status=st.sampled_from((1, 2)), subject=st.none() | st.just("call"), flag_type=st.none() | st.just("F"),
    due=MOMENTS, utc_due=MOMENTS, date_completed=MOMENTS, reminder_set=st.none() | st.booleans(), reminder_time=MOMENTS,
)


@st.composite
def mail_flags(draw: st.DrawFn) -> MailFlags:
    verb = draw(st.sampled_from((0, 1, 2, 3)))
    names = draw(st.lists(st.sampled_from(("Red", "Blue Category", "grün", "x" * 60, "junk", "$label1")), unique=True))
    return MailFlags(
        read=draw(st.booleans()), draft=draw(st.booleans()), follow_up=draw(FOLLOW_UPS), last_verb=verb,
        last_verb_time=draw(MOMENTS) if verb else None, categories=tuple(sorted(names)),
    )


FOREIGN = st.frozensets(st.sampled_from(("$label1", "$MailFlagBit0", "$NotJunk", "$MDNSent", "NonJunk", "\\Recent")))


def _applied(before: frozenset[str], done: flags.Change) -> frozenset[str]:
    off = {flag.lower() for flag in done.remove}
    return frozenset(flag for flag in before if flag.lower() not in off) | set(done.add)


@given(mail_flags(), mail_flags(), FOREIGN, st.booleans())
def test_flags_are_stored_by_the_difference_and_come_back(
    first: MailFlags, second: MailFlags, foreign: frozenset[str], keywords: bool
) -> None:
    """Also on a server that takes no new keywords; what others have set stays."""
    now, note = foreign, NOTHING
    for wanted in (first, second):
        done = change(now, note, wanted, lambda _: keywords)
        now, note = _applied(now, done), done.note
        assert seen(now, note) == wanted
        assert foreign <= now
        again = change(now, note, wanted, lambda _: keywords)
        assert (again.add, again.remove, again.note) == ((), (), note)
        if not keywords:
            assert all(flag.startswith("\\") or flag in foreign for flag in now)


@given(mail_flags(), FOREIGN)
def test_foreign_keywords_and_case_change_no_version(wanted: MailFlags, foreign: frozenset[str]) -> None:
    done = change((), NOTHING, wanted, lambda _: True)
    told = version(seen(done.add, done.note))
    assert version(seen(frozenset(done.add) | foreign, done.note)) == told
    system = [flag.upper() if flag.startswith("\\") else flag for flag in reversed(done.add)]
    assert version(seen(system, done.note)) == told


def test_versions_have_the_form_of_the_port() -> None:
    assert version(MailFlags()) == "u"
    assert version(MailFlags(read=True)) == "r"
    told = version(MailFlags(read=True, categories=("Red",), follow_up=FollowUp(status=2), last_verb=1, draft=True), 3)
    read, follow_up, categories, others = told.split(".")
    assert (read, follow_up[0], categories[0], others[0]) == ("r", "f", "c", "x")
    assert others.endswith("~3")


def test_a_flag_that_others_set_is_an_active_one_without_details() -> None:
    assert seen(["\\Flagged"]).follow_up == FollowUp(status=2)
    assert seen(["\\Flagged", "$FollowUp"], NOTHING).follow_up == FollowUp(status=2)
    assert seen([DONE]).follow_up == FollowUp(status=1)


def test_a_flag_that_others_take_off_is_gone_with_its_details() -> None:
    note = MailFlags(follow_up=FollowUp(status=2, subject="call", due=AT))
    assert seen(["\\Flagged", NOTED], note).follow_up == note.follow_up
    assert seen([NOTED], note).follow_up is None


def test_a_completed_one_that_others_flag_is_active() -> None:
    note = MailFlags(follow_up=FollowUp(status=1, date_completed=AT, complete_time=AT))
    assert seen([DONE], note).follow_up == note.follow_up
    assert seen([DONE, "\\Flagged"], note).follow_up == FollowUp(status=2)


def test_a_forwarded_message_stays_answered_for_others() -> None:
    done = change(["\\Answered"], NOTHING, MailFlags(last_verb=3, last_verb_time=AT), lambda _: True)
    assert (done.add, done.remove) == (("$Forwarded", NOTED), ())
    assert done.note == MailFlags(last_verb=3, last_verb_time=AT)


def test_a_category_that_another_program_spelled_otherwise_is_not_added_again() -> None:
    done = change(["rED"], NOTHING, MailFlags(categories=("rED", "Blue")), lambda _: True)
    assert (done.add, done.remove) == (("Blue",), ())
    taken = change(["my_tag", "a=b"], NOTHING, MailFlags(categories=("a=b",)), lambda _: True)
    assert (taken.add, taken.remove) == ((), ("my_tag",))

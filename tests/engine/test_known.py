"""What a device holds, as base and delta; what is pending, as listing and cursor."""

from hypothesis import given
from hypothesis import strategies as st

from eas.engine.known import (
    Answers,
    Base,
    Known,
    Pending,
    dump_base,
    dump_generation,
    load_base,
    load_generation,
)
from eas.engine.ranges import RangeSet

versions = st.sampled_from(["", "r", "rf", "7 abc", "8 äö"])
known = st.dictionaries(st.integers(1, 50), versions)
edits = st.dictionaries(st.integers(1, 50), st.none() | versions)


def base_of(items):
    return Known(changed=items).folded().base


def model(items, changes):
    merged = {**items, **changes}
    return {id: version for id, version in merged.items() if version is not None}


@given(known, edits)
def test_known_is_a_mapping_with_edits(items, changes):
    made = Known(base=base_of(items)).edited(changes)
    want = model(items, changes)
    assert dict(made.items()) == want
    assert set(made.ids()) == set(want)
    assert all(made.version(id) == want.get(id) for id in range(1, 52))
    folded = made.folded()
    assert dict(folded.items()) == want
    assert not folded.changed


@given(known, edits, st.sets(st.integers(1, 80)), st.sets(st.integers(1, 80)), st.integers(0, 80))
def test_a_generation_is_read_as_it_was_written(items, changes, beside, gone, cursor):
    base = base_of(items)
    made = Known(base=base, changed=changes)
    listing = RangeSet.of(range(3, 70))
    pending = Pending(listing=listing, cursor=cursor, beside=RangeSet.of(beside), gone=RangeSet.of(gone))
    answers = Answers(said=(("Add", 4), ("Delete", 5)), results=(("Add", "c1", "2:9", 1),), more=True)
    got = load_generation(dump_base(base), str(listing).encode(), cursor, dump_generation(made, pending, answers))
    assert got == (made, pending, answers)


def test_a_generation_that_was_never_written_is_empty():
    assert load_generation(b"", b"", 0, b"") == (Known(), Pending(), Answers())


def test_a_hundred_thousand_messages_are_a_few_hundred_bytes():
    items = {id: ("" if id > 99_900 else "r") for id in range(1, 100_001)}
    assert len(dump_base(base_of(items))) < 200
    assert load_base(dump_base(base_of(items))).version(99_950) == ""


def test_one_change_writes_one_change():
    big = Known(base=Base(singles={id: f"{id} x" for id in range(1, 5001)}))
    written = dump_generation(big.edited({7: "9 y"}), Pending(), Answers())
    assert len(written) < 100
    assert not big.edited({7: "9 y"}).outgrown(listing=False)


def test_changes_do_not_pile_up_once_a_listing_is_done():
    """What a first sync left beside the base would else be read and written with every change."""
    after = Known(base=Base(singles={id: f"{id} x" for id in range(1, 5001)})).edited(
        {id: f"{id} y" for id in range(5001, 5301)}
    )
    assert not after.outgrown(listing=True)
    assert after.outgrown(listing=False)


@given(
    st.dictionaries(st.integers(1, 60), st.sampled_from(["", "r", "f", "1 a", "2 b"])),
    st.dictionaries(st.integers(1, 90), st.sampled_from([None, "", "r", "f", "1 a", "3 c"])),
)
def test_folding_changes_nothing(base, changes):
    known = Known(base=base_of(base)).edited(changes)
    folded = known.folded()
    assert dict(folded.items()) == dict(known.items()) == {
        id: version for id, version in {**base, **changes}.items() if version is not None
    }
    assert not folded.changed
    assert load_base(dump_base(folded.base)) == folded.base


@given(
    st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)), st.integers(1, 7),
)
def test_everything_pending_is_looked_at_once_newest_first(listed, beside, gone, step):
    pending = Pending.all_of(RangeSet.of(listed), RangeSet.of(gone)).with_news(beside, ())
    seen = []
    while list(pending.newest()):
        some = [id for id, _ in zip(pending.newest(), range(step), strict=False)]
        seen += some
        pending = pending.without(some, ())
    assert seen == sorted(listed | beside, reverse=True)
    assert set(pending.gone) == gone
    assert not pending.without((), gone)


@given(st.sets(st.integers(1, 60)), st.integers(1, 30), st.sets(st.integers(1, 90)))
def test_news_that_arrive_meanwhile_are_looked_at_too(listed, done, news):
    pending = Pending.all_of(RangeSet.of(listed))
    first = [id for id, _ in zip(pending.newest(), range(done), strict=False)]
    pending = pending.without(first, ()).with_news(news, ())
    assert set(pending.newest()) == (listed - set(first)) | news
    assert len(pending) == len((listed - set(first)) | news)

"""Mail filters as values: what is wrong with them, JSON and back, and what becomes of a message."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from filter_samples import CASES, filters, letter, when
from hypothesis import given
from hypothesis import strategies as st

from eas.items import headers, mime
from eas.items.mail_filters import (
    MATCHES,
    MAX_FILTERS,
    Action,
    Condition,
    Do,
    Field,
    Filter,
    Letter,
    Marks,
    Match,
    dump,
    faults,
    judged,
    load,
)

READ, FLAG, STOP = Action(do=Do.READ), Action(do=Do.FLAG), Action(do=Do.STOP)
MOVE, DELETE = Action(do=Do.MOVE, value="Work"), Action(do=Do.DELETE)


def seen(raw: bytes) -> Letter:
    return Letter(
        header=raw[: mime.header_end(raw)], size=len(raw), structure=lambda: mime.structure(raw),
        written=lambda: raw[mime.header_end(raw):].decode(),
    )


@given(st.lists(filters(), max_size=4))
def test_filters_read_back_as_they_are(some: list[Filter]) -> None:
    assert faults(some) == []
    text = dump(some)
    assert text.isascii()
    assert load(text) == tuple(some)


@given(st.text(max_size=40) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["v", "filters", "name", "on", "every", "if", "do"]), inner
    ), max_leaves=12,
).map(lambda value: json.dumps({"v": 1, "filters": [value]})))
def test_whatever_is_read_gives_filters_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert faults(load(text)) == []


def _with(condition: Condition) -> Filter:
    return Filter(name="f", conditions=(condition,), actions=(READ,))


@pytest.mark.parametrize(("wrong", "said"), [
    (Filter(name="", actions=(READ,)), "name"),
    (Filter(name="a\nb", actions=(READ,)), "typed"),
    (Filter(name="x" * 301, actions=(READ,)), "300"),
    (Filter(name="f"), "what is to be done"),
    (Filter(name="f", actions=(MOVE, DELETE)), "deleted"),
    (Filter(name="f", actions=(MOVE, replace(MOVE, value="B"))), "one folder"),
    (Filter(name="f", actions=(Action(do=Do.MOVE),)), "folder"),
    (Filter(name="f", actions=(Action(do=Do.FORWARD, value="nobody"),)), "address"),
    (Filter(name="f", actions=(Action(do=Do.FORWARD, value='a@b.c";discard;"'),)), "address"),
    (Filter(name="f", actions=tuple(Action(do=Do.FORWARD, value=f"a{n}@b.c") for n in range(5))), "4 addresses"),
    (Filter(name="f", actions=(Action(do=Do.READ, value="x"),)), "nothing else"),
    (Filter(name="f", actions=(READ,) * 11), "more than 10"),
    (Filter(name="f", conditions=(Condition(field=Field.ATTACHMENT, match=Match.THERE),) * 21, actions=(READ,)), "20"),
    (_with(Condition(field=Field.SIZE, match=Match.OVER, value="many")), "kilobytes"),
    (_with(Condition(field=Field.SIZE, match=Match.OVER, value="0")), "kilobytes"),
    (_with(Condition(field=Field.SIZE, match=Match.OVER, value="٣")), "kilobytes"),
    (_with(Condition(field=Field.SUBJECT, match=Match.OVER, value="1")), "compared"),
    (_with(Condition(field=Field.SUBJECT, match=Match.IS, value=" ")), "text"),
    (_with(Condition(field=Field.SUBJECT, match=Match.IS, value="\ud800")), "typed"),
    (_with(Condition(field=Field.HEADER, match=Match.IS, value="x")), "header"),
    (_with(Condition(field=Field.HEADER, match=Match.IS, value="x", header="a b")), "no name"),
    (_with(Condition(field=Field.SUBJECT, match=Match.IS, value="x", header="A")), "header"),
])
def test_faults_are_told_in_words(wrong: Filter, said: str) -> None:
    found = faults([wrong])
    assert found
    assert said in found[0]


def test_not_more_than_so_many() -> None:
    assert faults([Filter(name="f", actions=(READ,))] * (MAX_FILTERS + 1))


def test_each_field_can_be_looked_at() -> None:
    assert MATCHES.keys() == set(Field)


@pytest.mark.parametrize(("one", "raw", "where"), CASES)
def test_where_a_message_goes(one: Filter, raw: bytes, where: str) -> None:
    verdict = judged([one], seen(raw))
    assert (list(verdict.folders) or ["INBOX"]) == [where]
    assert (verdict.inbox is None) == (where != "INBOX")


def test_all_of_them_or_one() -> None:
    both = Filter(name="f", conditions=(
        Condition(field=Field.SUBJECT, match=Match.IS, value="hello"),
        Condition(field=Field.FROM, match=Match.IS, value="x@y.z"),
    ), actions=(MOVE,))
    assert judged([both], seen(letter())).inbox == Marks()
    assert judged([replace(both, every=False)], seen(letter())).inbox is None


def test_filters_one_after_the_other() -> None:
    """What one has marked stays so for the next; whoever stops has the last word."""
    some = [
        Filter(name="1", actions=(READ, Action(do=Do.COPY, value="A"))),
        Filter(name="2", actions=(FLAG, Action(do=Do.FORWARD, value="a@b.c"))),
        Filter(name="3", actions=(STOP, MOVE)),
        Filter(name="4", actions=(DELETE,)),
    ]
    verdict = judged(some, seen(letter()))
    assert verdict.folders == {"A": Marks(read=True), "Work": Marks(read=True, flagged=True)}
    assert verdict.inbox is None
    assert verdict.forward == ("a@b.c",)
    assert verdict.names == ("1", "2", "3")


def test_what_is_deleted_may_be_forwarded_and_copied_before() -> None:
    verdict = judged([Filter(name="1", actions=(DELETE, Action(do=Do.FORWARD, value="a@b.c")))], seen(letter()))
    assert (dict(verdict.folders), verdict.inbox, verdict.forward) == ({}, None, ("a@b.c",))


def test_a_field_that_stands_twice() -> None:
    raw = b"X-Mark: one\r\nX-Mark: two\r\n\tand three\r\n" + letter()
    assert headers.every(raw, b"x-mark") == [b"one", b"two and three"]
    assert judged([when(Field.HEADER, "contains", "two and", "X-Mark")], seen(raw)).inbox is None


def test_nothing_of_the_message_is_read_without_need() -> None:
    def never() -> str:
        raise AssertionError

    raw = letter()
    blind = Letter(header=raw[: mime.header_end(raw)], size=len(raw), structure=never, written=never)  # type: ignore[arg-type]
    assert judged([when(Field.SUBJECT, "is", "hello")], blind).inbox is None

"""Queries as people type them. [MS-KQL]"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items import kql
from eas.items.kql import (
    Candidate,
    Every,
    HasAttachment,
    Importance,
    IsFlagged,
    IsRead,
    Kind,
    Node,
    Not,
    Property,
    Received,
    Some,
    Text,
    matches,
)

BERLIN = ZoneInfo("Europe/Berlin")
#: A Wednesday; in Berlin it is the 12th.
NOW = datetime(2026, 8, 11, 22, 30, tzinfo=UTC)


def parse(query: str) -> Node:
    return kql.parse(query, NOW, BERLIN)


def anywhere(text: str) -> Text:
    return Text(Property.ANYWHERE, text)


A, B, C = anywhere("a"), anywhere("b"), anywhere("c")
FROM_A, FROM_B = Text(Property.FROM, "a"), Text(Property.FROM, "b")


@pytest.mark.parametrize(
    ("query", "node"),
    [
        ("", Every(())), ("   ", Every(())), ("a", A), ("A", A), ("a*", A), ("a b", Every((A, B))),
        ("a AND b", Every((A, B))), ("a OR b", Some((A, B))), ("a b OR c", Some((Every((A, B)), C))),
        ("a AND (b OR c)", Every((A, Some((B, C))))), ("NOT a", Not(A)), ("a NOT b", Every((A, Not(B)))),
        ("-a", Not(A)), ("+a", A), ("a -b", Every((A, Not(B)))), ("NOT (a OR b)", Not(Some((A, B)))),
        ("and", anywhere("and")), ('"a  B"', anywhere("a b")), ('"a b', anywhere("a b")), ("“a b”", anywhere("a b")),
        ("a NEAR(n=3) b", Every((A, B))), ("a ONEAR b", Every((A, B))), ("NOT NOT a", A), ("NOT NOT -a", Not(A)),
        ("from:a", FROM_A), ("FROM:A", FROM_A), ("from: a", FROM_A), ('from:"a b"', Text(Property.FROM, "a b")),
        ("from:a from:b", Some((FROM_A, FROM_B))), ("from:a AND from:b", Every((FROM_A, FROM_B))),
        ("from:a b from:b", Every((FROM_A, B, FROM_B))), ("from=a", FROM_A), ("from<>a", Not(FROM_A)),
        ("sender:a", FROM_A), ("title:a", Text(Property.SUBJECT, "a")), ("-from:a", Not(FROM_A)),
        ("cc:a bcc:b", Every((Text(Property.CC, "a"), Text(Property.BCC, "b")))),
        ("nothing:a", anywhere("nothing:a")), ("12:30", anywhere("12:30")), ("http://a", anywhere("http://a")),
        ("hasattachment:true", HasAttachment(True)), ("HasAttachments:No", HasAttachment(False)),
        ("hasattachment:perhaps", anywhere("hasattachment:perhaps")), ("isread:0", IsRead(False)),
        ("isflagged:yes", IsFlagged(True)), ("importance:high", Importance(2)), ("kind:meetings", Kind("Calendar")),
        ("kind:docs", anywhere("kind:docs")),
        # What does not parse is passed over.
        ("a OR", A), ("OR a", A), ("AND", Every(())), ("a AND AND b", Every((A, B))), ("(a", A), ("a)", A),
        (")a(", A), ("()", Every(())), ("NOT", Every(())), ("a NOT", A), ("from:", anywhere("from:")),
        ("((((a))))", A),
    ],
)
def test_queries(query: str, node: Node) -> None:
    assert parse(query) == node


def day(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=BERLIN).astimezone(UTC)


TODAY, TOMORROW = day(2026, 8, 12), day(2026, 8, 13)


@pytest.mark.parametrize(
    ("query", "node"),
    [
        ("received:today", Received(TODAY, TOMORROW)),
        ("received:yesterday", Received(day(2026, 8, 11), TODAY)),
        ('received:"this week"', Received(day(2026, 8, 10), day(2026, 8, 17))),
        ('received:"last week"', Received(day(2026, 8, 3), day(2026, 8, 10))),
        ("received:last-week", Received(day(2026, 8, 3), day(2026, 8, 10))),
        ('received:"this month"', Received(day(2026, 8, 1), day(2026, 9, 1))),
        ('received:"last month"', Received(day(2026, 7, 1), day(2026, 8, 1))),
        ('received:"this year"', Received(day(2026, 1, 1), day(2027, 1, 1))),
        ('received:"last year"', Received(day(2025, 1, 1), day(2026, 1, 1))),
        ('received:"last 7 days"', Received(day(2026, 8, 5), TOMORROW)),
        ("received:december", Received(day(2025, 12, 1), day(2026, 1, 1))),
        ("received:2026-03-29", Received(day(2026, 3, 29), day(2026, 3, 30))),
        ("received:3/29/2026", Received(day(2026, 3, 29), day(2026, 3, 30))),
        ("received=2026-03-29", Received(day(2026, 3, 29), day(2026, 3, 30))),
        ("received<>2026-03-29", Not(Received(day(2026, 3, 29), day(2026, 3, 30)))),
        ("received<2026-03-29", Received(None, day(2026, 3, 29))),
        ("received<=2026-03-29", Received(None, day(2026, 3, 30))),
        ("received>2026-03-29", Received(day(2026, 3, 30), None)),
        ("received>=2026-03-29", Received(day(2026, 3, 29), None)),
        ("sent>=today", Received(TODAY, None)),
        ("received:2026-01-01..2026-02-01", Received(day(2026, 1, 1), day(2026, 2, 2))),
        ("received>=2026-01-01 received<2026-02-01",
         Every((Received(day(2026, 1, 1), None), Received(None, day(2026, 2, 1))))),
        ("received:2026-08-12T10:00:30Z", Received(
            datetime(2026, 8, 12, 10, 0, 30, tzinfo=UTC), datetime(2026, 8, 12, 10, 0, 31, tzinfo=UTC))),
        ("received:2026-02-30", anywhere("received:2026-02-30")), ("received:soon", anywhere("received:soon")),
        ("received:0000-01-01", anywhere("received:0000-01-01")),
        ("received:2026-01-01..soon", anywhere("received:2026-01-01..soon")),
    ],
)
def test_dates_are_days_of_the_users_zone(query: str, node: Node) -> None:
    assert parse(query) == node


def candidate(**values: object) -> Candidate:
    texts = {Property.FROM: "anna anna@example.com", Property.SUBJECT: "the plan"}
    said = "the plan\nanna anna@example.com\nwords within"
    return Candidate(**{  # type: ignore[arg-type]
        "item_class": "Email", "received": TODAY, "within": lambda property: texts.get(property, said),
        **values,
    })


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True), ("plan words", True), ("plan nothing", False), ("plan OR nothing", True), ("NOT plan", False),
        ("from:anna", True), ("from:plan", False), ("subject:plan -from:ben", True), ("received:today", True),
        ("received:yesterday", False), ("received>=today", True), ("received<today", False), ("kind:email", True),
        ("kind:task", False), ("isread:true", True), ("isread:false", False), ("isflagged:true", False),
        ("importance:high", False), ("importance:normal", True), ("hasattachment:true", False),
        ("hasattachment:false", True),
    ],
)
def test_matches(query: str, found: bool) -> None:
    assert matches(parse(query), candidate()) is found


@settings(max_examples=150, deadline=None)
@given(st.lists(
    st.sampled_from(["a", "(", ")", "AND", "OR", "NOT", "-", "+", '"', ":", "from:", "received:", "<", "..", "*", " "])
    | st.text(max_size=6), max_size=40,
).map(" ".join))
def test_nothing_that_is_typed_is_an_error(query: str) -> None:
    assert matches(parse(query), candidate()) in (True, False)


def test_what_is_looked_at_is_bounded() -> None:
    assert parse("(" * 5000 + "a") == Every(())
    many = parse("a " * 3000)
    assert isinstance(many, Every)
    assert len(many.nodes) == kql.MAX_TERMS
    matches(parse("NOT " * 500 + "a"), candidate())

"""Two sessions side by side: exchanges find each other, whatever was left out or put in between."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_compare import folders, mail, sync, xml

from eas.protocol.wbxml import Element
from eas.replay.comparing.aligning import aligned
from eas.replay.comparing.diff import diff
from eas.replay.comparing.may_differ import DEFAULT
from eas.replay.comparing.report import name_of
from eas.replay.comparing.rules import Manner
from eas.replay.comparing.rules_file import ignoring, read_rules
from eas.replay.format.model import Answer, Document, Exchange, Request, SessionError

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def exchange(number: int, command: str, asked: Element | None, told: Element | None, later: int = 0) -> Exchange:
    return Exchange(
        number=number, time=NOON + timedelta(seconds=number, days=later),
        request=Request(
            method="POST", target=f"/Microsoft-Server-ActiveSync?Cmd={command}&User=anna&DeviceId=A1&DeviceType=iPhone",
            body=Document(asked) if asked else None),
        answer=Answer(status=200, seconds=0.1, body=Document(told) if told else None),
    )


def asks(folder: str, key: str = "1") -> Element:
    return sync("", folder=folder, key=key)


PING = xml('<Ping xmlns="Ping"><HeartbeatInterval>480</HeartbeatInterval></Ping>')
NEWS = xml('<Ping xmlns="Ping"><Status>1</Status></Ping>')
LIST = xml('<FolderSync xmlns="FolderHierarchy"><SyncKey>0</SyncKey></FolderSync>')


def session(start: int = 1, later: int = 0, without: int = 0, more: int = 0) -> list[Exchange]:
    """Folders, then Inbox, Sent and Ping; ids begin at `start`."""
    steps: list[tuple[str, Element, Element]] = [("FolderSync", LIST, folders("Inbox", "Sent", "Trash", start=start))]
    for number in range(4):
        steps += [
            ("Sync", asks(str(start), str(number)), sync(mail(number, f"No. {number}"), folder=str(start))),
            ("Sync", asks(str(start + 1), str(number)), sync("", folder=str(start + 1))),
            ("Ping", PING, NEWS),
        ]
    if without:
        del steps[without]
    if more:
        steps.insert(more, ("Sync", asks(str(start + 2), "0"), sync("", folder=str(start + 2))))
    return [exchange(number, *step, later=later) for number, step in enumerate(steps, 1)]


def told(one: list[Exchange], other: list[Exchange]) -> list[str]:
    return [f"{outcome.exchange.number} {difference.message}" for outcome in diff(one, other, DEFAULT)
            for difference in outcome.differences]


def test_other_ids_and_times_are_no_difference() -> None:
    assert told(session(), session(start=40, later=3)) == []


@pytest.mark.parametrize(("gone", "name"), [(3, "3 Ping"), (2, "2 Sync"), (5, "5 Sync"), (12, "12 Ping"), (0, "")])
def test_one_exchange_less_shifts_nothing(gone: int, name: str) -> None:
    one, other = session(), session(start=40, without=gone)
    pairs = list(aligned(one, other))
    assert [mine.number for mine, yours in pairs if mine and yours is None] == ([gone + 1] if gone else [])
    assert not [yours for mine, yours in pairs if mine is None]
    found = told(one, other)
    assert found == ([f"{gone + 1} {name_of(one[gone])} is only in the first session"] if gone else [])
    assert len(told(other, one)) == len(found)


def test_one_exchange_more_is_named() -> None:
    assert told(session(), session(start=40, more=5)) == ["6 Sync is only in the second session"]


def test_what_is_said_otherwise() -> None:
    one, other = session(), session()
    other[4] = exchange(5, "Sync", asks("1", "1"), sync(mail(1, "No. 1", "<email:Importance>2</email:Importance>"),
                                                        folder="1"))
    assert told(one, other) == ["5 Add of 'No. 1': Importance '2' was not expected"]
    other[3] = exchange(4, "Ping", xml('<Ping xmlns="Ping"><HeartbeatInterval>60</HeartbeatInterval></Ping>'), NEWS)
    assert told(one, other)[0] == "4 Request: HeartbeatInterval is '60', not '480'"


COMMANDS = st.lists(st.sampled_from(["Sync", "Ping", "FolderSync", "Search"]), max_size=250)


@given(COMMANDS, COMMANDS)
def test_all_of_both_sides_comes_once_and_in_order(ours: list[str], theirs: list[str]) -> None:
    one, other = ([exchange(number, name, None, None) for number, name in enumerate(names)] for names in (ours, theirs))
    pairs = list(aligned(one, other))
    assert [mine for mine, _ in pairs if mine] == one
    assert [yours for _, yours in pairs if yours] == other
    assert all(name_of(mine) == name_of(yours) for mine, yours in pairs if mine and yours)


def test_long_sessions_need_no_memory() -> None:
    count = 400

    def long(other: bool) -> Iterator[Exchange]:
        for number in range(count):
            if other and number % 50 == 7:
                continue
            told = sync(mail(number, f"No. {number}" + "x" * 2000), folder="1")
            yield exchange(number, "Sync", asks("1"), told)

    tracemalloc.start()
    found = [outcome.exchange.number for outcome in diff(long(False), long(True), DEFAULT) if outcome.differences]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [number for number in range(count) if number % 50 == 7]
    assert peak < 6_000_000


# Rules of one's own ---------------------------------------------------------------------------------------------------


def test_rules_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('strict = true\ntolerance = 60\n[[rule]]\nwhere = "email:Read"\nmanner = "ignore"\nwhy = "old"\n')
    rules = read_rules(DEFAULT, file)
    assert (rules.strict, rules.tolerance) == (True, timedelta(minutes=1))
    assert rules.manner(("AirSync:Sync", "Email:Read")) is Manner.IGNORE
    assert ignoring(rules, ["SyncKey"]).manner(("AirSync:Sync", "AirSync:SyncKey")) is Manner.IGNORE


@pytest.mark.parametrize(("text", "said"), [
    ("strict = [", "no TOML"), ("strikt = true", "unknown: strikt"), ("strict = 1", "true or false"),
    ("tolerance = -1", "seconds"), ("tolerance = true", "seconds"), ("tolerance = nan", "seconds"),
    ("rule = 3", "[[rule]]"), ('[[rule]]\nmanner = "ignore"', "rule 1: '' is no place"),
    ('[[rule]]\nwhere = "a//b"\nmanner = "ignore"', "no place"),
    ('[[rule]]\nwhere = "x"\nmanner = "never"', "no manner 'never'; there are same"),
    ('[[rule]]\nwhere = "x"\nmanner = "ignore"\nhow = "x"', "unknown: how"), ("[[rule]]\nwhere = 3", "texts"),
])
def test_rules_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(SessionError, match=r"rules\.toml: ") as caught:
        read_rules(DEFAULT, file)
    assert said in str(caught.value)

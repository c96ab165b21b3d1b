"""Reports of a run: text, JUnit XML, HTML, each of what was seen, also when it ends early."""

from __future__ import annotations

import io
import re
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree, html

from eas.replay.comparing.outcome import Difference, Kind, Outcome
from eas.replay.comparing.report import Subject, reporting
from eas.replay.format.model import Answer, Exchange, Request

SUBJECT = Subject("a.session against <http://x>", (("device", "iPhone & more"),))
NASTY = "</pre><script>alert(1)</script>\x00 \x1b[31m & \"quoted\""


def outcome(number: int = 1, *differences: Difference, **others: object) -> Outcome:
    exchange = Exchange(
        number=number, time=datetime(2026, 11, 21, tzinfo=UTC),
        request=Request(method="POST", target="/Microsoft-Server-ActiveSync?Cmd=Sync&User=a&DeviceId=b&DeviceType=c"),
        answer=Answer(status=200, seconds=0.1),
    )
    return Outcome(exchange=exchange, differences=differences, seconds=0.25, **others)  # type: ignore[arg-type]


CHANGED = Difference("Sync/Status", Kind.STATUS, "1", "3", "Status is '3', not '1'")
MISSING = Difference("Sync/Add[1]", Kind.MISSING, "<Add>\n  <X/>\n</Add>", "", "Add of 'Re: lunch' is missing")
ODD = Difference("Sync/Add[2]", Kind.CHANGED, NASTY, "plain", f"Subject is 'plain', not {NASTY!r}")


@pytest.fixture
def told(tmp_path: Path) -> dict[str, str]:
    text = io.StringIO()
    with reporting(SUBJECT, text=text, junit=tmp_path / "r.xml", html=tmp_path / "r.html") as reports:
        reports.add(outcome(1))
        reports.add(outcome(2, CHANGED, MISSING, ODD, notes=("asked a second time",)))
        reports.add(outcome(3, skipped="there is no Ping to answer"))
    files = {name: (tmp_path / f"r.{name}").read_text() for name in ("xml", "html")}
    return {"text": text.getvalue(), "junit": files["xml"], "html": files["html"]}


def test_text(told: dict[str, str]) -> None:
    assert told["text"].splitlines()[:4] == [
        "2 Sync", "  ! Status is '3', not '1'", "  - Add of 'Re: lunch' is missing",
        "  ~ Subject is 'plain', not '</pre><script>alert(1)</script>\\x00 \\x1b[31m & \"quoted\"'",
    ]
    assert told["text"].endswith(
        "3 Sync: skipped, there is no Ping to answer\n3 exchanges: 1 the same, 1 with differences (3), 1 skipped\n")
    assert "\x1b" not in told["text"]


def test_junit(told: dict[str, str]) -> None:
    """By a schema: the part of Jenkins' that we write."""
    schema = etree.XMLSchema(etree.parse(Path(__file__).with_name("junit.xsd")))
    root = etree.fromstring(told["junit"].encode())
    schema.assertValid(root)
    (suite,) = root
    assert dict(suite.attrib) | {"time": ""} == {
        "name": SUBJECT.title, "tests": "3", "failures": "1", "errors": "0", "skipped": "1", "time": ""}
    assert [case.get("name") for case in suite.iter("testcase")] == ["1 Sync", "2 Sync", "3 Sync"]
    (failure,) = suite.iter("failure")
    assert failure.get("message") == CHANGED.message
    assert "  expected: <Add>" in (failure.text or "")


def test_html_asks_nobody_and_holds_what_was_sent_as_text(told: dict[str, str]) -> None:
    page = html.fromstring(told["html"])
    assert len(page.findall(".//script")) == 1
    assert not page.xpath("//@src | //@href | //link | //img | //iframe | //@onclick")
    assert not re.search(r"url\(|@import", told["html"])
    assert [one.get("class") for one in page.find_class("exchange")] == \
        ["exchange same", "exchange differs", "exchange skipped"]
    assert "alert(1)" in page.find_class("expected")[2].text_content()
    assert [mark.text for mark in page.find_class("got")[0].iter("mark")] == ["3"]


def test_what_was_seen_is_told_when_a_run_breaks_off(tmp_path: Path) -> None:
    file = tmp_path / "r.xml"

    def run() -> None:
        with reporting(SUBJECT, junit=file, html=tmp_path / "r.html") as reports:
            reports.add(outcome(1, CHANGED))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert etree.parse(file).getroot().get("failures") == "1"
    assert (tmp_path / "r.html").read_text().rstrip().endswith("</html>")


@pytest.mark.parametrize("width", [30, 60, 200])
def test_narrow_terminals(width: int) -> None:
    text = io.StringIO()
    with reporting(SUBJECT, text=text, width=width) as reports:
        reports.add(outcome(2, *[MISSING] * 40))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert any("and 20 more" in line for line in lines)


def test_long_runs_need_no_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    with reporting(SUBJECT, text=io.StringIO(), junit=tmp_path / "r.xml", html=tmp_path / "r.html") as reports:
        for number in range(8000):
            reports.add(replace(outcome(number), seconds=0.01))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000
    assert "Not listed here: 0 more that differ, 3000 more that do not." in (tmp_path / "r.html").read_text()

"""Every session under tests/replay/cases comes out as its head says: `eas session test` puts them there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eas.app.rehearsing import rehearse
from eas.replay.comparing.may_differ import DEFAULT
from eas.replay.comparing.outcome import Outcome
from eas.replay.format.model import Meta
from eas.replay.format.reading import open_session
from eas.replay.testing.cases import Case

CASES = sorted(Path(__file__).with_name("cases").glob("*.session*"))


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.name.partition(".session")[0])
def test_it_comes_out_as_its_head_says(file: Path) -> None:
    with open_session(file) as session:
        case = Case.of(session.meta)
    assert case.verdict(asyncio.run(_outcomes(file, case))) == []


async def _outcomes(file: Path, case: Case) -> list[Outcome]:
    return [one async for one in rehearse(file, case.rules(DEFAULT))]


def test_a_case_that_does_not_hold_fails(tmp_path: Path) -> None:
    """With a status that no answer has: what is wrong is said, and nothing else."""
    text = next(file for file in CASES if file.name.startswith("ios-first-sync")).read_text("utf-8")
    begin = text.index("<-- ", text.index("Cmd=FolderSync"))
    file = tmp_path / "x.session"
    file.write_text(text[:begin] + text[begin:].replace("<Status>1</Status>", "<Status>9</Status>", 1), "utf-8")
    said = Case.of(Meta((("expects", "same"),))).verdict(asyncio.run(_outcomes(file, Case())))
    assert [line.partition(" (")[0] for line in said] == ["5: Status is '1', not '9'"]

"""Large messages are masked by another process, as they would be in this one; it may die."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from eas.replay.recording.taken import Taken
from eas.replay.recording.typist import SMALL, Failed, Job, Typist, text_of

pytestmark = pytest.mark.long
KEY = b"the key of this test"


def job(text: str, key: bytes | None = KEY) -> Job:
    taken = Taken(
        time=datetime(2026, 11, 21, 12, tzinfo=UTC), method="POST", target="/autodiscover/autodiscover.xml",
        headers=(("Content-Type", "text/plain"),), began=0.0, status=200,
    )
    taken.asked.add(text.encode())
    return Job(taken, 1, key)


LARGE = "Miss Zeppelin writes a long letter to Mister Airship.\n" * (SMALL // 40)


@pytest.fixture
def typist(monkeypatch: pytest.MonkeyPatch) -> Iterator[Typist]:
    monkeypatch.setattr("eas.replay.recording.typist.PATIENCE", 60.0)  # a busy machine is no child that hangs
    made = Typist()
    yield made
    made.close()


@pytest.mark.parametrize("key", [KEY, None], ids=["masked", "contents"])
def test_the_same_text_wherever_it_is_made(typist: Typist, key: bytes | None) -> None:
    for text in (LARGE, "short\n", LARGE * 2):
        found = typist.text(job(text, key))
        assert found == text_of(job(text, key))
        assert ("Zeppelin" in found) == (key is None and len(text) > SMALL)
    assert typist._child is not None


def test_small_ones_start_nothing(typist: Typist) -> None:
    typist.text(job("short"))
    assert typist._child is None


def test_it_may_die(typist: Typist) -> None:
    first = typist.text(job(LARGE))
    child = typist._child
    assert child is not None
    child.kill()
    child.wait()
    assert typist.text(job(LARGE)) == first
    assert typist.text(job(LARGE)) == first
    assert typist._child not in (None, child)


def test_it_ends_with_its_input(typist: Typist) -> None:
    typist.text(job(LARGE))
    child = typist._child
    assert child is not None
    typist.close()
    assert child.returncode == 0


def test_what_cannot_be_done_is_said(typist: Typist) -> None:
    with pytest.raises(Failed, match="TypeError"):
        typist.text(_broken())


def _broken() -> Job:
    made = job(LARGE)
    made.taken.time = None  # type: ignore[assignment]
    return made

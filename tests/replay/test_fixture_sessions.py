"""The library of sessions: every file is read, comes back to the byte, and says where it is from."""

from __future__ import annotations

import asyncio
import io
import os
import re
from pathlib import Path

import pytest
from families import stories
from families.gateway import Loop, template

from eas.replay.explain import Explainer
from eas.replay.format.body import body_of, wire
from eas.replay.format.model import DEVICE, NOTE, ORIGIN, PROTOCOL, Exchange, header
from eas.replay.format.reading import open_session
from eas.replay.format.writing import Writer
from eas.replay.showing.seen import seen

LIBRARY = Path(__file__).parents[2] / "fixtures" / "sessions"
FILES = sorted((*LIBRARY.rglob("*.session"), *LIBRARY.rglob("*.session.gz")))
#: Octets of all files together, and of one of them.
ALL, ONE = 3_500_000, 300_000
#: Names that are for examples, and nobody's; the schemas of autodiscover.
NOBODYS = re.compile(r"(^|[.@])(example\.(com|org|net|test)|example|invalid|schemas\.microsoft\.com)$")


def name(file: Path) -> str:
    return str(file.relative_to(LIBRARY)).partition(".session")[0]


@pytest.mark.parametrize("file", FILES, ids=name)
def test_it_is_read_and_written_again(file: Path) -> None:
    out = io.StringIO()
    with open_session(file) as session:
        again = Writer(out)
        again.head(session.meta)
        for exchange in session.exchanges:
            _its_bytes_come_back(exchange)
            again.add(exchange)
    if file.suffix != ".gz":
        assert out.getvalue() == file.read_text(encoding="utf-8")


def _its_bytes_come_back(exchange: Exchange) -> None:
    for message in (exchange.request, exchange.answer):
        data = wire(message.body)
        assert body_of(data, header(message.headers, "Content-Type")) == message.body


@pytest.mark.parametrize("file", FILES, ids=name)
def test_its_head_says_what_it_is(file: Path) -> None:
    with open_session(file) as session:
        exchanges = list(session.exchanges)
        meta = session.meta
    for field in (DEVICE, PROTOCOL, ORIGIN, NOTE):
        assert meta.get(field), field
    assert [exchange.number for exchange in exchanges] == list(range(1, len(exchanges) + 1))
    assert [exchange.time for exchange in exchanges] == sorted(exchange.time for exchange in exchanges)
    for exchange in exchanges:
        assert header(exchange.request.headers, "Authorization") in ("", "Basic ***", "Bearer ***")


@pytest.mark.parametrize("file", FILES, ids=name)
def test_nobody_is_in_it(file: Path) -> None:
    with open_session(file) as session:
        said = [wire(m.body).decode("utf-8", "ignore") for e in session.exchanges for m in (e.request, e.answer)]
    found = {match[1].lower() for text in said for match in re.finditer(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)", text)}
    assert not {domain for domain in found if not NOBODYS.search(domain)}


@pytest.mark.parametrize("file", [file for file in FILES if not name(file).startswith("captured/")], ids=name)
def test_nothing_is_wrong_in_it(file: Path) -> None:
    """But what its head names as `finding`."""
    with open_session(file) as session:
        explainer = Explainer()
        for exchange in session.exchanges:
            explainer.see(seen(exchange, session.meta))
        assert {found.name for found in explainer.end()} == set(session.meta.all("finding"))


def test_it_is_small() -> None:
    sizes = {name(file): file.stat().st_size for file in FILES}
    assert sum(sizes.values()) < ALL
    assert max(sizes.values()) < ONE, max(sizes, key=lambda file: sizes[file])


def test_there_is_a_file_of_every_story() -> None:
    made = {story.name for story in stories()}
    assert len(made) == len(stories())
    others = {name(file) for file in FILES if file.parent.name in ("captured", "unwell")}
    assert {name(file) for file in FILES} - others == made


#: Of so many stories one is played anew in `make test`, unless EAS_SESSIONS is "all" (`make replays`).
STEP = 1 if os.environ.get("EAS_SESSIONS") == "all" else 9


@pytest.mark.long
@pytest.mark.parametrize("story", stories()[::STEP], ids=lambda story: story.name)
def test_it_is_what_the_gateway_answers(story, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Played anew with the same clock and the same keys, each byte of the file is as it was. Where the gateway answers
    otherwise by intent, `make sessions` writes the files anew, and the change is seen in them."""

    async def played() -> str:
        await template(tmp_path / "template")
        return await story.text(tmp_path / "template", tmp_path / "data")

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(played()) == (LIBRARY / f"{story.name}.session").read_text(encoding="utf-8")

"""From end to end: two clients are recorded through the proxy, what was recorded is masked and played against a real
gateway, and nothing differs. Then one answer of the gateway is made wrong on its way, and that is what is found."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.parser import BytesParser
from email.utils import getaddresses
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from proxy_kit import ask, serving
from serving import EAS, Server
from small_office import ANNA, BEN, PASSWORD, eas_phone_day, office, pyactivesync_day, recorded, run

from eas.protocol.wbxml import Element, decode, encode
from eas.replay.format.model import Document
from eas.replay.format.reading import open_session
from eas.replay.format.writing import writer
from eas.replay.masking.masker import Masker
from eas.replay.playing.targets import command_of

pytestmark = [pytest.mark.server, pytest.mark.long]

KEY = b"the key of these tests"


@pytest.fixture(scope="module", params=["pyactivesync", "eas-phone"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of that client, with names and contents."""
    folder = tmp_path_factory.mktemp(request.param)
    file = folder / f"{request.param}.session"
    with office(folder) as server, recorded(server, file, "--contents") as proxy:
        if request.param == "pyactivesync":
            pyactivesync_day(proxy)
        else:
            eas_phone_day(proxy, folder / "state.json")
    return file


async def replay(file: Path, url: str, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and what `eas session replay --json` says."""
    command = [
        str(EAS), "session", "replay", str(file), "--to", url, "--user", ANNA, "--password", PASSWORD, "--fast",
        "--json",
    ]
    process = await asyncio.create_subprocess_exec(
        *command, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 180)
    assert process.returncode in (0, 1), err.decode()
    return process.returncode, json.loads(out)


def test_another_gateway_answers_the_same(session: Path, tmp_path: Path) -> None:
    """Its ids are others: its people were made in another order."""
    with office(tmp_path, (BEN, ANNA)) as server:
        code, said = asyncio.run(replay(session, server.url))
    assert (code, found(said)) == (0, [])


def test_under_pseudonyms_too(session: Path, tmp_path: Path) -> None:
    """Played against an empty mailbox, which is filled with what the session takes for granted."""
    file, data = tmp_path / "masked.session", tmp_path / "data"
    mask(session, file)
    for address in (ANNA, recipient(file)):
        run("user", "add", address, "--password", PASSWORD, data=data)
    with Server(data=data) as server:
        code, said = asyncio.run(replay(file, server.url, "--prepare", "--data", str(data)))
    assert (code, found(said)) == (0, [])


def mask(session: Path, file: Path) -> None:
    masker = Masker(KEY)
    with open_session(session) as was, writer(file) as out:
        out.head(masker.meta(was.meta))
        for exchange in was.exchanges:
            out.add(masker.exchange(exchange))
    before, after = session.read_text(), file.read_text()
    for word in ("Carla", "offer is attached", "prices.csv"):
        assert word in before
        assert word not in after
    assert PASSWORD not in before


def recipient(file: Path) -> str:
    """Whom the first mail of a session goes to."""
    with open_session(file) as was:
        for exchange in was.exchanges:
            body = exchange.request.body
            if isinstance(body, Document) and (mime := body.root.child("ComposeMail:Mime")) is not None:
                assert isinstance(mime.content, bytes)
                head = BytesParser().parsebytes(mime.content, headersonly=True)
                return getaddresses([head["To"]])[0][1]
    raise AssertionError("no mail is sent in it")


# Faults --------------------------------------------------------------------------------------------------------------

Alter = Callable[[Element], Element]


def within(tag: str, alter: Callable[[Element], tuple[Element, ...]]) -> Alter:
    """The first element with that tag becomes those."""

    def walk(element: Element, left: list[str]) -> Iterator[Element]:
        if left and element.tag == tag:
            left.pop()
            yield from alter(element)
        elif isinstance(element.content, tuple) and element.content:
            yield Element(element.tag, tuple(new for child in element.content for new in walk(child, left)))
        else:
            yield element

    return lambda root: next(walk(root, [tag]))


@dataclass(frozen=True)
class Fault:
    """What becomes of the first answer to `command` that has `tag`, and how it is told."""

    command: str
    tag: str
    becomes: Callable[[Element], tuple[Element, ...]]
    told: str


FAULTS = {
    "an element that is missing": Fault("Sync", "Email:Read", lambda _: (), "Read"),
    "a wrong status": Fault("Search", "Search:Status", lambda one: (Element(one.tag, "3"),), "Status"),
    "an item that comes twice": Fault("Sync", "AirSync:Add", lambda one: (one, one), "was not expected"),
}


@asynccontextmanager
async def faulty(server: Server, fault: Fault) -> AsyncIterator[tuple[str, list[int]]]:
    """The gateway with one wrong answer; the numbers of the requests that were answered wrongly."""
    count, wrong = 0, []

    async def answer(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        headers["Accept-Encoding"] = "identity"
        got = await ask(request.method, server.url + request.raw_path, await request.read(), headers)
        body = got.body
        if not wrong and command_of(request.raw_path) == fault.command and body:
            altered = encode(within(fault.tag, fault.becomes)(decode(body)))
            if altered != body:
                wrong.append(count)
                body = altered
        kept = {name: value for name, value in got.headers.items() if name not in ("Content-Length", "Date", "Server")}
        return web.Response(status=got.status, body=body, headers=kept)

    async with serving(answer) as url:
        yield url, wrong


async def replay_faulty(file: Path, server: Server, fault: Fault) -> tuple[int, dict[str, Any], list[int]]:
    async with faulty(server, fault) as (url, wrong):
        return *await replay(file, url), wrong


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_nothing_else(session: Path, tmp_path: Path, name: str) -> None:
    fault = FAULTS[name]
    with office(tmp_path, (BEN, ANNA)) as server:
        code, said, wrong = asyncio.run(replay_faulty(session, server, fault))
    assert wrong, "no answer had such an element"
    assert code == 1
    assert [number for number, _ in found(said)] == wrong
    assert fault.told in found(said)[0][1]


def found(said: dict[str, Any]) -> list[tuple[int, str]]:
    """Exchanges that differ, and what is told of each."""
    return [
        (one["number"], json.dumps(one["differences"])) for one in said["exchanges"] if one.get("differences")
    ]

"""What passes through the recorder: all of it, at once, unchanged; what is kept of it, and of whom."""

from __future__ import annotations

import asyncio
import gzip
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eas.protocol import http
from eas.protocol.query import Query, encode_base64
from eas.protocol.version import Version
from eas.protocol.wbxml import Element, decode, encode
from eas.replay.format.model import Document, Exchange, LeftOut
from eas.replay.format.reading import open_session
from eas.replay.recording import reels, taken
from eas.replay.recording.recorder import GONE, GONE_SOONER, NOT_OVER, STOPPED, Recorder
from eas.replay.recording.reels import FULL, MOST_STRANGE, Reels
from eas.replay.recording.shelf import Shelf
from eas.server.middleware import NOTE
from eas.server.note import Note
from eas.store.recordings import Part, Recording

PING = encode(Element("Ping:Ping", (Element("Ping:HeartbeatInterval", "480"),)))
DONE = encode(Element("Ping:Ping", (Element("Ping:Status", "1"),)))
ANNA, BEN = "id-of-anna", "id-of-ben"
PLAIN = "Cmd=Ping&User=anna&DeviceId={}&DeviceType=iPhone"


def recording(id: int = 1, **others: Any) -> Recording:
    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        "id": id, "user_id": ANNA, "address": "anna@example.com", "device_id": "ABC", "agent": "Phone/1", "since": now,
        "until": now + timedelta(hours=1), "max_bytes": 1 << 20, "contents": True, "key": b"k" * 32,
        "asked_by": "root", "asked_role": "admin",
    }
    return Recording(**{**fields, **others})


def login(name: str, password: str = "a very secret one") -> tuple[bytes, bytes]:
    return b"authorization", b"Basic " + b64encode(f"{name}:{password}".encode())


class Phones:
    """Phones before a recorder, and a server behind it that does as it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.reels = folder, Reels(folder, "node/1", "recorded, a test")
        self.recorder = Recorder(self._serve, self.reels)
        self.got: list[bytes] = []
        self.answer: Any = self._answer
        self.who = ANNA

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        scope[NOTE] = Note(who=self.who)
        self.passed = receive, send
        await self.answer(receive, send)

    async def _answer(self, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", http.WBXML.encode())]})
        await send({"type": "http.response.body", "body": DONE})

    async def ask(
        self, query: str = PLAIN.format("ABC"), *, method: str = "POST", path: str = http.PATH, body: bytes = PING,
        headers: Sequence[tuple[bytes, bytes]] = (), agent: bytes = b"Phone/1",
    ) -> Any:
        """Whether nothing stood between the phone and the server."""
        pieces = [body[:3], body[3:]] if body else [b""]
        messages = [{"type": "http.request", "body": one, "more_body": n < len(pieces)} for n, one in
                    enumerate(pieces, 1)]

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            self.got.append(message.get("body", b""))

        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": [(b"user-agent", agent), (b"content-type", http.WBXML.encode()), *headers],
        }
        await self.recorder(scope, receive, send)
        return self.passed == (receive, send)

    def session(self, id: int = 1) -> list[Exchange]:
        """All that was recorded, once all is written."""
        self.reels.close()
        file = self.folder.parent / "out.session.gz"
        file.write_bytes(b"".join(Shelf(self.folder).packed(id)))
        with open_session(file) as session:
            return list(session.exchanges)


@pytest.fixture
def phones(tmp_path: Path) -> Iterator[Phones]:
    made = Phones(tmp_path / "recordings")
    yield made
    made.reels.close()


async def test_a_request_and_its_answer_are_recorded_without_the_password(phones: Phones) -> None:
    phones.reels.follow([recording()])
    await phones.ask(headers=[login("anna")])
    assert b"".join(phones.got) == DONE
    (one,) = phones.session()
    assert one.request.target == f"{http.PATH}?{PLAIN.format('ABC')}"
    assert dict(one.request.headers)["authorization"] == "Basic ***"
    assert (one.request.body, one.answer.body) == (Document(decode(PING)), Document(decode(DONE)))
    assert (one.answer.status, one.answer.why) == (200, "")
    (file,) = phones.folder.iterdir()
    assert (phones.folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    assert b64encode(b"anna:a very secret one")[:12] not in gzip.decompress(file.read_bytes())


async def test_a_base64_query_names_the_device_too(phones: Phones) -> None:
    phones.reels.follow([recording()])
    query = Query(command="Ping", device_id="ABC", device_type="SP", user="anna", version=Version.V14_1)
    await phones.ask(encode_base64(query))
    assert len(phones.session()) == 1


@pytest.mark.parametrize("others", [
    {"query": PLAIN.format("XYZ")},
    {"path": "/admin/devices"},
    {"query": "", "method": "OPTIONS", "agent": b"Another/1"},
])
async def test_nothing_stands_between_others_and_the_server(phones: Phones, others: dict[str, Any]) -> None:
    phones.reels.follow([recording()])
    assert await phones.ask(**others)
    phones.reels.close()
    assert not phones.folder.exists()


async def test_nothing_stands_between_anybody_and_the_server_without_a_recording(phones: Phones) -> None:
    assert await phones.ask()


async def test_the_same_device_of_another_user_is_not_recorded(phones: Phones) -> None:
    """Two people may have used one tablet."""
    phones.reels.follow([recording()])
    phones.who = BEN
    assert not await phones.ask(headers=[login("ben")])
    assert await phones.ask(headers=[login("ben")])  # it is known by now whose login this is
    phones.reels.close()
    assert not phones.folder.exists()


async def test_requests_that_name_no_device_are_told_by_their_program(phones: Phones) -> None:
    phones.reels.follow([recording(agent="")])
    await phones.ask(agent=b"Phone/2")
    for agent in (b"Phone/2", b"Outlook"):
        await phones.ask("", method="OPTIONS", body=b"", agent=agent)
        await phones.ask("", path="/Autodiscover/Autodiscover.xml", body=b"<x/>", agent=agent)
    assert [one.request.method for one in phones.session()] == ["POST", "OPTIONS", "POST"]


async def test_all_devices_of_a_user(phones: Phones) -> None:
    phones.reels.follow([recording(device_id="")])
    for device in ("ABC", "XYZ"):
        await phones.ask(PLAIN.format(device))
    phones.who = BEN
    await phones.ask(PLAIN.format("BENS"))
    assert len(phones.session()) == 2


async def test_pieces_go_on_their_way_at_once(phones: Phones) -> None:
    """And of a body that is too large its length is kept."""
    phones.reels.follow([recording()])
    count, piece = taken.MAX_BODY // 100_000 + 1, b"x" * 100_000

    async def answer(receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(count):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            assert len(phones.got) == number + 2
            assert phones.got[-1] is piece
        await send({"type": "http.response.body", "body": b""})

    phones.answer = answer
    await phones.ask()
    (one,) = phones.session()
    assert one.answer.body == LeftOut(count * 100_000, taken.TOO_LARGE)


async def waits(receive: Any, send: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def test_a_client_that_goes_away_while_it_waits(phones: Phones) -> None:
    """What the server says afterwards reaches nobody."""
    async def answer(receive: Any, send: Any) -> None:
        await waits(receive, send)
        await phones._answer(receive, send)

    phones.reels.follow([recording()])
    phones.answer = answer
    await phones.ask()
    (one,) = phones.session()
    assert (one.answer.status, one.answer.why, one.answer.body) == (None, GONE, None)


async def test_a_client_that_goes_away_in_the_middle(phones: Phones) -> None:
    async def answer(receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await waits(receive, send)

    phones.reels.follow([recording()])
    phones.answer = answer
    await phones.ask()
    (one,) = phones.session()
    assert (one.answer.status, one.answer.why) == (200, GONE_SOONER)


async def test_a_wait_that_is_under_way_when_the_recording_or_the_server_ends(phones: Phones) -> None:
    async def answer(receive: Any, send: Any) -> None:
        await receive()
        await receive()
        await asyncio.sleep(60)

    phones.answer = answer
    phones.reels.follow([recording(1), recording(2, user_id=ANNA, device_id="")])
    asking = asyncio.create_task(phones.ask())
    await asyncio.sleep(0.01)
    phones.reels.follow([recording(2, device_id="")])
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    phones.reels.close()
    (first,), (second,) = phones.session(1), phones.session(2)
    assert (first.answer.why, second.answer.why) == (NOT_OVER, STOPPED)
    assert first.request == second.request


async def test_an_exchange_is_in_the_file_when_it_is_over(phones: Phones) -> None:
    """The process may be killed the next moment."""
    phones.reels.follow([recording()])
    for count in range(1, 4):
        await phones.ask()
        await until(lambda count=count: phones.reels.running[0].reel.exchanges == count)
        (file,) = phones.folder.iterdir()
        assert gzip.decompress(file.read_bytes()).count(b"\n--> POST") == count


async def until(fits: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not fits():  # noqa: ASYNC110 - a thread has no event
            await asyncio.sleep(0.005)


async def test_what_was_cut_off_by_a_power_failure_is_left_out(phones: Phones) -> None:
    phones.reels.follow([recording()])
    for _ in range(3):
        await phones.ask()
    phones.reels.close()
    (file,) = phones.folder.iterdir()
    file.write_bytes(file.read_bytes()[:-10])
    assert [one.number for one in phones.session()] == [1, 2]


async def test_a_fault_ends_the_recording_and_not_the_request(phones: Phones) -> None:
    phones.folder.write_text("no folder")
    phones.reels.follow([recording()])
    for _ in range(2):
        await phones.ask()
    assert b"".join(phones.got) == 2 * DONE
    await until(lambda: bool(phones.reels.over))
    assert phones.reels.over[1].startswith("a fault: ")
    assert await phones.ask()
    phones.reels.follow([recording()])  # the database has not heard of it yet
    assert not phones.reels.running
    phones.reels.follow([])
    assert not phones.reels.over


async def test_a_fault_while_a_request_passes_ends_the_recording_and_not_the_request(
    phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, piece: bytes) -> None:
        raise RuntimeError

    monkeypatch.setattr(taken.Gathered, "add", broken)
    phones.reels.follow([recording()])
    await phones.ask()
    assert b"".join(phones.got) == DONE
    assert phones.reels.over == {1: "a fault: RuntimeError"}


async def test_it_ends_at_its_size(phones: Phones) -> None:
    phones.reels.follow([recording(max_bytes=2000)])
    for _ in range(20):
        await phones.ask()
    await until(lambda: bool(phones.reels.over))
    assert phones.reels.over == {1: FULL}
    (file,) = phones.folder.iterdir()
    assert 1000 < file.stat().st_size <= 2000
    assert 2 <= len(phones.session()) < 20


async def test_what_other_processes_have_written_counts(phones: Phones) -> None:
    parts = (Part(file="1.other-1.session.gz", node="other/1", exchanges=9, bytes=1990),)
    phones.reels.follow([recording(max_bytes=2000, parts=parts)])
    await phones.ask()
    await until(lambda: bool(phones.reels.over))
    assert phones.reels.over == {1: FULL}


async def test_its_time_is_over_without_anybody_saying_so(phones: Phones, monkeypatch: pytest.MonkeyPatch) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    phones.reels.follow([recording(until=end)])
    assert not await phones.ask()
    monkeypatch.setattr(reels, "time", lambda: end.timestamp() + 0.001)
    assert await phones.ask()


async def test_a_stranger_does_not_fill_a_recording(phones: Phones) -> None:
    """One who knows the login sees to it that a few refusals are in it, and nothing that the stranger has sent."""
    async def refuse(receive: Any, send: Any) -> None:
        await receive()
        await receive()
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    phones.reels.follow([recording()])
    phones.answer, phones.who = refuse, ""
    for name in ("anna", "EXAMPLE\\Anna", "anna@example.com", "carla"):
        for _ in range(MOST_STRANGE // 2):
            await phones.ask(headers=[login(name, "guessed")], body=b"fill it" * 100)
    phones.answer, phones.who = phones._answer, ANNA
    await phones.ask(headers=[login("anna")])
    found = phones.session()
    assert [one.answer.status for one in found] == [*MOST_STRANGE * [401], 200]
    assert all(isinstance(one.request.body, LeftOut) for one in found[:-1])


async def test_a_body_that_the_server_did_not_read_is_told_by_its_length(phones: Phones) -> None:
    async def refuse(receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    phones.reels.follow([recording()])
    phones.answer = refuse
    await phones.ask(headers=[(b"content-length", b"12345")])
    (one,) = phones.session()
    assert one.request.body == LeftOut(12345, taken.NOT_READ)


async def test_files_of_several_processes_are_one_session_in_the_order_of_time(tmp_path: Path) -> None:
    several = [Phones(tmp_path / "recordings") for _ in range(3)]
    now = recording()
    for one in several:
        one.reels.follow([now])
    for number in range(12):
        await several[number % 3].ask(PLAIN.format("ABC") + f"&n={number}")
        await asyncio.sleep(0.002)
    for one in several:
        one.reels.close()
    found = several[0].session()
    assert [one.request.target.rpartition("=")[2] for one in found] == [str(number) for number in range(12)]
    assert [one.number for one in found] == list(range(1, 13))


async def test_files_of_recordings_that_are_no_more_are_swept(phones: Phones) -> None:
    phones.reels.follow([recording(1), recording(2)])
    await phones.ask()
    phones.reels.close()
    shelf = Shelf(phones.folder)
    assert shelf.has_any()
    assert shelf.sweep({2}) == 1
    assert (shelf.files(1), len(shelf.files(2))) == ([], 1)

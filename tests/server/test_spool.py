"""Large bodies in files answer as bytes do; what is made of them is what would have been made of bytes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from eas.items.octets import after
from eas.server import reading
from eas.server.reading import NoRoom, read_body
from eas.server.spool import SPOOLED_FROM, Spool, Spooled

OCTETS = b"..\r\nFrom: x\r\n\r\n" + random.Random(2).randbytes(SPOOLED_FROM * 2) + b"\xff\r\nend\r\n"


@pytest.fixture(scope="module")
def spooled() -> Any:
    return Spool([OCTETS[:1000], bytearray(OCTETS[1000:])]).read()


ASKED: list[Callable[[Any], Any]] = [
    len, bytes, lambda o: o[0], lambda o: o[:20], lambda o: bytes(o[5:]), lambda o: bytes(o[:-5]), lambda o: o[-5:],
    lambda o: o.find(b"From"), lambda o: o.find(0, 3), lambda o: o.find(b"end", 100), lambda o: o.find(b"From", 0, 5),
    lambda o: o.find(b"nowhere at all, ever"), lambda o: b"From" in o, lambda o: b"nowhere at all, ever" in o,
    lambda o: o.count(b"\r\n"), lambda o: o.count(b"\n"), lambda o: o.count(b"nowhere"),
    lambda o: o.startswith(b".."), lambda o: o.startswith(b"\r\n", 2), lambda o: o.startswith(b"\r\n", 2, 3),
    lambda o: o.startswith(b"x"), lambda o: o.endswith(b"end\r\n"), lambda o: o.endswith(b"x"),
    lambda o: bytes(o.lstrip(b"\r\n")), lambda o: bytes(o.lstrip(b".\r\n")), lambda o: o.isascii(),
    lambda o: bytes(memoryview(o)[10:20]), lambda o: re.search(rb"\r\n\r\n", o).start(),  # type: ignore[union-attr]
    lambda o: bytes(after(b"head", o)), lambda o: bytes(after(b"", o)),
]


@pytest.mark.parametrize("asked", ASKED)
def test_it_answers_as_bytes_do(spooled: Any, asked: Callable[[Any], Any]) -> None:
    assert asked(spooled) == asked(OCTETS)


def test_what_would_copy_all_of_it_is_another_file(spooled: Any) -> None:
    assert all(isinstance(one, Spooled) for one in (spooled[4:], after(b"x", spooled), spooled.lstrip(b".")))
    assert spooled[:] is spooled
    assert after(b"", spooled) is spooled
    assert Spool([b"a" * SPOOLED_FROM]).read().isascii()


async def body_of(*pieces: bytes) -> bytes:
    waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    waiting[-1]["more_body"] = False

    async def receive() -> Any:
        return waiting.pop(0)

    return await read_body(receive, {}, 100 << 20)


async def test_a_large_body_lies_in_a_file_and_a_small_one_does_not() -> None:
    small = await body_of(b"a", b"b")
    assert (type(small), small) == (bytes, b"ab")
    large = await body_of(*(OCTETS[at : at + 65536] for at in range(0, len(OCTETS), 65536)))
    assert isinstance(large, Spooled)
    assert bytes(large) == OCTETS


async def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(Spool):
        def write(self, piece: Any) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(reading, "Spool", Full)
    with pytest.raises(NoRoom):
        await body_of(OCTETS, b"more")

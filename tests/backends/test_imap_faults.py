"""Servers that break, hang, or say what no server of the test bench says: a clear end in time, and nothing wrong."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from random import Random

import pytest
from imap_kit import Answer, Script, account_of, answering, fetched, impatient
from settling import until

from eas.backends.imap import connection
from eas.backends.imap.login import enter, identity
from eas.backends.imap.model import Bad, Fetched, Lost, No, Placed, Resync
from eas.backends.imap.pool import ImapPool
from eas.backends.imap.session import ImapSession
from eas.engine.model import Secret

SELECTED = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n* OK [UIDNEXT 9]\r\n* OK [HIGHESTMODSEQ 7]\r\n"
PLAIN = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n"
RICH = (
    b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR LITERAL+ UIDPLUS MOVE ESEARCH BINARY CONDSTORE QRESYNC ENABLE] "
    b"ready\r\n"
)


@asynccontextmanager
async def opened(
    answers: dict[bytes, Answer], *, rich: bool = False, selected: bytes = SELECTED
) -> AsyncIterator[tuple[ImapSession, Script]]:
    script = answering({b"SELECT": selected, b"ENABLE": b"* ENABLED QRESYNC\r\n", **answers})
    script.greeting = RICH if rich else PLAIN
    async with script.running() as server:
        session = await enter(server, identity(server, "anna", Secret(value="x")))
        try:
            await session.select("x")
            yield session, script
        finally:
            await session.close()


async def hang(writer: asyncio.StreamWriter, tag: bytes) -> None:
    await asyncio.Event().wait()


async def cut(writer: asyncio.StreamWriter, tag: bytes) -> None:
    writer.write(b"* 1 FETCH (UID 1 BODY[] {100}\r\nthe beginn")
    writer.close()


async def short(writer: asyncio.StreamWriter, tag: bytes) -> None:
    """Announces more than it sends."""
    writer.write(b"* 1 FETCH (UID 1 BODY[] {100}\r\nthe whole)\r\n" + tag + b" OK done\r\n")
    await asyncio.Event().wait()


async def endless_literal(writer: asyncio.StreamWriter, tag: bytes) -> None:
    writer.write(b"* 1 FETCH (UID 1 BODY[] {999999999999}\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_line(writer: asyncio.StreamWriter, tag: bytes) -> None:
    writer.write(b"* 1 FETCH (UID 1 BODYSTRUCTURE ")
    while True:
        writer.write(b"(" * 65536)
        await writer.drain()


async def endless_news(writer: asyncio.StreamWriter, tag: bytes) -> None:
    while True:
        writer.write(b"* 5 EXISTS\r\n" * 1000)
        await writer.drain()
        await asyncio.sleep(0.01)


async def still_here(writer: asyncio.StreamWriter, tag: bytes) -> None:
    while True:
        writer.write(b"* OK still here\r\n")
        await asyncio.sleep(0.05)


#: What a server does, and the words in the end.
FAULTS: dict[str, tuple[Answer, str]] = {
    "hangs": (hang, "no answer within 0.5 seconds"),
    "cuts": (cut, "closed the connection|broke"),
    "sends less than announced": (short, "no answer within 0.5 seconds"),
    "announces too much": (b"* 1 FETCH (UID 1 BODY[] {99999999999}\r\n", "too large"),
    "sends without end": (endless_literal, "too large"),
    "sends a line without end": (endless_line, "too long|nested"),
    "says rubbish": (b"\x00\xff\xfe nonsense\r\n", "makes no sense"),
    "says half of something": (b"* 1 FETCH (UID 1 FLAGS\r\n", "makes no sense"),
    "says good-bye": (b"* BYE going down\r\n", "good-bye: going down"),
    "answers another": (b"A999 OK done\r\n", "an answer to nothing"),
}


#: A stream has no end of its own, so that none is too long.
CASES = [
    (fault, what) for fault in FAULTS for what in ("fetch", "command", "stream")
    if (fault, what) != ("sends without end", "stream")
]


@pytest.mark.parametrize(("fault", "what"), CASES)
async def test_a_fault_is_lost_in_time_and_the_pool_goes_on(fault: str, what: str) -> None:
    answer, words = FAULTS[fault]
    if what == "stream" and fault == "announces too much":
        words = "no answer within"
    script = answering({b"SELECT": SELECTED, b"FETCH": answer, b"STORE": answer})
    pool = ImapPool()
    async with script.running(per_user=1) as server:
        account = account_of(server, "anna", "x")

        async def work() -> None:
            async with pool.use(account) as session:
                await session.select("x")
                if words.startswith("no answer"):
                    impatient(session)
                if what == "fetch":
                    await fetched(session, "FLAGS", "BODY.PEEK[]")
                elif what == "command":
                    await session.store(((1, 1),), "+FLAGS", ["\\Seen"])
                else:
                    async for _ in session.stream(1, ""):
                        pass

        began = time.monotonic()
        with pytest.raises(Lost, match=words):
            await work()
        assert time.monotonic() - began < 30
        async with pool.use(account) as session:
            await session.noop()
        assert script.connections == 2
    await pool.close()


@pytest.mark.parametrize("news", [endless_news, still_here])
async def test_words_without_end_are_no_answer(news: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_PATIENCE", 3)
    async with opened({b"STORE": news}) as (session, _):
        impatient(session)
        began = time.monotonic()
        with pytest.raises(Lost, match="no answer within"):
            await session.store(((1, 1),), "+FLAGS", ["\\Seen"])
        assert time.monotonic() - began < 30


async def test_a_server_that_is_slow_but_speaks_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """All together for longer than the time-out of a minute: the clock is put on after each word."""
    loop, ahead, reads = asyncio.get_running_loop(), 0.0, 0
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + ahead)

    async def slowly(writer: asyncio.StreamWriter, tag: bytes) -> None:
        nonlocal ahead
        for n in range(8):
            writer.write(b"* OK still searching\r\n")
            await until(lambda wanted=n + 2: reads >= wanted, 1000)  # it is heard, and more is waited for
            ahead += 30
        writer.write(b"* SEARCH 1\r\n" + tag + b" OK\r\n")

    async with opened({b"SEARCH": slowly}) as (session, _):
        read = session.connection.wire.read

        async def counted(seconds: float) -> bytes:
            nonlocal reads
            reads += 1
            return await read(seconds)

        monkeypatch.setattr(session.connection.wire, "read", counted)
        assert await session.search(["TEXT", b"x"]) == ((1, 1),)
        assert ahead == 240


async def test_a_server_that_takes_nothing() -> None:
    """It has announced that it would take the message, and reads no further."""

    async def stuck(writer: asyncio.StreamWriter, tag: bytes) -> None:
        writer.write(b"+ go on\r\n")
        await asyncio.Event().wait()

    async with opened({b"APPEND": stuck}) as (session, _):
        impatient(session)
        with pytest.raises(Lost, match=r"takes nothing|no answer"):
            await session.append("x", b"x" * (32 << 20))


async def test_thousands_of_lines_by_the_way() -> None:
    line = b"* %d EXISTS\r\n* %d FETCH (FLAGS (\\Seen))\r\n* VANISHED %d\r\n"
    news = b"".join(line % (n, n, n) for n in range(1, 5001))
    async with opened({b"NOOP": news}, rich=True) as (session, _):
        await session.noop()
        assert session.selected is not None
        assert session.selected.messages == 4999
        assert session.take_vanished() == ((1, 5000),)


async def test_a_slow_reader_makes_the_server_wait() -> None:
    """Memory stays bounded however much is sent."""
    sent = 0

    async def flood(writer: asyncio.StreamWriter, tag: bytes) -> None:
        nonlocal sent
        writer.write(b"* 1 FETCH (UID 1 BODY[] {40000000}\r\n")
        for _ in range(400):
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000
        writer.write(b")\r\n" + tag + b" OK\r\n")

    async with opened({b"FETCH": flood}) as (session, _):
        received = 0
        async with aclosing(session.stream(1, "")) as pieces:
            async for piece in pieces:
                if not received:
                    await asyncio.sleep(0.3)
                    assert sent < 12_000_000  # what the sockets of the machine hold, and a little
                received += len(piece)
                assert len(piece) <= 1 << 20
        assert received == 40_000_000


_ANSWERS = {
    b"SELECT": SELECTED + b"* OK [PERMANENTFLAGS (\\Seen \\*)] ok\r\n* VANISHED (EARLIER) 5:6\r\n",
    b"FETCH": b'* 1 FETCH (UID 1 FLAGS (\\Seen) BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 5 1) '
              b"BODY[1] {5}\r\nHello)\r\n",
    b"STORE": b"* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (9))\r\n%s OK [MODIFIED 2,3] done\r\n",
    b"SEARCH": b'* ESEARCH (TAG "A9") UID ALL 1:5,9\r\n', b"COPY": b"%s OK [COPYUID 1 1:2 3:4] done\r\n",
    b"LIST": b'* LIST (\\Noselect) "/" {3}\r\na&-\r\n* LIST () NIL "b"\r\n', b"STATUS": b"* STATUS x (MESSAGES 1)\r\n",
    b"LSUB": b'* LSUB () "/" x\r\n', b"APPEND": b"+ go\r\n%s OK [APPENDUID 1 2] done\r\n",
}
_SPARKS = (
    b"(", b")", b'"', b"{9}\r\n", b"\r\n", b"NIL", b"[", b"]", b"* ", b"A1 OK\r\n", b"-", b"\xff", b"+ \r\n", b"99999",
)  # fmt: skip


async def _everything(session: ImapSession) -> None:
    """Each command once; refusals are answers."""
    spans = ((1, 3),)
    for command in (
        lambda: session.select("x", Resync(uid_validity=1, modseq=2)), lambda: session.list(),
        lambda: session.status("y"),
        lambda: fetched(session, "FLAGS", "BODYSTRUCTURE", "BODY.PEEK[1]", spans=spans),
        lambda: session.store(spans, "+FLAGS", ["\\Seen"], unchanged_since=1), lambda: session.search(["ALL"]),
        lambda: session.copy(spans, "y"), lambda: session.append("y", b"x" * 5000), lambda: session.unselect(),
    ):  # fmt: skip
        with contextlib.suppress(No, Bad):
            await command()


@pytest.mark.parametrize("seed", range(30))
async def test_damaged_answers_are_lost_or_taken_but_nothing_else(seed: int) -> None:
    random = Random(seed)
    answers: dict[bytes, Answer] = {}
    for word, answer in _ANSWERS.items():
        for _ in range(random.choice((0, 0, 1, 2))):
            at = random.randrange(len(answer))
            answer = answer[:at] + random.choice(_SPARKS) + answer[at + random.randrange(6) :]
        answers[word] = answer
    script = answering({**answers, b"ENABLE": b"* ENABLED QRESYNC\r\n"})
    script.greeting = RICH.replace(b"UIDPLUS", b"UNSELECT") if seed % 2 else PLAIN
    pool = ImapPool()
    async with script.running() as server:
        with contextlib.suppress(Lost):
            async with pool.use(account_of(replace(server, timeout_seconds=0.1), "anna", "x")) as session:
                await _everything(session)
        async with pool.use(account_of(server, "ben", "x")) as session:
            await session.noop()
    await pool.close()


# --- What servers say


async def test_only_what_was_asked_for_is_handed_out() -> None:
    told = (
        b"* 1 FETCH (UID 1 BODY[1] \"a\")\r\n* 9 FETCH (UID 9 BODY[1] \"other\")\r\n"
        b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n* 2 FETCH (FLAGS ())\r\n"
        b"* 3 FETCH (UID 3 BODY[1] NIL)\r\n* 2 FETCH (UID 2 BODY[1] \"b\")\r\n"
    )
    async with opened({b"FETCH": told}) as (session, _):
        found = await fetched(session, "BODY.PEEK[1]", spans=((1, 1), (3, 4)))
        assert found == [Fetched(uid=1, sections={"1": b"a"}), Fetched(uid=3)]
        assert [one.uid for one in await fetched(session, "FLAGS", spans=((1, 2),))] == [1, 1, 2]


async def test_a_structure_that_makes_no_sense_hides_no_message() -> None:
    told = b"* 1 FETCH (UID 1 FLAGS () BODYSTRUCTURE (x))\r\n* 2 FETCH (UID 2 INTERNALDATE \"x\" FLAGS ())\r\n"
    async with opened({b"FETCH": told}) as (session, _):
        assert [one.uid for one in await fetched(session, "FLAGS", "BODYSTRUCTURE", spans=((1, 2),))] == [1, 2]


async def test_news_in_an_answer_that_was_left_are_heard() -> None:
    told = b"* 1 FETCH (UID 1 BODY[] \"a\")\r\n* 2 FETCH (UID 2 BODY[] \"a\")\r\n* VANISHED 5:6\r\n* 7 EXISTS\r\n"

    async def in_parts(writer: asyncio.StreamWriter, tag: bytes) -> None:
        writer.write(told)
        await asyncio.sleep(0.05)
        writer.write(told.replace(b"5:6", b"8") + tag + b" OK\r\n")

    async with opened({b"FETCH": in_parts}, rich=True) as (session, _):
        async for _ in session.fetch(((1, 9),), ["BODY.PEEK[]"]):
            break
        await session.noop()
        assert session.take_vanished() == ((5, 6), (8, 8))
        assert session.selected is not None
        assert session.selected.messages == 7


async def test_the_mailbox_that_is_left_is_not_mixed_up_with_the_next() -> None:
    answer = b"* VANISHED 3\r\n* 99 EXISTS\r\n* OK [CLOSED] bye\r\n" + SELECTED + b"* VANISHED (EARLIER) 5:6\r\n"
    async with opened({b"SELECT": answer}, rich=True) as (session, _):
        again = await session.select("y", Resync(uid_validity=1, modseq=3))
        assert (again.messages, again.vanished, again.resynced) == (3, ((5, 6),), True)
        assert session.take_vanished() == ()
        again = await session.select("y", Resync(uid_validity=2, modseq=3))
        assert (again.vanished, again.resynced) == ((), False)


async def test_a_mailbox_without_modseqs() -> None:
    told = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n* OK [UIDNEXT 9]\r\n* OK [NOMODSEQ] none\r\n"
    async with opened({}, rich=True, selected=told) as (session, _):
        assert session.selected is not None
        assert session.selected.highest_modseq == 0
        again = await session.select("x", Resync(uid_validity=1, modseq=3))
        assert not again.resynced


async def test_a_server_that_tells_no_uidnext() -> None:
    told = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n"
    async with opened({b"STATUS": b"* STATUS x (UIDNEXT 44)\r\n"}, selected=told) as (session, script):
        assert session.selected is not None
        assert session.selected.uid_next == 44
        assert script.said[-1].startswith(b'STATUS "x" (')


async def test_the_end_of_a_command_tells_the_modseq() -> None:
    answer = b"* VANISHED 2\r\n%s OK [HIGHESTMODSEQ 20] gone\r\n"
    async with opened({b"EXPUNGE": answer}, rich=True) as (session, _):
        await session.expunge(((2, 2),))
        assert session.selected is not None
        assert (session.selected.highest_modseq, session.selected.messages) == (20, 2)
        assert session.take_vanished() == ((2, 2),)


@pytest.mark.parametrize(("answer", "modified", "uids"), [
    (b"* 1 FETCH (UID 1 MODSEQ (9))\r\n%s OK [MODIFIED 2,4:5] some\r\n", ((2, 2), (4, 5)), [1]),
    (b"%s NO [MODIFIED 1] none\r\n", ((1, 1),), []),
    (b"%s OK [MODIFIED x] odd\r\n", (), []),
])  # fmt: skip
async def test_what_was_not_stored(answer: bytes, modified: object, uids: list[int]) -> None:
    async with opened({b"STORE": answer}, rich=True) as (session, script):
        stored = await session.store(((1, 9),), "+FLAGS", ["\\Seen"], unchanged_since=7)
        assert (stored.modified, [one.uid for one in stored.fetched]) == (modified, uids)
        assert script.said[-1] == b"UID STORE 1:9 (UNCHANGEDSINCE 7) +FLAGS (\\Seen)"
        with pytest.raises(Bad):
            await session.store(((1, 9),), "FLAGS.SILENT", ["\\Seen"])


@pytest.mark.parametrize(("answer", "expected"), [
    (b"* OK [COPYUID 7 4,1:2 10:11,20]\r\n* VANISHED 1\r\n%s OK done\r\n", {4: 10, 1: 11, 2: 20}),
    (b"%s OK [COPYUID 7 1:2 10:11]\r\n", {1: 10, 2: 11}),
    (b"%s OK [COPYUID 7 1:2 10:12]\r\n", {}),
    (b"%s OK [COPYUID 7 1:2]\r\n", {}),
    (b"%s OK [COPYUID 7 1:4000000000 1:4000000000]\r\n", {}),
    (b"%s OK [COPYUID x]\r\n", {}),
    (b"%s OK\r\n", {}),
])  # fmt: skip
async def test_where_messages_went(answer: bytes, expected: dict[int, int]) -> None:
    async with opened({b"MOVE": answer}, rich=True) as (session, _):
        placed = await session.move(((1, 2), (4, 4)), "y")
        assert placed == Placed(uid_validity=7 if expected else 0, uids=expected)


async def test_binary_is_undone_here_where_the_server_cannot() -> None:
    asked: list[bytes] = []

    async def answer(writer: asyncio.StreamWriter, tag: bytes) -> None:
        asked.append(tag)
        writer.write([
            b"%s NO [UNKNOWN-CTE] what is that\r\n" % tag,
            b'* 1 FETCH (UID 1 BODYSTRUCTURE ("a" "b" NIL NIL NIL "Base64" 9))\r\n%s OK\r\n' % tag,
            b"* 1 FETCH (UID 1 BODY[1] {9}\r\nSGFs\r\nbG8)\r\n%s OK\r\n" % tag,
        ][len(asked) - 1])  # fmt: skip

    async with opened({b"FETCH": answer}, rich=True) as (session, script):
        assert b"".join([piece async for piece in session.stream(1, "1", binary=True)]) == b"Hallo"
        assert [said.split(b"(")[1] for said in script.said[-3:]] == [
            b"BINARY.PEEK[1])", b"BODYSTRUCTURE)", b"BODY.PEEK[1])",
        ]  # fmt: skip


async def test_a_refused_message_is_not_sent() -> None:
    async with opened({b"APPEND": b"%s NO [OVERQUOTA] full\r\n"}, rich=True) as (session, script):
        with pytest.raises(No) as refused:
            await session.append("x", b"x" * 1_000_000)
        assert refused.value.code == "OVERQUOTA"
        await session.noop()
        assert script.said[-2:] == [b'APPEND "x" {1000000}', b"NOOP"]


async def test_names_come_as_literals_and_with_odd_characters() -> None:
    told = b'* LIST () "/" {5}\r\na\r\n"b\r\n* LIST (\\Marked) "/" "c\\"d"\r\n* LIST () NIL e]f\r\n'
    async with opened({b"LIST": told}) as (session, _):
        assert [one.name for one in await session.list()] == ['a\r\n"b', 'c"d', "e]f"]


async def test_marks_of_others_come_back_even_if_the_expunge_fails() -> None:
    async with opened({b"SEARCH": b"* SEARCH 2 7\r\n", b"EXPUNGE": b"%s NO not allowed\r\n"}) as (session, script):
        with pytest.raises(No):
            await session.expunge(((2, 2),))
        assert script.said[-4:] == [
            b"UID STORE 7 -FLAGS.SILENT (\\Deleted)", b"UID STORE 2 +FLAGS.SILENT (\\Deleted)", b"EXPUNGE",
            b"UID STORE 7 +FLAGS.SILENT (\\Deleted)",
        ]  # fmt: skip


async def test_lines_are_bearable() -> None:
    scattered = tuple((uid, uid) for uid in range(1_000_000_001, 1_000_010_000, 2))
    async with opened({}) as (session, script):
        await fetched(session, "FLAGS", spans=scattered)
        sets = [said for said in script.said if said.startswith(b"UID FETCH")]
        assert len(sets) > 1
        assert max(map(len, sets)) < 8000

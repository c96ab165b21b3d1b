"""Conversations. [MS-ASCON], [MS-ASEMAIL] ConversationId, ConversationIndex."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_samples import NOW, raw

from eas.items import headers, mime
from eas.items.conversation import answering, conversation_of, topic_of


def fields(message: bytes) -> dict[bytes, bytes]:
    return headers.parse(message[: mime.header_end(message)])


def test_thread_index_gives_id_and_index() -> None:
    """R90, R91: five octets of time, and five for each reply."""
    known = conversation_of(fields(raw("thread_outlook")), NOW)
    assert known.id == bytes(range(16))
    assert known.index == bytes.fromhex("dacb3d2a10") + bytes.fromhex("0000112200")


def test_time_is_that_of_the_filetime() -> None:
    """R95, R309: bits 55 to 16 of 100 ns since 1601, big endian."""
    known = conversation_of(fields(raw("plain")), NOW)
    sent = datetime(2024, 7, 1, 8, tzinfo=UTC)
    ticks = int.from_bytes(b"\x01" + known.index[:5] + b"\0\0", "big")
    assert abs(datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10) - sent) < timedelta(seconds=1)


def test_replies_share_the_id_of_the_first_message() -> None:
    first = b"Message-ID: <one@x>\r\nSubject: plan\r\n\r\n"
    reply = b"Message-ID: <two@x>\r\nIn-Reply-To: <one@x>\r\nSubject: Re: plan\r\n\r\n"
    later = b"Message-ID: <three@x>\r\nReferences: <one@x>\r\n <two@x>\r\nSubject: Aw: Re: plan\r\n\r\n"
    ids = {conversation_of(fields(message), NOW).id for message in (first, reply, later)}
    assert len(ids) == 1
    assert [len(conversation_of(fields(m), NOW).index) for m in (first, reply, later)] == [5, 10, 15]
    assert conversation_of(fields(b"Message-ID: <other@x>\r\nSubject: plan\r\n\r\n"), NOW).id not in ids


def test_message_without_ids_goes_by_its_subject() -> None:
    one, two = (conversation_of(fields(b"Subject: " + s + b"\r\n\r\n"), NOW).id for s in (b"plan", b"RE: Plan"))
    assert one == two
    assert len(one) == 16


@pytest.mark.parametrize("name", ["plain", "thread_outlook", "thread_references"])
def test_our_answers_stay_in_the_conversation(name: str) -> None:
    """R87, R88: each answer adds a level and leaves the id and the first time."""
    original = fields(raw(name))
    before = conversation_of(original, NOW)
    index = base64.b64encode(answering(original, NOW))
    after = conversation_of({b"thread-index": index}, NOW)
    assert after.id == before.id
    assert after.index[:5] == before.index[:5]
    assert len(after.index) == len(before.index) + 5


def test_level_tells_the_time_between() -> None:
    original = {b"date": b"Mon, 1 Jul 2024 08:00:00 +0000", b"message-id": b"<a@b>"}
    hour = answering(original, datetime(2024, 7, 1, 9, tzinfo=UTC))[22:]
    ticks = int.from_bytes(hour[:4], "big") << 18
    assert abs(ticks / 10_000_000 - 3600) < 1
    late = answering(original, datetime(2034, 7, 1, 9, tzinfo=UTC))[22:]
    assert late[0] & 0x80


@pytest.mark.parametrize("value", [b"", b"AAAA", b"!", b"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="])
def test_thread_index_without_sense_is_passed_over(value: bytes) -> None:
    given_id = {b"message-id": b"<a@b>"}
    assert conversation_of({**given_id, b"thread-index": value}, NOW).id == conversation_of(given_id, NOW).id


@pytest.mark.parametrize(
    ("subject", "topic"),
    [
        ("Re: AW: plan", "plan"),
        ("Fwd: RE[2]: plan", "plan"),
        ("Rethink: all", "Rethink: all"),
        ("回复：计划", "计划"),
        ("", ""),
    ],
)
def test_topic(subject: str, topic: str) -> None:
    assert topic_of(subject) == topic


@given(
    st.dictionaries(
        st.sampled_from([b"thread-index", b"references", b"in-reply-to", b"message-id", b"subject", b"date"]),
        st.binary(max_size=60),
    )
)
def test_never_fails(found: dict[bytes, bytes]) -> None:
    known = conversation_of(found, NOW)
    assert len(known.id) == 16
    assert len(known.index) % 5 == 0
    answering(found, NOW)

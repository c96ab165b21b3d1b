"""Who is at a message that a user sent, and how far it came."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from settling import until
from sqlalchemy import select, update
from worlds import EmbeddedWorld

from eas.backends.embedded import submissions
from eas.backends.embedded.submissions import Claims, Stage
from eas.backends.embedded.tables import SubmittedRow
from eas.engine.errors import Unavailable, Undeliverable
from eas.items.compose import Outgoing


def letter(name: str) -> Outgoing:
    return Outgoing(
        sender="anna@example.org", recipients=("ben@example.org",), mime=b"\r\n", message_id=f"<{name}@x>", subject=name
    )


@pytest.fixture
def claims(embedded: EmbeddedWorld) -> Claims:
    return Claims(embedded.embedded.groupware)


async def later(claims: Claims, seconds: float) -> None:
    """What is noted was noted so much earlier, by whatever clock."""
    earlier = update(SubmittedRow).values(at=SubmittedRow.at - int(seconds * 1000))
    await claims.groupware.write(lambda tx: tx.connection.execute(earlier))


async def renewed(claims: Claims, since: int) -> bool:
    return await noted(claims) >= since


async def noted(claims: Claims) -> int:
    """When somebody was at it last, by the store's clock."""
    return int(await claims.groupware.read(lambda connection: connection.execute(select(SubmittedRow.at)).scalar_one()))


@pytest.fixture
def anna(embedded: EmbeddedWorld) -> str:
    return embedded.users["anna"].id


async def test_what_is_done_is_done(claims: Claims, anna: str) -> None:
    async with claims.claimed(anna, letter("k")) as claim:
        assert claim is not None
        assert claim.stage is Stage.OPEN
        await claims.advance(claim, Stage.DONE)
    async with claims.claimed(anna, letter("k")) as claim:
        assert claim is None


async def test_after_an_error_it_is_free_at_once_and_stands_where_it_stood(claims: Claims, anna: str) -> None:
    async def fails() -> None:
        async with claims.claimed(anna, letter("k")) as claim:
            assert claim is not None
            await claims.advance(claim, Stage.MIDWAY)
            raise KeyError

    with pytest.raises(KeyError):
        await fails()
    async with claims.claimed(anna, letter("k")) as claim:
        assert claim is not None
        assert claim.stage is Stage.MIDWAY


async def test_the_second_waits_for_the_first(claims: Claims, anna: str) -> None:
    order = []

    async def one(name: str) -> None:
        async with claims.claimed(anna, letter("k")) as claim:
            order.append((name, claim is not None))
            await asyncio.sleep(0.05)
            if claim is not None:
                await claims.advance(claim, Stage.DONE)

    await asyncio.gather(one("a"), one("b"), one("c"))
    assert sorted(took for _, took in order) == [False, False, True]


async def test_users_and_messages_do_not_wait_for_each_other(
    claims: Claims, anna: str, embedded: EmbeddedWorld
) -> None:
    async with claims.claimed(anna, letter("k")), claims.claimed(anna, letter("other")) as second:
        assert second is not None
        async with claims.claimed(embedded.users["ben"].id, letter("k")) as third:
            assert third is not None


async def test_one_waits_for_so_long(
    claims: Claims, anna: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submissions, "WAIT_SECONDS", 0.3)
    async with claims.claimed(anna, letter("k")):
        with pytest.raises(Undeliverable):
            async with claims.claimed(anna, letter("k")):
                pass


async def test_a_dead_one_is_taken_over_and_cannot_write_any_more(claims: Claims, anna: str) -> None:
    async with claims.claimed(anna, letter("k")) as dead:
        assert dead is not None
        await later(claims, submissions.STALE_SECONDS + 1)
        async with claims.claimed(anna, letter("k")) as heir:
            assert heir is not None
            with pytest.raises(Unavailable):
                await claims.advance(dead, Stage.MIDWAY)
    await later(claims, submissions.STALE_SECONDS + 1)
    async with claims.claimed(anna, letter("k")) as next_one:
        assert next_one is not None
        assert next_one.stage is Stage.OPEN


async def test_who_lives_says_so(claims: Claims, anna: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submissions, "RENEW_SECONDS", 0.02)
    monkeypatch.setattr(submissions, "WAIT_SECONDS", 0.3)
    async with claims.claimed(anna, letter("k")):
        for _ in range(3):
            began = await noted(claims)
            await later(claims, 3600)
            await until(partial(renewed, claims, began))
        with pytest.raises(Undeliverable):
            async with claims.claimed(anna, letter("k")):
                pass


async def test_a_new_process_frees_what_the_old_one_held(claims: Claims, anna: str) -> None:
    async with claims.claimed(anna, letter("k")):
        await claims.resume()
        async with claims.claimed(anna, letter("k")) as claim:
            assert claim is not None


async def test_a_database_that_is_away_releases_nothing_and_hides_nothing(
    claims: Claims, anna: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise Unavailable("away")

    async def fails() -> None:
        async with claims.claimed(anna, letter("k")):
            monkeypatch.setattr(submissions, "_set", away)
            raise KeyError

    with pytest.raises(KeyError):
        await fails()

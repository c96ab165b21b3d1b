"""Transactions with their figures: how long they take, how many writers there are, what fails."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection

from eas import measures

from .failures import FAILURES, failure_of

if TYPE_CHECKING:
    from .transactions import Transactions

R = TypeVar("R")


class Measured:
    """`Transactions` around others. What raises is timed as well: it has kept somebody waiting."""

    def __init__(self, run: Transactions) -> None:
        self._run = run

    async def look(self, do: Callable[[Connection], R]) -> R:
        began = monotonic()
        try:
            return await self._run.look(do)
        except FAILURES as error:
            count_failure(error)
            raise
        finally:
            measures.DATABASE_SECONDS["look"].observe(monotonic() - began)

    async def read(self, do: Callable[[Connection], R]) -> R:
        began = monotonic()
        try:
            return await self._run.read(do)
        except FAILURES as error:
            count_failure(error)
            raise
        finally:
            measures.DATABASE_SECONDS["read"].observe(monotonic() - began)

    async def write(self, do: Callable[[Connection], R], *, lasting: bool = True) -> R:
        began = monotonic()
        measures.DATABASE_WRITES[()] += 1
        try:
            return await self._run.write(do, lasting=lasting)
        except FAILURES as error:
            count_failure(error)
            raise
        finally:
            measures.DATABASE_WRITES[()] -= 1
            measures.DATABASE_SECONDS["write"].observe(monotonic() - began)

    async def close(self) -> None:
        await self._run.close()


def count_failure(error: BaseException) -> None:
    failure = failure_of(error)
    if failure is not None:
        measures.DATABASE_FAILURES[failure.name.lower()].inc()

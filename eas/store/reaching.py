"""What the database refuses for the moment leaves the store as `Unavailable`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from eas.db.failures import FAILURES, failure_of, reason
from eas.engine.errors import Unavailable


@contextmanager
def reachable() -> Iterator[None]:
    try:
        yield
    except FAILURES as error:
        if failure_of(error) is None:
            raise
        raise Unavailable(f"database: {reason(error)}") from error

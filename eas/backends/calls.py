"""Calls that go out to servers of the groupware: how long they take, and why they fail, for the figures.

A failure is what an administrator should look into: a server that is away, silent or unwilling, a login that it
refuses. That there is no such item, or that it has changed meanwhile, is an answer like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic

from eas import measures

#: "login" or "refused" for a failure of that kind, "lost" for one of the connection (or of time), "" for none.
ReasonOf = Callable[[BaseException], str]


class Call:
    """`with Call("imap", "fetch", reason_of) as call: ...`; it lasts to the end of the block, or to `answered`."""

    __slots__ = ("_backend", "_began", "_operation", "_reason_of")

    def __init__(self, backend: str, operation: str, reason_of: ReasonOf) -> None:
        self._backend, self._operation = backend, operation
        self._reason_of: ReasonOf | None = reason_of
        self._began = 0.0

    def __enter__(self) -> Call:
        self._began = monotonic()
        return self

    def answered(self, *, over: bool = False) -> None:
        """`over`: what fails from now on is another matter."""
        if self._began:
            measures.BACKEND_SECONDS[self._backend, self._operation].observe(monotonic() - self._began)
            self._began = 0.0
        if over:
            self._reason_of = None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.answered()
        if isinstance(error, Exception) and self._reason_of is not None:
            reason = self._reason_of(error)
            if reason == "lost" and _is_late(error):
                reason = "timeout"
            if reason:
                measures.BACKEND_FAILURES[self._backend, reason].inc()


def _is_late(error: BaseException) -> bool:
    """Whether it came of waiting in vain."""
    return any(isinstance(cause, TimeoutError) for cause in causes(error))


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came of, each once: what is raised anew from what it led to makes a circle."""
    seen = set[int]()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        yield found
        seen.add(id(found))
        found = found.__cause__ or found.__context__

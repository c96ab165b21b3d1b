"""What one process records just now: whom it is about, and the thread in which it is written down.

`concerns` and `keep` are called in the event loop, for each request while anything is recorded; the rest by whoever
looks after recordings (`eas.app.recordings`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import time

import structlog

from eas.store.recordings import Part, Recording

from .asker import Asker, is_called
from .reel import Full, Reel
from .taken import Taken
from .typist import Typist

log = structlog.get_logger("eas.recording")

#: Exchanges of a recording, in one process, of somebody whom the server has not recognised: enough to see what a phone
#: with a wrong password does, and no more than that for a stranger who knows its name.
MOST_STRANGE = 100
#: Octets that wait to be written: what comes beyond is recorded without its bodies.
MOST_WAITING = 64 << 20
#: Logins that are remembered with who they are.
MOST_KNOWN = 10_000

FULL = "the size limit is reached"
UNKNOWN_SENDER = "not recorded of somebody who is not recognised"
TOO_MUCH = "too much at once"


@dataclass(slots=True, eq=False)
class Running:
    """A recording that runs here. `agents` are User-Agents under which the device was seen."""

    recording: Recording
    reel: Reel
    agents: set[str]
    until: float
    strange: int = 0

    def of_device(self, asker: Asker) -> bool:
        """Requests that name no device (OPTIONS, Autodiscover) are told by the program that sends them."""
        mine = self.recording.device_id
        if not mine:
            return True
        if asker.device:
            return asker.device == mine.casefold()
        return not self.agents or asker.agent in self.agents


class Reels:
    """`on_close` is told of each recording that ends, before its file is closed; `on_news` (from any thread) that there
    is something in `over`. Without `running` nothing is asked."""

    def __init__(self, folder: Path, node: str, origin: str) -> None:
        self.running: tuple[Running, ...] = ()
        #: Recordings that ended here by themselves, and why, until they are no longer wanted.
        self.over: dict[int, str] = {}
        self.on_news: Callable[[], None] = lambda: None
        self.on_close: Callable[[int], None] = lambda id: None
        self._folder, self._node, self._origin = folder, node, origin
        self._users: dict[int, str] = {}
        self._reels: list[Reel] = []
        self._waiting, self._lock = 0, Lock()
        self._thread: ThreadPoolExecutor | None = None
        self._typist = Typist()

    # -- requests

    def concerns(self, asker: Asker) -> bool:
        """Whether the request may belong to a recording."""
        user, now = self._users.get(asker.shown, "") if asker.shown else "", time()
        return any(
            user in ("", one.recording.user_id) and one.until > now and one.of_device(asker)
            and one.recording.id not in self.over for one in self.running
        )

    def keep(self, taken: Taken, asker: Asker, who: str, only: int = 0) -> None:
        """A request is over, of whom the server has recognised, "" for nobody. `only`: for that recording alone."""
        if who and asker.shown:
            if len(self._users) >= MOST_KNOWN:
                self._users.clear()
            self._users[asker.shown] = who
        for one in self.running:
            if only in (0, one.recording.id) and one.of_device(asker) and self._is_of(one, taken, asker, who):
                self._write(one, taken)

    def _is_of(self, one: Running, taken: Taken, asker: Asker, who: str) -> bool:
        if who:
            if asker.device and who == one.recording.user_id:
                one.agents.add(asker.agent)
            return who == one.recording.user_id
        login = asker.login
        if not (is_called(login, one.recording.address) or (not login and asker.device and one.recording.device_id)):
            return False
        if one.strange >= MOST_STRANGE:
            return False
        one.strange += 1
        taken.asked.leave_out(UNKNOWN_SENDER)
        return True

    def _write(self, one: Running, taken: Taken) -> None:
        with self._lock:
            if self._waiting + taken.kept > MOST_WAITING:
                taken.leave_out(TOO_MUCH)
            size = taken.kept
            self._waiting += size
        self._work(lambda: self._add(one, taken, size))

    def _work(self, job: Callable[[], None]) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "eas-record")
        self._thread.submit(job)

    def _add(self, one: Running, taken: Taken, size: int) -> None:
        """In the thread."""
        try:
            if one.recording.id not in self.over:
                one.reel.add(taken)
        except Full:
            self._end(one.recording.id, FULL)
        except Exception as error:
            self._fault(one.recording.id, error)
        finally:
            with self._lock:
                self._waiting -= size

    def fail(self, error: Exception) -> None:
        """Something went wrong with a request that concerns any of them: no guess which."""
        for one in self.running:
            self._fault(one.recording.id, error)

    def _fault(self, id: int, error: Exception) -> None:
        log.error("a recording ends by a fault", recording=id, exc_info=error)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        self._end(id, f"a fault: {reason}"[:200])

    def _end(self, id: int, why: str) -> None:
        self.over.setdefault(id, why)
        self.on_news()

    # -- whoever looks after them

    def follow(self, wanted: Sequence[Recording]) -> list[Recording]:
        """These run now, and no others; those that are new here. `wanted` are all that nobody has ended."""
        self.over = {id: why for id, why in self.over.items() if id in {one.id for one in wanted}}
        here = {one.recording.id: one for one in self.running}
        now = time()
        meant = {one.id: one for one in wanted if one.id not in self.over and one.until.timestamp() > now}
        for id, one in here.items():
            if id in meant:
                one.reel.elsewhere = _elsewhere(meant[id], one.reel.file)
            else:
                self._close(one)
        new = [recording for id, recording in meant.items() if id not in here]
        self.running = tuple(one for id, one in here.items() if id in meant) + tuple(map(self._begun, new))
        if not self.running:
            self._users.clear()
            if here:
                self._work(self._typist.close)
        return new

    def _begun(self, recording: Recording) -> Running:
        reel = Reel(self._folder, recording, self._node, self._origin, self._typist)
        reel.elsewhere = _elsewhere(recording, reel.file)
        self._reels.append(reel)
        return Running(recording, reel, {recording.agent} - {""}, recording.until.timestamp())

    def _close(self, one: Running) -> None:
        log.info("recording over", recording=one.recording.id)
        self.on_close(one.recording.id)
        self._work(one.reel.close)

    def progress(self) -> Mapping[int, Sequence[Part]]:
        """The files of this process of which not all is told yet, by recording."""
        found: dict[int, list[Part]] = {}
        for reel in self._reels:
            if reel.bytes and reel.told != reel.bytes:
                part = Part(file=reel.file, node=reel.node, exchanges=reel.exchanges, bytes=reel.bytes)
                found.setdefault(reel.id, []).append(part)
        return found

    def told(self, parts: Iterable[Part]) -> None:
        """So far the files were when it was written down."""
        sizes = {part.file: part.bytes for part in parts}
        for reel in self._reels:
            reel.told = sizes.get(reel.file, reel.told)
        self._reels = [reel for reel in self._reels if not reel.closed or reel.told != reel.bytes]

    def finish(self) -> None:
        """Nothing is recorded any more; in the event loop."""
        for one in self.running:
            self._close(one)
        self.running = ()

    def close(self) -> None:
        """Returns when all is written."""
        self.finish()
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
            self._typist.close()


def _elsewhere(recording: Recording, file: str) -> int:
    return sum(part.bytes for part in recording.parts if part.file != file)

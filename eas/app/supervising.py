"""Several workers on one machine: a process that opens the sockets, starts the workers and looks after them.

It answers no request and runs no event loop. What happens to a worker is decided here alone:

    dies              another one is started, at once, or later and later if that keeps happening
    does not beat     it is killed, and so dies
    SIGHUP            each gets a successor by the same command line, and thus of the program and with the settings as
                      they are now; when that one accepts, the old one retires (eas.app.stopping). A successor that
                      does not start ends the round, and the old ones go on
    SIGTERM, SIGINT   all are told to stop; again: to hurry

A worker whose line to the supervisor breaks stops by itself, so none is left when the supervisor is killed.

Each worker has a socket of its own for the address (SO_REUSEPORT): the kernel divides connections evenly, which it does
not among processes that accept on one (tests/bench/bench_accept.py). The supervisor keeps them open, so that what waits
to be accepted when a worker ends is its successor's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from eas.config import Settings
from eas.server import control

from . import measuring, systemd
from .building import build
from .doors import Sockets, lmtp_sockets, tcp_sockets
from .running import configure_log
from .stopping import KEEP_ALIVE_SECONDS
from .workers import ALIVE_SECONDS, VARIABLE, described

log = structlog.get_logger("eas.supervisor")

#: The folder in the data folder in which workers put their figures together.
FIGURES = "figures"
#: A worker that says nothing for so long is stuck.
STUCK_SECONDS = 12 * ALIVE_SECONDS
#: A worker that was ready for so long did not die of its start.
WORKED_SECONDS = 60.0
#: The longest pause before another worker is started.
LONGEST_PAUSE = 30.0
#: Seconds between two looks at what is due, if nothing happens.
LOOK_SECONDS = 0.5
#: Seconds that a worker may take beyond what the settings give it to stop.
MARGIN_SECONDS = 15.0
#: Variables of systemd that are for the supervisor alone.
_NOT_FOR_WORKERS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


@dataclass(slots=True, eq=False)
class Child:
    """A worker. Times are of the monotonic clock. `killed_at`: when it is to be gone at the latest."""

    process: subprocess.Popen[bytes]
    line: socket.socket
    heard: float
    ready_at: float = 0.0
    released: bool = False
    killed_at: float = float("inf")

    def say(self, word: bytes) -> None:
        with contextlib.suppress(OSError):
            self.line.send(word)


@dataclass(slots=True, eq=False)
class Slot:
    """The place of one worker. `successor` takes the place of `child` once it is ready."""

    number: int
    http: list[socket.socket]
    child: Child | None = None
    successor: Child | None = None
    deaths: int = 0
    due: float = 0.0


def supervise(
    settings: Settings, started: Callable[[str, int], None] = lambda host, port: None, command: Sequence[str] = ()
) -> int:
    """Run `settings.workers` processes until told to stop; the exit code. `command` starts one: the command line of
    this process, unless another one is given.

    Raises MigrationError, ConfigError, OSError before there are any.
    """
    configure_log(settings.log.format, settings.log.level)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = settings.data / control.SOCKET
    opened = Sockets(control=control.open_socket(place))
    try:
        asyncio.run(_prepare(settings))
        opened.lmtp = lmtp_sockets(settings.lmtp.listen)
        given = systemd.listening()
        slots = [Slot(number, given) for number in range(settings.workers)] if given else _own(settings)
        address = slots[0].http[0].getsockname()
        made = Supervisor(settings, command or _command_line(), slots, opened, lambda: started(address[0], address[1]))
        return made.run()
    finally:
        place.unlink(missing_ok=True)


async def _prepare(settings: Settings) -> None:
    """Bring the database to its shape, once for all, and take up what workers that died have left."""
    async with build(settings, ring=lambda user_id, collections: None) as app:
        await app.resume()


def _own(settings: Settings) -> list[Slot]:
    """Sockets for each worker. Raises OSError if somebody listens there, which sharing the address would hide."""
    for one in tcp_sockets(settings.host, settings.port):
        one.close()
    first = tcp_sockets(settings.host, settings.port, shared=True)
    rest = [_again(first) for _ in range(settings.workers - 1)]
    return [Slot(number, sockets) for number, sockets in enumerate([first, *rest])]


def _again(sockets: Sequence[socket.socket]) -> list[socket.socket]:
    """Further ones for the same addresses."""
    names = [one.getsockname() for one in sockets]
    return [made for name in names for made in tcp_sockets(name[0], name[1], shared=True)]


@dataclass(slots=True)
class Supervisor:
    settings: Settings
    command: Sequence[str]
    slots: list[Slot]
    shared: Sockets
    started: Callable[[], None]
    #: Slots that are still to get a successor, and workers that have one.
    _round: deque[Slot] = field(default_factory=deque)
    _retired: list[Child] = field(default_factory=list)
    _rolling: bool = False
    _up: bool = False
    _stopping: bool = False
    _code: int = 0
    _beaten: float = 0.0
    _signals: deque[int] = field(default_factory=deque)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    @property
    def _figures(self) -> Path:
        return self.settings.data / FIGURES

    def run(self) -> int:
        """Until all workers have ended."""
        measuring.share(self._figures)
        hears, told = socket.socketpair()
        for one in (hears, told):
            one.setblocking(False)
        before = {name: signal.signal(name, self._note) for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(told.fileno())
        self._selector.register(hears, selectors.EVENT_READ)
        try:
            while not (self._stopping and not self._children()):
                self._step(hears)
        finally:
            for child in self._children():
                child.process.kill()
            signal.set_wakeup_fd(-1)
            for name, handler in before.items():
                signal.signal(name, handler)
        return self._code

    def _note(self, name: int, frame: object) -> None:
        self._signals.append(name)

    def _children(self) -> list[Child]:
        placed = [child for slot in self.slots for child in (slot.child, slot.successor) if child is not None]
        return [*placed, *self._retired]

    def _step(self, hears: socket.socket) -> None:
        for key, _ in self._selector.select(LOOK_SECONDS):
            if key.fileobj is hears:
                with contextlib.suppress(BlockingIOError):
                    hears.recv(1000)
            else:
                self._hear(key.data)
        while self._signals:
            if self._signals.popleft() == signal.SIGHUP:
                self._begin_round()
            else:
                self._stop()
        self._reap()
        self._kill_stuck()
        if not self._stopping:
            self._start_due()
            self._go_round()
        if self._beaten + systemd.watchdog_seconds() / 2 < time.monotonic() and systemd.watchdog_seconds():
            self._beaten = time.monotonic()
            systemd.tell("WATCHDOG=1")

    # -- what workers say

    def _hear(self, child: Child) -> None:
        said = b""
        with contextlib.suppress(OSError):
            said = child.line.recv(4096)
        if not said:
            self._selector.unregister(child.line)
            return
        child.heard = time.monotonic()
        for word in said.split():
            if word == b"ready":
                child.ready_at = child.heard
                self._look_whether_up()
            elif word == b"released":
                child.released = True
            elif word == b"stop":
                self._stop()

    def _look_whether_up(self) -> None:
        if not self._up and all(slot.child is not None and slot.child.ready_at for slot in self.slots):
            self._up = True
            systemd.tell("READY=1")
            self.started()

    # -- starting

    def _start_due(self) -> None:
        for slot in self.slots:
            if slot.child is None and slot.due <= time.monotonic():
                slot.child = self._start(slot)

    def _start(self, slot: Slot) -> Child | None:
        try:
            if not slot.http:
                slot.http = _again(next(other.http for other in self.slots if other.http))
            child = self._spawn(slot)
        except (OSError, StopIteration) as error:
            log.error("a worker cannot be started", worker=slot.number, reason=str(error))
            slot.due = time.monotonic() + LONGEST_PAUSE
            return None
        self._selector.register(child.line, selectors.EVENT_READ, child)
        return child

    def _spawn(self, slot: Slot) -> Child:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        sockets = Sockets(http=slot.http, lmtp=self.shared.lmtp, control=self.shared.control)
        opened = [*sockets.http, *sockets.lmtp, *([sockets.control] if sockets.control else []), theirs]
        kept = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_WORKERS}
        own = {VARIABLE: described(slot.number, sockets, theirs), measuring.FOLDER: str(self._figures)}
        with theirs:
            # In a group of its own, lest Ctrl-C reach it twice.
            process = subprocess.Popen(
                self.command, env=kept | own,
                pass_fds=[one.fileno() for one in opened], process_group=0, stdin=subprocess.DEVNULL,
            )
        return Child(process, ours, heard=time.monotonic())

    # -- ending

    def _reap(self) -> None:
        for child in self._children():
            if (code := child.process.poll()) is not None:
                measuring.mark_process_dead(self._figures, child.process.pid)
                self._gone(child)
                self._mourn(child, code)

    def _gone(self, child: Child) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(child.line)
        child.line.close()

    def _mourn(self, child: Child, code: int) -> None:
        if child in self._retired:
            self._retired.remove(child)
            if code:
                log.error("a worker did not end as it should", code=code)
            return
        slot = next(slot for slot in self.slots if child in (slot.child, slot.successor))
        if child is slot.successor:
            slot.successor = None
            if not self._stopping:
                self._end_round(f"worker {slot.number} of the new ones did not start (code {code})")
            return
        slot.child = None
        if self._stopping:
            return
        if not self._up:
            # Whatever it is, it has said so, and the next one would say the same.
            log.error("a worker did not start", worker=slot.number, code=code)
            self._code = code if code > 0 else 1
            self._stop()
            return
        self._pause(slot, child, code)

    def _pause(self, slot: Slot, child: Child, code: int) -> None:
        worked = bool(child.ready_at) and time.monotonic() - child.ready_at >= WORKED_SECONDS
        slot.deaths = 1 if worked else slot.deaths + 1
        pause = 0.0 if slot.deaths == 1 else min(LONGEST_PAUSE, 2.0 ** (slot.deaths - 2))
        slot.due = time.monotonic() + pause
        log.error("a worker died", worker=slot.number, code=code, again_in=pause)
        if pause and any(other.http and other.http is not slot.http for other in self.slots):
            # Nobody will accept for a while: the kernel is to give what comes to the others.
            for one in slot.http:
                one.close()
            slot.http = []

    def _kill_stuck(self) -> None:
        now = time.monotonic()
        for child in self._children():
            if (child.ready_at and now - child.heard > STUCK_SECONDS) or now > child.killed_at:
                log.error("a worker is stuck and is killed", pid=child.process.pid)
                child.killed_at = float("inf")
                child.heard = now
                child.process.kill()

    def _stop(self) -> None:
        """The second time: hurry."""
        if not self._stopping:
            systemd.tell("STOPPING=1")
            log.info("stopping", workers=len(self._children()))
        self._stopping = True
        stop = self.settings.stop
        allowed = stop.drain_seconds + stop.release_seconds + stop.grace_seconds + MARGIN_SECONDS
        for child in self._children():
            child.killed_at = min(child.killed_at, time.monotonic() + allowed)
            child.process.send_signal(signal.SIGTERM)

    # -- new ones for old ones

    def _begin_round(self) -> None:
        """Told again in the middle of one, it begins anew: those already replaced do not know what is new by now."""
        if self._stopping or not self._up:
            return
        log.info("workers are replaced")
        systemd.reloading()
        self._rolling = True
        self._round = deque(self.slots)

    def _go_round(self) -> None:
        for slot in self.slots:
            if slot.successor is not None:
                if slot.successor.ready_at:
                    self._take_over(slot)
                return
        if any(not child.released for child in self._retired):
            return
        if self._round:
            slot = self._round.popleft()
            if slot.child is None:
                slot.due = 0.0
            else:
                slot.successor = self._start(slot)
        elif self._rolling:
            self._end_round()

    def _take_over(self, slot: Slot) -> None:
        old, slot.child, slot.successor, slot.deaths = slot.child, slot.successor, None, 0
        if old is not None:
            stop = self.settings.stop
            allowed = stop.release_seconds + KEEP_ALIVE_SECONDS + stop.grace_seconds + MARGIN_SECONDS
            old.killed_at = time.monotonic() + allowed
            old.say(b"retire\n")
            self._retired.append(old)

    def _end_round(self, fault: str = "") -> None:
        self._round.clear()
        if self._rolling:
            self._rolling = False
            if fault:
                log.error("the other workers stay as they are", reason=fault)
            else:
                log.info("all workers are replaced")
            systemd.tell("READY=1")


def _command_line() -> list[str]:
    """How to start the same again."""
    return [sys.executable, *sys.orig_argv[1:]]

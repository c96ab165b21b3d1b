"""The brake at work: requests are held back, told to come back later, and noted for the administrator."""

from __future__ import annotations

import structlog
from starlette.types import Receive

from eas import measures
from eas.engine.access import Terms, kept_out
from eas.engine.errors import Contended, Unavailable
from eas.engine.partnership import revise, stormed
from eas.engine.ports import Clock, StateStore

from .admission import Rules
from .brake import EFFECTIVE, Brake, Outcome, Report, name_of
from .faults import CONDITION, TEXTS, THROTTLE
from .held import held_back
from .note import Note
from .reading import Gone
from .reply import Reply, plain
from .streaming import Streamed

log = structlog.get_logger("eas.pacing")


class Pacer:
    """One for the whole server."""

    def __init__(self, brake: Brake, store: StateStore, clock: Clock, rules: Rules | None = None) -> None:
        """`rules` say from when on a device is kept out for a while; None: never."""
        self._brake, self._store, self._clock = brake, store, clock
        self._terms, self._heralds = (rules.terms, rules.heralds) if rules is not None else (Terms(), None)

    def name(self, user_id: str, query: bytes, body: bytes) -> bytes:
        """What the request goes by here; b"" where nothing is slowed down."""
        return name_of(user_id, query, body) if self._brake.free else b""

    async def before(self, name: bytes, receive: Receive, note: Note) -> Reply | None:
        """Holds the request back for as long as it should be; then None, or the answer that sends it away. Raises Gone
        if the client goes meanwhile."""
        if not name:
            return None
        pause = self._brake.ask(name, self._clock.monotonic())
        if not pause.seconds:
            return None
        if not await held_back(receive, pause.seconds, note):
            raise Gone("went while it was held back")
        if not pause.retry_after:
            return None
        if (who := self._brake.who(name)) is not None:
            note.device, note.command = who.device_id, who.command
        measures.REFUSALS["storm"].inc()
        await self._tell(name)
        return plain(503, TEXTS[503], {"Retry-After": str(pause.retry_after), THROTTLE: CONDITION})

    async def after(self, name: bytes, user_id: str, reply: Reply, note: Note) -> None:
        if not name:
            return
        body = reply.body
        length = body.length if isinstance(body, Streamed) else len(body)
        effect = bool(note.items and note.command != "Ping") or (reply.http == 200 and note.command in EFFECTIVE)
        got = Outcome(
            user_id, note.device, note.command, hash((reply.http, note.status, note.items, length)),
            effect=effect, anew=note.anew,
        )
        self._brake.hear(name, got, self._clock.monotonic())
        await self._tell(name)

    async def _tell(self, name: bytes) -> None:
        report = self._brake.report(name, self._clock.monotonic())
        if report is not None:
            log.warning(
                "a device repeats itself without effect", device=report.device_id, command=report.command,
                held_back=report.count, sent_away=report.refused,
            )
            await self._note(report)

    async def _note(self, report: Report) -> None:
        try:
            device = await self._store.device(report.user_id, report.device_id)
            if device is not None:
                now = self._clock.now()
                stored = await revise(
                    self._store, device,
                    lambda found: kept_out(
                        stormed(found, report.command, report.count, report.refused, now), self._terms, now
                    ),
                    lasting=False,
                )
                if stored.suspended is not None and stored.suspended.since == now:
                    log.warning("a device is kept out", device=stored.id, why=stored.suspended.reason)
                    if self._heralds is not None:
                        await self._heralds.suspended(stored)
        except (Contended, Unavailable) as error:
            log.info("a storm was not noted", reason=str(error))

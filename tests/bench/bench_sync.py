"""What a Sync costs in a small folder and in a large one: `python tests/bench/bench_sync.py [SIZE ...]`.

A device that holds the whole folder asks for news, where there is none, and where one message has come since. Printed
are the median time, and the time that the server process spends on its core, for each request. Target: with 50,000
messages within 1.3 times that with 100.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import median

from filling import BEN, Filled, letter
from load import BarePhone, Failed, e, machine, more_available, sync_document, sync_key, table, verdict

SIZES = (100, 10_000, 50_000)
#: Rounds; in each every size is asked so many times without news, and with one message more, so that whatever else the
#: machine does meets all sizes alike. The first rounds warm up.
ROUNDS, WARM, QUIET, CHANGES = 14, 2, 40, 10
TARGET = 1.3

INBOX = 2


@dataclass(slots=True, kw_only=True)
class Subject:
    """A folder, a device that holds all of it, and what its requests cost: seconds as the device sees them, and seconds
    of the server's core on average of a round."""

    filled: Filled
    phone: BarePhone
    inbox: str
    key: str
    quiet: list[float] = field(default_factory=list)
    quiet_cpu: list[float] = field(default_factory=list)
    changed: list[float] = field(default_factory=list)
    changed_cpu: list[float] = field(default_factory=list)

    @classmethod
    async def ready(cls, filled: Filled, size: int) -> Subject:
        phone = BarePhone(port=filled.server.port, user=BEN.login, password=BEN.password, device=f"sync{size}")
        await phone.provision()
        inbox = (await phone.folders())[INBOX]
        return cls(filled=filled, phone=phone, inbox=inbox, key=await phone.catch_up(inbox, await phone.prime(inbox)))

    async def ask_quiet(self, times: int) -> None:
        body, before = sync_document(self.key, self.inbox), self.filled.server.cpu_seconds()
        for _ in range(times):
            began = time.perf_counter()
            answer = await self.phone.post("Sync", body)
            self.quiet.append(time.perf_counter() - began)
            if answer.body:
                raise Failed("there is news where none should be")
        self.quiet_cpu.append((self.filled.server.cpu_seconds() - before) / times)

    async def ask_changed(self, times: int, first: int) -> None:
        spent = 0.0
        for number in range(first, first + times):
            await self.filled.deliver(BEN, letter(number))
            body = sync_document(self.key, self.inbox, e("AirSync:WindowSize", "100"))
            began, before = time.perf_counter(), self.filled.server.cpu_seconds()
            answer = await self.phone.post("Sync", body)
            self.changed.append(time.perf_counter() - began)
            spent += self.filled.server.cpu_seconds() - before
            if not answer.body or more_available(answer.body):
                raise Failed("not exactly one window with one message")
            self.key = sync_key(answer.body)
        self.changed_cpu.append(spent / times)

    def forget(self) -> None:
        for values in (self.quiet, self.quiet_cpu, self.changed, self.changed_cpu):
            values.clear()

    @property
    def costs(self) -> tuple[float, ...]:
        """Medians in milliseconds: without a change as seen and of the core, with one likewise."""
        return tuple(1000 * median(v) for v in (self.quiet, self.quiet_cpu, self.changed, self.changed_cpu))


async def measure(sizes: Sequence[int]) -> dict[int, tuple[float, ...]]:
    async with AsyncExitStack() as stack:
        subjects = {}
        for size in sizes:
            filled = await stack.enter_async_context(Filled.folder_of(size))
            subjects[size] = await Subject.ready(filled, size)
        for number in range(ROUNDS):
            if number == WARM:
                for subject in subjects.values():
                    subject.forget()
            for subject in subjects.values():
                await subject.ask_quiet(QUIET)
            for subject in subjects.values():
                await subject.ask_changed(CHANGES, 1_000_000 + number * CHANGES)
        for subject in subjects.values():
            subject.phone.close()
        return {size: subject.costs for size, subject in subjects.items()}


async def main() -> None:
    sizes = [int(text) for text in sys.argv[1:]] or list(SIZES)
    costs = await measure(sizes)
    rows = [("messages", "no change ms", "core ms", "one change ms", "core ms")]
    rows += [(f"{size:,}", *(f"{value:.2f}" for value in values)) for size, values in costs.items()]
    print(table(rows))
    small, large = costs[min(sizes)], costs[max(sizes)]
    for name, one, two in zip(("no change, time", "no change, core", "one change, time", "one change, core"),
                              small, large, strict=True):
        print(verdict(f"{name}, {max(sizes):,} : {min(sizes):,}", f"{two / one:.2f}", f"{TARGET}", two / one <= TARGET))
    print(machine())


if __name__ == "__main__":
    asyncio.run(main())

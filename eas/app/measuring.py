"""Telling the figures of `eas.measures`: of this process, or of all that share a folder.

Several processes on one machine (`eas serve --workers`) each write into files of a folder, and each can tell what all
of them have counted. For whoever starts them:

1. `share(folder)` before the first one is started; what it gives goes into the environment of each child. It must be
   there when the child begins: prometheus-client looks when it is imported. A child that is forked without a new
   interpreter, from a parent which has imported it, does not do.
2. `mark_process_dead(folder, pid)` whenever a child has ended, however it did. What it has counted stays, what it held
   (waits, connections) is gone.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import structlog
from prometheus_client import multiprocess
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from eas import measures

log = structlog.get_logger("eas.measures")

#: Where prometheus-client looks for the folder.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
#: Seconds between two times that a process which shares a folder writes its gauges down: so old may be what another
#: process tells of it.
WRITE_SECONDS = 2.0


def share(folder: Path) -> dict[str, str]:
    """A folder for the processes that are about to be started, empty; what to put into their environment."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file in folder.glob("*.db"):
        file.unlink()
    return {FOLDER: str(folder)}


def mark_process_dead(folder: Path, pid: int) -> None:
    """What that process held is held no more."""
    multiprocess.mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


class Measuring:
    """`looks` are done before the figures are told: each puts something into `measures` that nobody keeps count of. One
    that fails is passed over."""

    def __init__(self, release: str, looks: Sequence[Callable[[], Awaitable[None]]] = ()) -> None:
        self._looks = looks
        self._folder = os.environ.get(FOLDER, "")
        measures.BUILD[release, platform.python_version()] = 1

    @property
    def shared(self) -> bool:
        return bool(self._folder)

    async def expose(self, accept: str) -> tuple[bytes, str]:
        """The figures in the form that an Accept header asks for, with its media type."""
        await self._look()
        encode, media_type = choose_encoder(accept)
        # Some thousand lines take tens of milliseconds.
        return await asyncio.to_thread(encode, _Told(self._folder)), media_type

    async def keep_writing(self) -> None:
        """For a process whose figures others tell. Until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(WRITE_SECONDS)

    async def _look(self) -> None:
        for look in self._looks:
            try:
                await look()
            except Exception as error:  # the other figures are all the more of interest
                log.info("a figure is missing", reason=str(error))
        measures.write_levels()


class _Told(Collector):
    """All that is told. `folder` "" for this process alone."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        if self._folder:
            yield from multiprocess.MultiProcessCollector(None, self._folder).collect()  # type: ignore[no-untyped-call]
            yield from _processes(_living(Path(self._folder)))
        else:
            yield from measures.REGISTRY.collect()
            yield from ProcessCollector(registry=None).collect()


def _living(folder: Path) -> list[str]:
    """The process ids that the files of gauges are named by."""
    return sorted({file.stem.rpartition("_")[2] for file in folder.glob("gauge_live*_*.db")})


def _processes(pids: Iterable[str]) -> Iterator[Metric]:
    """What prometheus-client tells of its own process, of each of these, with its id as a label."""
    families: dict[str, Metric] = {}
    for pid in pids:
        for told in ProcessCollector(registry=None, pid=partial(str, pid)).collect():
            kind = CounterMetricFamily if told.type == "counter" else GaugeMetricFamily
            family = families.setdefault(told.name, kind(told.name, told.documentation, labels=["pid"]))
            for sample in told.samples:
                family.add_sample(sample.name, {"pid": pid}, sample.value)
    yield from families.values()

"""Large sessions: `python tests/bench/bench_sessions.py [EXCHANGES]`.

A session of 100,000 exchanges is made of the small ones of the captured sessions, one after the other, and `eas session
show`, `stats` and `mask` go over it, each in a process of its own. Printed are seconds, exchanges a second, and the
most memory that each had. Target: under 100 MB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from itertools import cycle, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from serving import EAS

from eas.replay.format.model import Exchange
from eas.replay.format.reading import open_session
from eas.replay.format.writing import exchange_text, writer

EXCHANGES, TARGET_MB = 100_000, 100
#: Characters of those that are taken.
SMALL = 4000
LIBRARY = Path(__file__).parents[2] / "fixtures" / "sessions" / "captured"


def samples() -> list[Exchange]:
    found = []
    for file in sorted(LIBRARY.glob("*.session")):
        with open_session(file) as session:
            found += [one for one in session.exchanges if len(exchange_text(one)) < SMALL]
    return found


def make(file: Path, count: int) -> None:
    made = samples()
    with open_session(sorted(LIBRARY.glob("*.session"))[0]) as session, writer(file) as out:
        out.head(session.meta)
        began = made[0].time
        for number, one in enumerate(islice(cycle(made), count), 1):
            out.add(replace(one, number=number, time=began + timedelta(seconds=number)))


def measure(words: list[str]) -> tuple[float, float]:
    """Seconds, and the most megabytes that were resident."""
    began = time.monotonic()
    child = subprocess.Popen([str(EAS), "session", *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode in (0, 1), words
    return time.monotonic() - began, used.ru_maxrss / 1024


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else EXCHANGES
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.session"
        make(file, count)
        print(f"{count} exchanges, {file.stat().st_size / 1e6:.0f} MB; load {os.getloadavg()[0]:.1f}")
        for words in (["show", str(file)], ["stats", str(file)], ["mask", str(file), "-o", str(file.with_name("m"))]):
            seconds, memory = measure(words)
            verdict = "" if memory < TARGET_MB else f", over the target of {TARGET_MB} MB"
            print(f"  {words[0]:<6} {seconds:7.1f} s  {count / seconds:7.0f} a second  {memory:5.0f} MB{verdict}")


if __name__ == "__main__":
    main()

"""A run's result as JUnit XML, as continuous integration reads it: one test case an exchange.

The form that Jenkins, GitLab, GitHub's actions and Azure agree on: `testsuites`, one `testsuite`, `testcase` with
`failure` or `skipped`. An exchange without an answer is a failure too: it was expected, and did not come.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from .outcome import Difference, Outcome
from .report import Spool, Subject, Totals, name_of

#: Differences of one exchange that are written out.
MOST = 200

#: What XML 1.0 cannot hold.
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JunitReport:
    def __init__(self, subject: Subject, spool: Spool) -> None:
        self._subject, self._spool = subject, spool

    def add(self, outcome: Outcome) -> None:
        name = f"{outcome.exchange.number} {name_of(outcome.exchange)}"
        inside = ""
        if outcome.differences:
            kinds = ", ".join(sorted({one.kind.value for one in outcome.differences}))
            told = "\n".join(map(_told, outcome.differences[:MOST]))
            first = outcome.differences[0].message
            inside = f"<failure message={_attribute(first)} type={_attribute(kinds)}>{_text(told)}</failure>"
        elif outcome.skipped:
            inside = f"<skipped message={_attribute(outcome.skipped)}/>"
        head = (f"    <testcase classname={_attribute(self._subject.title)} name={_attribute(name)} "
                f'time="{outcome.seconds:.3f}"')
        self._spool.put(f"{head}>{inside}</testcase>\n" if inside else f"{head}/>\n")

    def end(self, totals: Totals) -> None:
        counts = (f'tests="{totals.exchanges}" failures="{totals.differing}" errors="0" '
                  f'skipped="{totals.skipped}" time="{totals.seconds:.3f}"')
        name = _attribute(self._subject.title)
        facts = "".join(f"      <property name={_attribute(key)} value={_attribute(value)}/>\n"
                        for key, value in self._subject.facts)
        properties = f"    <properties>\n{facts}    </properties>\n" if facts else ""
        sums = counts.replace(f' skipped="{totals.skipped}"', "")  # some schemas have none there
        self._spool.close(
            f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name={name} {sums}>\n'
            f"  <testsuite name={name} {counts}>\n{properties}",
            "  </testsuite>\n</testsuites>\n",
        )


def _told(one: Difference) -> str:
    lines = [one.message, f"  at {one.where}"]
    lines += [f"  {word}: {value}" for word, value in (("expected", one.expected), ("got", one.got)) if value]
    return "\n".join(lines)


def _text(value: str) -> str:
    return escape(_UNSPEAKABLE.sub("\ufffd", value))


def _attribute(value: str) -> str:
    return quoteattr(_UNSPEAKABLE.sub("\ufffd", value))

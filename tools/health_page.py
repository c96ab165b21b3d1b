# ruff: noqa: E501 -- rows of tables are lines
"""docs/health.md from the table of conditions: python tools/health_page.py [FILE]."""

from __future__ import annotations

import sys
from pathlib import Path

from eas.admin.condition_names import ABOUT
from eas.admin.conditions import (
    ERRORS,
    ERRORS_FOR,
    FIRST_FETCH,
    REFUSALS,
    REPEATS,
    SILENT,
    STARTS,
    WAITS,
    WIPE_LATE,
    WRONG,
)

HEAD = """# Is the fleet well, and if not, why?

This page is made by `tools/health_page.py` of the table in `eas/admin/condition_names.py`.

| | |
|---|---|
| how all devices are | `eas health`, the health page, `GET /api/v1/health` |
| which devices have a condition | `eas device list --condition NAME`, `GET /api/v1/health/devices?condition=NAME` |
| what is amiss with one, and what to do | `eas device health USER DEVICE` |
| why it does not sync: folders, backlog, last answers in words, what it costs the battery | `eas device report USER DEVICE` |
| the last 200 requests with their answers | `eas device events USER DEVICE` |
| who waits and who is at it now | `eas top` |

What is shown of the last requests may be some minutes old where several processes answer (`activity.write_seconds`);
errors are written within seconds, and the process that is asked writes down what it knows first. Contents are never kept:
no subjects, no names, no addresses of others.

## What mends a device

| | what happens on the phone |
|---|---|
| `eas device repair USER DEVICE [FOLDER]` | nothing is dropped: all is compared with what it is known to hold, what differs is sent, simplified items are tried again |
| `eas device resync USER DEVICE [FOLDER]` | it drops the folder (or all) and fetches it anew; nothing is there twice |
| `eas device retry USER DEVICE [ITEM]` | items that arrived simplified are sent again, in case they can be converted now |

All of it takes effect at once, also for a phone that waits; begin with `repair`.

## Monitoring

`eas health --line` prints one line and ends with 0 (nothing amiss), 1 (warnings), 2 (critical) or 3 (it cannot be told),
as monitoring plug-ins do. A fleet of some size always has somebody whose phone lies in a drawer: leave out what nobody is
to be woken for.

```
eas health --line --ignore no-sync-for-long --ignore never-finished-first-sync
EAS WARNING: 3 password-wrong-since | devices=412 'no-sync-for-long'=9 ...
```

## The conditions
"""


def page() -> str:
    parts = [HEAD]
    for name, about in ABOUT.items():
        parts.append(
            f"### {name.value}\n\n{about.means} ({about.severity.value})\n\n**What to do.** {about.todo}\n"
        )
    parts.append(
        "## When\n\n"
        "| condition | from when on |\n|---|---|\n"
        f"| no-sync-for-long | {SILENT.days} days |\n"
        f"| never-finished-first-sync | {_hours(FIRST_FETCH.total_seconds())} after it was set up |\n"
        f"| stuck-on-one-key | the same key {REPEATS} times in a row |\n"
        f"| resync-loop | the same folder {STARTS} times in one day |\n"
        f"| folder-fails | {ERRORS} times in a row, for {int(ERRORS_FOR.total_seconds() // 60)} minutes |\n"
        f"| waits-never-held | {WAITS} waits cut off in two days, and hardly any held |\n"
        f"| policy-not-accepted | refused {REFUSALS} times in a row, and no Sync since |\n"
        f"| password-wrong-since | {WRONG} times in a row, and no request since that was let in |\n"
        f"| wipe-pending | at once; critical after {WIPE_LATE.days} days, or when it failed |\n"
        "| storm | as docs/operations.md says; critical while it is sent away |\n"
    )
    return "\n".join(parts)


def _hours(seconds: float) -> str:
    hours = int(seconds // 3600)
    return f"{hours} hour" + ("s" if hours != 1 else "")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())

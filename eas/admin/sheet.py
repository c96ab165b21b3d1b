"""Rows as CSV that a spreadsheet opens without doing anything. RFC 4180; OWASP, CSV Injection."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

#: With what a text begins that a spreadsheet takes for a formula, also in the wide forms of East Asian scripts.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def as_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """A line with the names of the columns, then one for each row; CRLF."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue()


def cell(value: object) -> str:
    """Numbers as they are, true and false, "" for None; a text that looks like a formula gets an apostrophe before it,
    which says that it is a text. Devices name themselves."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text

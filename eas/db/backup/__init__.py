"""A whole database as one file, and back: of either kind, into either kind.

`archive` is the file, `shapes` what tables there are, `dump` and `fill` carry rows between the two. Nothing here knows
a table by name: what the database has is asked of itself, so that a file also tells of tables that came later.
"""

from .archive import Damaged, Header, Reader, TableShape, Writer
from .dump import dump
from .fill import NotEmpty, NotOurs, Unfit, fill
from .shapes import describe

__all__ = [
    "Damaged", "Header", "NotEmpty", "NotOurs", "Reader", "TableShape", "Unfit", "Writer", "describe", "dump", "fill",
]

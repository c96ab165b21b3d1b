"""A list on a page: which part of it is shown, in which order, and the addresses of the other parts.

All of it is in the address of the page (`?q=...&sort=-last_seen&page=2`), so that a view can be kept, sent and printed,
and works without a script.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

#: Rows of a page, unless asked otherwise; and the most that may be asked for.
ROWS, MOST_ROWS = 50, 500
#: The pages beside the one that is shown, to which there is a link.
_NEAR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """`query` is what else stands in the address. `total` counts what the filters leave."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""
    descending: bool = False
    page: int = 1
    rows: int = ROWS
    total: int = 0

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.rows))

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.rows

    @property
    def first(self) -> int:
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        return min(self.offset + self.rows, self.total)

    @property
    def near(self) -> list[int]:
        """Numbers of pages to link to; 0 for those left out between."""
        wanted = sorted(
            number for number in {1, self.pages, *range(self.page - _NEAR, self.page + _NEAR + 1)}
            if 1 <= number <= self.pages
        )
        gaps: list[int] = []
        for number in wanted:
            if gaps and number - gaps[-1] > 1:
                gaps.append(0)
            gaps.append(number)
        return gaps

    def at_page(self, page: int) -> str:
        return self._address(self.sort, self.descending, page)

    def sorted_by(self, key: str) -> str:
        """By that column; the other way round if it is so already."""
        return self._address(key, key == self.sort and not self.descending, 1)

    def whole(self, path: str) -> str:
        """The same choice at another address, without pages: for an export."""
        return _join(path, [*self.query.items(), ("sort", _said(self.sort, self.descending))])

    def _address(self, sort: str, descending: bool, page: int) -> str:
        said = [*self.query.items(), ("sort", _said(sort, descending)), ("page", str(page) if page > 1 else "")]
        if self.rows != ROWS:
            said.append(("rows", str(self.rows)))
        return _join(self.path, said)


def listing(
    path: str, asked: Mapping[str, str], filters: Iterable[str], sorts: Collection[str], default: str, total: int
) -> Listing:
    """What was asked for, kept within what there is: unknown sorts are the default (`-` before it: downwards), pages
    beyond the end the last one."""
    sort = asked.get("sort") or default
    if sort.removeprefix("-") not in sorts:
        sort = default
    rows = min(max(_number(asked.get("rows"), ROWS), 1), MOST_ROWS)
    page = min(max(_number(asked.get("page"), 1), 1), max(1, -(-total // rows)))
    query = {name: asked[name] for name in filters if asked.get(name)}
    return Listing(
        path=path, query=query, sort=sort.removeprefix("-"), descending=sort.startswith("-"), page=page, rows=rows,
        total=total,
    )


def _number(value: str | None, otherwise: int) -> int:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 9 else otherwise


def _said(sort: str, descending: bool) -> str:
    return f"-{sort}" if descending and sort else sort


def _join(path: str, said: Iterable[tuple[str, str]]) -> str:
    query = urlencode([(name, value) for name, value in said if value])
    return f"{path}?{query}" if query else path

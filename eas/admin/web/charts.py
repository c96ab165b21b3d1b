"""Charts as inline SVG, drawn on the server: no script, no style of their own, no request for more.

Everything here is pure: values in, markup out. Each chart says in words what it shows (title, description), has a
legend of text, and the same numbers as a table below it. Colours and dashes come from static/style.css by class, so
that they follow light and dark. All texts are escaped here; what comes out is safe to put into a page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from re import sub

from markupsafe import Markup

#: In units of the drawing; the page scales it. Narrow, so that the letters stay readable on a phone.
WIDTH, HEIGHT = 460.0, 210.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 8.0, 10.0, 24.0
#: Lines across, and words below, at most: more would run into each other.
MOST_TICKS, MOST_LABELS = 5, 6
#: Colours and dashes that the stylesheet has; what comes after the last is drawn as the last.
COLOURS, DASHES = 6, 4
ROW = 26.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line or layer: a value for each label of the chart, None where nothing is known."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`labels` stand below, one for each value of every series, oldest first. `unit` follows the numbers ("ms")."""

    title: str
    description: str
    labels: Sequence[str]
    series: Sequence[Series]
    unit: str = ""


def lines(chart: Chart) -> Markup:
    """A line for each series; a gap where a value is unknown."""
    top = _top(value for series in chart.series for value in series.values)
    return _figure(chart, top, (_curve(series, number, top) for number, series in enumerate(chart.series)))


def areas(chart: Chart) -> Markup:
    """The series one upon the other; unknown values count as nothing."""
    stacked = _stacked(chart.series)
    top = _top(stacked[-1]) if stacked else 1.0
    floors = [[0.0] * len(chart.labels), *stacked]
    drawn = (
        _area(floors[number], ceiling, number, top) for number, ceiling in enumerate(stacked)
    )
    return _figure(chart, top, drawn)


def columns(chart: Chart) -> Markup:
    """A column for each label, the series one upon the other."""
    stacked = _stacked(chart.series)
    top = _top(stacked[-1]) if stacked else 1.0
    floors = [[0.0] * len(chart.labels), *stacked]
    drawn = (
        _columns(floors[number], ceiling, number, top) for number, ceiling in enumerate(stacked)
    )
    return _figure(chart, top, drawn)


def ranking(chart: Chart) -> Markup:
    """A bar from left to right for each label, of the first series: for things that have names instead of times."""
    values = [value or 0.0 for value in (chart.series[0].values if chart.series else ())]
    if not values:
        return _nothing(chart)
    top, name = max(max(values), 1.0), _name(chart.title)
    begin, room = WIDTH * 0.36, WIDTH * 0.64 - 56.0
    rows = Markup("").join(
        _rank(number, label, value, begin, room * value / top, chart.unit)
        for number, (label, value) in enumerate(zip(chart.labels, values, strict=True))
    )
    return Markup('<figure class="chart">{}{}{}</figure>').format(
        _drawing(chart, name, ROW * len(values) + 4.0, rows), Markup(""), _table(chart)
    )


def shorter(value: float) -> str:
    """1234567 as "1.2M": numbers for an axis."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.1f}".removesuffix(".0") + letter
    return f"{value:,.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:,.0f}"


# The scale ----------------------------------------------------------------------------------------------------------


def _top(values: Iterator[float | None] | Sequence[float | None]) -> float:
    """Where the drawing ends: the next round number above all values, never 0."""
    most = max((value for value in values if value is not None), default=0.0)
    step = _step(most)
    return max(ceil(most / step - 1e-9), 1) * step


def _step(most: float) -> float:
    """Between two lines across: 1, 2 or 5 times a power of ten, whole numbers where there are only whole ones."""
    if most <= 0:
        return 1.0
    rough = most / (MOST_TICKS - 1)
    power = 10.0 ** floor(log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough - 1e-12)


def _x(number: int, count: int) -> float:
    room = WIDTH - LEFT - RIGHT
    return LEFT + (room * number / (count - 1) if count > 1 else room / 2)


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value / top)


def _stacked(series: Sequence[Series]) -> list[list[float]]:
    """The upper edge of each layer."""
    edges: list[list[float]] = []
    for one in series:
        below = edges[-1] if edges else [0.0] * len(one.values)
        edges.append([low + (value or 0.0) for low, value in zip(below, one.values, strict=True)])
    return edges


# What is drawn ------------------------------------------------------------------------------------------------------


def _figure(chart: Chart, top: float, drawn: Iterator[Markup]) -> Markup:
    if not chart.labels or not chart.series:
        return _nothing(chart)
    name = _name(chart.title)
    inner = Markup("").join([_axes(chart, top), *drawn, *_slots(chart)])
    legend = _legend(chart.series) if len(chart.series) > 1 else Markup("")
    return Markup('<figure class="chart">{}{}{}</figure>').format(
        _drawing(chart, name, HEIGHT, inner), legend, _table(chart)
    )


def _drawing(chart: Chart, name: str, height: float, inner: Markup) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-labelledby="{name}-t {name}-d">'
        '<title id="{name}-t">{}</title><desc id="{name}-d">{}</desc>{}</svg>'
    ).format(WIDTH, height, chart.title, chart.description, inner, name=name)


def _nothing(chart: Chart) -> Markup:
    return Markup('<p class="empty">{}: nothing to show yet.</p>').format(chart.title)


def _axes(chart: Chart, top: float) -> Markup:
    step = _step(top)
    ticks = [number * step for number in range(round(top / step) + 1)]
    across = Markup("").join(
        Markup('<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
               '<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>').format(
            "line" if tick else "base", LEFT, WIDTH - RIGHT, LEFT - 6, _y(tick, top) + 3.5, shorter(tick),
            y=_y(tick, top),
        )
        for tick in ticks
    )
    count = len(chart.labels)
    below = Markup("").join(
        Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
            _x(number, count), HEIGHT - 7, _anchor(number, count), chart.labels[number]
        )
        for number in _labelled(count)
    )
    return across + below


def _labelled(count: int) -> list[int]:
    """Which labels are written: evenly apart, the last among them."""
    every = max(1, ceil(count / MOST_LABELS))
    return [number for number in range(count) if (count - 1 - number) % every == 0]


def _anchor(number: int, count: int) -> str:
    if count == 1:
        return "middle"
    return "end" if number == count - 1 else "start" if number == 0 else "middle"


def _curve(series: Series, number: int, top: float) -> Markup:
    pieces, count, drawing = [], len(series.values), False
    for at, value in enumerate(series.values):
        if value is not None:
            pieces.append(f"{'L' if drawing else 'M'}{_x(at, count):.1f} {_y(value, top):.1f}")
        drawing = value is not None
    alone = " h0.01" if len(pieces) == 1 else ""
    return Markup('<path class="curve s{} dash{}" d="{}"/>').format(
        _colour(number), min(number + 1, DASHES), "".join(pieces) + alone
    )


def _area(below: Sequence[float], above: Sequence[float], number: int, top: float) -> Markup:
    count = len(above)
    there = "".join(f"{'L' if at else 'M'}{_x(at, count):.1f} {_y(value, top):.1f}" for at, value in enumerate(above))
    back = "".join(f"L{_x(at, count):.1f} {_y(below[at], top):.1f}" for at in reversed(range(count)))
    return Markup('<path class="area s{}" d="{}{}Z"/>').format(_colour(number), there, back)


def _columns(below: Sequence[float], above: Sequence[float], number: int, top: float) -> Markup:
    slot = (WIDTH - LEFT - RIGHT) / len(above)
    return Markup("").join(
        Markup('<rect class="column s{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            _colour(number), LEFT + slot * at + slot * 0.14, _y(high, top), slot * 0.72, _y(low, top) - _y(high, top)
        )
        for at, (low, high) in enumerate(zip(below, above, strict=True))
        if high > low
    )


def _slots(chart: Chart) -> Iterator[Markup]:
    """What a mouse finds over each label: its numbers."""
    count = len(chart.labels)
    width = (WIDTH - LEFT - RIGHT) / max(count, 1)
    for number, label in enumerate(chart.labels):
        said = ", ".join(
            f"{series.name} {_value(series.values[number], chart.unit)}" for series in chart.series
        )
        yield Markup(
            '<g class="slot"><title>{}: {}</title>'
            '<rect class="hit" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/></g>'
        ).format(label, said, LEFT + width * number, TOP, width, HEIGHT - TOP - BOTTOM)


def _rank(number: int, label: str, value: float, begin: float, length: float, unit: str) -> Markup:
    y = ROW * number
    return Markup(
        '<text x="{:.1f}" y="{text:.1f}" text-anchor="end">{}</text>'
        '<rect class="column s1" x="{begin:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="3"/>'
        '<text x="{:.1f}" y="{text:.1f}">{}</text>'
    ).format(
        begin - 8, _cut(label), y + 5, max(length, 1.5), ROW - 9, begin + length + 7, _value(value, unit),
        text=y + ROW / 2 + 5, begin=begin,
    )


def _legend(series: Sequence[Series]) -> Markup:
    marks = Markup("").join(
        Markup('<li><svg viewBox="0 0 24 12" aria-hidden="true">'
               '<rect class="swatch s{}" x="2" y="1" width="20" height="10" rx="3"/></svg>{}</li>').format(
            _colour(number), one.name
        )
        for number, one in enumerate(series)
    )
    return Markup('<ul class="legend">{}</ul>').format(marks)


def _table(chart: Chart) -> Markup:
    """The same in numbers, newest first where there are many."""
    heads = Markup("").join(Markup('<th scope="col" class="number">{}</th>').format(one.name) for one in chart.series)
    rows = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            label,
            Markup("").join(
                Markup('<td class="number">{}</td>').format(_value(one.values[number], chart.unit))
                for one in chart.series
            ),
        )
        for number, label in enumerate(chart.labels)
    )
    return Markup(
        '<details><summary>As a table</summary><div class="scroll" tabindex="0" role="region" aria-label="{}">'
        '<table><thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table></div></details>'
    ).format(chart.title, heads, rows)


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.1f}".removesuffix(".0") + (f" {unit}" if unit else "")


def _cut(label: str, most: int = 26) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"


def _colour(number: int) -> int:
    return min(number + 1, COLOURS)


def _name(title: str) -> str:
    """For ids: each chart of a page has a title of its own."""
    return "chart-" + sub(r"[^a-z0-9]+", "-", title.casefold()).strip("-")


Draw = Callable[[Chart], Markup]
#: By the names that pages use.
KINDS: dict[str, Draw] = {"lines": lines, "areas": areas, "columns": columns, "ranking": ranking}

__all__ = ["KINDS", "Chart", "Draw", "Series", "areas", "columns", "lines", "ranking", "shorter"]

"""Charts: the drawing, the words, the numbers; and nothing that a strict content policy would refuse."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from eas.admin.web.charts import KINDS, Chart, Series, shorter

DAYS = ["16 Nov", "17 Nov", "18 Nov"]


def chart(*values: tuple[float | None, ...], labels: list[str] | None = None, title: str = "Devices") -> Chart:
    return Chart(
        title=title, description="By family, each day.", labels=labels if labels is not None else DAYS,
        series=[Series(name=f"family {number}", values=one) for number, one in enumerate(values)],
    )


def parsed(markup: str) -> etree._Element:
    return etree.fromstring(f"<div>{markup}</div>")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_says_what_it_shows_and_has_its_numbers_as_a_table(kind: str) -> None:
    page = parsed(KINDS[kind](chart((3.0, 4.0, 5.0), (1.0, 0.0, 2.0))))
    (svg,) = page.iterfind(".//svg[@role='img']")
    ids = svg.get("aria-labelledby", "").split()
    assert [svg.xpath(f"string(*[@id='{name}'])") for name in ids] == ["Devices", "By family, each day."]
    assert [head.text for head in page.iterfind(".//tbody//th")] == DAYS
    assert [cell.text for cell in page.iterfind(".//tbody/tr[1]/td")] == ["3", "1"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nothing_of_it_needs_an_inline_style_or_a_script(kind: str) -> None:
    markup = str(KINDS[kind](chart((3.0, None, 5.0))))
    assert not re.search(r"style=|<style|<script|\son\w+=|href=", markup)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_texts_are_escaped(kind: str) -> None:
    hostile = "<script>alert(1)</script>"
    markup = str(KINDS[kind](Chart(
        title=hostile, description=hostile, labels=[hostile], series=[Series(name=hostile, values=[1.0])], unit=hostile
    )))
    assert "<script" not in markup
    assert markup.count("&lt;script&gt;") >= 4


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("labels", [[], ["one"]])
def test_nothing_and_one_value_are_drawn_too(kind: str, labels: list[str]) -> None:
    made = KINDS[kind](chart(tuple(0.0 for _ in labels), labels=labels))
    assert "nan" not in parsed(made).xpath("string()").casefold()
    assert ("nothing to show yet" in made) == (not labels)


def test_a_gap_is_where_nothing_is_known() -> None:
    page = parsed(KINDS["lines"](chart((1.0, None, 3.0, 4.0), labels=["a", "b", "c", "d"])))
    (path,) = page.iterfind(".//path[@d]")
    assert re.sub(r"[-\d. ]", "", path.get("d", "")) == "MML"


def test_layers_lie_upon_each_other_and_under_the_top() -> None:
    page = parsed(KINDS["areas"](chart((10.0, 10.0), (5.0, 7.0), labels=["a", "b"])))
    first, second = [path.get("d", "") for path in page.iterfind(".//path[@d]")]
    upper = re.findall(r"[ML]([\d.]+) ([\d.]+)", first)[:2]
    floor = re.findall(r"[ML]([\d.]+) ([\d.]+)", second)[2:]
    assert upper == floor[::-1]
    heights = [float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", second)]
    assert min(heights) >= 10.0


@pytest.mark.parametrize(("most", "top"), [(0.0, "1"), (3.0, "3"), (17.0, "20"), (999.0, "1,000"), (2_340_000.0, "3M")])
def test_the_scale_ends_at_a_round_number(most: float, top: str) -> None:
    page = parsed(KINDS["lines"](chart((most,), labels=["a"])))
    ticks = [text.text for text in page.iterfind(".//text[@text-anchor='end']")]
    assert ticks[-1] == top
    assert len(ticks) <= 7


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (0.25, "0.25"), (1500, "1,500"), (15_000, "15k"), (1_234_567, "1.2M"), (5e9, "5G")]
)
def test_numbers_of_an_axis_are_short(value: float, said: str) -> None:
    assert shorter(value) == said

"""Parts of a list, and the addresses of the other parts."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from eas.admin.web.listing import MOST_ROWS, Listing, listing


def made(total: int = 213, **asked: str) -> Listing:
    return listing("/admin/devices", asked, ("q", "access"), ("user", "last_seen"), "-last_seen", total)


def test_what_is_asked_for() -> None:
    shown = made(q="anna", sort="user", page="2", other="x")
    assert (shown.sort, shown.descending, shown.page, shown.first, shown.last) == ("user", False, 2, 51, 100)
    assert shown.query == {"q": "anna"}


@pytest.mark.parametrize("page", ["0", "-1", "99", "x", "9" * 30, ""])
def test_a_page_is_always_one_that_there_is(page: str) -> None:
    assert 1 <= made(page=page).page <= 5
    assert made(total=0, page=page).page == 1


@pytest.mark.parametrize("sort", ["password", "-", "user; drop", ""])
def test_an_unknown_order_is_the_usual_one(sort: str) -> None:
    shown = made(sort=sort)
    assert (shown.sort, shown.descending) == ("last_seen", True)


def test_rows_have_a_limit() -> None:
    assert made(rows="100000").rows == MOST_ROWS


def test_a_heading_sorts_and_then_turns_round() -> None:
    shown = made(q="a&b", sort="user", page="3")
    again = parse_qs(urlsplit(shown.sorted_by("user")).query)
    assert again == {"q": ["a&b"], "sort": ["-user"]}
    assert parse_qs(urlsplit(shown.sorted_by("last_seen")).query)["sort"] == ["last_seen"]


def test_pages_keep_filters_and_order() -> None:
    asked = parse_qs(urlsplit(made(q="anna", sort="-user").at_page(4)).query)
    assert asked == {"q": ["anna"], "sort": ["-user"], "page": ["4"]}


def test_far_pages_are_left_out() -> None:
    assert listing("/", {"page": "10"}, (), ("a",), "a", 50 * 20).near == [1, 0, 8, 9, 10, 11, 12, 0, 20]
    assert made(total=10).near == [1]


def test_an_export_has_the_same_choice() -> None:
    assert made(q="anna").whole("/admin/devices.csv") == "/admin/devices.csv?q=anna&sort=-last_seen"

"""Ids towards devices: what was issued is read back, all else is nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.engine.ids import file_reference, parse_file_reference, parse_server_id, server_id

collections = st.from_regex(r"[0-9A-Za-z._-]{1,40}", fullmatch=True)
items = st.integers(1, 2**53)
sections = st.lists(st.integers(1, 99), min_size=0, max_size=5).map(lambda n: ".".join(map(str, n)))


@given(collections, items)
def test_server_ids(collection, item):
    assert len(server_id(collection, item)) <= 64
    assert parse_server_id(server_id(collection, item)) == (collection, item)


@given(collections, items, sections)
def test_file_references(collection, item, section):
    assert parse_file_reference(file_reference(collection, item, section)) == (collection, item, section)


@pytest.mark.parametrize("text", [
    "", ":", "5", "5:", ":7", "5:0", "5:-1", "5:07", "5:7:", "5:7 ", "5:٧", "../5:7", "5:7\n", "5:" + "9" * 70,
])
def test_foreign_server_ids_are_none(text):
    assert parse_server_id(text) is None


@given(st.text(max_size=80))
def test_any_text_is_an_id_or_none(text):
    for parsed in (parse_server_id(text), parse_file_reference(text)):
        assert parsed is None or parsed[1] > 0

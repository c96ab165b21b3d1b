"""Whatever stands in a Timezone element: a zone or BadTimeZone."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items.timezone import BadTimeZone, TimeZoneInformation, blob_of, zone_of_blob

blobs = st.binary(min_size=172, max_size=172).map(lambda packed: base64.b64encode(packed).decode())


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=300), blobs))
def test_only_bad_time_zone_comes_out(text: str) -> None:
    try:
        blob = TimeZoneInformation.parse(text)
    except BadTimeZone:
        return
    zone = zone_of_blob(blob, 2026)
    datetime(2026, 6, 1, tzinfo=UTC).astimezone(zone)
    assert len(base64.b64decode(blob_of(zone, 2026).text)) == 172


numbers = st.integers(0, 12)


@settings(max_examples=150, deadline=None)
@given(st.lists(numbers, min_size=86, max_size=86), st.integers(2020, 2030))
def test_small_numbers_reach_the_rules(words: list[int], year: int) -> None:
    """Blobs of small 16-bit numbers pass the checks more often than random bytes do."""
    text = base64.b64encode(b"".join(n.to_bytes(2, "little") for n in words)).decode()
    try:
        blob = TimeZoneInformation.parse(text)
    except BadTimeZone:
        return
    zone = zone_of_blob(blob, year)
    assert datetime(year, 6, 1, tzinfo=UTC).astimezone(zone).utcoffset() is not None

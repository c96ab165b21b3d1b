"""Places: every part there and back, and what other programs make of them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.items.contentline import Component, Line, parse, serialize
from eas.items.place import PLACE, Place, Where, simplest, whole
from eas.protocol.schema import SchemaError
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

WHERE = Where()
TEXTS = st.none() | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=30)
NUMBERS = st.none() | st.floats(-1000, 1000, allow_nan=False)


@st.composite
def places(draw: st.DrawFn) -> Place:
    return Place(**{f.name: draw(NUMBERS if "float" in str(f.type) else TEXTS) for f in fields(Place)})


@settings(max_examples=80, deadline=None)
@given(places())
def test_a_place_survives_an_object(place: Place) -> None:
    wanted = simplest(place)
    component = Component("VEVENT", [Line("UID", "x")])
    WHERE.dump(whole(wanted), component)
    again = parse(serialize(component))
    assert WHERE.load(again) == wanted
    assert PLACE.load(Element("x", PLACE.dump(wanted, Version.V16_1)), Version.V16_1) == wanted if wanted else True


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("LOCATION:Hall",), "Hall"),
        (("LOCATION:Hall", "GEO:51.5;4.25"), Place(display_name="Hall", latitude=51.5, longitude=4.25)),
        (("LOCATION:Hall", "GEO:95;4"), "Hall"),
        (("LOCATION:Hall", "GEO:x;y"), "Hall"),
        (("LOCATION:Hall", 'X-EAS-PLACE:{"of": "Shed"\\, "city": "Ghent"}'), "Hall"),
        (("LOCATION:Hall", "X-EAS-PLACE:no"), "Hall"),
        (("LOCATION:Hall", 'X-EAS-PLACE:{"of": "Hall"\\, "city": 5\\, "latitude": "x"}'), "Hall"),
        ((), None),
    ],
)
def test_what_others_write(lines: tuple[str, ...], expected: Any) -> None:
    """A structure that belongs to another text is about another place."""
    text = "\r\n".join(("BEGIN:VEVENT", *lines, "END:VEVENT", ""))
    assert WHERE.load(parse(text.encode())) == expected


@pytest.mark.parametrize("value", ["north", "inf", "nan", "1,5"])
def test_a_number_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SchemaError):
        PLACE.load(Element("x", (Element("AirSyncBase:Latitude", value),)), Version.V16_0)


def test_older_versions_see_the_name_or_the_address() -> None:
    assert str(Place(street="Quay 1", city="Antwerp")) == "Quay 1, Antwerp"
    assert str(Place(display_name="Hall", city="Antwerp")) == "Hall"
    assert str(Place(latitude=1.0, longitude=2.0)) == "1.0, 2.0"

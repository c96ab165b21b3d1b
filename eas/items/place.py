"""Where an event takes place: a text up to 14.1, a structure from 16.0, and what an iCalendar object keeps of it.

[MS-ASAIRS] Location R1199-R1226; RFC 5545 LOCATION and GEO. LOCATION has the text that every program shows. What EAS
has beside it stands in X-EAS-PLACE, with the text that it belongs to: when another program changes LOCATION, the rest
is about another place, and is left out. A place of which only the name is known is its name, a plain string.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields, replace
from typing import Any

from eas.protocol.schema import Codec, element, load, plain
from eas.protocol.schema import content as schema_content
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

from .contentline import Component, Line
from .ical import Text, set_value


def _number(text: str) -> float | None:
    """None for an empty element. Raises ValueError, also for what is no number at all."""
    if not text.strip():
        return None
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


#: [MS-ASDTYPE] has no type for it: xs:double.
DOUBLE = plain(_number, repr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """[MS-ASAIRS] Location. Degrees north and east, meters; absent is None."""

    display_name: str | None = element("AirSyncBase:DisplayName", default=None)
    annotation: str | None = element("AirSyncBase:Annotation", default=None)
    street: str | None = element("AirSyncBase:Street", default=None)
    city: str | None = element("AirSyncBase:City", default=None)
    state: str | None = element("AirSyncBase:State", default=None)
    country: str | None = element("AirSyncBase:Country", default=None)
    postal_code: str | None = element("AirSyncBase:PostalCode", default=None)
    latitude: float | None = element("AirSyncBase:Latitude", DOUBLE, default=None)
    longitude: float | None = element("AirSyncBase:Longitude", DOUBLE, default=None)
    accuracy: float | None = element("AirSyncBase:Accuracy", DOUBLE, default=None)
    altitude: float | None = element("AirSyncBase:Altitude", DOUBLE, default=None)
    altitude_accuracy: float | None = element("AirSyncBase:AltitudeAccuracy", DOUBLE, default=None)
    location_uri: str | None = element("AirSyncBase:LocationUri", default=None)

    def __str__(self) -> str:
        """As one line of text: the name, else the address, else whatever there is."""
        address = ", ".join(filter(None, (self.street, self.postal_code, self.city, self.state, self.country)))
        return self.display_name or address or self.annotation or self.location_uri or self._point()

    def _point(self) -> str:
        return "" if self.latitude is None or self.longitude is None else f"{self.latitude}, {self.longitude}"


def simplest(place: Place) -> Place | str | None:
    """The name alone, where nothing else is known; None for nothing at all."""
    # Empty elements inside say as little as absent ones.
    place = replace(place, **{f.name: None for f in fields(Place) if getattr(place, f.name) == ""})
    if place == Place():
        return None
    return place.display_name if place == Place(display_name=place.display_name) else place


def whole(value: Any) -> Any:
    """A place as a structure, from a device that would have said more if there were more."""
    return value if isinstance(value, Place) else Place(display_name=value or None)


def _load(found: Element, version: Version) -> Place | str | None:
    return simplest(load(Place, found, version))


def _dump(value: Place | str, version: Version) -> tuple[Element, ...]:
    return schema_content(value if isinstance(value, Place) else Place(display_name=value), version)


#: An empty structure stands for none: [MS-ASAIRS] R1001013.
PLACE = Codec(_load, _dump)

_LOCATION = Text("LOCATION")
#: Fields that X-EAS-PLACE keeps; the position stands in GEO if there is a whole one.
_KEPT = tuple(f.name for f in fields(Place))
_POSITION = ("latitude", "longitude")


@dataclass(frozen=True, slots=True)
class Where:
    """The rule of a VEVENT's place, both ways."""

    def load(self, component: Component) -> Place | str | None:
        text = _LOCATION.load(component)
        kept = _kept(component, text or "")
        known = {**kept, **_geo(component)}
        if not kept:
            known["display_name"] = text
        return simplest(Place(**known))

    def dump(self, value: Place | str | None, component: Component) -> None:
        """A mere text, of a device that knows no more, leaves GEO alone; a structure says where it is, or that it is
        nowhere (see `whole`)."""
        place = value if isinstance(value, Place) else Place(display_name=value or None)
        text = str(place)
        _LOCATION.dump(text or None, component)
        point = f"{place.latitude!r};{place.longitude!r}"
        whole = bool(_position(point))
        if isinstance(value, Place):
            set_value(component, "GEO", point if whole else None)
        known = {name: getattr(place, name) for name in _KEPT if not (whole and name in _POSITION)}
        known = {name: held for name, held in known.items() if held is not None}
        if place == Place(display_name=place.display_name):
            known = {}
        set_value(component, "X-EAS-PLACE", None)
        if known:
            component.add(Line("X-EAS-PLACE", "").with_text(json.dumps({"of": text, **known}, ensure_ascii=False)))


def _kept(component: Component, text: str) -> dict[str, Any]:
    """The fields of X-EAS-PLACE; none if it belongs to another place, or is no such thing."""
    line = component.first("X-EAS-PLACE")
    try:
        raw = json.loads(line.text()) if line else None
    except ValueError:
        return {}
    if not isinstance(raw, dict) or raw.get("of") != text:
        return {}
    numbers = {f.name for f in fields(Place) if "float" in str(f.type)}
    wanted = {name: (int, float) if name in numbers else (str,) for name in _KEPT}
    return {name: raw[name] for name, kinds in wanted.items() if isinstance(raw.get(name), kinds)}


def _geo(component: Component) -> dict[str, float]:
    line = component.first("GEO")
    return _position(line.value) if line else {}


def _position(point: str) -> dict[str, float]:
    """GEO's value; nothing for what is no point on the globe."""
    try:
        latitude, longitude = (float(piece) for piece in point.split(";"))
    except ValueError:
        return {}
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # False for what is not a number, too
        return {}
    return {"latitude": latitude, "longitude": longitude}

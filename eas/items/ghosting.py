"""Ghosting: which properties of an item a Change leaves alone by not naming them. [MS-ASCMD] Supported, Change."""

from __future__ import annotations

from dataclasses import fields

from eas.protocol.schema import stated
from eas.protocol.version import Version
from eas.protocol.wbxml import Element


def kept_fields(
    item_class: type, supported: tuple[str, ...] | None, always_kept: frozenset[str], version: Version
) -> frozenset[str]:
    """The fields of `item_class` that keep their stored value when a Change does not name them.

    `supported` are the tags of the Supported element that came with key 0, such as "Contacts:FirstName". None: it was
    absent, nothing is ghosted and what a Change leaves out is removed (R5906). (): it was empty, all is ghosted
    (R5909). Else what it lists is the device's to remove, and all other fields are ghosted (R5907, R5908); tags that
    are none of the class count for nothing.

    `always_kept` are the fields that stay by the rules of their class whatever Supported says (R878). Fields that
    `version` cannot spell stay too: a device cannot remove what it has never seen.

    Calendar items from 16.0 on are all ghosted (R6236, R7309): give (). Tasks and notes have no ghosting: give None.
    """
    spelled = [f for f in fields(item_class) if "spellings" in f.metadata]
    names = frozenset(f.name for f in spelled)
    if supported == ():
        return names
    tags = supported
    if tags is None:
        tags = tuple(spelling.within or spelling.tag for f in spelled for spelling in f.metadata["spellings"])
    managed = stated(item_class, Element("AirSync:Supported", tuple(Element(tag) for tag in tags)), version)
    return (names - managed) | (always_kept & names)

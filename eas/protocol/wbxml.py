"""WBXML <-> Element. (Element first; the codec follows.)"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Element:
    """One element: `tag` as "AirSync:Sync"; `content` text, opaque bytes, or child elements; empty is ()."""

    tag: str
    content: str | bytes | tuple[Element, ...] = ()

    @property
    def elements(self) -> tuple[Element, ...]:
        """The child elements; none for text and opaque content."""
        return self.content if isinstance(self.content, tuple) else ()

    def children(self, tag: str) -> Iterator[Element]:
        return (child for child in self.elements if child.tag == tag)

    def child(self, tag: str) -> Element | None:
        return next(self.children(tag), None)

    @property
    def text(self) -> str:
        """The text content; opaque content is read as UTF-8 with replacement; "" for an element with children."""
        if isinstance(self.content, str):
            return self.content
        return self.content.decode("utf-8", "replace") if isinstance(self.content, bytes) else ""

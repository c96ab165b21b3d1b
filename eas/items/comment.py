"""The comments of appointments, tasks and journals: DESCRIPTION, and its HTML form where there is one.

HTML stands in X-ALT-DESC;FMTTYPE=text/html (Outlook) or in the ALTREP of DESCRIPTION as a data: address (Thunderbird).
"""

from __future__ import annotations

from urllib.parse import unquote

from .body import Body, BodyType, Source, body_html, body_text
from .contentline import Component, Line
from .ical import Text
from .native import Refused

DESCRIPTION = Text("DESCRIPTION")
_ALTREP = "data:text/html,"


def source(component: Component) -> Source | None:
    """The comments as they are stored; None if there are none."""
    line = component.first("DESCRIPTION")
    text = line.text() if line else None
    html = _html(component)
    return Source(text=text, html=html) if text or html else None


def dump(component: Component, body: Body | None) -> None:
    """Store what the device sent; None removes the comments. Data that is missing, and data that was cut, keep them:
    [MS-ASCMD] Change (Body and Data are kept when absent). Raises Refused for RTF that cannot be read."""
    held = source(component)
    if body is not None and (body.data is None or (body.truncated and held)):
        return
    try:
        text = body_text(body).replace("\r\n", "\n") if body else ""
        html = body_html(body) if body and body.type is not BodyType.TEXT else None
    except ValueError as error:  # RTF that is none
        raise Refused(f"a body that cannot be read: {error}") from error
    if held and _equal(held, body, text, html):
        return
    for line in component.find("X-ALT-DESC"):
        component.remove(line)
    DESCRIPTION.dump(text.strip("\n") or None, component)
    if html and html.strip():
        component.add(Line("X-ALT-DESC", "", (("FMTTYPE", ("text/html",)),)).with_text(html))


def _html(component: Component) -> str | None:
    for line in component.find("X-ALT-DESC"):
        if (line.param("FMTTYPE") or "").lower() == "text/html":
            return line.text() or None
    described = component.first("DESCRIPTION")
    altrep = (described.param("ALTREP") or "") if described else ""
    if altrep[: len(_ALTREP)].lower() == _ALTREP:
        return unquote(altrep[len(_ALTREP) :]) or None
    return None


def _equal(held: Source, body: Body | None, text: str, html: str | None) -> bool:
    """Whether the device sent back what it was shown; line ends and blank lines around do not count."""
    if body is None:
        return False
    if html is not None and held.html is not None and html.split() == held.as_html().split():
        return True
    return text.strip() == held.as_text().strip() and (html is None or held.html is None)

"""The document library that the cases on MS-ASDOC look into: what `Lab.documents` must point to.

    plan.txt       PLAN                sub/inner.txt  INNER
    empty.txt      nothing             .secret.txt, .attic   hidden, a document and a folder
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab import Inapplicable, Lab
from wire import e

from eas.protocol.wbxml import Element

PLAN = b"0123456789abcdef" * 8
INNER = b"within"


def furnish(folder: Path) -> None:
    """Put all that into an empty folder."""
    (folder / "plan.txt").write_bytes(PLAN)
    (folder / "empty.txt").write_bytes(b"")
    (folder / ".secret.txt").write_bytes(b"hidden")
    (folder / "sub").mkdir()
    (folder / "sub" / "inner.txt").write_bytes(INNER)
    (folder / ".attic").mkdir()


def link_to(lab: Lab, *names: str) -> str:
    """The link of the folder, or of something in it, in the form in which the folder's is. Raises Inapplicable."""
    if not lab.documents:
        raise Inapplicable("no document library was named")
    mark = "\\" if lab.documents.startswith("\\\\") else "/"
    return mark.join((lab.documents, *names))


def asking(link: str | None, *options: Any, value: bool = True) -> Element:
    """A Search of the document library. `link` None leaves the LinkId out; `value` says whether Value holds it."""
    named = () if link is None else (Element("DocumentLibrary:LinkId", () if value else link),)
    equal = e("EqualTo", *named, *((e("Value", link or "x"),) if value else ()))
    return e(
        "Search:Search",
        e("Store", e("Name", "DocumentLibrary"), e("Query", equal), *((e("Options", *options),) if options else ())),
    )


def fetching(link: str | None, *options: Any) -> Element:
    named = () if link is None else (e("DocumentLibrary:LinkId", link),)
    asked = e("Options", *options) if options else None
    return e(
        "ItemOperations:ItemOperations",
        e("Fetch", e("Store", "DocumentLibrary"), *named, *((asked,) if asked is not None else ())),
    )

"""Made-up messages for the tests of mail, as a backend would hand them over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from eas.items import mime
from eas.items.body import BodyPreference, BodyType, Wanted
from eas.items.email import Email, render
from eas.items.native import Mail, MailFlags, Part, Viewer
from eas.protocol.version import Version

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "mail"
NOW = datetime(2024, 7, 1, 12, tzinfo=UTC)
JANE = Viewer(addresses=("jane@example.com", "j.doe@example.com"), name="Jane Doe", zone="Europe/Berlin", now=NOW)

TEXT, HTML, RTF, MIME = BodyType.TEXT, BodyType.HTML, BodyType.RTF, BodyType.MIME


def raw(name: str) -> bytes:
    return (FOLDER / f"{name}.eml").read_bytes()


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.eml"))


def prefer(*preferences: BodyPreference, **more: object) -> Wanted:
    return replace(Wanted(preferences=preferences), **more)  # type: ignore[arg-type]


def as_type(
    kind: BodyType, size: int | None = None, *, preview: int | None = None, all_or_none: bool | None = None
) -> BodyPreference:
    return BodyPreference(type=kind, truncation_size=size, preview=preview, all_or_none=all_or_none)


def mail(message: bytes, wanted: Wanted, flags: MailFlags | None = None) -> Mail:
    """Only what is wanted is loaded, and only so much of it."""
    structure = mime.structure(message)
    sections = {}
    for section, octets in mime.sections_wanted(structure, wanted).items():
        if not section:
            sections[""] = message[:octets]
        else:
            part = mime.part_at(structure, section)
            assert part is not None
            sections[section] = mime.cut_from(message, part, octets)
    return Mail(
        id=1, version="1", flags=flags or MailFlags(), received=NOW, size=len(message),
        header=message[: mime.header_end(message)], structure=structure, sections=sections,
    )  # fmt: skip


def reference(part: Part) -> str:
    return f"7:{part.section}"


def show(
    message: bytes | str, wanted: Wanted | None = None, version: Version = Version.V14_1,
    flags: MailFlags | None = None, viewer: Viewer = JANE,
) -> Email:  # fmt: skip
    """A message (by name of its file, or as bytes) as a device sees it."""
    octets = raw(message) if isinstance(message, str) else message
    wanted = wanted or Wanted()
    return render(mail(octets, wanted, flags), wanted, viewer, version, reference)

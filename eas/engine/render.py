"""Items as a device sees them: native form -> ApplicationData, with a degraded form for what cannot be converted.

No item disappears in silence: one that cannot be read, or whose conversion fails, is shown with what can be read of it
and a notice; the reason goes to the log and to the caller.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import structlog

from eas.items import draft, email, old_bodies
from eas.items.body import BodyPreference, BodyType, Wanted
from eas.items.native import Item, ItemId, Mail, Part, Record, Unreadable
from eas.protocol import schema, wbxml
from eas.protocol.wbxml import Element

from . import outdated
from .classes import EMAIL, RecordClass, record_class
from .ids import file_reference
from .model import CollectionId, Folder
from .session import Session

log = structlog.get_logger("eas.render")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """`content` are the children of ApplicationData. `version` is what was rendered; `reason` is "" unless degraded."""

    id: ItemId
    version: str
    content: tuple[Element, ...]
    reason: str = ""


async def render_items(
    session: Session, folder: Folder, ids: Sequence[ItemId], wanted: Wanted | None
) -> AsyncGenerator[Rendered, None]:
    """The items in the order asked for; those that are gone are left out. `wanted` None gives a message's flags
    only."""
    async for item in session.mailbox.feed(folder).fetch(ids, wanted):
        rendered = render_item(session, folder, item, wanted)
        if isinstance(item, Mail):
            rendered = replace(rendered, content=await outdated.checked(session, item, rendered.content))
        yield rendered


def render_item(session: Session, folder: Folder, item: Item, wanted: Wanted | None) -> Rendered:
    if isinstance(item, Mail):
        return _mail(session, folder.id, item, wanted)
    return render_record(session, record_class(folder), item, wanted or Wanted(), folder.id)


def _mail(session: Session, collection: CollectionId, mail: Mail, wanted: Wanted | None) -> Rendered:
    version, viewer = session.version, session.viewer

    def reference(part: Part) -> str:
        name = draft.reference(part) if mail.flags.draft else part.section
        return file_reference(collection, mail.id, name)

    reason = ""
    try:
        if wanted is None:
            message = email.render_flags(mail.flags, version)
        else:
            message = email.render(mail, wanted, viewer, version, reference)
        content = schema.content(message, version)
    except Exception as error:  # whatever a message does to the mapping, the folder goes on
        reason = _reason(error, EMAIL, collection, mail.id)
        message = email.degraded(mail, reason, viewer, version, reference)
        content = schema.content(message, version)
    return Rendered(id=mail.id, version=mail.version, content=content, reason=reason)


def render_record(
    session: Session, kind: RecordClass, record: Record, wanted: Wanted, collection: CollectionId
) -> Rendered:
    """`version` of the result is "<version> <digest>": the digest tells whether anything that a device sees differs."""
    reason = ""
    try:
        message = kind.from_native(record.data, wanted, session.viewer, session.version)
        if session.version in old_bodies.OLD_BODIES:
            message = old_bodies.sized(message)
        if kind.referred is not None:
            message = kind.referred(message, lambda section: file_reference(collection, record.id, section))
        content = schema.content(message, session.version)
        seen = seen_as(record.version, content) + (LAID_OUT if getattr(message, "laid_out", False) else "")
    except Exception as error:  # as above: an item whose conversion raises arrives degraded
        reason = _reason(error, kind.name, collection, record.id)
        content = schema.content(kind.degraded(record.data, reason), session.version)
        seen = seen_as(record.version, content)
    return Rendered(id=record.id, version=seen, content=content, reason=reason)


def _reason(error: Exception, item_class: str, collection: CollectionId, id: ItemId) -> str:
    if isinstance(error, Unreadable):
        log.info("item degraded", item_class=item_class, collection=collection, item=id, reason=str(error))
        return str(error)
    log.warning("item degraded", item_class=item_class, collection=collection, item=id, exc_info=error)
    return f"conversion failed ({type(error).__name__})"


def digest(content: Sequence[Element]) -> str:
    """Equal for contents that a device cannot tell apart. 12 characters: two forms of one item are compared, not
    many."""
    encoded = wbxml.encode(Element("AirSync:ApplicationData", tuple(content)))
    return blake2b(encoded, digest_size=6).hexdigest()


def seen_as(version: str, content: Sequence[Element]) -> str:
    """The version of a record with the digest of how it looks."""
    return f"{version} {digest(content)}"


#: Ends the digest of an item that looks otherwise when time has passed, though nobody touched it: the stretch that is
#: shown of a series without words of its own.
LAID_OUT = "~"

#: In the place of a digest: the device holds another form of this version than the server, and is to hear of it.
UNLIKE = "-"


#: In the place of a digest: whether the device holds this item at all is not known (eas.engine.repair). It is deleted
#: there, and if it exists comes as new with a later key.
DOUBTED = "!"


def doubted(version: str) -> str:
    """`version` as with `unlike`."""
    return f"{version} {DOUBTED}"


def unlike(version: str) -> str:
    """What is known of an item that the device must hear of again. `version` is that which the device's own form
    descends from, "?" if there is none: a later change by the device is a conflict only if that one is no longer
    stored."""
    return f"{version} {UNLIKE}"


def version_part(known: str) -> str:
    """The backend's version within what is known of a record."""
    return known.rpartition(" ")[0]


def digest_part(known: str) -> str:
    return known.rpartition(" ")[2]


def without_body_limits(wanted: Wanted) -> Wanted:
    """For Fetch, which gives the whole item, as far as a policy lets it. [MS-ASCMD] Fetch (Sync)."""
    return replace(wanted, whole=True)


_NOTHING_OF_TEXT = BodyPreference(type=BodyType.TEXT, truncation_size=0)


def preview_only(wanted: Wanted) -> Wanted:
    """For mail that is there only for its conversation's sake: no body, but a BodyPart if that is asked for.
    [MS-ASCMD] ConversationMode (Sync) R2108; [MS-ASCON] R242"""
    preferences = tuple(
        replace(preference, truncation_size=0, all_or_none=None)
        for preference in wanted.preferences if preference.type is not BodyType.MIME
    )
    if not preferences and wanted.part_preference is None:
        preferences = (_NOTHING_OF_TEXT,)
    return replace(wanted, preferences=preferences, mime_support=0)

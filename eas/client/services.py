"""What a device asks beside folders and items: people, searches, the out-of-office note, the account's addresses.

[MS-ASCMD] Search, Settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from eas.commands import _mailbox_search, _people, find, settings
from eas.commands import _search_messages as search
from eas.engine.model import Audience
from eas.items.body import BodyPreference, BodyType
from eas.protocol.schema import SchemaError, content, dump, load
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

from .device import APPLICATION_DATA, Folder, Item
from .errors import BadAnswer, Refusal
from .phone import Phone

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One item that a search found. `collection_id` and `item_class` are those of its folder."""

    long_id: str
    collection_id: str
    item_class: str
    item: Item


async def search_people(
    phone: Phone, text: str, *, count: int = 100, pictures: bool = False, max_picture: int | None = None
) -> list[_people.Entry]:
    """Entries of the address list. `pictures` from 14.1 on, none larger than `max_picture` octets. Raises Refusal."""
    picture = search.PictureOptions(max_size=max_picture) if pictures and phone.version >= Version.V14_1 else None
    options = search.Options(range=f"0-{count - 1}", picture=picture)
    store = await _search(phone, search.Store(name="GAL", query=Element("Search:Query", text), options=options))
    try:
        return [load(_people.Entry, r.properties, phone.version) for r in store.results if r.properties is not None]
    except SchemaError as error:
        raise BadAnswer(f"Search: {error}") from error


async def search_mailbox(
    phone: Phone,
    text: str,
    *,
    folders: Sequence[Folder] = (),
    deep: bool = True,
    classes: Sequence[str] = ("Email",),
    start: int = 0,
    count: int = 100,
) -> tuple[list[Hit], int]:
    """Items in which the words occur, and how many there are in all. Raises Refusal."""
    query = _mailbox_search.And(classes=tuple(classes), collections=tuple(f.id for f in folders), free_text=text)
    inside = Element("Search:And", content(query, phone.version))
    options = search.Options(
        range=f"{start}-{start + count - 1}", deep=deep or None,
        preferences=(BodyPreference(type=BodyType.TEXT, truncation_size=512),),
    )
    store = await _search(
        phone, search.Store(name="Mailbox", query=Element("Search:Query", (inside,)), options=options)
    )
    hits = [
        Hit(
            long_id=result.long_id or "", collection_id=result.collection_id or "", item_class=result.item_class or "",
            item=Item(server_id=result.long_id or "", data=Element(APPLICATION_DATA, result.properties.content)),
        )
        for result in store.results
        if result.properties is not None and result.properties.elements
    ]
    return hits, store.total if store.total is not None else len(hits)


async def find_messages(
    phone: Phone, query: str, *, search_id: str, folder: Folder | None = None, deep: bool = True, start: int = 0,
    count: int = 100,
) -> tuple[Sequence[find.Result], int]:
    """Messages by a query in the Keyword Query Language, and how many there are in all; 16.1. Raises Refusal."""
    asked = find.MailCriterion(
        query=find.Query(free_text=query, item_class="Email", collection_id=folder.id if folder else None),
        options=find.Options(range=f"{start}-{start + count - 1}", deep=deep or None),
    )
    response = await phone.must("Find", find.Request(search_id=search_id, mail=asked), find.Response)
    if response.found is None or response.found.status is not find.Status.SUCCESS:
        raise Refusal("Find", response.found.status if response.found else 0)
    return response.found.results, response.found.total or 0


async def _search(phone: Phone, store: search.Store) -> search.StoreResponse:
    response = await phone.must("Search", search.Request(store=store), search.Response)
    if response.status is not search.Status.SUCCESS or response.store is None:
        raise Refusal("Search", response.status)
    if response.store.status is not search.StoreStatus.SUCCESS:
        raise Refusal("Search", response.store.status, "of the store")
    return response.store


async def out_of_office(phone: Phone) -> settings.OofSettings:
    """Raises Refusal."""
    get = dump("Settings:Get", settings.OofGet(body_type="Text"), phone.version)
    answer = await _setting(phone, settings.Oof(get=get), settings.OofResponse)
    if answer.settings is None:
        raise Refusal("Settings", answer.status)
    return answer.settings


async def set_out_of_office(phone: Phone, text: str | None, *, to: Sequence[Audience] = tuple(Audience)) -> None:
    """Answer everybody in `to` with the text from now on; None switches the note off. Raises Refusal."""
    messages = tuple(
        settings.OofMessage(
            internal=audience is Audience.INTERNAL or None,
            external_known=audience is Audience.EXTERNAL_KNOWN or None,
            external_unknown=audience is Audience.EXTERNAL_UNKNOWN or None,
            enabled=True, reply=text, body_type="Text",
        )
        for audience in to
    )
    wanted = settings.OofSet(state=0) if text is None else settings.OofSet(state=1, messages=messages)
    answer = await _setting(
        phone, settings.Oof(set=dump("Settings:Set", wanted, phone.version)), settings.OofResponse
    )
    if answer.status is not settings.Status.SUCCESS:
        raise Refusal("Settings", answer.status)


async def addresses(phone: Phone) -> tuple[str, ...]:
    """The user's own addresses, the primary one first where the version tells it. Raises Refusal."""
    answer = await _setting(phone, settings.UserInformation(get=True), settings.UserInformationResponse)
    if answer.got is None:
        raise Refusal("Settings", answer.status)
    said = answer.got.email_addresses or (answer.got.accounts[0].email_addresses if answer.got.accounts else None)
    if said is None:
        return ()
    first = (said.primary,) if said.primary else ()
    return tuple(dict.fromkeys((*first, *said.addresses)))


async def _setting(phone: Phone, asked: settings.Property, kind: type[R]) -> R:
    response = await phone.must("Settings", settings.Request(properties=(asked,)), settings.Response)
    for answer in response.properties:
        if isinstance(answer, kind):
            return answer
    raise Refusal("Settings", response.status)

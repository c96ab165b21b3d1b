"""Document libraries in Search and ItemOperations: links to documents on file shares and document servers.

The admin names the shares and servers; nothing else is ever fetched, whatever a LinkId says.
[MS-ASDOC]; [MS-ASCMD] EqualTo; LinkId; UserName; Password; Result (Search) R3853-R3858; Range (Search) R3734.
"""

from __future__ import annotations

from dataclasses import dataclass

from eas.engine import errors
from eas.engine.session import Session
from eas.items.documents import MAX_LINK, Login
from eas.protocol import schema
from eas.protocol.schema import SchemaError, element, message
from eas.protocol.wbxml import Element

from ._search_messages import Refused, Result, Store, StoreResponse, StoreStatus, shown, window

#: Documents that one answer has at most, and those that it has without a Range. R3734
MAX_RESULTS = 1000

#: Characters. [MS-ASCMD] UserName (Search) R4719, Password (ItemOperations) R3653.
MAX_USER, MAX_PASSWORD = 100, 256

STATUS_OF: dict[type[errors.BackendError], StoreStatus] = {
    errors.BadLink: StoreStatus.BAD_LINK,
    errors.NotAllowed: StoreStatus.ACCESS_DENIED,
    errors.ItemGone: StoreStatus.NOT_FOUND,
    errors.Unreachable: StoreStatus.UNREACHABLE,
    errors.TooLarge: StoreStatus.TOO_COMPLEX,
    errors.TimedOut: StoreStatus.TIMED_OUT,
    errors.Blocked: StoreStatus.ACCESS_BLOCKED,
    errors.CredentialsRequired: StoreStatus.CREDENTIALS_REQUIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualTo:
    """`link` names the property, which is LinkId; some clients put the value there."""

    link: str = element("DocumentLibrary:LinkId")
    value: str = element("Search:Value", default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentQuery:
    equal: EqualTo = element("Search:EqualTo", message(EqualTo))


async def search_documents(store: Store, session: Session) -> StoreResponse:
    """What the link points to, and then what lies in it (R3853, R3855, R3858). Raises Refused."""
    try:
        asked = schema.load(DocumentQuery, store.query, session.version)
    except SchemaError:
        raise Refused(StoreStatus.INVALID_REQUEST) from None  # [MS-ASDOC] R85
    link = (asked.equal.value or asked.equal.link).strip()
    try:
        login = login_of(store.options.user, store.options.password)
    except ValueError:
        raise Refused(StoreStatus.INVALID_REQUEST) from None
    if not link or len(link) > MAX_LINK:
        raise Refused(StoreStatus.BAD_LINK if link else StoreStatus.INVALID_REQUEST)
    start, count = window(store.options.range, MAX_RESULTS)
    if session.documents is None:
        raise Refused(StoreStatus.ACCESS_BLOCKED)
    try:
        found, total = await session.documents.listing(link, login, start, count)
    except tuple(STATUS_OF) as error:
        raise Refused(STATUS_OF[type(error)]) from error
    results = [
        Result(properties=Element("Search:Properties", schema.content(document, session.version)))
        for document in found
    ]
    return shown(results, start, total)


def login_of(user: str | None, password: str | None) -> Login | None:
    """None without a name. Raises ValueError for what is too long."""
    if len(user or "") > MAX_USER or len(password or "") > MAX_PASSWORD:
        raise ValueError("a name or password that is too long")
    return Login(user=user, password=password or "") if user else None

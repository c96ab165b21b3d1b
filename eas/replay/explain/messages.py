"""Messages that cannot be read, that have what their version lacks, or in which elements stand in the wrong order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from eas.protocol import http
from eas.protocol.codepages import SPOKEN
from eas.protocol.version import Version
from eas.protocol.wbxml import Element
from eas.replay.format.model import Answer, Binary, Request, header
from eas.replay.showing.seen import Seen

from .findings import Name, Sign

#: Children that the peers read in this order, by the element that they stand in; others may stand anywhere.
#: [MS-ASCMD] and [MS-ASAIRS], the schemas of each.
ORDER: Mapping[str, tuple[str, ...]] = {
    "AirSync:Collection": ("AirSync:SyncKey", "AirSync:CollectionId", "AirSync:Status", "AirSync:Commands"),
    "AirSyncBase:BodyPreference": (
        "AirSyncBase:Type", "AirSyncBase:TruncationSize", "AirSyncBase:AllOrNone", "AirSyncBase:Preview",
    ),
    "FolderHierarchy:FolderSync": ("FolderHierarchy:Status", "FolderHierarchy:SyncKey", "FolderHierarchy:Changes"),
    "Ping:Ping": ("Ping:Status", "Ping:Folders", "Ping:MaxFolders"),
    "Move:Response": ("Move:SrcMsgId", "Move:Status", "Move:DstMsgId"),
    "Provision:Policy": ("Provision:PolicyType", "Provision:Status", "Provision:Data"),
}
_RANK = {parent: {tag: rank for rank, tag in enumerate(tags)} for parent, tags in ORDER.items()}
_SIDES = ("request", "answer")


class Messages:
    def see(self, one: Seen) -> Iterator[Sign]:
        exchange = one.exchange
        messages: tuple[Request | Answer, ...] = (exchange.request, exchange.answer)
        for side, message in zip(_SIDES, messages, strict=True):
            if isinstance(message.body, Binary) and (why := _why(message)):
                yield Sign(Name.UNDECODABLE, f"the {side} of {one.command}: {why}")
        for side, root in zip(_SIDES, (one.asked, one.told), strict=True):
            if root is not None:
                yield from _strange(one, side, root)

    def end(self) -> Iterable[Sign]:
        return ()


def _why(message: Request | Answer) -> str:
    assert isinstance(message.body, Binary)
    is_wbxml = http.is_wbxml(header(message.headers, "Content-Type"))
    return message.body.why or ("no WBXML" if is_wbxml else "")


def _strange(one: Seen, side: str, root: Element) -> Iterator[Sign]:
    wrong: set[str] = set()
    disordered: set[str] = set()
    _walk(root, one.version, wrong, disordered)
    for tag in sorted(wrong):
        said = one.version.text if one.version else ""
        yield Sign(Name.WRONG_VERSION, f"{tag} in the {side} of {one.command}, version {said}")
    for text in sorted(disordered):
        yield Sign(Name.WRONG_ORDER, f"{text}, in the {side} of {one.command}")


def _walk(element: Element, version: Version | None, wrong: set[str], disordered: set[str]) -> None:
    spoken = SPOKEN.get(element.tag)
    if spoken is not None and version is not None and version not in spoken:
        wrong.add(element.tag)
    ranks, highest, last = _RANK.get(element.tag), -1, ""
    for child in element.elements:
        _walk(child, version, wrong, disordered)
        rank = ranks.get(child.tag) if ranks is not None else None
        if rank is None:
            continue
        if rank < highest:
            disordered.add(f"{child.tag} behind {last.partition(':')[2]}")
        else:
            highest, last = rank, child.tag

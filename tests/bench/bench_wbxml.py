"""Times of the WBXML codec: `python tests/bench/bench_wbxml.py`.

Prints the best of several runs for decoding and encoding a Sync answer with 100 mails (about 450 KB, 25 elements a
mail), a Ping request, and a Sync request that asks one folder for news.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from eas.protocol.wbxml import Element, decode, encode

Content = str | bytes | tuple[Element, ...]


def _elements(namespace: str, **contents: Content) -> tuple[Element, ...]:
    return tuple(Element(f"{namespace}:{name}", content) for name, content in contents.items())


def mail(number: int) -> Element:
    """One mail as an Add: 25 elements, an HTML body of about 4 KB."""
    paragraph = f"<p>Guten Tag, hier ist Nachricht {number}: Grüße, Termine &amp; Zahlen für die nächste Woche.</p>\r\n"
    html = f"<html><body>{paragraph * 40}</body></html>"
    body = _elements(
        "AirSyncBase", Type="2", EstimatedDataSize=str(len(html)), Truncated="1", Data=html, Preview="Guten Tag, hier"
    )
    flag = _elements("Email", Status="0", FlagType="Flag for follow up")
    data = (
        *_elements(
            "Email",
            To=f'"Empfänger {number}" <recipient{number}@example.com>',
            From='"Jürgen Absender" <sender@example.com>',
            Subject=f"Re: Projektbesprechung Nummer {number}",
            DateReceived="2024-05-17T08:35:00.000Z",
            DisplayTo=f"Empfänger {number}",
            ThreadTopic="Projektbesprechung",
            Importance="1",
            Read="0",
        ),
        Element("AirSyncBase:Body", body),
        *_elements("Email", MessageClass="IPM.Note", InternetCPID="65001", Flag=flag, ContentClass="urn:content-class"),
        Element("AirSyncBase:NativeBodyType", "2"),
        *_elements("Email2", ConversationId=bytes(range(16)), ConversationIndex=bytes(range(22))),
    )
    return Element("AirSync:Add", _elements("AirSync", ServerId=f"7:{number}", ApplicationData=data))


def sync_answer(mails: int) -> Element:
    added = tuple(mail(number) for number in range(mails))
    collection = _elements("AirSync", SyncKey="{a9b6e2}17", CollectionId="7", Status="1", Commands=added)
    return Element("AirSync:Sync", _elements("AirSync", Collections=_elements("AirSync", Collection=collection)))


def ping() -> Element:
    folders = tuple(
        Element("Ping:Folder", _elements("Ping", Id=str(number), Class=name))
        for number, name in enumerate(("Email", "Calendar", "Contacts", "Tasks"), 1)
    )
    return Element("Ping:Ping", _elements("Ping", HeartbeatInterval="470", Folders=folders))


def sync_request() -> Element:
    collection = _elements("AirSync", SyncKey="{a9b6e2}17", CollectionId="7", GetChanges="", WindowSize="25")
    return Element("AirSync:Sync", _elements("AirSync", Collections=_elements("AirSync", Collection=collection)))


def count(element: Element) -> int:
    return 1 + sum(count(child) for child in element.elements)


def best_microseconds(work: Callable[[], object], times: int, runs: int = 9) -> float:
    """The fastest of `runs`, each of `times` calls, for one call: what the machine can do when nothing disturbs it."""
    work()
    fastest = float("inf")
    for _ in range(runs):
        began = perf_counter()
        for _ in range(times):
            work()
        fastest = min(fastest, perf_counter() - began)
    return fastest / times * 1e6


def main() -> None:
    cases = {"Sync answer, 100 mails": sync_answer(100), "Ping request": ping(), "Sync request": sync_request()}
    print(f"{'':<24}{'bytes':>9}{'elements':>10}{'decode us':>12}{'encode us':>12}")
    for name, root in cases.items():
        data = encode(root)
        assert decode(data) == root
        times = max(1, 20_000 // count(root))
        decoding = best_microseconds(lambda data=data: decode(data), times)
        encoding = best_microseconds(lambda root=root: encode(root), times)
        print(f"{name:<24}{len(data):>9}{count(root):>10}{decoding:>12.1f}{encoding:>12.1f}")


if __name__ == "__main__":
    main()

"""[MS-ASAIRS] BodyPreference, Body, BodyPartPreference, BodyPart: in Sync, ItemOperations and Search."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterable

from boxes_kit import INBOX, MAIL_SECONDS, Box, box, child_text, local, received, send_mime
from lab import FROM_12, FROM_12_1, FROM_14, FROM_14_1, Lab, case
from mail_cases_kit import options, text_of, under
from wire import Got, e

from eas.protocol import http
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

TEXT, HTML, RTF, MIME = "1", "2", "3", "4"
#: Words of a body, in each of which no character takes more than one octet; and a mark at the end.
WORDS = " ".join(f"word{n:03}" for n in range(120))
LAST = "word119"


def mail(lab: Lab, subject: str, kind: str = "plain", text: str = WORDS, more: str = "") -> bytes:
    said = f"<html><body><p>{text}</p></body></html>" if kind == "html" else text
    return (
        f"From: <{lab.other.address}>\r\nTo: <{lab.me.address}>\r\n{more}Subject: {subject}\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/{kind}; charset=utf-8\r\n\r\n{said}\r\n"
    ).encode()


def preference(type: str, size: int | None = None, whole: str | None = None, preview: int | None = None) -> Element:
    parts = [e("Type", type)]
    parts += [e("TruncationSize", str(size))] if size is not None else []
    parts += [e("AllOrNone", whole)] if whole is not None else []
    parts += [e("Preview", str(preview))] if preview is not None else []
    return e("AirSyncBase:BodyPreference", *parts)


def part_preference(
    size: int | None = None, whole: str | None = None, preview: int | None = None, type: str = HTML
) -> Element:
    return Element("AirSyncBase:BodyPartPreference", preference(type, size, whole, preview).elements)


class Letter:
    """One message, asked for in three ways with what a device prefers."""

    def __init__(self, lab: Lab, inbox: Box, id: str, subject: str) -> None:
        self.lab, self.inbox, self.id, self.subject = lab, inbox, id, subject

    async def synchronized(self, *asked: Element) -> Element:
        """The properties by a first Sync of a new device."""
        inbox = await (await box(self.lab, INBOX)).begin(options(*asked))
        return inbox.has[self.id]

    async def fetched(self, *asked: Element) -> Element:
        got = await self.lab.talker().post("ItemOperations", fetch(self.inbox.id, self.id, *asked))
        (found,) = got.all("Response", "Fetch")
        assert child_text(found, "Status") == "1", got.root
        return under(found, "Properties")[0]

    async def searched(self, *asked: Element) -> Element:
        return await self._found(e("Search:FreeText", self.subject), *asked)

    async def searched_as_conversation(self, *asked: Element) -> Element:
        """The only search in which a BodyPart may be asked for. [MS-ASCMD] Options (Search) R5568"""
        (named,) = under(self.inbox.has[self.id], "ConversationId")
        return await self._found(Element("Search:ConversationId", named.content), *asked)

    async def _found(self, by: Element, *asked: Element) -> Element:
        """As of what a search finds; the index may be behind."""
        async with asyncio.timeout(MAIL_SECONDS):
            while True:
                got = await self.lab.talker().post("Search", search(by, *asked))
                results = [one for one in got.all("Response", "Store", "Result") if under(one, "Properties")]
                if results:
                    return under(results[0], "Properties")[0]
                await asyncio.sleep(0.2)

    @property
    def ways(self) -> tuple[Callable[..., Awaitable[Element]], ...]:
        return self.synchronized, self.fetched, self.searched


def fetch(collection: str, id: str, *asked: Element) -> Element:
    return e(
        "ItemOperations:ItemOperations",
        e(
            "Fetch", e("Store", "Mailbox"), e("AirSync:CollectionId", collection), e("AirSync:ServerId", id),
            Element("ItemOperations:Options", asked),
        ),
    )


def search(by: Element, *asked: Element) -> Element:
    return e(
        "Search:Search",
        e(
            "Store", e("Name", "Mailbox"),
            e("Query", Element("Search:And", (e("AirSync:Class", "Email"), by))),
            Element("Search:Options", (
                e("Search:Range", "0-9"), e("Search:DeepTraversal"), e("Search:RebuildResults"), *asked
            )),
        ),
    )


async def arrived(lab: Lab, kind: str = "plain", text: str = WORDS, more: str = "") -> Letter:
    subject = lab.unique("body").replace("-", "")
    await send_mime(lab, lab.other, mail(lab, subject, kind, text, more), subject)
    inbox = await (await box(lab, INBOX)).begin()
    return Letter(lab, inbox, await received(lab, subject, inbox), subject)


def data_of(content: Element, name: str = "Body") -> str:
    return text_of(content, name, "Data") or ""


def size_of(text: str) -> int:
    return len(text.encode())


@case(
    "MS-ASAIRS",
    "R55 R378 R379 R73 R420 R421 R180 R276 R402 R298 R105 R178 R113 R112 R304 R305 R302 R303", FROM_14
)
async def a_body_is_cut_to_the_size(lab: Lab) -> None:
    """Without AllOrNone as with 0."""
    for kind, type in (("plain", TEXT), ("html", HTML)):
        letter = await arrived(lab, kind)
        for way in letter.ways:
            for whole in (None, "0"):
                content = await way(preference(type, 60, whole))
                cut = data_of(content)
                assert 0 < size_of(cut) <= 60, (way, cut)
                assert LAST not in cut
                assert text_of(content, "Body", "Type") == type
                assert text_of(content, "Body", "Truncated") == "1"
                assert int(text_of(content, "Body", "EstimatedDataSize") or 0) > size_of(cut)


@case(
    "MS-ASAIRS",
    "R53 R373 R54 R380 R381 R382 R422 R423 R424 R401 R300 R406 R11500 R178", FROM_14
)
async def what_fits_is_there_whole(lab: Lab) -> None:
    letter = await arrived(lab)
    for way in letter.ways:
        seen = set()
        for size in (None, 5000):
            for whole in (None, "0", "1"):
                content = await way(preference(TEXT, size, whole))
                assert LAST in data_of(content), (way, size, whole)
                assert text_of(content, "Body", "Truncated") in (None, "0")
                seen.add(str(under(content, "Body")[0]))
        assert len(seen) == 1, seen


@case("MS-ASAIRS", "R375 R376 R377 R78 R77 R80", FROM_14)
async def all_or_none_passes_over_what_does_not_fit(lab: Lab) -> None:
    letter = await arrived(lab, "html")
    for way in letter.ways:
        content = await way(preference(HTML, 60, "1"))
        assert data_of(content) == "", way
        # The next type that fits, in its place.
        content = await way(preference(HTML, 60, "1"), preference(TEXT, 5000))
        assert text_of(content, "Body", "Type") == TEXT, way
        assert LAST in data_of(content)
        # By default the native type is cut.
        content = await way(preference(TEXT, 5000), preference(HTML, 60))
        assert text_of(content, "Body", "Type") == HTML, way
        assert text_of(content, "Body", "Truncated") == "1"


@case("MS-ASAIRS", "R237 R238 R241 R236 R233", FROM_12_1)
async def the_native_type_is_told(lab: Lab) -> None:
    for kind, native in (("plain", TEXT), ("html", HTML)):
        letter = await arrived(lab, kind)
        for type in (TEXT, HTML):
            content = await letter.synchronized(preference(type))
            assert text_of(content, "NativeBodyType") == native
            assert text_of(content, "Body", "Type") == type
            assert ("<" in data_of(content)) == (type == HTML)
        # Nothing was asked to be modified.
        content = await letter.synchronized(preference(TEXT), preference(HTML))
        assert text_of(content, "Body", "Type") == native


@case("MS-ASAIRS", "R179 R306", FROM_12_1)
async def rtf_is_base64(lab: Lab) -> None:
    letter = await arrived(lab)
    for way in (letter.synchronized, letter.fetched):
        content = await way(preference(RTF))
        assert text_of(content, "Body", "Type") == RTF
        # The header of compressed RTF. [MS-OXRTFCP]
        assert base64.b64decode(data_of(content), validate=True)[8:12] in (b"LZFu", b"MELA")


@case("MS-ASAIRS", "R307 R178", FROM_12_1)
async def mime_is_the_message_itself(lab: Lab) -> None:
    letter = await arrived(lab)
    everything = await letter.synchronized(e("AirSync:MIMESupport", "2"), preference(MIME))
    assert text_of(everything, "Body", "Type") == MIME
    assert f"Subject: {letter.subject}" in data_of(everything)
    assert LAST in data_of(everything)
    cut = await letter.synchronized(e("AirSync:MIMESupport", "2"), preference(MIME, 100))
    assert size_of(data_of(cut)) <= 100
    assert text_of(cut, "Body", "Truncated") == "1"
    # Only S/MIME, which this is not; and none at all.
    for support in ("1", "0"):
        content = await letter.synchronized(e("AirSync:MIMESupport", support), preference(TEXT), preference(MIME))
        assert text_of(content, "Body", "Type") == TEXT


@case("MS-ASAIRS", "R2644 R249 R250 R251", FROM_14)
async def a_preview_is_no_longer_than_asked(lab: Lab) -> None:
    letter = await arrived(lab, "html")
    for way in letter.ways:
        for length in (1, 20, 255):
            content = await way(preference(HTML, 60, None, length))
            preview = text_of(content, "Body", "Preview") or ""
            assert 0 < len(preview) <= length, way
            assert WORDS.startswith(preview.strip())


@case(
    "MS-ASAIRS",
    "R120 R124 R127 R128 R129 R188 R186 R271 R255 R2599 R282 R283 R294 R400 R62 R63 R392 R407 R408 R409 R410 R411 "
    "R403 R126",
    FROM_14_1,
)
async def a_body_part_is_asked_for_beside_the_body(lab: Lab) -> None:
    letter = await arrived(lab, "html")
    for way in (letter.synchronized, letter.fetched, letter.searched_as_conversation):
        for whole in (None, "0", "1"):
            for size in (None, 5000):
                content = await way(preference(TEXT), part_preference(size, whole))
                assert text_of(content, "BodyPart", "Status") == "1"
                assert text_of(content, "BodyPart", "Type") == HTML
                assert LAST in data_of(content, "BodyPart"), (way, size, whole)
                assert text_of(content, "BodyPart", "Truncated") in (None, "0")
                assert text_of(content, "Body", "Type") == TEXT
        for whole in (None, "0"):
            content = await way(preference(TEXT), part_preference(60, whole, 20))
            assert 0 < size_of(data_of(content, "BodyPart")) <= 60, way
            assert text_of(content, "BodyPart", "Truncated") == "1"
            assert int(text_of(content, "BodyPart", "EstimatedDataSize") or 0) > 60
            assert 0 < len(text_of(content, "BodyPart", "Preview") or "") <= 20
        content = await way(preference(TEXT), part_preference(60, "1"))
        assert data_of(content, "BodyPart") == ""
        assert not under(await way(preference(TEXT)), "BodyPart")


@case("MS-ASAIRS", "R118", FROM_14_1)
async def a_body_part_has_what_is_new(lab: Lab) -> None:
    old = "Words of before.<br>"
    text = f'New words.</p><div id="divRplyFwdMsg"><b>From:</b> Somebody<br></div><div>{old}</div><p>'
    letter = await arrived(lab, "html", text, more="In-Reply-To: <before@example.com>\r\n")
    content = await letter.synchronized(preference(HTML), part_preference())
    assert "New words." in data_of(content, "BodyPart")
    assert old not in data_of(content, "BodyPart")
    assert old in data_of(content)


#: What stands wrongly in a BodyPreference.
MALFORMED = (
    ("out of order", (e("TruncationSize", "10"), e("Type", TEXT))),
    ("AllOrNone before TruncationSize", (e("Type", TEXT), e("AllOrNone", "1"), e("TruncationSize", "10"))),
    ("no boolean", (e("Type", TEXT), e("AllOrNone", "2"))),
    ("twice AllOrNone", (e("Type", TEXT), e("AllOrNone", "1"), e("AllOrNone", "1"))),
    ("no Type", (e("TruncationSize", "10"),)),
    ("a Type that is none", (e("Type", "9"),)),
    ("a size that is none", (e("Type", TEXT), e("TruncationSize", "ten"))),
)


@case("MS-ASAIRS", "R348 R350 R351 R344", FROM_12_1)
async def a_malformed_preference_is_a_protocol_error_of_sync(lab: Lab) -> None:
    inbox = await (await box(lab, INBOX)).begin()
    for name, inside in MALFORMED:
        got = await inbox.ask(options(e("AirSyncBase:BodyPreference", *inside)))
        assert statuses(got) & {"4", "HTTP 400"}, (name, got)


@case("MS-ASAIRS", "R346 R10031 R10030", FROM_14)
async def a_malformed_preference_is_a_protocol_error_of_item_operations(lab: Lab) -> None:
    letter = await arrived(lab)
    for name, inside in MALFORMED:
        got = await lab.talker().post(
            "ItemOperations", fetch(letter.inbox.id, letter.id, e("AirSyncBase:BodyPreference", *inside))
        )
        assert "2" in statuses(got), (name, got.root)


@case("MS-ASAIRS", "R10016", FROM_14)
async def a_type_is_preferred_once(lab: Lab) -> None:
    inbox = await (await box(lab, INBOX)).begin()
    got = await inbox.ask(options(preference(TEXT, 10), preference(TEXT, 20)))
    assert statuses(got) & {"4"}, got.root


@case("MS-ASAIRS", "R59 R74 R135 R148 R291 R297 R405", FROM_12)
async def what_was_asked_is_not_repeated(lab: Lab) -> None:
    asked = {"AllOrNone", "BodyPreference", "BodyPartPreference", "TruncationSize", "Part"}
    letter = await arrived(lab)
    preferences = [preference(TEXT, 60, "0")]
    ways = letter.ways if lab.version >= Version.V14_0 else letter.ways[:2]
    if lab.version >= Version.V14_1:
        preferences.append(part_preference(60, "0"))
        ways = (*letter.ways[:2], letter.searched_as_conversation)
    for way in ways:
        assert not asked & {local(one) for one in everything(await way(*preferences))}


@case("MS-ASAIRS", "R244 R176 R405", FROM_12_1)
async def the_data_of_a_multipart_answer_stands_apart(lab: Lab) -> None:
    letter = await arrived(lab)
    got = await lab.talker().post(
        "ItemOperations", fetch(letter.inbox.id, letter.id, preference(TEXT)), headers={"MS-ASAcceptMultiPart": "T"}
    )
    assert got.headers["content-type"] == http.MULTIPART
    (content,) = got.all("Response", "Fetch", "Properties")
    assert not under(content, "Body", "Data")
    (part,) = under(content, "Body", "Part")
    assert LAST in http.parts_of(got.body)[int(part.text)].decode()


def statuses(got: Got) -> set[str]:
    if got.http != 200:
        return {f"HTTP {got.http}"}
    return {one.text for one in everything(got.root) if local(one) == "Status"}


def everything(root: Element) -> Iterable[Element]:
    yield root
    for child in root.elements:
        yield from everything(child)


@case("MS-ASEMAIL", "R57 R59 R62 R66 R67 R245 R246 R247 R248 R250 R1057 R259", FROM_14)
async def a_message_looks_alike_however_it_is_asked_for(lab: Lab) -> None:
    letter = await arrived(lab, "html", more="Importance: high\r\n")
    names = ("Subject", "To", "From", "DateReceived", "DisplayTo", "Importance", "Read", "MessageClass", "Flag",
             "ContentClass", "ThreadTopic", "ConversationId", "NativeBodyType")
    seen = []
    for way in letter.ways:
        content = await way(preference(HTML, 60, None, 20))
        seen.append({name: str([one.content for one in under(content, name)]) for name in names})
        children = [local(one) for one in under(content, "Body")[0].elements]
        assert children == ["Type", "EstimatedDataSize", "Truncated", "Data", "Preview"], way
    assert seen[0] == seen[1] == seen[2]
    assert all(value != "[]" for value in seen[0].values()), seen[0]
    if lab.version >= Version.V14_1:
        assert len(under(await letter.synchronized(preference(HTML), part_preference()), "BodyPart")) == 1

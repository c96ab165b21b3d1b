"""Nothing of what was private is left under pseudonyms, and everything else is."""

from __future__ import annotations

import email
import email.policy
import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.protocol import http
from eas.protocol import query as queries
from eas.protocol.codepages import OPAQUE, TOKEN_OF
from eas.protocol.version import Version
from eas.protocol.wbxml import Element, encode
from eas.replay.format.body import wire
from eas.replay.format.capture import exchange_of
from eas.replay.format.model import Body, Document, Exchange, LeftOut, Meta, Text
from eas.replay.format.writing import exchange_text, head_text
from eas.replay.masking.manners import MANNER_OF
from eas.replay.masking.masker import Masker
from eas.replay.masking.shift import Shift

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
EAS = "/Microsoft-Server-ActiveSync?Cmd=Sync&User=anna&DeviceId=ApplDNQXV00AC0&DeviceType=iPhone"
KEY = b"of these tests"
TYPES = ["", http.WBXML, "message/rfc822", "text/xml", "text/html", "application/json", "text/plain", "image/png",
         "application/x-www-form-urlencoded", http.MULTIPART]
#: A word of four letters or more, or a number of four digits or more.
TOKEN = re.compile(r"[^\W\d_]{4,}|\d{4,}")


def masked(text: str, tag: str = "Email:Body", **others: str) -> str:
    found = Masker(KEY).body(Document(Element("AirSync:Sync", (Element(tag, text),))))
    assert isinstance(found, Document)
    (child,) = found.root.content
    assert isinstance(child, Element)
    assert isinstance(child.content, str | tuple)
    return child.content or ""  # type: ignore[return-value]


def message(data: bytes) -> bytes:
    found = Masker(KEY).body(Text("mime", data))
    assert isinstance(found, Text)
    return found.data


def tokens(text: str) -> set[str]:
    return {found.lower() for found in TOKEN.findall(text)}


def exchange(body: bytes = b"", kind: str = "", target: str = EAS, **others: object) -> Exchange:
    fields = {
        "number": 1, "time": NOON, "method": "POST", "target": target, "headers": [("Content-Type", kind)],
        "body": body, "status": 200, "seconds": 0.1, "answer_headers": [("Content-Type", kind)], "answer": body,
    }
    return exchange_of(**{**fields, **others})  # type: ignore[arg-type]


# Tags ----------------------------------------------------------------------------------------------------------------


def test_every_tag_has_its_manner() -> None:
    assert set(MANNER_OF) == set(TOKEN_OF)
    Masker(KEY)
    for tag in TOKEN_OF:
        for content in ("anna.smith@contoso.com 4711 Zeppelin", b"anna.smith@contoso.com 4711 Zeppelin"):
            made = Masker(KEY).body(Document(Element(tag, content)))
            assert isinstance(made, Document)
            shown = str(made.root.content)
            assert "smith" not in shown, tag
            assert "contoso" not in shown, tag
            if MANNER_OF[tag][0] != "shown":
                assert "4711" not in shown, tag
                assert "Zeppelin" not in shown, tag


WORDS = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd", "Zs", "Po", "Pd"]), max_size=60)


@given(WORDS)
def test_no_word_survives_and_lengths_do(text: str) -> None:
    made = masked(text)
    assert len(made) == len(text)
    assert len(made.encode()) == len(text.encode())
    # One word may happen to be another one's pseudonym; a text that is the same place by place is none.
    for found in TOKEN.finditer(text):
        if len(set(found[0].lower())) > 1 or found[0].isascii():
            assert made[found.start() : found.end()] != found[0]


@given(st.lists(st.sampled_from(["Dear", "ANNA", "anna", "4711", ", ", "\r\n", "ben.jones@contoso.com", "Größe", "-"])))
def test_the_same_word_is_the_same_pseudonym(parts: list[str]) -> None:
    made = masked("".join(parts))
    assert made == masked("".join(parts))
    assert made.count("\r\n") == parts.count("\r\n")
    assert not re.search("dear|anna|4711|jones|contoso|größe", made.lower())


def test_names_are_the_same_everywhere() -> None:
    to = masked('"Anna Smith" <anna.smith@mail.contoso.com>', "Email:To")
    first, last = masked("Anna", "Contacts:FirstName"), masked("SMITH", "Contacts:LastName")
    name, local, domain = re.fullmatch(r'"(.*)" <(.*)@(.*)>', to).groups()  # type: ignore[union-attr]
    assert name == f"{first} {last.capitalize()}"
    assert local == f"{first} {last}".lower().replace(" ", ".")
    assert domain.startswith("mail.")
    assert domain.endswith(".test")
    assert masked("anna@contoso.com").endswith(domain.removeprefix("mail").lstrip("."))


def test_examples_are_nobodys_already() -> None:
    assert masked("anna@example.com").endswith("@example.com")
    assert masked("https://www.w3.org/TR/html4/x") == "https://www.w3.org/TR/html4/x"


SUBJECTS = [
    ("Re: AW: Zeppelin", r"Re: AW: [A-Z][a-z]{7}"),
    ("Meeting +49 (89) 555-1234", r"[A-Z][a-z]{6} \+\d\d \(\d\d\) \d{3}-\d{4}"),
    ("Fwd: https://intra.contoso.com/Pages/Plan.aspx?id=4711", r"Fwd: https://[a-z]{5}\.[a-z]{6}\.test/\w{5}/\w{4}\.\w{4}\?\w\w=\d{4}"),
]


@pytest.mark.parametrize(("subject", "form"), SUBJECTS)
def test_subjects_look_like_subjects(subject: str, form: str) -> None:
    assert re.fullmatch(form, masked(subject, "Email:Subject"))


def test_searches_still_find() -> None:
    assert masked('subject:"Zeppelin" OR from:anna', "Find:Query") == \
        f'subject:"{masked("Zeppelin")}" OR from:{masked("anna")}'


def test_folders_that_everybody_has() -> None:
    tag = "FolderHierarchy:DisplayName"
    assert [masked(name, tag) for name in ("Inbox", "Gesendete Elemente")] == ["Inbox", "Gesendete Elemente"]
    assert "Project" not in masked("Project X", tag)
    for type_, stays in (("2", True), ("12", False)):
        root = Element("FolderHierarchy:Add", (Element(tag, "Indbakke"), Element("FolderHierarchy:Type", type_)))
        made = Masker(KEY).body(Document(root))
        assert isinstance(made, Document)
        assert (made.root == root) is stays


# Dates ---------------------------------------------------------------------------------------------------------------


def test_dates_move_together() -> None:
    masker = Masker(KEY)
    moved = masker.exchange(exchange()).time
    days = (moved - NOON).days
    assert days % 7 == 0
    assert days != 0
    iso = masked("2026-11-21T12:00:00.000Z", "Email:DateReceived")
    compact = masked("20261121T120000Z", "Calendar:StartTime")
    assert datetime.fromisoformat(iso) == moved == datetime.fromisoformat(compact)
    mail = message(b"Date: Sat, 21 Nov 2026 13:00:00 +0100\r\n\r\n")
    assert email.utils.parsedate_to_datetime(mail[6:].strip().decode()) == moved
    assert masker.meta(Meta((("started", "2026-11-21T12:00:00Z"),))).get("started").startswith(iso[:10])


@given(st.integers(0, 1000))
def test_summer_stays_summer(number: int) -> None:
    days = -Shift.of(number).delta.days
    assert days % 7 == 0
    assert 3 * 365 - 4 <= days <= 12 * 366
    assert abs(days - round(days / 365.25) * 365.25) < 4


def test_years_that_mean_never_stay() -> None:
    assert masked("4501-01-01T00:00:00.000Z", "Tasks:DueDate") == "4501-01-01T00:00:00.000Z"


def test_a_series_begins_on_a_day_of_its_own() -> None:
    root = Element("AirSync:ApplicationData", (
        Element("Calendar:StartTime", "20260302T090000Z"),
        Element("Calendar:Recurrence", (
            Element("Calendar:Type", "5"), Element("Calendar:DayOfMonth", "2"), Element("Calendar:MonthOfYear", "3"),
        )),
    ))
    made = Masker(KEY).body(Document(root))
    assert isinstance(made, Document)
    start, recurrence = made.root.content
    first = datetime.fromisoformat(start.content)  # type: ignore[union-attr]
    assert [one.content for one in recurrence.content] == ["5", str(first.day), str(first.month)]  # type: ignore[union-attr]


# Ids -----------------------------------------------------------------------------------------------------------------


@given(st.lists(st.text("0123456789abcdefABCxyz:/-%+=_", min_size=1, max_size=12), unique=True, max_size=40))
def test_ids_that_differ_stay_different(ids: list[str]) -> None:
    made = [masked(one, "AirSync:ServerId") for one in ids]
    assert len(set(made)) == len(ids)
    assert list(map(len, made)) == list(map(len, ids))


def test_all_ids_of_four_digits_are_kept_apart() -> None:
    assert len({masked(f"{number:04}", "AirSync:ServerId") for number in range(10_000)}) == 10_000


def test_an_attachment_is_asked_for_by_the_name_that_it_was_given() -> None:
    name = "Inbox/Anna Smith/plan für 4711.docx"
    made = masked(name, "AirSyncBase:FileReference")
    asked = Masker(KEY).exchange(exchange(target=f"{EAS}&AttachmentName={quote(name, safe='')}"))
    assert asked.request.target.endswith("&AttachmentName=" + quote(made, safe=""))
    encoded = queries.encode_base64(queries.Query(
        command="GetAttachment", device_id="ApplDNQXV00AC0", device_type="iPhone", user="anna", attachment_name=name,
        version=Version.V14_1, policy_key=1234567890,
    ))
    found = queries.parse(Masker(KEY).exchange(exchange(target=f"/x?{encoded}")).request.query)
    assert (found.attachment_name, found.policy_key, found.user) == (made, 1234567890, masked("anna"))
    assert f"DeviceId={found.device_id}&" in asked.request.target


def test_bytes_of_a_device_id() -> None:
    raw = b64encode(bytes([141, 0, 9, 4, 16]) + bytes(range(200, 216)) + b"\0\x02WP").decode()
    device = bytes(range(200, 216)).hex().upper()
    found = Masker(KEY).exchange(exchange(target=f"/x?{raw}"))
    plain = Masker(KEY).exchange(exchange(target=f"/x?Cmd=Sync&DeviceId={device}&DeviceType=WP"))
    assert queries.parse(found.request.query).device_id == queries.parse(plain.request.query).device_id != device


# Messages ------------------------------------------------------------------------------------------------------------

CHARSETS = ["utf-8", "iso-8859-1", "windows-1252", "iso-8859-2", "koi8-r", "shift_jis", "gb2312", "euc-kr", "big5",
            "iso-2022-jp", "windows-1256", "utf-7", "utf-16", "x-unknown"]
TEXT_OF = {
    "koi8-r": "Привет, Анна Каренина", "shift_jis": "東京の会議について", "gb2312": "北京会议通知",
    "euc-kr": "서울 회의", "big5": "臺北會議", "iso-2022-jp": "東京の会議について", "windows-1256": "اجتماع القاهرة",
    "iso-8859-2": "Łódź źdźbło",
}


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_messages_in_every_charset(charset: str, encoding: str) -> None:
    text = TEXT_OF.get(charset, "Grüße an Anna") + " Zeppelin 4711\r\n"
    data = text.encode("utf-8" if charset == "x-unknown" else charset)
    body = {"8bit": data, "base64": b64encode(data) + b"\r\n", "quoted-printable": _quoted(data)}[encoding]
    head = (
        f"From: =?{charset}?B?{b64encode(data.strip()).decode()}?= <anna@contoso.com>\r\nSubject: Re: Zeppelin\r\n"
        f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode()
    made = message(head + body)
    assert len(made) == len(head + body)
    assert made.count(b"\r\n") == (head + body).count(b"\r\n") or charset in ("utf-16", "utf-7")
    if charset in ("utf-16", "utf-7") and encoding == "8bit":
        return  # no mail program writes this
    parsed = email.message_from_bytes(made, policy=email.policy.compat32)
    content = parsed.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert len(content) == len(data)
    said = content.decode("utf-8" if charset == "x-unknown" else charset, "replace")
    assert "�" not in said or charset == "x-unknown"
    assert not tokens(said) & tokens(text)


def _quoted(data: bytes) -> bytes:
    plain = {*range(33, 127), *b"\r\n "} - {61}
    return b"".join(bytes([one]) if one in plain else b"=%02X" % one for one in data)


MIXED = b"""\
Received: from mail.contoso.com ([203.0.113.77]) by mx.fabrikam.com with ESMTP id 4711ABCD;\r
\tMon, 2 Mar 2026 09:00:00 +0000\r
Message-ID: <Zeppelin.4711@contoso.com>\r
References: <Zeppelin.4710@contoso.com>\r
 <Zeppelin.4709@contoso.com>\r
From: "Smith, Anna" <anna.smith@contoso.com>\r
To: =?utf-8?Q?J=C3=BCrgen_Zeppelin?= <juergen@fabrikam.com>\r
Subject: =?utf-8?B?UmU6IEdlaGVpbQ==?=\r
Thread-Index: AdGY1aaaaaaaaaaaaaaaaaaaaaaaaa==\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary="Anna_Smith_4711"\r
\r
preamble Zeppelin\r
--Anna_Smith_4711\r
Content-Type: multipart/alternative; boundary=inner4711\r
\r
--inner4711\r
Content-Type: text/plain; charset=iso-8859-1; format=flowed\r
Content-Transfer-Encoding: quoted-printable\r
\r
J=FCrgen, call +49 89 4711 4712 on Mon, 2 Mar 2026 at anna.=\r
smith@contoso.com\r
--inner4711\r
Content-Type: text/html; charset=utf-8\r
\r
<html><head><style>p.MsoNormal {margin:0}</style><meta name=3DGenerator></head>\r
<body><!-- secret Zeppelin --><p class="MsoNormal" title="Zeppelin">J&uuml;rgen &#83;mith&nbsp;4711
<a href="https://intra.contoso.com/Zeppelin%20Plan?user=anna%40contoso.com">Zeppelin</a>
<img src="cid:logo4711@contoso.com" width="100" alt="Zeppelin"></p></body></html>\r
--inner4711--\r
\r
--Anna_Smith_4711\r
Content-Type: image/png; name="Zeppelin.png"\r
Content-Disposition: attachment; filename*=utf-8''Zeppelin%20J%C3%BCrgen.png\r
Content-ID: <logo4711@contoso.com>\r
Content-Transfer-Encoding: base64\r
\r
PICTURE\r
--Anna_Smith_4711\r
Content-Type: text/calendar; method=REQUEST; charset=utf-8\r
\r
BEGIN:VCALENDAR\r
BEGIN:VTIMEZONE\r
TZID:W. Europe Standard Time\r
DTSTART:16010101T000000\r
END:VTIMEZONE\r
BEGIN:VEVENT\r
UID:Zeppelin-4711-abcd@contoso.com\r
DTSTART;TZID="W. Europe Standard Time":20260302T090000\r
RRULE:FREQ=WEEKLY;UNTIL=20260601T070000Z;BYDAY=MO\r
SUMMARY:Zeppelin\\nZeppelin\\, wie geplant mit Anna und allen and\r
 eren aus dem Haus\r
ATTENDEE;CN="Anna Smith";RSVP=TRUE:mailto:anna.smith@contoso.com\r
END:VEVENT\r
END:VCALENDAR\r
--Anna_Smith_4711\r
Content-Type: message/rfc822\r
\r
From: anna.smith@contoso.com\r
Subject: Zeppelin\r
\r
Zeppelin\r
--Anna_Smith_4711--\r
""".replace(b"PICTURE", b64encode(b"\x89PNG\r\n\x1a\n" + b"Zeppelin" * 40))


def test_a_message_with_everything() -> None:
    made = message(MIXED)
    assert len(made) == len(MIXED)
    assert made.count(b"\r\n") == MIXED.count(b"\r\n")
    flat = made.replace(b"=\r\n", b"").replace(b"\r\n ", b"").lower()
    for word in (b"zeppelin", b"smith", b"4711", b"juergen", b"contoso", b"fabrikam", b"geplant", b"2026", b"haus",
                 b"geheim", b"secret", b"c3=bcrgen", b"anna"):
        assert word not in flat, word
    for kept in (b"method=REQUEST", b"W. Europe Standard Time", b"16010101T000000", b"BYDAY=MO", b'class="MsoNormal"',
                 b"p.MsoNormal {margin:0}", b"SUMMARY:", b'width="100"', b"; format=flowed", b".png", b"mailto:"):
        assert kept in made, kept
    old, new = (email.message_from_bytes(one) for one in (MIXED, made))
    assert [part.get_content_type() for part in new.walk()] == [part.get_content_type() for part in old.walk()]
    html = next(part for part in new.walk() if part.get_content_type() == "text/html").get_payload(decode=True)
    picture = next(part for part in new.walk() if part.get_content_type() == "image/png")
    assert isinstance(html, bytes)
    assert f"cid:{picture['Content-ID'].strip('<>')}".encode() in html
    content = picture.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.startswith(b"\x89PNG")
    assert content.endswith(b"IEND\xaeB`\x82")
    assert message(made) != made
    assert len(message(made)) == len(made)


@given(st.binary(max_size=400))
def test_malformed_messages(data: bytes) -> None:
    assert len(message(data)) >= 0


@settings(max_examples=200)
@given(st.lists(st.sampled_from([*MIXED.split(b"\r\n"), b"--Anna_Smith_4711", b"", b"\r", b"=?utf-8?Q?=FF=?="])))
def test_messages_in_disorder(lines: list[bytes]) -> None:
    message(b"\r\n".join(lines))
    message(b"\n".join(lines)[:-3])


# Whole exchanges -----------------------------------------------------------------------------------------------------


@given(st.one_of(st.binary(), st.text().map(str.encode), st.text("{}[]<>\"'=&/!-:,%;@.ab1 ").map(str.encode)),
       st.sampled_from(TYPES), st.text())
def test_anything_can_be_masked(data: bytes, kind: str, text: str) -> None:
    masker = Masker(KEY)
    made = masker.exchange(exchange(data, kind, text, headers=[("X-Any", text), ("Content-Type", kind)]))
    assert made == Masker(KEY).exchange(exchange(data, kind, text, headers=[("X-Any", text), ("Content-Type", kind)]))
    if not isinstance(made.answer.body, LeftOut):
        wire(made.answer.body)
    exchange_text(made)
    exchange_text(masker.exchange(made))


TAGS = st.sampled_from(sorted(set(TOKEN_OF) - OPAQUE))
DOCUMENTS = st.recursive(
    st.builds(Element, TAGS, st.text(st.characters(codec="utf-8"), max_size=20)),
    lambda inner: st.builds(Element, TAGS, st.lists(inner, max_size=3).map(tuple)),
    max_leaves=8,
)


@given(DOCUMENTS)
def test_documents_keep_their_structure(root: Element) -> None:
    made = Masker(KEY).body(Document(root))
    assert isinstance(made, Document)
    assert _tags(made.root) == _tags(root)
    encode(made.root)


def _tags(element: Element) -> object:
    return element.tag, [_tags(one) for one in element.content] if isinstance(element.content, tuple) else ()


def test_autodiscover() -> None:
    xml = b"""<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006">
  <Request><EMailAddress>anna.smith@contoso.com</EMailAddress>
  <AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006</AcceptableResponseSchema>
  </Request></Autodiscover>"""
    made = Masker(KEY).body(Text("xml", xml))
    assert isinstance(made, Text)
    assert len(made.data) == len(xml)
    assert made.data.count(b"http://schemas.microsoft.com/exchange/autodiscover/mobilesync/re") == 2
    assert b"smith" not in made.data
    json = b'{"Protocol":"ActiveSync","Url":"https://mail.contoso.com/Microsoft-Server-ActiveSync"}'
    made = Masker(KEY).body(Text("json", json))
    assert isinstance(made, Text)
    assert re.fullmatch(
        rb'\{"Protocol":"ActiveSync","Url":"https://mail\.\w{6}\.test/Microsoft-Server-ActiveSync"\}', made.data,
    )


def test_another_key_gives_other_names() -> None:
    assert Masker(b"a").body(Text("text", b"Zeppelin")) != Masker(b"b").body(Text("text", b"Zeppelin"))


def test_the_head_and_what_programs_say() -> None:
    meta = Meta((("device", "ApplDNQXV00AC0"), ("user", "anna"), ("client", "Apple-iPhone14C2/2001.50"),
                 ("server", "https://mail.contoso.com"), ("note", "Anna's phone")))
    made = Masker(KEY).meta(meta)
    text = head_text(made)
    assert "anna" not in text.lower()
    assert "contoso" not in text
    assert made.get("client") == "Apple-iPhone14C2/2001.50"
    assert made.get("masked") == "pseudonyms"
    one = exchange(headers=[("User-Agent", "Apple-iPhone14C2/2001.50"), ("X-FEServer", "EX01.contoso.com"),
                            ("MS-ASProtocolVersion", "16.1"), ("X-Unknown", "Anna")])
    shown = exchange_text(Masker(KEY).exchange(one))
    assert "Apple-iPhone14C2/2001.50" in shown
    assert "MS-ASProtocolVersion: 16.1" in shown
    assert "contoso" not in shown
    assert "Anna" not in shown


def bodies(body: Body) -> bytes:
    return wire(body)


def test_files_that_are_text_stay_text() -> None:
    made = b64decode(masked(b64encode("Grüße an Zeppelin, 4711\r\n".encode()).decode(), "ItemOperations:Data")).decode()
    assert re.fullmatch(r"[A-Z][a-z][^\W\d_a-z]{2}[a-z] [a-z]{2} [A-Z][a-z]{7}, \d{4}\r\n", made)
    assert "Zeppelin" not in made


def test_a_message_in_an_answer_in_parts() -> None:
    data = http.multipart([encode(Element("ItemOperations:ItemOperations", ())), MIXED, b"\x89PNG\r\n\x1a\nZeppelin"])
    made = Masker(KEY).exchange(exchange(data, http.MULTIPART)).answer.body
    shown = wire(made)
    assert len(shown) == len(data)
    assert b"Subject: =?utf-8?B?" in shown
    assert b"Zeppelin" not in shown


def test_names_of_members_may_be_addresses() -> None:
    made = Masker(KEY).body(Text("json", b'{"anna@contoso.com": {"Type": "x"}}'))
    assert isinstance(made, Text)
    assert re.fullmatch(rb'\{"\w{4}@\w{6}\.test": \{"Type": "x"\}\}', made.data)


def test_lengths_of_bodies() -> None:
    html = "<p>Gr&uuml;&szlig;e, J&#252;rgen &amp; Anna &lt;anna@contoso.com&gt;</p>"
    root = Element("AirSyncBase:Body", (
        Element("AirSyncBase:Type", "2"), Element("AirSyncBase:EstimatedDataSize", str(len(html))),
        Element("AirSyncBase:Data", html),
    ))
    made = Masker(KEY).body(Document(root))
    assert isinstance(made, Document)
    data = made.root.content[2].content  # type: ignore[union-attr]
    assert len(data) == len(html)  # type: ignore[arg-type]
    assert re.fullmatch(r"<p>\w\w&#\d{3};&#\d{4};\w, \w&#\d{3};\w{4} &amp; \w{4} &lt;\w{4}@\w{6}\.test&gt;</p>", data)  # type: ignore[arg-type]
    assert b64decode(masked(b64encode(b"x" * 9).decode(), "GAL:Data"))

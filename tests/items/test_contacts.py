"""Contacts: wire and vCard, both ways, and what a phone that edits one field leaves alone."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eas.items.body import Body, BodyPreference, BodyType, Wanted
from eas.items.contacts import (
    ALWAYS_KEPT,
    MAX_LIST,
    MAX_PICTURE_ENCODED,
    UNMAPPED,
    VCARD,
    Contact,
    degraded,
    from_native,
    is_group,
    to_native,
)
from eas.items.contentline import clean, parse, serialize
from eas.items.ghosting import kept_fields
from eas.items.native import Refused, Unreadable, Viewer
from eas.items.vcard import NO_YEAR
from eas.protocol.schema import SchemaError, dump, load, stated
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

V = Version.V14_1
ALL = frozenset(VCARD)
ME = Viewer(addresses=("me@example.com",), name="Me", zone="Europe/Oslo", now=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))
WANTED = Wanted()
JPEG = b"\xff\xd8\xff\xe0 not much of a picture"


def written(item: Contact, given: frozenset[str] = ALL, base: bytes | None = None, kept: frozenset[str] = ALL) -> bytes:
    return to_native(item, given, base, kept, ME, V, uid="uid-1")


def shown(data: bytes) -> Contact:
    return from_native(data, WANTED, ME, V)


def note(text: str | None, **more: Any) -> Body:
    return Body(type=BodyType.TEXT, data=text, **more)


def unfolded(data: bytes) -> list[str]:
    return data.decode().replace("\r\n ", "").split("\r\n")


#: Field, its element, a value, its text on the wire, and the vCard line that a new card holds it in.
FIELDS: list[tuple[str, str, Any, str, str]] = [
    ("title", "Contacts:Title", "Dr.", "Dr.", "N:;;;Dr.;"),
    ("first_name", "Contacts:FirstName", "Ann", "Ann", "N:;Ann;;;"),
    ("middle_name", "Contacts:MiddleName", "Q.", "Q.", "N:;;Q.;;"),
    ("last_name", "Contacts:LastName", "O'Neill; Co", "O'Neill; Co", "N:O'Neill\\; Co;;;;"),
    ("suffix", "Contacts:Suffix", "Jr.", "Jr.", "N:;;;;Jr."),
    ("job_title", "Contacts:JobTitle", "Clerk", "Clerk", "TITLE:Clerk"),
    ("company", "Contacts:CompanyName", "Acme, Inc.", "Acme, Inc.", "ORG:Acme\\, Inc."),
    ("department", "Contacts:Department", "Sales", "Sales", "ORG:;Sales"),
    ("office", "Contacts:OfficeLocation", "B 12", "B 12", "X-OFFICE-LOCATION:B 12"),
    ("manager", "Contacts2:ManagerName", "Boss", "Boss", "X-MANAGER:Boss"),
    ("assistant_name", "Contacts:AssistantName", "Al", "Al", "X-ASSISTANT:Al"),
    ("assistant_phone", "Contacts:AssistantPhoneNumber", "+1 1", "+1 1", "TEL;TYPE=X-ASSISTANT:+1 1"),
    ("nickname", "Contacts2:NickName", "Annie", "Annie", "NICKNAME:Annie"),
    ("spouse", "Contacts:Spouse", "Kim", "Kim", "X-SPOUSE:Kim"),
    ("birthday", "Contacts:Birthday", date(1980, 2, 29), "1980-02-29T00:00:00.000Z", "BDAY:1980-02-29"),
    ("anniversary", "Contacts:Anniversary", date(2001, 1, 2), "2001-01-02T00:00:00.000Z", "X-ANNIVERSARY:2001-01-02"),
    ("business_phone", "Contacts:BusinessPhoneNumber", "+1 2", "+1 2", "TEL;TYPE=WORK:+1 2"),
    ("business2_phone", "Contacts:Business2PhoneNumber", "+1 3", "+1 3", "TEL;TYPE=WORK;X-EAS-SLOT=2:+1 3"),
    ("home_phone", "Contacts:HomePhoneNumber", "+1 4", "+1 4", "TEL;TYPE=HOME:+1 4"),
    ("home2_phone", "Contacts:Home2PhoneNumber", "+1 5", "+1 5", "TEL;TYPE=HOME;X-EAS-SLOT=2:+1 5"),
    ("mobile_phone", "Contacts:MobilePhoneNumber", "+1 6", "+1 6", "TEL;TYPE=CELL:+1 6"),
    ("car_phone", "Contacts:CarPhoneNumber", "+1 7", "+1 7", "TEL;TYPE=CAR:+1 7"),
    ("company_main_phone", "Contacts2:CompanyMainPhone", "+1 8", "+1 8", "TEL;TYPE=X-COMPANY:+1 8"),
    ("pager", "Contacts:PagerNumber", "+1 9", "+1 9", "TEL;TYPE=PAGER:+1 9"),
    ("radio_phone", "Contacts:RadioPhoneNumber", "+1 10", "+1 10", "TEL;TYPE=X-RADIO:+1 10"),
    ("business_fax", "Contacts:BusinessFaxNumber", "+1 11", "+1 11", "TEL;TYPE=WORK,FAX:+1 11"),
    ("home_fax", "Contacts:HomeFaxNumber", "+1 12", "+1 12", "TEL;TYPE=HOME,FAX:+1 12"),
    ("business_street", "Contacts:BusinessAddressStreet", "1 Road", "1 Road", "ADR;TYPE=WORK:;;1 Road;;;;"),
    ("business_city", "Contacts:BusinessAddressCity", "Oslo", "Oslo", "ADR;TYPE=WORK:;;;Oslo;;;"),
    ("business_state", "Contacts:BusinessAddressState", "NY", "NY", "ADR;TYPE=WORK:;;;;NY;;"),
    ("business_postal_code", "Contacts:BusinessAddressPostalCode", "0150", "0150", "ADR;TYPE=WORK:;;;;;0150;"),
    ("business_country", "Contacts:BusinessAddressCountry", "Norway", "Norway", "ADR;TYPE=WORK:;;;;;;Norway"),
    ("home_street", "Contacts:HomeAddressStreet", "2 Road", "2 Road", "ADR;TYPE=HOME:;;2 Road;;;;"),
    ("home_city", "Contacts:HomeAddressCity", "Oslo", "Oslo", "ADR;TYPE=HOME:;;;Oslo;;;"),
    ("home_state", "Contacts:HomeAddressState", "NY", "NY", "ADR;TYPE=HOME:;;;;NY;;"),
    ("home_postal_code", "Contacts:HomeAddressPostalCode", "0150", "0150", "ADR;TYPE=HOME:;;;;;0150;"),
    ("home_country", "Contacts:HomeAddressCountry", "Norway", "Norway", "ADR;TYPE=HOME:;;;;;;Norway"),
    ("other_street", "Contacts:OtherAddressStreet", "3 Road", "3 Road", "ADR;TYPE=OTHER:;;3 Road;;;;"),
    ("other_city", "Contacts:OtherAddressCity", "Oslo", "Oslo", "ADR;TYPE=OTHER:;;;Oslo;;;"),
    ("other_state", "Contacts:OtherAddressState", "NY", "NY", "ADR;TYPE=OTHER:;;;;NY;;"),
    ("other_postal_code", "Contacts:OtherAddressPostalCode", "0150", "0150", "ADR;TYPE=OTHER:;;;;;0150;"),
    ("other_country", "Contacts:OtherAddressCountry", "Norway", "Norway", "ADR;TYPE=OTHER:;;;;;;Norway"),
    ("email1", "Contacts:Email1Address", "a@example.com", "a@example.com", "EMAIL:a@example.com"),
    ("email2", "Contacts:Email2Address", "b@example.com", "b@example.com", "EMAIL;X-EAS-SLOT=2:b@example.com"),
    ("email3", "Contacts:Email3Address", "c@example.com", "c@example.com", "EMAIL;X-EAS-SLOT=3:c@example.com"),
    ("web_page", "Contacts:WebPage", "https://example.com/?a=b,c", "https://example.com/?a=b,c",
     "URL:https://example.com/?a=b,c"),
    ("im1", "Contacts2:IMAddress", "xmpp:a@example.com", "xmpp:a@example.com", "IMPP:xmpp:a@example.com"),
    ("im2", "Contacts2:IMAddress2", "annie", "annie", "X-MS-IMADDRESS;X-EAS-SLOT=2:annie"),
    ("im3", "Contacts2:IMAddress3", "ann3", "ann3", "X-MS-IMADDRESS;X-EAS-SLOT=3:ann3"),
    ("yomi_first_name", "Contacts:YomiFirstName", "アン", "アン", "X-PHONETIC-FIRST-NAME:アン"),
    ("yomi_last_name", "Contacts:YomiLastName", "オニール", "オニール", "X-PHONETIC-LAST-NAME:オニール"),
    ("yomi_company", "Contacts:YomiCompanyName", "アクメ", "アクメ", "X-PHONETIC-ORG:アクメ"),
    ("account_name", "Contacts2:AccountName", "acc", "acc", "X-EAS-ACCOUNT-NAME:acc"),
    ("customer_id", "Contacts2:CustomerId", "c-1", "c-1", "X-EAS-CUSTOMER-ID:c-1"),
    ("government_id", "Contacts2:GovernmentId", "g-1", "g-1", "X-EAS-GOVERNMENT-ID:g-1"),
    ("mms", "Contacts2:MMS", "m@example.com", "m@example.com", "X-EAS-MMS:m@example.com"),
    ("file_as", "Contacts:FileAs", "O'Neill, Ann", "O'Neill, Ann", "FN:O'Neill\\, Ann"),
    ("picture", "Contacts:Picture", JPEG, base64.b64encode(JPEG).decode(),
     "PHOTO;ENCODING=b;TYPE=JPEG:" + base64.b64encode(JPEG).decode()),
]
NAMES = {"title", "first_name", "middle_name", "last_name", "suffix"}


@pytest.mark.parametrize(("name", "tag", "value", "text", "line"), FIELDS, ids=[row[0] for row in FIELDS])
def test_each_field_goes_to_the_vcard_and_back(name: str, tag: str, value: Any, text: str, line: str) -> None:
    """[MS-ASCNTC] Elements: each element of Contacts and Contacts2, on the wire and in the card."""
    element = Element("AirSync:ApplicationData", (Element(tag, text),))
    item = load(Contact, element, V)
    assert getattr(item, name) == value
    assert stated(Contact, element, V) == {name}
    assert dump("AirSync:ApplicationData", item, V) == element
    data = written(item, frozenset({name}))
    assert line in unfolded(data)
    assert getattr(shown(data), name) == value
    # An empty element removes it again, R879 of [MS-ASCMD] Change.
    emptied = load(Contact, Element("AirSync:ApplicationData", (Element(tag),)), V)
    assert line not in unfolded(to_native(emptied, frozenset({name}), data, ALL, ME, V)) or name == "file_as"


def test_lists_and_notes_go_to_the_vcard_and_back() -> None:
    """[MS-ASCNTC] Categories R1030, Children R10040, Body R1120."""
    element = Element("AirSync:ApplicationData", (
        Element("AirSyncBase:Body", (Element("AirSyncBase:Type", "1"), Element("AirSyncBase:Data", "one\r\ntwo, 3"))),
        Element("Contacts:Categories", (Element("Contacts:Category", "a"), Element("Contacts:Category", "b, c"))),
        Element("Contacts:Children", (Element("Contacts:Child", "Max"), Element("Contacts:Child", "Mia"))),
    ))
    item = load(Contact, element, V)
    data = written(item, stated(Contact, element, V))
    assert {"NOTE:one\\ntwo\\, 3", "CATEGORIES:a,b\\, c", "X-MS-CHILD:Max", "X-MS-CHILD:Mia"} <= set(unfolded(data))
    back = shown(data)
    assert (back.categories, back.children) == (("a", "b, c"), ("Max", "Mia"))
    assert back.body is not None
    assert back.body.data is not None
    assert back.body.data.split() == ["one", "two,", "3"]


def test_every_field_has_a_test_and_every_unmapped_one_a_reason() -> None:
    assert {row[0] for row in FIELDS} | {"body", "categories", "children"} == ALL
    assert {"body_size", "body_truncated", "alias", "weighted_rank"} == UNMAPPED


CARD = (
    b"BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//Other//EN\r\nUID:1\r\nN:Doe;John;;;\r\nFN:Johnny \"Rocket\" Doe\r\n"
    b"item1.TEL;type=WORK;type=pref:+1 1\r\nitem1.X-ABLabel:Desk\r\nTEL;TYPE=FAX:+1 2\r\nTEL;TYPE=WORK,FAX:+1 3\r\n"
    b"ROLE:Profession\r\nX-EVOLUTION-BLOG-URL:http://example.com/\r\nADR;TYPE=HOME:PO 1;;Street;Town;;1;Land\r\n"
    b"NOTE:first line of a note that is long enough for it to be folded, which it \r\n is\\nsecond line\r\n"
    b"BDAY;VALUE=date:1980-01-02\r\nPHOTO;VALUE=uri:http://example.com/p.jpg\r\nX-Odd;A=\"b:c\":d\r\n"
    b"EMAIL:1@x\r\nEMAIL:2@x\r\nEMAIL:3@x\r\nEMAIL;TYPE=X-FOURTH:4@x\r\nCATEGORIES:a\r\nREV:2001-01-01T00:00:00Z\r\n"
    b"END:VCARD\r\n"
)


def test_edit_of_one_field_changes_one_line_and_rev() -> None:
    """A phone that sends the whole contact back with one number changed, and one that sends the number alone."""
    expected = CARD.replace(b"pref:+1 1", b"pref:+1 99").replace(b"2001-01-01T00:00:00Z", b"2026-03-04T05:06:07Z")
    whole = replace(shown(CARD), business_phone="+1 99")
    assert to_native(whole, ALL, CARD, frozenset(), ME, V) == expected
    alone = Contact(business_phone="+1 99")
    assert to_native(alone, frozenset({"business_phone"}), CARD, ALL, ME, V) == expected


def test_contact_that_comes_back_as_it_went_changes_nothing() -> None:
    assert to_native(shown(CARD), ALL, CARD, frozenset(), ME, V) == CARD


def test_what_is_neither_given_nor_kept_is_removed_and_unknown_properties_are_not() -> None:
    """[MS-ASCMD] Change R879, Supported R5912; Body and Picture stay, R878."""
    kept = kept_fields(Contact, None, ALWAYS_KEPT, V)
    data = to_native(Contact(first_name="Jim"), frozenset({"first_name"}), CARD, kept, ME, V)
    assert [line.partition(":")[0] for line in unfolded(data)][2:-2] == [
        "PRODID", "UID", "N", "FN", "TEL;TYPE=FAX", "ROLE", "X-EVOLUTION-BLOG-URL", "ADR;TYPE=HOME", "NOTE",
        "PHOTO;VALUE=uri", 'X-Odd;A="b', "EMAIL;TYPE=X-FOURTH", "REV",
    ]
    assert {"N:;Jim;;;", "FN:Jim", "ADR;TYPE=HOME:PO 1;;;;;;"} <= set(unfolded(data))


def test_ghosted_properties_stay() -> None:
    """[MS-ASCMD] Sync R660, R5675, Supported R5911."""
    kept = kept_fields(Contact, ("Contacts:FirstName", "Contacts:Email1Address"), ALWAYS_KEPT, V)
    back = shown(to_native(Contact(first_name="Jim"), frozenset({"first_name"}), CARD, kept, ME, V))
    assert (back.first_name, back.last_name, back.business_phone) == ("Jim", "Doe", "+1 1")
    # The address was the device's to remove; the fourth, which it has never seen, is not lost.
    assert {back.email1, back.email2, back.email3} == {"4@x", "2@x", "3@x"}


@pytest.mark.parametrize("body", [None, note(None), note("first", truncated=True)])
def test_body_that_says_nothing_leaves_the_note(body: Body | None) -> None:
    """[MS-ASCNTC] Truncating the Contact Notes Field R461; [MS-ASCMD] Change R878."""
    given_ = frozenset({"body"}) if body else frozenset[str]()
    assert to_native(Contact(body=body), given_, CARD, ALL, ME, V) == CARD


def test_empty_body_removes_the_note() -> None:
    element = Element("AirSync:ApplicationData", (Element("AirSyncBase:Body"),))
    item, given_ = load(Contact, element, V), stated(Contact, element, V)
    assert b"NOTE" not in to_native(item, given_, CARD, ALL, ME, V)
    assert b"NOTE" not in to_native(Contact(body=note("")), given_, CARD, ALL, ME, V)


def test_html_of_a_device_becomes_the_text_of_the_note() -> None:
    item = Contact(body=Body(type=BodyType.HTML, data="<p>a &amp; b</p>"))
    assert "NOTE:a & b" in unfolded(written(item, frozenset({"body"})))


def test_html_of_the_note_that_comes_back_leaves_the_note() -> None:
    card = CARD.replace(b"second line", b"second  line\\n   \xc2\x85\x7f\\n")
    html = Wanted(preferences=(BodyPreference(type=BodyType.HTML),))
    for wanted in (WANTED, html):
        assert to_native(from_native(card, wanted, ME, V), ALL, card, frozenset(), ME, V) == card


def test_rtf_that_is_none_is_refused() -> None:
    with pytest.raises(Refused):
        written(Contact(body=Body(type=BodyType.RTF, data="%%%")), frozenset({"body"}))


def test_note_is_cut_where_the_device_wants_it_cut() -> None:
    wanted = Wanted(preferences=(BodyPreference(type=BodyType.TEXT, truncation_size=5),))
    body = from_native(CARD, wanted, ME, V).body
    assert body is not None
    assert (body.data, body.truncated, body.type) == ("first", True, BodyType.TEXT)


def test_note_of_version_2_5_is_an_element_of_contacts() -> None:
    item = from_native(CARD, WANTED, ME, Version.V2_5)
    element = dump("AirSync:ApplicationData", item, Version.V2_5)
    old = element.child("Contacts:Body")
    assert old is not None
    assert old.text.startswith("first line")
    assert element.child("AirSyncBase:Body") is None
    assert load(Contact, element, Version.V2_5).body == note(old.text)


@pytest.mark.parametrize(("text", "day"), [
    ("1980-02-03T00:00:00.000Z", date(1980, 2, 3)),
    ("1980-02-03T11:59:00.000Z", date(1980, 2, 3)),
    ("1980-02-03T08:00:00Z", date(1980, 2, 3)),
    ("19800203T110000Z", date(1980, 2, 3)),
    ("1980-02-03", date(1980, 2, 3)),
    ("", None),
])
def test_time_of_a_birthday_is_ignored(text: str, day: date | None) -> None:
    """[MS-ASCNTC] Birthday R999, Anniversary R109001: sent are midnight, 8:00, 11:00, 11:59."""
    element = Element("AirSync:ApplicationData", (Element("Contacts:Birthday", text),))
    assert load(Contact, element, V).birthday == day


@pytest.mark.parametrize("text", ["1980-02-30T00:00:00.000Z", "yesterday", "0000-01-01T00:00:00.000Z", "1980-02-031"])
def test_birthday_that_is_no_date_is_an_error(text: str) -> None:
    with pytest.raises(SchemaError):
        load(Contact, Element("AirSync:ApplicationData", (Element("Contacts:Birthday", text),)), V)


def test_birthday_without_year_survives_an_edit() -> None:
    card = CARD.replace(b"BDAY;VALUE=date:1980-01-02", b"BDAY:--0102")
    item = shown(card)
    assert item.birthday == date(NO_YEAR, 1, 2)
    assert b"BDAY:--0102\r\n" in to_native(replace(item, first_name="Jim"), ALL, card, frozenset(), ME, V)


def test_birthday_in_words_survives_a_device_that_cannot_see_it() -> None:
    card = CARD.replace(b"BDAY;VALUE=date:1980-01-02", b"BDAY;VALUE=text:about 1800")
    assert b"BDAY;VALUE=text:about 1800\r\n" in to_native(Contact(), ALL, card, frozenset(), ME, V)


def test_picture_over_48_kb_is_refused_and_one_below_is_not() -> None:
    """[MS-ASCNTC] Picture R381, R384."""
    most = MAX_PICTURE_ENCODED // 4 * 3
    assert shown(written(Contact(picture=b"\xff" * most), frozenset({"picture"}))).picture == b"\xff" * most
    with pytest.raises(Refused):
        written(Contact(picture=b"\xff" * (most + 1)), frozenset({"picture"}))


def test_stored_picture_beyond_the_limit_is_not_shown_and_not_lost() -> None:
    large = base64.b64encode(b"\xff" * 40_000)
    card = CARD.replace(b"PHOTO;VALUE=uri:http://example.com/p.jpg", b"PHOTO;ENCODING=b:" + large)
    assert shown(card).picture is None
    assert to_native(shown(card), ALL, card, frozenset(), ME, V) == card
    assert large not in to_native(Contact(picture=JPEG), frozenset({"picture"}), card, ALL, ME, V)


def test_empty_picture_removes_it_and_absent_picture_keeps_it() -> None:
    """[MS-ASCMD] Change R878."""
    card = written(Contact(picture=JPEG), frozenset({"picture"}))
    assert to_native(Contact(), frozenset(), card, ALWAYS_KEPT, ME, V) == card
    assert b"PHOTO" not in to_native(Contact(), frozenset({"picture"}), card, ALWAYS_KEPT, ME, V)


def test_picture_at_an_address_is_neither_fetched_nor_removed() -> None:
    assert shown(CARD).picture is None
    assert b"http://example.com/p.jpg" in to_native(Contact(), ALL, CARD, frozenset(), ME, V)


def test_picture_that_is_not_base64_is_an_error() -> None:
    with pytest.raises(SchemaError):
        load(Contact, Element("AirSync:ApplicationData", (Element("Contacts:Picture", "%%"),)), V)


@pytest.mark.parametrize("sent", ['"Ann Example" <a@example.com>', "<a@example.com>", "a@example.com"])
def test_address_with_a_name_is_stored_without_it(sent: str) -> None:
    assert "EMAIL:a@example.com" in unfolded(written(Contact(email1=sent), frozenset({"email1"})))


def test_no_more_than_300_categories_and_children_are_shown_and_the_others_stay() -> None:
    """[MS-ASCNTC] Category R183, Child R194."""
    many = "".join(f",c{n}" for n in range(MAX_LIST))
    card = CARD.replace(b"CATEGORIES:a", f"CATEGORIES:a{many}\r\n".encode() + b"X-MS-CHILD:k\r\n" * (MAX_LIST + 1))
    item = shown(card)
    assert (len(item.categories), len(item.children)) == (MAX_LIST, MAX_LIST)
    assert to_native(item, ALL, card, frozenset(), ME, V) == card


NAMED = [
    (Contact(title="Dr.", first_name="Ann", middle_name="Q", last_name="Doe", suffix="Jr."), "Dr. Ann Q Doe Jr."),
    (Contact(first_name="Ann", company="Acme"), "Ann"),
    (Contact(company="Acme", department="Ops"), "Acme"),
    (Contact(email1="a@example.com"), "a@example.com"),
    (Contact(file_as="Filed"), "Filed"),
    (Contact(mobile_phone="1"), ""),
]


@pytest.mark.parametrize(("item", "formatted"), NAMED)
def test_new_card_has_all_that_version_3_requires(item: Contact, formatted: str) -> None:
    card = parse(written(item))
    assert {(line.name, line.value) for line in card.lines} >= {
        ("VERSION", "3.0"), ("UID", "uid-1"), ("FN", formatted), ("REV", "2026-03-04T05:06:07Z"),
    }
    assert card.first("N") is not None
    assert card.first("PRODID") is not None


def test_filing_string_does_not_become_the_name_of_a_contact_that_has_one() -> None:
    data = written(Contact(first_name="Ann", last_name="Doe", file_as="Doe, Ann"))
    assert {"FN:Ann Doe", "X-EVOLUTION-FILE-AS:Doe\\, Ann"} <= set(unfolded(data))
    assert shown(data).file_as == "Doe, Ann"


def test_formatted_name_of_others_stays_until_the_names_change() -> None:
    """FN of CARD is none that the parts would give."""
    same = to_native(replace(shown(CARD), mobile_phone="7"), ALL, CARD, frozenset(), ME, V)
    assert 'FN:Johnny "Rocket" Doe' in unfolded(same)
    other = to_native(replace(shown(CARD), first_name="Jim"), ALL, CARD, frozenset(), ME, V)
    assert "FN:Jim Doe" in unfolded(other)


def test_card_without_names_is_shown_by_its_formatted_name() -> None:
    card = b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:The Plumber\r\nEND:VCARD\r\n"
    item = shown(card)
    assert (item.last_name, item.file_as) == ("The Plumber", "The Plumber")
    assert to_native(item, ALL, card, frozenset(), ME, V) == card
    edited = shown(to_native(replace(item, first_name="Joe"), ALL, card, frozenset(), ME, V))
    assert (edited.first_name, edited.last_name) == ("Joe", "The Plumber")


def test_group_is_told_from_a_contact() -> None:
    assert is_group(b"BEGIN:VCARD\r\nVERSION:4.0\r\nKIND:group\r\nEND:VCARD\r\n")
    assert is_group(b"BEGIN:VCARD\nX-ADDRESSBOOKSERVER-KIND;VALUE=text: GROUP\nEND:VCARD")
    assert not is_group(b"BEGIN:VCARD\nKIND:individual\nNOTE:x\n KIND:group\nX-KIND:group\nEND:VCARD")


@pytest.mark.parametrize("data", [b"", b"FN:x", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", b"\x00" * 10])
def test_what_is_no_card_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        shown(data)
    with pytest.raises(Unreadable):
        written(Contact(), base=data)


def test_unreadable_card_is_shown_with_what_can_be_seen_and_the_reason() -> None:
    item = degraded(b"garbage\r\nFN;X=1:Ann\\, Doe\r\nitem1.EMAIL:a@example.com\r\n", "it makes no sense")
    assert (item.last_name, item.email1) == ("Ann, Doe", "a@example.com")
    assert item.body is not None
    assert "it makes no sense" in (item.body.data or "")
    assert degraded(b"\xff\x00", "x").last_name


WORDS = st.text(min_size=1, max_size=20).map(clean).filter(bool)
LISTS = st.lists(WORDS.map(str.strip).filter(bool), max_size=3, unique=True).map(tuple)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **{name: WORDS for name in ALL if not name.startswith("email")},
    **{f"email{n}": st.from_regex(r"[a-z]{1,8}@example\.com", fullmatch=True) for n in (1, 2, 3)},
    "birthday": st.dates(),
    "anniversary": st.dates(),
    "picture": st.binary(min_size=1, max_size=100),
    "categories": LISTS,
    "children": LISTS,
    "body": st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20).map(note),
}
CONTACTS = st.fixed_dictionaries({}, optional=VALUES).map(lambda values: Contact(**values))


def comparable(item: Contact) -> Contact:
    """With the body's text alone, as it is stored."""
    return replace(item, body=note(clean(item.body.data or "")) if item.body else None)


def expected(item: Contact) -> Contact:
    """What a card of this contact shows: FN is filled in, and names who has no other name; a contact of which nothing
    is known has an empty FileAs, since ApplicationData is not empty."""
    if item == Contact():
        return Contact(file_as="")
    formatted = " ".join(value for name in ("title", "first_name", "middle_name", "last_name", "suffix")
                         if (value := getattr(item, name)))
    named = formatted or item.company or item.file_as or item.email1
    known = {formatted, item.company, item.email1, item.email2, item.email3}
    return replace(
        comparable(item),
        file_as=item.file_as or named,
        last_name=item.last_name if formatted or named in known else named,
    )


@given(CONTACTS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_contact_survives_wire_and_card(item: Contact) -> None:
    for version in Version:
        element = dump("AirSync:ApplicationData", item, version)
        assert load(Contact, element, version) == item
        assert stated(Contact, element, version) == {n for n in ALL if getattr(item, n) not in (None, ())}
    assert comparable(shown(written(item))) == expected(item)


@given(CONTACTS, CONTACTS, st.sampled_from(["2.1", "3.0", "4.0"]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_unknown_lines_survive_any_edit_and_the_edit_is_there(first: Contact, second: Contact, version: str) -> None:
    strange = [
        b"item7.X-WHAT;A=b;a=\"c;d\":e\\;f\r\n", b"ROLE:Profession\r\n", b"TEL;TYPE=FAX:99\r\n", b"GEO:1;2\r\n",
        b"X-LONG:" + b"x" * 60 + b"\r\n y\r\n", b"KEY;ENCODING=b:QUJD\r\n",
    ]
    base = written(first).replace(b"VERSION:3.0\r\n", b"VERSION:" + version.encode() + b"\r\n" + b"".join(strange))
    data = to_native(second, ALL, base, frozenset(), ME, V)
    for line in strange:
        assert line in data
    back, wanted = comparable(shown(data)), expected(second)
    assert replace(back, file_as=None, last_name=None) == replace(wanted, file_as=None, last_name=None)
    assert serialize(parse(data)) == data
    assert to_native(shown(data), ALL, data, frozenset(), ME, V) == data


@pytest.mark.parametrize("field", ["categories", "children"])
def test_more_than_300_of_a_list_are_refused(field: str) -> None:
    """[MS-ASCNTC] R183, R194"""
    item = Contact(last_name="Doe", **{field: tuple(f"n{n}" for n in range(MAX_LIST + 1))})
    with pytest.raises(Refused):
        to_native(item, frozenset({"last_name", field}), None, frozenset(), ME, Version.V16_1, uid="u")

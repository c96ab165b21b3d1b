"""The rules of vCard: each reads what others write, writes what can be read back, and leaves the rest alone."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.items.contacts import VCARD
from eas.items.contentline import Component, Line, clean, parse, serialize
from eas.items.vcard import NO_YEAR, Each, Im, Nth, Part, Photo, Related, Rule, Text, kind_of, load, tidy

JPEG = b"\xff\xd8\xff\xe0 not much of a picture"
PACKED = base64.b64encode(JPEG).decode()


def card(*lines: str, version: str = "3.0") -> Component:
    text = "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])
    return parse(text.encode())


def body(of: Component) -> list[str]:
    """The lines between VERSION and END."""
    return serialize(of).decode().split("\r\n")[2:-2]


READ: list[tuple[str, Any, list[str], str]] = [
    ("business_fax", "1", ["TEL;TYPE=WORK,FAX:1"], "3.0"),
    ("business_fax", "1", ["tel;type=fax;type=work;type=pref:1"], "3.0"),
    ("business_fax", "1", ["TEL;WORK;FAX:1"], "2.1"),
    ("business_fax", "1", ['TEL;VALUE=uri;TYPE="work,fax":tel:1'], "4.0"),
    ("home_fax", "1", ["item1.TEL:1", "item1.X-ABLabel:_$!<HomeFAX>!$_"], "3.0"),
    ("mobile_phone", "1", ["TEL;type=IPHONE;type=VOICE:1"], "3.0"),
    ("mobile_phone", "1", ["TEL;TYPE=CELL,WORK:1"], "3.0"),
    ("business_phone", "2", ["TEL;TYPE=WORK:1", "TEL;TYPE=WORK,PREF:2"], "3.0"),
    ("business2_phone", "1", ["TEL;TYPE=WORK:1", "TEL;TYPE=WORK;PREF=1:2"], "4.0"),
    ("home_phone", "1", ["TEL:1"], "3.0"),
    ("home_phone", "2", ["TEL:1", "TEL;HOME:2"], "2.1"),
    ("company_main_phone", "1", ["X-MS-TEL;VOICE;COMPANY:1"], "2.1"),
    ("assistant_phone", "1", ["TEL;TYPE=X-EVOLUTION-ASSISTANT:1"], "3.0"),
    ("email1", "b", ["EMAIL:a", "EMAIL;TYPE=pref:b"], "3.0"),
    ("last_name", "Müller", ["N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;Eva"], "2.1"),
    ("first_name", "Eva; Maria", ["N:Müller;Eva\\; Maria;;;"], "3.0"),
    ("last_name", "Only Name", ["FN:Only Name"], "4.0"),
    ("last_name", None, ["FN:Acme", "N:;;;;", "ORG:Acme;Sales"], "3.0"),
    ("last_name", None, ["FN:a@example.com", "N:;;;;", "EMAIL:a@example.com"], "3.0"),
    ("department", "Sales, North", ["ORG:Acme;Sales\\, North;Team 1"], "3.0"),
    ("home_street", "1 Road\nBack", ["ADR;TYPE=home:;;1 Road\\nBack;;;;"], "4.0"),
    ("other_city", "Rome", ["ADR;TYPE=DOM:;;;Rome;;;"], "3.0"),
    ("birthday", date(1996, 4, 15), ["BDAY:1996-04-15"], "3.0"),
    ("birthday", date(1996, 4, 15), ["BDAY:19960415T231000Z"], "4.0"),
    ("birthday", date(1996, 4, 15), ["BDAY;VALUE=date-time:1996-04-15T23:10:00Z"], "3.0"),
    ("birthday", date(NO_YEAR, 4, 15), ["BDAY:--0415"], "4.0"),
    ("birthday", date(NO_YEAR, 2, 29), ["BDAY:--02-29"], "4.0"),
    ("birthday", date(NO_YEAR, 4, 15), ["BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-15"], "3.0"),
    ("birthday", None, ["BDAY;VALUE=text:circa 1800"], "4.0"),
    ("birthday", None, ["BDAY:1996-02-30"], "3.0"),
    ("anniversary", date(2001, 1, 2), ["a.X-ABDATE;type=pref:2001-01-02", "a.X-ABLabel:_$!<Anniversary>!$_"], "3.0"),
    ("anniversary", date(2001, 1, 2), ["X-EVOLUTION-ANNIVERSARY:2001-01-02"], "3.0"),
    ("spouse", "Kim", ["item1.X-ABRELATEDNAMES:Kim", "item1.X-ABLabel:_$!<Spouse>!$_"], "3.0"),
    ("spouse", "Kim", ["RELATED;TYPE=spouse;VALUE=text:Kim"], "4.0"),
    ("spouse", None, ["RELATED;TYPE=spouse:urn:uuid:1"], "4.0"),
    ("children", ("Ann", "Bob"), ["X-MS-CHILD:Ann", "X-MS-CHILD:Bob"], "3.0"),
    ("manager", "Boss", ["X-EVOLUTION-MANAGER:Boss"], "3.0"),
    ("assistant_name", "Al", ["X-MS-ASSISTANT:Al"], "3.0"),
    ("categories", ("a", "b, c"), ["CATEGORIES:a,b\\, c", "CATEGORIES:a"], "3.0"),
    ("picture", JPEG, [f"PHOTO;ENCODING=b;TYPE=JPEG:{PACKED}"], "3.0"),
    ("picture", JPEG, [f"PHOTO:data:image/jpeg;base64,{PACKED}"], "4.0"),
    ("picture", JPEG, [f"PHOTO;ENCODING=BASE64;JPEG:\r\n {PACKED}", ""], "2.1"),
    ("picture", None, ["PHOTO;VALUE=uri:http://192.0.2.1/me.jpg"], "3.0"),
    ("im1", "xmpp:a@example.com", ["IMPP;TYPE=PREF:xmpp:a@example.com"], "3.0"),
    ("im1", "123", ["X-ICQ:123"], "3.0"),
    ("web_page", "https://example.com/a,b;c", ["URL:https://example.com/a,b;c"], "3.0"),
    ("web_page", "http://example.com/", ["URL:http\\://example.com/"], "3.0"),
    ("file_as", "Doe, Jo", ["FN:Jo Doe", "X-EVOLUTION-FILE-AS:Doe\\, Jo"], "3.0"),
    ("file_as", "Jo Doe", ["FN:Jo Doe"], "3.0"),
]


@pytest.mark.parametrize(("name", "value", "lines", "version"), READ)
def test_each_manner_of_writing_is_read(name: str, value: Any, lines: list[str], version: str) -> None:
    assert VCARD[name].load(card(*lines, version=version)) == value


@pytest.mark.parametrize("head", ["TEL;TYPE=FAX", "TEL;TYPE=VIDEO,WORK", "TEL;TYPE=X-EVOLUTION-CALLBACK"])
def test_numbers_of_other_kinds_are_in_no_field(head: str) -> None:
    assert not any(load(VCARD, card(f"{head}:1")).values())


EDITS: list[tuple[Rule, Any, list[str], list[str]]] = [
    (Nth(("TEL",), 0, 2, "WORK"), "9", ["item1.TEL;type=WORK;X-FOO=1:1"], ["item1.TEL;type=WORK;X-FOO=1:9"]),
    (Nth(("TEL",), 0, 2, "WORK"), "9", ["TEL;TYPE=CELL:1"], ["TEL;TYPE=CELL:1", "TEL;TYPE=WORK:9"]),
    (Nth(("TEL",), 0, 1, "WORK FAX"), "9", ["TEL;TYPE=WORK:1"], ["TEL;TYPE=WORK:1", "TEL;TYPE=WORK,FAX:9"]),
    (Nth(("EMAIL",), 0, 3), None, ["EMAIL:a", "EMAIL:b"], ["EMAIL;X-EAS-SLOT=2:b"]),
    (Nth(("EMAIL",), 2, 3), "c", ["EMAIL:a"], ["EMAIL:a", "EMAIL;X-EAS-SLOT=3:c"]),
    (Nth(("EMAIL",), 2, 3), None, ["EMAIL:a", "EMAIL:b", "EMAIL:c", "EMAIL:d"], ["EMAIL:a", "EMAIL:b", "EMAIL:d"]),
    (Nth(("TEL",), 1, 2, "HOME"), "9", ["TEL:1"], ["TEL:1", "TEL;TYPE=HOME;X-EAS-SLOT=2:9"]),
    (Nth(("TEL",), 0, 2, "HOME"), None, ["a.TEL:1", "a.X-ABLabel:x", "b.X-ABLabel:y"], ["b.X-ABLabel:y"]),
    (Part("ADR", 3, "HOME"), "Oslo", ['ADR;TYPE=HOME;LABEL="a":PO;x;1 Rd;;;;'], ["ADR;TYPE=HOME:PO;x;1 Rd;Oslo;;;"]),
    (Part("ADR", 3, "HOME"), None, ["ADR;TYPE=HOME:;;;Oslo;;;", "NOTE:x"], ["NOTE:x"]),
    (Part("ADR", 3, "HOME"), None, ["ADR;TYPE=HOME:;;;A;;;", "ADR;TYPE=HOME:;;;B;;;"], ["ADR;TYPE=HOME:;;;B;;;"]),
    (Part("ORG", 1), "Ops", ["ORG:Acme\\, Inc.;Sales;Team"], ["ORG:Acme\\, Inc.;Ops;Team"]),
    (Part("ORG", 1), "Ops", [], ["ORG:;Ops"]),
    (Part("N", 1), "Jo", ["FN:Doe Family"], ["FN:Doe Family", "N:Doe Family;Jo;;;"]),
    (Each("CATEGORIES"), ("b",), ["CATEGORIES;X=1:a", "NOTE:x", "CATEGORIES:b"], ["CATEGORIES;X=1:b", "NOTE:x"]),
    (Each("CATEGORIES"), (), ["CATEGORIES:a", "CATEGORIES:b"], []),
    (Im(n=0, of=3), "bob", ["IMPP;X-S=1:xmpp:a@example.com"], ["X-MS-IMADDRESS;X-S=1:bob"]),
    (Im(n=0, of=3), "sip:bob@example.com", [], ["IMPP:sip:bob@example.com"]),
    (Im(n=0, of=3), "bob", ["X-JABBER;TYPE=HOME:al"], ["X-JABBER;TYPE=HOME:bob"]),
    (VCARD["birthday"], date(900, 1, 2), ["BDAY;VALUE=text:circa 900"], ["BDAY:0900-01-02"]),
    (VCARD["birthday"], date(NO_YEAR, 1, 2), [], ["BDAY;X-APPLE-OMIT-YEAR=1604:1604-01-02"]),
    (VCARD["anniversary"], date(2001, 1, 2), [], ["X-ANNIVERSARY:2001-01-02"]),
    (VCARD["anniversary"], None, ["i.X-ABDATE:2001-01-02", "i.X-ABLabel:_$!<Anniversary>!$_", "NOTE:x"], ["NOTE:x"]),
    (VCARD["spouse"], "Kim", ["i.X-ABRELATEDNAMES:Al", "i.X-ABLabel:_$!<Spouse>!$_"],
     ["i.X-ABRELATEDNAMES:Kim", "i.X-ABLabel:_$!<Spouse>!$_"]),
    (VCARD["spouse"], None, ["X-SPOUSE:Al", "X-EVOLUTION-SPOUSE:Al", "RELATED;TYPE=spouse:urn:uuid:1"],
     ["RELATED;TYPE=spouse:urn:uuid:1"]),
    (VCARD["children"], ("B", "C"), ["X-MS-CHILD:A", "X-MS-CHILD:B"], ["X-MS-CHILD:B", "X-MS-CHILD:C"]),
    (VCARD["children"], ("B", "A"), ["X-MS-CHILD:A", "X-MS-CHILD:B"], ["X-MS-CHILD:A", "X-MS-CHILD:B"][::-1]),
    (Photo(), JPEG, ["i.PHOTO;VALUE=uri:http://example.com/a.jpg"], [f"i.PHOTO;ENCODING=b;TYPE=JPEG:{PACKED}"]),
    (Photo(), None, ["PHOTO;VALUE=uri:http://example.com/a.jpg"], ["PHOTO;VALUE=uri:http://example.com/a.jpg"]),
    (Photo(), b"GIF8", [f"PHOTO:data:image/jpeg;base64,{PACKED}"], ["PHOTO:data:image/gif;base64,R0lGOA=="]),
    (Text(("NOTE",)), "a,b\nc", ["NOTE;LANGUAGE=de:x"], ["NOTE;LANGUAGE=de:a\\,b\\nc"]),
    (VCARD["file_as"], "Jo Doe", ["FN:Jo Doe", "X-EVOLUTION-FILE-AS:Doe"], ["FN:Jo Doe"]),
    (VCARD["file_as"], "Doe", ["FN:Jo Doe"], ["FN:Jo Doe", "X-EVOLUTION-FILE-AS:Doe"]),
]


@pytest.mark.parametrize(("rule", "value", "before", "after"), EDITS)
def test_edit_touches_only_what_it_is_about(rule: Rule, value: Any, before: list[str], after: list[str]) -> None:
    edited = card(*before)
    rule.dump(value, edited)
    tidy(edited)
    assert body(edited) == after
    if value:
        assert rule.load(parse(serialize(edited))) == value


def test_related_text_of_version_4_is_written_as_the_rfc_has_it() -> None:
    edited = card(version="4.0")
    VCARD["spouse"].dump("Kim", edited)
    VCARD["manager"].dump("Boss", edited)
    VCARD["birthday"].dump(date(NO_YEAR, 1, 2), edited)
    VCARD["anniversary"].dump(date(2001, 2, 3), edited)
    assert body(edited) == [
        "RELATED;VALUE=text;TYPE=spouse:Kim", "X-MANAGER:Boss", "BDAY:--0102", "ANNIVERSARY:20010203",
    ]


def test_related_without_value_type_is_told_to_be_text_when_it_changes() -> None:
    edited = card("RELATED;TYPE=spouse:Kim", version="4.0")
    VCARD["spouse"].dump("mail:x", edited)
    assert VCARD["spouse"].load(parse(serialize(edited))) == "mail:x"


def test_picture_of_version_4_is_a_data_uri() -> None:
    edited = card(version="4.0")
    Photo().dump(JPEG, edited)
    assert body(edited)[0].startswith("PHOTO:data:image/jpeg;base64,")
    assert Photo().load(parse(serialize(edited))) == JPEG


def test_text_of_version_2_1_is_written_quoted_printable_and_read_back() -> None:
    edited = card("NOTE:old", version="2.1")
    Text(("NOTE",)).dump("Grüße;\nan alle", edited)
    assert "ENCODING=QUOTED-PRINTABLE" in body(edited)[0]
    assert Text(("NOTE",)).load(parse(serialize(edited))) == "Grüße;\nan alle"


@given(st.lists(st.none() | st.sampled_from("abcdef"), min_size=3, max_size=3),
       st.lists(st.none() | st.sampled_from("abcdef"), min_size=3, max_size=3))
def test_values_stand_in_their_places_whichever_others_come_and_go(
    first: list[str | None], second: list[str | None]
) -> None:
    rules = [Nth(("EMAIL",), n, 3) for n in range(3)]
    edited = card()
    for values in (first, second):
        for rule, value in zip(rules, values, strict=True):
            rule.dump(value, edited)
        assert [rule.load(parse(serialize(edited))) for rule in rules] == values


@given(st.sampled_from(["2.1", "3.0", "4.0"]), st.lists(st.text().map(clean), max_size=4))
def test_lists_are_read_as_written(version: str, words: list[str]) -> None:
    edited = card(version=version)
    Each("CATEGORIES").dump(tuple(words), edited)
    expected = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
    assert Each("CATEGORIES").load(parse(serialize(edited))) == expected


def test_relation_is_told_from_another_relation() -> None:
    both = card("X-ABRELATEDNAMES:Nobody", "a.X-ABRELATEDNAMES:Pat", "a.X-ABLabel:_$!<Friend>!$_")
    assert Related(("X-SPOUSE",), "SPOUSE").load(both) is None


def test_line_of_no_kind_has_none() -> None:
    assert kind_of(Line("TEL", "1"), card(), [("WORK", frozenset({"WORK"}))]) == ""

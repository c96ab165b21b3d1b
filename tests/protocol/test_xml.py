"""Elements as XML: both directions, the shape of the text, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from eas.protocol.codepages import OPAQUE, TOKEN_OF
from eas.protocol.wbxml import Element, clean
from eas.protocol.xml import XmlError, from_xml, read, show, to_xml

MAIL = Element(
    "AirSync:Sync",
    (
        Element("AirSync:MoreAvailable"),
        Element(
            "AirSync:ApplicationData",
            (
                Element("Email:Subject", "<ü> & more"),
                Element("AirSyncBase:Body", (Element("AirSyncBase:Data", b"\xff\x00"),)),
                Element("Email2:ConversationId", b"\x00\x01\x02"),
            ),
        ),
    ),
)

TEXT = """\
<Sync xmlns="AirSync" xmlns:airsyncbase="AirSyncBase" xmlns:email="Email" xmlns:email2="Email2">
  <MoreAvailable/>
  <ApplicationData>
    <email:Subject>&lt;ü&gt; &amp; more</email:Subject>
    <airsyncbase:Body>
      <airsyncbase:Data encoding="base64">/wA=</airsyncbase:Data>
    </airsyncbase:Body>
    <email2:ConversationId>AAEC</email2:ConversationId>
  </ApplicationData>
</Sync>
"""


def test_document_as_text() -> None:
    assert show(MAIL) == TEXT.rstrip()


def test_text_as_document() -> None:
    assert read(TEXT) == MAIL
    assert read(TEXT.encode()) == MAIL


def test_tree_has_the_namespaces_of_the_published_schemas() -> None:
    schema = etree.XMLSchema(
        etree.fromstring(
            b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="Ping" xmlns="Ping"
              elementFormDefault="qualified"><xs:element name="Ping"><xs:complexType><xs:sequence>
              <xs:element name="Status" type="xs:unsignedByte"/></xs:sequence></xs:complexType></xs:element>
              </xs:schema>"""
        )
    )
    assert schema.validate(to_xml(Element("Ping:Ping", (Element("Ping:Status", "2"),))))
    assert not schema.validate(to_xml(Element("Ping:Ping", (Element("Ping:Status", "two"),))))


READ = {
    "namespaces with a colon": '<Sync xmlns="AirSync:"><Status>1</Status></Sync>',
    "prefix": '<a:Sync xmlns:a="AirSync"><a:Status>1</a:Status></a:Sync>',
    "comments and instructions": '<?a?><Sync xmlns="AirSync"><!-- x --><?b?><Status><!-- y -->1</Status></Sync>',
    "declaration": '<?xml version="1.0" encoding="utf-8"?><Sync xmlns="AirSync"><Status>1</Status></Sync>',
    "character reference": '<Sync xmlns="AirSync"><Status>&#49;</Status></Sync>',
    "CDATA": '<Sync xmlns="AirSync"><Status><![CDATA[1]]></Status></Sync>',
}


@pytest.mark.parametrize("name", READ)
def test_other_ways_to_write_it(name: str) -> None:
    assert read(READ[name]) == Element("AirSync:Sync", (Element("AirSync:Status", "1"),))


def test_white_space_of_a_text_stays() -> None:
    assert read('<Sync xmlns="AirSync"><Status> a\n </Status></Sync>').elements[0].text == " a\n "


REFUSED = {
    "no XML": ("Sync", "line 1"),
    "nothing": ("", "."),
    "cut": ('<Sync xmlns="AirSync">', "line 1"),
    "no namespace": ("<Sync/>", "':Sync'"),
    "unknown namespace": ('<Sync xmlns="Foo"/>', "'Foo:Sync'"),
    "unknown tag": ('<Synk xmlns="AirSync"/>', "'AirSync:Synk'"),
    "text beside elements": ('<Sync xmlns="AirSync">a<Status/></Sync>', "text beside elements in AirSync:Sync"),
    "bad base64": ('<ConversationId xmlns="Email2">???</ConversationId>', "not base64"),
    "marked as base64": ('<Sync xmlns="AirSync" encoding="base64">ä</Sync>', "not base64"),
    "entity": ('<!DOCTYPE Sync [<!ENTITY a "b">]><Sync xmlns="AirSync">&a;</Sync>', "document type"),
    "file": ('<!DOCTYPE Sync [<!ENTITY a SYSTEM "file:///etc/passwd">]><Sync xmlns="AirSync">&a;</Sync>', "document t"),
    "deep": ("<Sync xmlns='AirSync'>" * 65 + "</Sync>" * 65, "inside each other"),
    "very deep": ("<Sync xmlns='AirSync'>" * 5000 + "</Sync>" * 5000, "."),
    "prefix of nothing": ('<Sync xmlns="AirSync"><x:y/></Sync>', "prefix x on y"),
    "surrogate": ('<Sync xmlns="AirSync">\ud800</Sync>', "surrogates"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_its_reason(name: str) -> None:
    text, reason = REFUSED[name]
    with pytest.raises(XmlError, match=reason):
        read(text)


def test_entity_of_a_tree_that_another_parser_made_is_refused() -> None:
    text = b'<!DOCTYPE Sync [<!ENTITY a "b">]><Sync xmlns="AirSync">&a;</Sync>'
    with pytest.raises(XmlError, match="entity in AirSync:Sync"):
        from_xml(etree.fromstring(text, etree.XMLParser(resolve_entities=False)))


def elements() -> st.SearchStrategy[Element]:
    texts = st.text(st.characters(codec="utf-8"), max_size=20).map(clean)
    tags, opaque = st.sampled_from(sorted(TOKEN_OF.keys() - OPAQUE)), st.sampled_from(sorted(OPAQUE))
    leaves = st.builds(Element, tags, texts | st.binary(max_size=20)) | st.builds(
        Element, opaque, st.binary(max_size=20)
    )
    return st.recursive(leaves, lambda inner: st.builds(Element, tags, st.lists(inner, max_size=4).map(tuple)))


@given(elements())
@settings(max_examples=60)
def test_what_is_shown_is_read_the_same(root: Element) -> None:
    assert from_xml(to_xml(root)) == root
    assert read(show(root)) == root


@given(st.text(st.characters(), max_size=30))
@settings(max_examples=60)
def test_any_text_can_be_shown(text: str) -> None:
    assert read(show(Element("Email:Subject", text))) == Element("Email:Subject", clean(text))
    assert read(show(Element("ComposeMail:Mime", text))).text == clean(text)

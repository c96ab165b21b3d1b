"""libwbxml's tools (Debian: libwbxml2-utils) as witness of the codec: another reading of the same tables, in C.

It knows the pages 0 to 24 without the unverified tags and the latest ones, writes `unknown` for all others, and has
some names of its own. It trims white space, so the texts here have none at their ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from eas.protocol.codepages import OPAQUE, TOKEN_OF, UNVERIFIED
from eas.protocol.wbxml import Element, decode, encode

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(
        shutil.which("wbxml2xml") is None and "CI" not in os.environ, reason="libwbxml2-utils is not installed"
    ),
]

#: Tags for which libwbxml 0.11.8 has another name that is more than another spelling (see `_folded`).
OTHER_NAMES = {
    "Contacts:AssistantPhoneNumber": "AssistantTelephoneNumber",
    **{
        f"Contacts:{place}Address{part}": f"{place}{part}"
        for place in ("Business", "Home", "Other")
        for part in ("City", "Country", "PostalCode", "State", "Street")
    },
    "Email:Att0Id": "AttOId",
    "Email:Status": "FlagStatus",
    "Provision:RequireStorageCardEncryption": "DeviceEncryptionEnabled",
    "Settings:RightsManagementInformation": "ihsManagementInformation",
    "ComposeMail:Name": "ForwardeeName",
    "ComposeMail:Email": "ForwardeeEmail",
    "RightsManagement:Owner": "RMOwner",
    "RightsManagement:RemoveRightsManagementProtection": "RemoveRightsManagementDistribution",
}

#: Tags that it does not know.
UNKNOWN = UNVERIFIED | {
    "MeetingResponse:ProposedStartTime",
    "MeetingResponse:ProposedEndTime",
    "Provision:AccountOnlyRemoteWipe",
    *(tag for tag in TOKEN_OF if tag.startswith("Find:")),
}
KNOWN = sorted(TOKEN_OF.keys() - UNKNOWN)


def run(*command: str, data: bytes) -> bytes:
    return subprocess.run([*command, "-o", "-", "-"], input=data, capture_output=True, timeout=120, check=True).stdout


def as_xml(root: Element) -> bytes:
    return run("wbxml2xml", "-l", "ACTIVESYNC", "-m", "2", "-k", data=encode(root))


def _folded(name: str) -> str:
    """Its names differ in case, in hyphens, and by prefixes such as `Recurrence_`."""
    return name.replace("-", "").replace("_", "").lower()


def _same(tag: str, node: etree._Element) -> bool:
    namespace, _, name = tag.partition(":")
    qualified = etree.QName(node)
    if (qualified.namespace or "").lower() != f"{namespace}:".lower():
        return False
    names = {_folded(qualified.localname), _folded(qualified.localname.rpartition("_")[2])}
    return _folded(OTHER_NAMES.get(tag, name)) in names


def test_every_tag_is_the_same_to_libwbxml() -> None:
    """One document with an element of each tag; in it a child on page 0, so that every page is left again."""
    tags = sorted(TOKEN_OF)
    root = Element("AirSync:Sync", tuple(Element(tag, (Element("AirSync:Status", "1"),)) for tag in tags))
    nodes = list(etree.fromstring(as_xml(root)))
    assert len(nodes) == len(tags)
    assert {tag for tag, node in zip(tags, nodes, strict=True) if node.tag == "{AirSync:}unknown"} == UNKNOWN
    assert [tag for tag, node in zip(tags, nodes, strict=True) if tag not in UNKNOWN and not _same(tag, node)] == []
    assert all(node[0].tag == "{AirSync:}Status" and node[0].text == "1" for node in nodes)


def _differences(element: Element, node: etree._Element) -> Iterator[str]:
    if not _same(element.tag, node):
        yield f"{element.tag} is {node.tag}"
    if element.elements:
        if len(element.elements) != len(node):
            yield f"{element.tag} with {len(node)} children"
        for child, inner in zip(element.elements, node, strict=False):
            yield from _differences(child, inner)
    elif element.tag not in OPAQUE and (node.text or "") != element.text:
        yield f"{element.tag} with {node.text!r}"


TEXTS = st.text("abcXYZ019äß€😀<>&", max_size=8)
LEAVES = st.builds(Element, st.sampled_from(sorted(set(KNOWN) - OPAQUE)), TEXTS) | st.builds(
    Element, st.sampled_from(sorted(OPAQUE)), st.binary(max_size=40)
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(Element, st.sampled_from(KNOWN), st.lists(inner, min_size=1, max_size=6).map(tuple)),
    max_leaves=30,
).map(lambda inner: Element("AirSync:Sync", (inner,)))


@given(TREES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_libwbxml_reads_what_we_write(root: Element) -> None:
    assert list(_differences(root, etree.fromstring(as_xml(root)))) == []


@pytest.mark.parametrize(
    "options", [(), ("-n",), ("-v", "1.1"), ("-a",)], ids=["strings", "inline", "1.1", "anonymous"]
)
def test_we_read_what_libwbxml_writes(options: tuple[str, ...]) -> None:
    """Its own XML back to WBXML: with a string table (its default, which no ActiveSync peer uses) and without."""
    text = "a sentence that is long enough to be kept in a table"
    mail = (
        Element("Email:Subject", text),
        Element("Email:From", text),
        Element("AirSyncBase:Body", (Element("AirSyncBase:Type", "2"), Element("AirSyncBase:Data", "ä<b>€😀</b>"))),
        Element("Email2:ConversationId", bytes(range(16))),
    )
    collection = (Element("AirSync:MoreAvailable"), Element("AirSync:ApplicationData", mail))
    root = Element("AirSync:Sync", (Element("AirSync:Collection", collection),))
    written = run("xml2wbxml", *options, data=as_xml(root))
    assert (b"\x83\x00" in written) == ("-n" not in options)  # refers to its string table
    assert decode(written) == root

"""[MS-ASWBXML] Standards Assignments, Processing Rules: which tokens a document has, and what is none.

The code pages themselves are compared tag by tag in tests/protocol/test_codepages.py.
"""

from __future__ import annotations

from lab import BEFORE_14, FROM_14, Lab, case
from old_kit import INBOX, device
from wire import Got, e

from eas.protocol import wbxml

#: WBXML 1.3, an unknown public id, UTF-8, no string table.
HEAD = b"\x03\x01\x6a\x00"
SWITCH_PAGE, END, STR_I, OPAQUE = b"\x00", b"\x01", b"\x03", b"\xc3"
#: FolderHierarchy: FolderSync and SyncKey, with content.
FOLDER_SYNC, SYNC_KEY = b"\x56", b"\x52"


def document(*inside: bytes) -> bytes:
    """A FolderSync whose SyncKey is written so."""
    return HEAD + SWITCH_PAGE + b"\x07" + FOLDER_SYNC + SYNC_KEY + b"".join(inside) + END + END


#: The same SyncKey in every way that there is: strings, opaque data, after a switch to the page that it is in.
WAYS = {
    "a string": document(STR_I + b"0\x00"),
    "strings": document(STR_I + b"\x00", STR_I + b"0\x00"),
    "opaque data": document(OPAQUE + b"\x01" + b"0"),
    "a string and opaque data": document(STR_I + b"\x00", OPAQUE + b"\x01" + b"0"),
    "a needless switch": document(STR_I + b"0\x00").replace(SYNC_KEY, SWITCH_PAGE + b"\x07" + SYNC_KEY),
    "WBXML 1.2": b"\x02" + document(STR_I + b"0\x00")[1:],
}

#: Tokens that have no place in ActiveSync, each as it would stand in a document of another kind.
FOREIGN = {
    "ENTITY": b"\x02\x41",
    "LITERAL": b"\x04\x00",
    "EXT_I_0": b"\x40x\x00", "EXT_I_1": b"\x41x\x00", "EXT_I_2": b"\x42x\x00",
    "PI": b"\x43\x05\x01",
    "LITERAL_C": b"\x44\x00\x01",
    "EXT_T_0": b"\x80\x00", "EXT_T_1": b"\x81\x00", "EXT_T_2": b"\x82\x00",
    "STR_T": b"\x83\x00",
    "LITERAL_A": b"\x84\x00\x01",
    "EXT_0": b"\xc0", "EXT_1": b"\xc1", "EXT_2": b"\xc2",
    "LITERAL_AC": b"\xc4\x00\x01\x01",
    "an attribute": b"\x88\x05\x01",
}
BROKEN = {
    "nothing": HEAD,
    "the end is missing": document(STR_I + b"0\x00")[:-1],
    "a string without end": document(STR_I + b"0")[:-2],
    "more data than there is": document(OPAQUE + b"\x7f0"),
    "an unknown page": HEAD + SWITCH_PAGE + b"\x3f" + FOLDER_SYNC + END,
    "an unknown tag": HEAD + SWITCH_PAGE + b"\x07" + FOLDER_SYNC + b"\x3f" + END,
    "two roots": document(STR_I + b"0\x00") + FOLDER_SYNC + END,
    "a string table": b"\x03\x01\x6a\x7f" + document(STR_I + b"0\x00")[4:],
}


@case("MS-ASWBXML", "R1 R6 R655 R801 R802 R804 R819")
async def a_text_may_be_written_in_several_ways(lab: Lab) -> None:
    talker = lab.talker()
    for way, body in WAYS.items():
        got = await talker.post("FolderSync", body)
        assert (got.http, got.status) == (200, "1"), way


async def _refused(lab: Lab) -> dict[str, Got]:
    talker = lab.talker()
    asked = {name: document(token, STR_I + b"0\x00") for name, token in FOREIGN.items()} | BROKEN
    return {name: await talker.post("FolderSync", body) for name, body in asked.items()}


UNUSED = "R656 R803 R805 R806 R807 R808 R809 R810 R811 R812 R813 R814 R815 R816 R817 R818 R820"


@case("MS-ASWBXML", f"{UNUSED} MS-ASCMD:R4815", FROM_14)
async def what_is_no_document_is_102(lab: Lab) -> None:
    refused = e("FolderHierarchy:FolderSync", e("Status", "102"))
    for name, got in (await _refused(lab)).items():
        assert got.http == 200, name
        assert got.root == refused, (name, got.root)


@case("MS-ASWBXML", UNUSED, BEFORE_14)
async def what_is_no_document_is_400(lab: Lab) -> None:
    assert {name: got.http for name, got in (await _refused(lab)).items() if got.http != 400} == {}


@case("MS-ASWBXML", "R1 R6 R655 R656")
async def answers_have_no_other_tokens(lab: Lab) -> None:
    """No string table, no attributes: what decodes here, and encodes to the same bytes again, has none."""
    one = await device(lab)
    inbox = await one.kept(INBOX)
    for body in (
        (await one.talker.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))).body,
        (await one.talker.post("Sync", inbox.request(key="0"))).body,
    ):
        assert body[:4] == HEAD
        assert wbxml.encode(wbxml.decode(body)) == body

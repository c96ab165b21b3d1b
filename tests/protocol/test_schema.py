"""Typed messages and elements: presence, lists, choices, enclosing elements, versions, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.protocol.schema import (
    COMPACT,
    DASHED,
    ELEMENT,
    FLAG,
    INT,
    OPAQUE,
    PRESENCE,
    TEXT,
    Codec,
    SchemaError,
    Spelling,
    choices,
    dump,
    element,
    elements,
    enum,
    load,
    message,
    spelled,
    stated,
)
from eas.protocol.version import (
    COLLECTION_CLASS,
    COMMON_STATUS,
    EMPTY_SYNC,
    HTTP_449,
    NOTES,
    PROVISION_DEVICE_INFORMATION,
    Spoken,
    Version,
)
from eas.protocol.wbxml import Element, decode, encode

NOW, OLD = Version.V16_1, Version.V2_5


class Importance(IntEnum):
    LOW = 0
    NORMAL = 1
    HIGH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    name: str | None = element("AirSyncBase:DisplayName", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    subject: str | None = element("Email:Subject", default=None)
    importance: Importance | None = element("Email:Importance", enum(Importance), default=None)
    read: bool | None = element("Email:Read", FLAG, default=None)
    received: datetime | None = element("Email:DateReceived", DASHED, default=None)
    categories: tuple[str, ...] = elements("Email:Category", within="Email:Categories", since=Version.V14_0, keep=True)
    location: Place | str | None = spelled(
        Spelling("AirSyncBase:Location", message(Place), spoken=Spoken(since=Version.V16_0)),
        Spelling("Email:Location", spoken=Spoken(until=Version.V14_1)),
        default=None,
    )
    conversation: bytes | None = element("Email2:ConversationId", OPAQUE, since=Version.V14_0, default=None)
    flag_type: str | None = element("Email:FlagType", within="Email:Flag", since=Version.V12_0, default=None)
    flag_status: int | None = element("Email:Status", INT, within="Email:Flag", since=Version.V12_0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    client_id: str = element("AirSync:ClientId")
    data: Element | None = element("AirSync:ApplicationData", ELEMENT, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    server_id: str = element("AirSync:ServerId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    sync_key: str = element("AirSync:SyncKey")
    get_changes: bool | None = element("AirSync:GetChanges", FLAG, default=None)
    more: bool | None = element("AirSync:MoreAvailable", PRESENCE, default=None)
    window: int | None = element("AirSync:WindowSize", INT, default=None)
    commands: tuple[Add | Delete, ...] = choices(
        {"AirSync:Add": Add, "AirSync:Delete": Delete}, within="AirSync:Commands"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loose:
    """Choices and lists that have no enclosing element."""

    commands: tuple[Add | Delete, ...] = choices({"AirSync:Add": Add, "AirSync:Delete": Delete})
    ids: tuple[str, ...] = elements("AirSync:CollectionId")


def tree(tag: str, *content: Element) -> Element:
    return Element(tag, content)


def item(*content: Element) -> Element:
    return tree("AirSync:ApplicationData", *content)


# Presence -----------------------------------------------------------------------------------------------------------


def test_absent_element_gives_the_default() -> None:
    assert load(Item, item(), NOW) == Item()


def test_absent_empty_and_valued_are_told_apart() -> None:
    """[MS-ASCMD] Supported R659-R661: what is absent stays as it was, what is empty goes."""
    for content, subject, names in [
        ((), None, set()),
        ((Element("Email:Subject"),), "", {"subject"}),
        ((Element("Email:Subject", "a"),), "a", {"subject"}),
        ((Element("Email:Importance"),), None, {"importance"}),
        ((Element("Email:Categories"),), None, {"categories"}),
        ((Element("Email:Flag"),), None, {"flag_type", "flag_status"}),
    ]:
        root = item(*content)
        assert load(Item, root, NOW).subject == subject
        assert stated(Item, root, NOW) == names


def test_only_spellings_of_the_version_are_stated() -> None:
    root = item(Element("Email:Location", "here"), Element("Email:Categories"))
    assert stated(Item, root, NOW) == {"categories"}
    assert stated(Item, root, OLD) == {"location"}


def test_choice_is_stated_by_any_of_its_elements() -> None:
    assert stated(Loose, tree("AirSync:Sync", Element("AirSync:Delete")), NOW) == {"commands"}
    assert stated(Collection, tree("AirSync:Collection", Element("AirSync:Commands")), NOW) == {"commands"}


def test_required_element_must_be_there() -> None:
    with pytest.raises(SchemaError, match="AirSync:Collection without AirSync:SyncKey") as caught:
        load(Collection, tree("AirSync:Collection"), NOW)
    assert caught.value.tag == "AirSync:SyncKey"


def test_required_element_may_be_empty() -> None:
    assert load(Collection, tree("AirSync:Collection", Element("AirSync:SyncKey")), NOW).sync_key == ""


def test_required_element_of_a_choice_names_the_choice() -> None:
    root = tree("AirSync:Collection", Element("AirSync:SyncKey", "1"), tree("AirSync:Commands", tree("AirSync:Add")))
    with pytest.raises(SchemaError, match="AirSync:Add without AirSync:ClientId"):
        load(Collection, root, NOW)


def test_unknown_elements_are_passed_over() -> None:
    root = item(Element("Email:To", "x"), Element("Email:Subject", "a"), Element("Tasks:Subject", "b"))
    assert load(Item, root, NOW) == Item(subject="a")


def test_first_of_several_counts() -> None:
    root = item(Element("Email:Subject", "a"), Element("Email:Subject", "b"))
    assert load(Item, root, NOW).subject == "a"


def test_text_where_elements_belong_is_an_empty_message() -> None:
    assert load(Item, Element("AirSync:ApplicationData", "text"), NOW) == Item()


# Lists, choices, enclosing elements ---------------------------------------------------------------------------------


def test_list_keeps_its_order() -> None:
    root = tree("AirSync:Sync", *(Element("AirSync:CollectionId", name) for name in "bac"))
    assert load(Loose, root, NOW).ids == ("b", "a", "c")


def test_choices_keep_the_order_of_the_document() -> None:
    commands = (Add(client_id="1"), Delete(server_id="7:1"), Add(client_id="2"))
    collection = Collection(sync_key="k", commands=commands)
    written = dump("AirSync:Collection", collection, NOW)
    enclosing = written.child("AirSync:Commands")
    assert enclosing is not None
    assert [child.tag for child in enclosing.elements] == ["AirSync:Add", "AirSync:Delete", "AirSync:Add"]
    assert load(Collection, written, NOW) == collection


def test_other_elements_among_choices_are_passed_over() -> None:
    inner = tree("AirSync:Commands", Element("AirSync:Class", "x"), tree("AirSync:Delete", Element("AirSync:ServerId")))
    root = tree("AirSync:Collection", Element("AirSync:SyncKey", "1"), inner)
    assert load(Collection, root, NOW).commands == (Delete(server_id=""),)


def test_fields_share_an_enclosing_element() -> None:
    flagged = Item(flag_type="follow up", flag_status=2)
    written = dump("AirSync:ApplicationData", flagged, NOW)
    flag = tree("Email:Flag", Element("Email:FlagType", "follow up"), Element("Email:Status", "2"))
    assert list(written.children("Email:Flag")) == [flag]
    assert load(Item, written, NOW) == flagged


def test_first_of_several_enclosing_elements_counts() -> None:
    root = item(*(tree("Email:Categories", Element("Email:Category", name)) for name in "ab"))
    assert load(Item, root, NOW).categories == ("a",)


def test_element_outside_of_its_enclosing_element_is_passed_over() -> None:
    assert load(Item, item(Element("Email:Category", "a"), Element("Email:Status", "1")), NOW) == Item()


def test_what_is_kept_is_written_empty() -> None:
    assert dump("AirSync:ApplicationData", Item(), NOW) == item(Element("Email:Categories"))
    assert dump("AirSync:ApplicationData", Item(), OLD) == item()


def test_named_fields_are_written_empty() -> None:
    written = dump("AirSync:ApplicationData", Item(), OLD, empty={"subject", "location"})
    assert written == item(Element("Email:Subject"), Element("Email:Location"))
    assert stated(Item, written, OLD) == {"subject", "location"}


# Versions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", Version)
def test_field_exists_in_its_versions_only(version: Version) -> None:
    root = item(Element("Email2:ConversationId", b"1"))
    there = version >= Version.V14_0
    assert load(Item, root, version).conversation == (b"1" if there else None)
    written = dump("AirSync:ApplicationData", Item(conversation=b"1"), version)
    assert (written.child("Email2:ConversationId") is not None) == there


@pytest.mark.parametrize(
    ("version", "tag", "value"),
    [
        (Version.V2_5, "Email:Location", "here"),
        (Version.V14_1, "Email:Location", "here"),
        (Version.V16_0, "AirSyncBase:Location", Place(name="here")),
    ],
)
def test_version_picks_the_spelling(version: Version, tag: str, value: Place | str) -> None:
    written = dump("AirSync:ApplicationData", Item(location=value), version)
    assert [child.tag for child in written.elements if child.tag.endswith("Location")] == [tag]
    assert load(Item, written, version).location == value


def test_earlier_spelling_wins_where_versions_overlap() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Twice:
        value: str | None = spelled(Spelling("Email:To"), Spelling("Email:Cc"), default=None)

    assert dump("AirSync:Sync", Twice(value="a"), NOW) == tree("AirSync:Sync", Element("Email:To", "a"))


def test_version_as_text() -> None:
    """[MS-ASHTTP] R158."""
    texts = ["2.5", "12.0", "12.1", "14.0", "14.1", "16.0", "16.1"]
    assert [version.text for version in Version] == texts
    assert [Version.parse(f" {text} ") for text in texts] == list(Version)
    for wrong in ("", "1.0", "12", "16.2", "14.1.0", "14,1"):
        with pytest.raises(ValueError, match="not a protocol version"):
            Version.parse(wrong)


@pytest.mark.parametrize(
    ("behaviour", "versions"),
    [
        (EMPTY_SYNC, {121, 140, 141, 160, 161}),
        (COMMON_STATUS, {140, 141, 160, 161}),
        (HTTP_449, {25, 120, 121}),
        (COLLECTION_CLASS, {25, 120, 121}),
        (PROVISION_DEVICE_INFORMATION, {141, 160, 161}),
        (NOTES, {140, 141, 160, 161}),
    ],
)
def test_versions_of_a_behaviour(behaviour: Spoken, versions: set[int]) -> None:
    assert {version for version in Version if version in behaviour} == versions


# Values -------------------------------------------------------------------------------------------------------------

READ: list[tuple[Codec, str, object]] = [
    (TEXT, " a ", " a "),
    (INT, " 12 ", 12),
    (INT, "-3", -3),
    (INT, "", None),
    (FLAG, "1", True),
    (FLAG, "0", False),
    (FLAG, "", True),  # [MS-ASDTYPE] boolean: present and empty is true
    (FLAG, "True", True),
    (FLAG, " false ", False),
    (PRESENCE, "", True),
    (enum(Importance), "2", Importance.HIGH),
    (enum(Importance), "", None),
    (DASHED, "2000-12-25T08:35:00.000Z", datetime(2000, 12, 25, 8, 35, tzinfo=UTC)),
    (DASHED, "2000-12-25T08:35:00Z", datetime(2000, 12, 25, 8, 35, tzinfo=UTC)),
    (DASHED, "20001225T083500Z", datetime(2000, 12, 25, 8, 35, tzinfo=UTC)),
    (COMPACT, "2000-12-25T08:35:00.000Z", datetime(2000, 12, 25, 8, 35, tzinfo=UTC)),
    (COMPACT, "", None),
    (OPAQUE, "ü", "ü".encode()),
]


@pytest.mark.parametrize(("codec", "text", "value"), READ)
def test_text_is_read_as_a_value(codec: Codec, text: str, value: object) -> None:
    assert codec.load(Element("Email:Subject", text), NOW) == value


def test_empty_opaque_data_is_no_bytes() -> None:
    assert OPAQUE.load(Element("ComposeMail:Mime"), NOW) == b""


WRONG: list[tuple[Codec, str]] = [
    (INT, "1.5"),
    (INT, "x"),
    (INT, "+-1"),
    (INT, "٣"),
    (INT, "1_000"),
    (INT, "9" * 30),
    (FLAG, "2"),
    (FLAG, "yes"),
    (enum(Importance), "3"),
    (enum(Importance), "high"),
    (DASHED, "yesterday"),
    (DASHED, "2000-13-25T08:35:00.000Z"),
    (DASHED, "2000-12-25"),
    (COMPACT, "20001225"),
]


@pytest.mark.parametrize(("codec", "text"), WRONG)
def test_wrong_value_is_a_schema_error(codec: Codec, text: str) -> None:
    with pytest.raises(SchemaError, match="Email:Subject") as caught:
        codec.load(Element("Email:Subject", text), NOW)
    assert caught.value.tag == "Email:Subject"


def test_moments_are_written_in_utc() -> None:
    moment = datetime(2000, 12, 25, 9, 35, 0, 5_000, tzinfo=timezone(timedelta(hours=1)))
    assert DASHED.dump(moment, NOW) == "2000-12-25T08:35:00.005Z"
    assert COMPACT.dump(moment, NOW) == "20001225T083500Z"


MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)
PLAIN_TEXT = st.text("abü😀 \n", min_size=1, max_size=10)
ITEMS = st.builds(
    Item,
    subject=st.none() | PLAIN_TEXT,
    importance=st.none() | st.sampled_from(Importance),
    read=st.none() | st.booleans(),
    received=st.none() | MOMENTS,
    categories=st.lists(PLAIN_TEXT, max_size=3).map(tuple),
    location=st.none() | st.builds(Place, name=PLAIN_TEXT),
    conversation=st.none() | st.binary(min_size=1, max_size=16),
    flag_type=st.none() | PLAIN_TEXT,
    flag_status=st.none() | st.integers(-5, 5),
)
ADDS = st.builds(
    Add, client_id=PLAIN_TEXT, data=st.none() | ITEMS.map(lambda it: dump("AirSync:ApplicationData", it, NOW))
)
COLLECTIONS = st.builds(
    Collection,
    sync_key=PLAIN_TEXT,
    get_changes=st.none() | st.booleans(),
    more=st.none() | st.just(True),
    window=st.none() | st.integers(0, 512),
    commands=st.lists(ADDS | st.builds(Delete, server_id=PLAIN_TEXT), max_size=4).map(tuple),
)


@given(ITEMS)
@settings(max_examples=60)
def test_item_that_is_written_is_read_the_same(value: Item) -> None:
    assert load(Item, decode(encode(dump("AirSync:ApplicationData", value, NOW))), NOW) == value


@given(COLLECTIONS)
@settings(max_examples=60)
def test_collection_that_is_written_is_read_the_same(value: Collection) -> None:
    assert load(Collection, decode(encode(dump("AirSync:Collection", value, NOW))), NOW) == value

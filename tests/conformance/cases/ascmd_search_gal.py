"""[MS-ASCMD] Search in the Global Address List. The other user's entry has every property and a picture, and somebody
of the same company, who comes before, has none."""

from __future__ import annotations

from typing import Any

from lab import ALL, FROM_12, FROM_14_1, Inapplicable, Lab, case
from search_kit import STORE, asked, found, mail_to_me, mailbox, properties, text_of, words
from wire import Got, e

from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

PROPERTIES = ("DisplayName", "Phone", "Office", "Title", "Company", "Alias", "FirstName", "LastName", "HomePhone",
              "MobilePhone", "EmailAddress")


def gal(text: str, *options: Any) -> Element:
    return asked("GAL", text, *options)


async def ask(lab: Lab, request: Element) -> Got:
    got = await lab.talker().post("Search", request)
    assert (got.http, got.status) == (200, "1"), got
    return got


def entries(got: Got) -> list[dict[str, str]]:
    return [
        {c.tag.partition(":")[2]: c.text for c in properties(result).elements} for result in got.all(*STORE, "Result")
    ]


def name_of(lab: Lab) -> str:
    return lab.other.address.partition("@")[0]


@case("MS-ASCMD", "R4325 R4329", ALL)
async def what_cannot_be_asked(lab: Lab) -> None:
    rows = [
        (gal(""), "2"), (gal("  "), "2"), (asked("GAL", (e("And", words("x")),)), "2"), (asked("Attic", "x"), "2"),
        (asked("", "x"), "2"), (gal("x", e("Range", "1")), "2"), (gal("x", e("Range", "5-1")), "2"),
        (gal("x", e("Range", "a-b")), "2"), (gal("x", e("Range", "")), "2"), (e("Search:Search"), "2"),
    ]
    for request, status in rows:
        got = await ask(lab, request)
        assert got.text(*STORE, "Status") == status, request
        assert got.find(*STORE, "Result") is None


@case("MS-ASCMD", "R3735 R3736", ALL)
async def a_hundred_at_most(lab: Lab) -> None:
    for span, status in (("0-99", "1"), ("0-100", "12"), ("0-999", "12")):
        got = await ask(lab, gal(name_of(lab), e("Range", span)))
        assert got.text(*STORE, "Status") == status, span


@case("MS-ASCMD", "R3847 R7078 R4327 R4321", ALL)
async def nothing_found(lab: Lab) -> None:
    got = await ask(lab, gal(lab.unique()))
    assert got.text(*STORE, "Status") == "1"
    assert got.find(*STORE, "Result") is None


@case(
    "MS-ASCMD",
    "R417 R419 R420 R421 R431 R3691 R3699 R3725 R3729 R3846 R3848 R4638 R5287 R5305 R5373 R5396 R5711 R2747",
    ALL,
)
async def an_entry(lab: Lab) -> None:
    name = name_of(lab)
    for text in (name, name.upper(), name[:-1]):
        got = await ask(lab, gal(text, e("Range", "0-0")))
        (entry,) = entries(got)
        if got.text(*STORE, "Total") != "1":
            raise Inapplicable("somebody else's entry begins as the other user's does")
        assert set(entry) <= set(PROPERTIES)
        assert all(entry.values())
        assert entry["Alias"]
        assert entry["DisplayName"]
        assert entry["EmailAddress"].lower() == lab.other.address.lower()
        assert got.text(*STORE, "Status") == "1"
        assert got.text(*STORE, "Range") == "0-0"
        assert int(got.text(*STORE, "Total")) >= 1
        (result,) = got.all(*STORE, "Result")
        tags = [c.tag for c in properties(result).elements]
        assert len(tags) == len(set(tags))
    assert all(e_.get("EmailAddress", "").lower() != lab.other.address.lower() for e_ in entries(
        await ask(lab, gal(lab.other.address[1:]))
    )), "the end of an address is no beginning"


@case("MS-ASCMD", "R416 R419 R420 R426 R3692 R3846 R4638", ALL)
async def several_entries_by_name(lab: Lab) -> None:
    company = entries(await ask(lab, gal(name_of(lab))))[0].get("Company")
    if not company:
        raise Inapplicable("the other user has no company")
    got = await ask(lab, gal(company))
    many = entries(got)
    if len({frozenset(entry) for entry in many}) < 2:
        raise Inapplicable("all entries of the company have the same properties")
    names = [entry["DisplayName"].casefold() for entry in many]
    assert names == sorted(names)
    assert (got.text(*STORE, "Range"), got.text(*STORE, "Total")) == (f"0-{len(many) - 1}", str(len(many)))
    one = await ask(lab, gal(company, e("Range", "1-1")))
    assert entries(one) == many[1:2]
    assert (one.text(*STORE, "Range"), one.text(*STORE, "Total")) == ("1-1", str(len(many)))


@case("MS-ASCMD", "R5286 R5293 R5300 R5316 R5323 R5330 R5337 R5353 R5360 R5368 R5391 R417", FROM_12)
async def properties_of_people_are_of_the_address_list_alone(lab: Lab) -> None:
    subject = lab.unique()
    await mail_to_me(lab, subject)
    (result,) = await found(lab.talker(), mailbox(words(subject)))
    assert not [c.tag for c in properties(result).elements if c.tag.startswith("GAL:")]
    (entry,) = entries(await ask(lab, gal(name_of(lab), e("Range", "0-0"))))
    if set(entry) != set(PROPERTIES):
        raise Inapplicable("the other user's entry has not everything")


def pictures(got: Got) -> list[tuple[str, bool]]:
    """Status, and whether there is data, in the order of the entries."""
    return [
        (text_of(picture, "GAL:Status"), picture.child("GAL:Data") is not None)
        for picture in got.all(*STORE, "Result", "Properties", "Picture")
    ]


@case(
    "MS-ASCMD",
    "R3674 R2135 R4371 R4372 R4373 R4374 R4375 R3310 R3311 R3294 R3295 R3296 R3297 R2747",
    FROM_14_1,
)
async def pictures_within_limits(lab: Lab) -> None:
    company = entries(await ask(lab, gal(name_of(lab))))[0].get("Company", "")
    if not company:
        raise Inapplicable("the other user has no company")
    if len(entries(await ask(lab, gal(company)))) != 2:
        raise Inapplicable("the company is not one colleague without a photo and the other user with one")
    rows = [
        ((), [("173", False), ("1", True)]),
        ((e("MaxPictures", "1"),), [("173", False), ("1", True)]),
        ((e("MaxSize", "102400"),), [("173", False), ("1", True)]),
        ((e("MaxSize", "1"),), [("173", False), ("174", False)]),
        ((e("MaxPictures", "0"),), [("173", False), ("175", False)]),
        ((e("MaxSize", "1"), e("MaxPictures", "0")), [("173", False), ("174", False)]),
    ]
    for limits, expected in rows:
        assert pictures(await ask(lab, gal(company, e("Picture", *limits)))) == expected, limits
    assert pictures(await ask(lab, gal(company))) == []


@case("MS-ASCMD", "R7273", Spoken(until=Version.V14_0))
async def no_pictures_before_14_1(lab: Lab) -> None:
    assert pictures(await ask(lab, gal(name_of(lab), e("Picture")))) == []

"""[MS-ASCMD] Find, of 16.1."""

from __future__ import annotations

import asyncio
from secrets import token_hex
from typing import Any

from lab import FROM_16_1, Inapplicable, Lab, Talker, case
from search_kit import (
    DELETED,
    INBOX,
    LOOKS,
    PAUSE_SECONDS,
    SENT,
    drawer,
    mail_to_me,
    properties,
    text_of,
)
from wire import Got, e

from eas.protocol.wbxml import Element

RESPONSE = ("Response",)


def finding(criterion: Element | None, search_id: str | None = None) -> Element:
    named = () if search_id == "" else (e("SearchId", search_id or token_hex(16)),)
    return e("Find:Find", *named, *((e("ExecuteSearch", criterion),) if criterion is not None else ()))


def mail(text: str | None, *more: Any, options: tuple[Any, ...] = (), item_class: str = "Email") -> Element:
    criteria = [*([e("FreeText", text)] if text is not None else []), *more]
    if item_class:
        criteria.insert(0, e("AirSync:Class", item_class))
    asked = (e("Options", *options),) if options else ()
    return e("MailBoxSearchCriterion", e("Query", *criteria), *asked)


def gal(text: str, *options: Any) -> Element:
    return e("GalSearchCriterion", e("Query", text), *((e("Options", *options),) if options else ()))


async def ask(talker: Talker, request: Element) -> Got:
    got = await talker.post("Find", request)
    assert got.http == 200
    return got


async def found(talker: Talker, criterion: Element, count: int = 1) -> list[Element]:
    """Once there are so many."""
    results: list[Element] = []
    for _ in range(LOOKS if count else 1):
        got = await ask(talker, finding(criterion))
        assert (got.status, got.text("Response", "Status")) == ("1", "1"), got.root
        results = got.all("Response", "Result")
        if len(results) >= count:
            break
        await asyncio.sleep(PAUSE_SECONDS)
    return results


def subjects(results: list[Element]) -> set[str]:
    return {text_of(properties(one, "Find"), "Email:Subject") for one in results}


@case("MS-ASCMD", "R72172506 R72172512 R72172521 R37071811 R37071812", FROM_16_1)
async def what_cannot_be_asked(lab: Lab) -> None:
    both = Element("ExecuteSearch", (mail("x"), gal("x")))
    rows = [
        e("Find:Find"), finding(None), finding(mail("x"), ""), e("Find:Find", e("SearchId", "1"), both),
        finding(mail(None)), finding(mail("")), finding(mail("x", item_class="Calendar")), finding(gal("")),
        *[finding(mail("x", options=(e("Range", span),))) for span in ("", "1", "a-b", "5-1", "0-1000", "-1-5")],
        finding(gal("x", e("Range", "1-0"))),
    ]
    for request in rows:
        got = await ask(lab.talker(), request)
        assert got.status == "2", request
        inside = got.find("Response", "Status")
        assert inside is None or inside.text == "2", request
        assert got.find("Response", "Result") is None
    got = await ask(lab.talker(), finding(mail("x", options=(e("Range", "7-3"),))))
    assert got.text("Response", "Status") == "2"


@case("MS-ASCMD", "R72172515", FROM_16_1)
async def a_folder_that_there_is_not(lab: Lab) -> None:
    got = await ask(lab.talker(), finding(mail("x", e("AirSync:CollectionId", "nowhere"))))
    assert got.status == "3"
    assert got.find("Response", "Result") is None


@case("MS-ASCMD", "R72172518 R37071816 R37071812", FROM_16_1)
async def pages_of_one_search(lab: Lab) -> None:
    word, talker = lab.unique(), lab.talker()
    for n in range(3):
        await mail_to_me(lab, f"{word} number{n}")
    assert len(await found(talker, mail(word), 3)) == 3
    search = token_hex(16)
    late = await ask(talker, finding(mail(word, options=(e("Range", "1-2"),)), search))
    assert late.text("Response", "Status") == "4"
    seen: list[str] = []
    for span, count, answered in (("0-1", 2, "0-1"), ("2-9", 1, "2-2")):
        got = await ask(talker, finding(mail(word, options=(e("Range", span),)), search))
        assert (got.status, got.text("Response", "Status")) == ("1", "1")
        assert (got.text("Response", "Range"), got.text("Response", "Total")) == (answered, "3")
        results = got.all("Response", "Result")
        assert len(results) == count
        seen += [text_of(one, "AirSync:ServerId") for one in results]
    assert len(set(seen)) == 3
    other = await ask(talker, finding(mail(word, options=(e("Range", "1-2"),)), token_hex(16)))
    assert other.text("Response", "Status") == "4"


@case(
    "MS-ASCMD",
    "R10032019 R901100618 R6659100918 R38391804 R38391805 R45251807 R65591908 R72171804 R72172509 R72172520 "
    "R61641061 R63510605 R65590806 R69581706",
    FROM_16_1,
)
async def a_message_among_the_results(lab: Lab) -> None:
    subject, talker = lab.unique(), lab.talker()
    nothing = await ask(talker, finding(mail(subject)))
    assert (nothing.status, nothing.text("Response", "Status")) == ("1", "1")
    assert nothing.find("Response", "Result") is None
    text = "The first line.\n" + "And many words more. " * 40
    await mail_to_me(lab, subject, text, cc=f"Cora <{lab.me.address}>, {lab.me.address}",
                     files={"plan.bin": b"0123"}, headers={"Importance": "High"})
    (result,) = await found(talker, mail(subject))
    inbox = await drawer(lab)
    (id, _), = (await inbox.holding(subject)).items()
    assert [child.tag for child in result.elements] == [
        "AirSync:Class", "AirSync:ServerId", "AirSync:CollectionId", "Find:Properties"
    ]
    assert text_of(result, "AirSync:Class") == "Email"
    assert (text_of(result, "AirSync:ServerId"), text_of(result, "AirSync:CollectionId")) == (id, inbox.collection)
    shown = properties(result, "Find")
    assert text_of(shown, "Email:Subject") == subject
    assert text_of(shown, "Email:DateReceived")
    assert lab.other.address in text_of(shown, "Email:From")
    assert lab.me.address in text_of(shown, "Email:DisplayTo")
    assert text_of(shown, "Find:DisplayCc") == f"Cora; {lab.me.address}"
    assert (text_of(shown, "Email:Importance"), text_of(shown, "Email:Read")) == ("2", "0")
    assert text_of(shown, "Email2:IsDraft") == "0"
    assert text_of(shown, "Find:HasAttachments") == "1"
    preview = text_of(shown, "Find:Preview")
    assert preview.startswith("The first line. And many")
    assert len(preview) <= 255
    assert not [child.tag for child in shown.elements if child.tag.startswith("GAL:")]
    got = await ask(talker, finding(mail(subject)))
    assert got.root.tag == "Find:Find"
    assert text_of(got.all("Response")[0], "ItemOperations:Store") == "Mailbox"
    plain = lab.unique()
    await mail_to_me(lab, plain)
    (other,) = await found(talker, mail(plain))
    assert text_of(properties(other, "Find"), "Find:HasAttachments") == "0"


@case("MS-ASCMD", "R38391804", FROM_16_1)
async def queries(lab: Lab) -> None:
    """[MS-KQL], as far as a mailbox has what it asks for: what each query finds of four messages."""
    talker, mark = lab.talker(), lab.unique("kql")
    one, two, three = (f"{mark} {word}" for word in ("alpha beta", "beta alpha", "gamma"))
    await mail_to_me(lab, one, "Quarterly figures within.", files={"table.bin": b"1"})
    await mail_to_me(lab, two, "Nothing of note.", cc=f"Cora Caro <{lab.me.address}>")
    await mail_to_me(lab, three, "alpha in the text alone")
    await found(talker, mail(mark), 3)
    sender = lab.other.address
    rows: list[tuple[str, set[str]]] = [
        (mark, {one, two, three}),
        (f"{mark} alpha", {one, two, three}),
        (f'{mark} "alpha beta"', {one}),
        (f"subject:{mark} subject:alpha", {one, two, three}),
        (f"{mark} AND subject:alpha", {one, two}),
        (f"{mark} subject:ALPHA", {one, two}),
        (f"{mark} body:alpha", {three}),
        (f"{mark} NOT gamma", {one, two}),
        (f"{mark} -gamma", {one, two}),
        (f"{mark} AND (figures OR gamma)", {one, three}),
        (f"({mark} figures) OR ({mark} gamma)", {one, three}),
        (f"{mark} AND NOT (figures OR gamma)", {two}),
        (f"{mark} from:{sender}", {one, two, three}),
        (f"{mark} from:cora", set()),
        (f"{mark} cc:cora", {two}),
        (f'{mark} cc:"Cora Caro"', {two}),
        (f"{mark} to:{lab.me.address}", {one, two, three}),
        (f"{mark} to:cora", set()),
        (f"{mark} participants:cora", {two}),
        (f"{mark} recipients:cora", {two}),
        (f"{mark} hasattachment:true", {one}),
        (f"{mark} hasattachment:false", {two, three}),
        (f"{mark} attachment:table", {one}),
        (f"{mark} kind:email", {one, two, three}),
        (f"{mark} kind:contacts", set()),
        (f"{mark} received:today", {one, two, three}),
        (f'{mark} received:"this month"', {one, two, three}),
        (f"{mark} received<2001-01-01", set()),
        (f"{mark} received>=2001-01-01", {one, two, three}),
        (f"{mark} received:2001-01-01..2002-01-01", set()),
        (f"{mark} isread:false", {one, two, three}),
        (f"{mark} isread:true", set()),
        (f"{mark} nosuchproperty:alpha", set()),
        (f"{mark} (gamma", {three}),
        (f"{mark} gamma)", {three}),
    ]
    for query, expected in rows:
        assert subjects(await found(talker, mail(query), 0)) == expected, query


@case("MS-ASCMD", "R38391804 R38391805", FROM_16_1)
async def folders(lab: Lab) -> None:
    word, talker = lab.unique(), lab.talker()
    await mail_to_me(lab, word)
    await found(talker, mail(word))
    rows = [(INBOX, 1), (DELETED, 0), (SENT, 0)]
    for type, count in rows:
        inside = mail(word, e("AirSync:CollectionId", await talker.folder(type)))
        deep = mail(word, e("AirSync:CollectionId", await talker.folder(type)), options=(Element("DeepTraversal"),))
        assert len(await found(talker, inside, 0)) == len(await found(talker, deep, 0)) == count
    assert len(await found(talker, mail(word, options=(Element("DeepTraversal"),)))) == 1
    theirs = lab.talker(lab.other)
    assert len(await found(theirs, mail(word, e("AirSync:CollectionId", await theirs.folder(SENT))))) == 1
    assert await found(theirs, mail(word, e("AirSync:CollectionId", await theirs.folder(INBOX))), 0) == []


# People ---------------------------------------------------------------------------------------------------------------


def entries(got: Got) -> list[dict[str, str]]:
    assert (got.status, got.text("Response", "Status")) == ("1", "1"), got.root
    return [
        {c.tag.partition(":")[2]: c.text for c in properties(result, "Find").elements if c.tag.startswith("GAL:")}
        for result in got.all("Response", "Result")
    ]


@case(
    "MS-ASCMD",
    "R10031993 R1002501 R131999 R132000 R61641061 R61641062 R63510605 R65590806 R69581706 R38391805 R72172509 "
    "R72172520 R37071816",
    FROM_16_1,
)
async def an_entry_of_the_address_list(lab: Lab) -> None:
    talker, name = lab.talker(), lab.other.address.partition("@")[0]
    for text in (name, name.upper(), name[:-1]):
        got = await ask(talker, finding(gal(text, e("Range", "0-0"))))
        (entry,) = entries(got)
        if got.text("Response", "Total") != "1":
            raise Inapplicable("somebody else's entry begins as the other user's does")
        assert entry["EmailAddress"].lower() == lab.other.address.lower()
        assert entry["Alias"]
        assert entry["DisplayName"]
        assert got.text("Response", "Range") == "0-0"
        assert int(got.text("Response", "Total")) >= 1
    if not {"Company", "FirstName", "Phone"} <= set(entry):
        raise Inapplicable("the other user's entry has not everything")
    assert entries(await ask(talker, finding(gal(lab.unique())))) == []
    assert all(
        found.get("EmailAddress", "").lower() != lab.other.address.lower()
        for found in entries(await ask(talker, finding(gal(lab.other.address[1:]))))
    )


@case("MS-ASCMD", "R10031995 R10031996 R131999 R132004 R38391804", FROM_16_1)
async def several_entries_by_name(lab: Lab) -> None:
    talker = lab.talker()
    company = entries(await ask(talker, finding(gal(lab.other.address.partition("@")[0]))))[0].get("Company")
    if not company:
        raise Inapplicable("the other user has no company")
    got = await ask(talker, finding(gal(company)))
    names = [entry["DisplayName"].casefold() for entry in entries(got)]
    assert len(names) > 1
    assert names == sorted(names)
    total = int(got.text("Response", "Total"))
    assert total == len(names) or total > len(names) == 100  # no more are shown where no Range is asked for
    one = await ask(talker, finding(gal(company, e("Range", "0-0"))))
    assert (len(entries(one)), one.text("Response", "Total")) == (1, str(total))


@case("MS-ASCMD", "R32831607 R32831608 R32831609 R32831610 R33001609 R33001610", FROM_16_1)
async def pictures_within_limits(lab: Lab) -> None:
    talker = lab.talker()
    company = entries(await ask(talker, finding(gal(lab.other.address.partition("@")[0]))))[0].get("Company", "")
    if not company:
        raise Inapplicable("the other user has no company")
    if len(entries(await ask(talker, finding(gal(company))))) != 2:
        raise Inapplicable("the company is not one colleague without a photo and the other user with one")
    rows = [
        ((), [("173", False), ("1", True)]),
        ((e("MaxPictures", "1"),), [("173", False), ("1", True)]),
        ((e("MaxSize", "1"),), [("173", False), ("174", False)]),
        ((e("MaxPictures", "0"),), [("173", False), ("175", False)]),
        ((e("MaxSize", "1"), e("MaxPictures", "0")), [("173", False), ("174", False)]),
    ]
    for limits, expected in rows:
        got = await ask(talker, finding(gal(company, e("Picture", *limits))))
        assert [
            (text_of(picture, "GAL:Status"), picture.child("GAL:Data") is not None)
            for picture in got.all("Response", "Result", "Properties", "Picture")
        ] == expected, limits


@case("MS-ASCMD", "R3667", FROM_16_1)
async def three_commands_have_pictures(lab: Lab) -> None:
    talker, name = lab.talker(), lab.other.address
    wanted = {
        "Find": finding(gal(name, e("Picture"))),
        "Search": e("Search:Search", e("Store", e("Name", "GAL"), e("Query", name), e("Options", e("Picture")))),
        "ResolveRecipients": e("ResolveRecipients:ResolveRecipients", e("To", name), e("Options", e("Picture"))),
    }
    where = {
        "Find": ("Response", "Result", "Properties"), "Search": ("Response", "Store", "Result", "Properties"),
        "ResolveRecipients": ("Response", "Recipient"),
    }
    for command, request in wanted.items():
        got = await talker.post(command, request)
        assert [one.text for one in got.all(*where[command], "Picture", "Status")] == ["1"], command

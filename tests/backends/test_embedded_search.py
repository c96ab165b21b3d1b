"""Searches in a mailbox, and the address list."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlalchemy import text as sql
from worlds import NOW, EmbeddedWorld, alternative, card, event, feed_of, folder_of, letter

from eas.backends.embedded import prepare, searching
from eas.backends.embedded.access import all_seen
from eas.engine.model import Audience, FolderType, OofReply, OutOfOffice, Right
from eas.engine.ports import Chosen, MailQuery
from eas.items import kql
from eas.items.appointment import BusyStatus
from eas.items.native import FollowUp, MailFlags


async def hits(world: EmbeddedWorld, name: str = "anna", **query: object) -> list[tuple[str, int]]:
    return list((await world.mailbox(name).search(MailQuery(**query), 0, 100)).hits)  # type: ignore[arg-type]


async def fill(world: EmbeddedWorld, *letters: bytes) -> tuple[str, list[int]]:
    inbox = await folder_of(world.mailbox("anna"), FolderType.INBOX)
    ids = []
    for n, raw in enumerate(letters):
        world.clock.later(minutes=1)
        ids.append((await world.mailbox("anna").feed(inbox).create(raw, Chosen(name=str(n)))).id)
    return inbox.id, ids


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("budget", [0]), ("BUDGET", [0]), ("budget plan", [0]), ("plan budget", [0]), ("budget nonsense", []),
        ("dora", [1]), ("dora@elsewhere", [1]), ("grüße", [1]), ("GRÜSSE", [1]), ("ünïcode", [2]), ("rich", [3]),
        ("script", []), ("100%", [0]), ("100_", []), ("a\\b", [2]), ("", [3, 2, 1, 0]), ("  ", [3, 2, 1, 0]),
    ],
)
async def test_words_are_found_in_subject_addresses_and_body(
    embedded: EmbeddedWorld, text: str, found: list[int]
) -> None:
    folder, ids = await fill(
        embedded,
        letter("Budget for 100%", text="the plan"),
        letter("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", sender='"Dora" <dora@elsewhere.example>'),
        letter("c", text="ÜNÏCODE a\\b"),
        alternative("d", "<style>script{}</style><p>so rich</p>", text=""),
    )
    assert await hits(embedded, text=text) == [(folder, ids[n]) for n in found]


async def test_newest_first_by_page_with_the_total(embedded: EmbeddedWorld) -> None:
    folder, ids = await fill(embedded, *[letter(f"same {n}") for n in range(7)])
    page = await embedded.mailbox("anna").search(MailQuery(text="same"), 2, 3)
    assert page.total == 7
    assert page.hits == tuple((folder, id) for id in [ids[4], ids[3], ids[2]])
    beyond = await embedded.mailbox("anna").search(MailQuery(text="same"), 50, 3)
    assert (beyond.hits, beyond.total) == ((), 7)


async def test_bounds_of_the_received_time(embedded: EmbeddedWorld) -> None:
    folder, ids = await fill(embedded, *[letter(str(n)) for n in range(4)])
    assert await hits(embedded, since=NOW + timedelta(minutes=2), before=NOW + timedelta(minutes=4)) == [
        (folder, ids[2]), (folder, ids[1]),
    ]


async def test_folders_classes_and_what_lies_below(embedded: EmbeddedWorld) -> None:
    mailbox = embedded.mailbox("anna")
    above = await mailbox.create_folder("0", "Above", FolderType.USER_MAIL, Chosen(name="a"))
    below = await mailbox.create_folder(above.id, "Below", FolderType.USER_MAIL, Chosen(name="b"))
    contacts = await folder_of(mailbox, FolderType.CONTACTS)
    one = await mailbox.feed(above).create(letter("needle"), Chosen(name="1"))
    two = await mailbox.feed(below).create(letter("needle"), Chosen(name="2"))
    three = await mailbox.feed(contacts).create(card("Needle Ann"), Chosen(name="3"))
    in_above, in_below, in_contacts = (above.id, one.id), (below.id, two.id), (contacts.id, three.id)
    assert set(await hits(embedded, text="needle")) == {in_above, in_below, in_contacts}
    assert await hits(embedded, text="needle", classes=("Contacts",)) == [in_contacts]
    assert await hits(embedded, text="needle", collections=(above.id,)) == [in_above]
    assert set(await hits(embedded, text="needle", collections=(above.id,), deep=True)) == {in_above, in_below}
    assert await hits(embedded, text="needle", collections=("987654",)) == []


async def test_a_conversation(embedded: EmbeddedWorld) -> None:
    folder, ids = await fill(
        embedded,
        letter("a", message_id="first@x"),
        letter("Re: a", message_id="second@x", headers=["In-Reply-To: <first@x>", "References: <first@x>"]),
        letter("b", message_id="third@x"),
    )
    conversation = bytes.fromhex(prepare.message(letter("a", message_id="first@x"), NOW).conversation or "")
    assert await hits(embedded, conversation=conversation) == [(folder, ids[1]), (folder, ids[0])]


async def test_others_mail_is_not_found_unless_it_is_shared(embedded: EmbeddedWorld) -> None:
    folder, [id] = await fill(embedded, letter("secret"))
    assert await hits(embedded, "ben", text="secret") == []
    assert await hits(embedded, "ben", text="secret", collections=(folder,)) == []
    await embedded.share("anna", await folder_of(embedded.mailbox("anna"), FolderType.INBOX), "ben", Right.READ)
    assert await hits(embedded, "ben", text="secret") == [(folder, id)]


async def test_a_search_text_is_bounded() -> None:
    prepared = prepare.message(letter("x", text="word " * 500_000 + "needle"), NOW)
    assert len(prepared.search) <= 2 * prepare.MAX_SEARCH
    assert "needle" not in prepared.search


async def test_out_of_office_comes_back_as_it_was_set(embedded: EmbeddedWorld) -> None:
    mailbox = embedded.mailbox("anna")
    assert await mailbox.out_of_office() == OutOfOffice()
    value = OutOfOffice(
        state=2, start=NOW, end=NOW + timedelta(days=3),
        replies={Audience.INTERNAL: OofReply(enabled=True, text="<b>away</b>", html=True),
                 Audience.EXTERNAL_KNOWN: OofReply(enabled=False)},
    )
    await mailbox.set_out_of_office(value)
    assert await mailbox.out_of_office() == value
    assert await embedded.mailbox("ben").out_of_office() == OutOfOffice()


# --- Address list -----------------------------------------------------------------------------------------------------


async def people(world: EmbeddedWorld) -> None:
    admin = world.embedded.admin
    await admin.change_user(
        "anna", name="Anna Müller-Lüdenscheidt", first_name="Anna", last_name="Müller-Lüdenscheidt", title="Ärztin",
        company="Example AG", department="Surgery", office="B 12", phone="+49 30 1234-56", mobile_phone="0170 99",
        picture=b"\xff\xd8\xffpicture",
    )
    await admin.add_group("team@example.com", "The Team", ["anna", "ben", "guest@elsewhere.example"])


@pytest.mark.parametrize(
    "text",
    [
        "Anna", "anna m", "MÜLLER", "müller-lü", "anna@example.com", "ärz", "Example AG", "b 12", "+49 30", "+493012",
        "0170",
    ],
)
async def test_people_are_found_by_how_their_data_begin(embedded: EmbeddedWorld, text: str) -> None:
    await people(embedded)
    found, total = await embedded.directory("ben").search(text, 0, 10)
    assert "anna@example.com" in [person.address for person in found]
    assert total == len(found)


@pytest.mark.parametrize("text", ["", " ", "nna", "%", "_", "xyz", "\U0010ffff"])
async def test_others_are_not_found(embedded: EmbeddedWorld, text: str) -> None:
    await people(embedded)
    assert await embedded.directory("ben").search(text, 0, 10) == ([], 0)


async def test_what_is_found_is_whole_and_sorted_by_name(embedded: EmbeddedWorld) -> None:
    await people(embedded)
    found, total = await embedded.directory("ben").search("example", 0, 10)
    assert [person.name for person in found] == ["Anna Müller-Lüdenscheidt", "Ben Example", "Carla Example"]
    assert total == 3
    anna = found[0]
    assert (anna.title, anna.phone, anna.alias) == ("Ärztin", "+49 30 1234-56", "anna")
    assert anna.picture == b"\xff\xd8\xffpicture"
    page, total = await embedded.directory("ben").search("example", 1, 1)
    assert ([person.name for person in page], total) == (["Ben Example"], 3)


async def test_a_group_names_its_members(embedded: EmbeddedWorld) -> None:
    await people(embedded)
    [team], _ = await embedded.directory("ben").search("team", 0, 10)
    assert (team.address, team.name) == ("team@example.com", "The Team")
    assert set(team.members) == {"anna@example.com", "ben@example.com", "guest@elsewhere.example"}


async def test_hidden_and_disabled_users_are_not_listed(embedded: EmbeddedWorld) -> None:
    await embedded.embedded.admin.change_user("anna", hidden=True)
    await embedded.embedded.admin.change_user("carla", enabled=False)
    found, _ = await embedded.directory("ben").search("example", 0, 10)
    assert [person.address for person in found] == ["ben@example.com"]


async def test_an_exact_address_resolves_to_one(embedded: EmbeddedWorld) -> None:
    await embedded.embedded.admin.set_aliases("anna", ["a@example.com"])
    await embedded.add("anna.other@example.com", name="Anna Other")
    for text in ("anna@example.com", "ANNA@example.com", " a@example.com"):
        assert [person.address for person in await embedded.directory("ben").resolve(text, 10)] == ["anna@example.com"]
    assert len(await embedded.directory("ben").resolve("anna", 10)) == 2
    assert len(await embedded.directory("ben").resolve("anna", 1)) == 1


async def test_own_contacts_resolve_and_others_do_not(embedded: EmbeddedWorld) -> None:
    feed = await feed_of(embedded.mailbox("ben"), FolderType.CONTACTS)
    made = await feed.create(
        card("Zoe Zander", "zoe@elsewhere.example", "EMAIL;TYPE=HOME:z2@home.example", "TEL;TYPE=CELL:+1 555"),
        Chosen(name="z.vcf"),
    )
    directory = embedded.directory("ben")
    found = await directory.resolve("zan", 10)
    assert [(p.address, p.name, p.contact, p.mobile_phone) for p in found] == [
        ("zoe@elsewhere.example", "Zoe Zander", True, "+1 555"), ("z2@home.example", "Zoe Zander", True, "+1 555"),
    ]
    assert [p.address for p in await directory.resolve("Z2@home.example", 10)] == ["z2@home.example"]
    assert await embedded.directory("anna").resolve("zoe", 10) == []
    await feed.update(made.id, card("Zoe Zander", "new@elsewhere.example"), None)
    assert [p.address for p in await directory.resolve("zoe", 10)] == ["new@elsewhere.example"]
    await feed.delete(made.id)
    assert await directory.resolve("zoe", 10) == []


async def test_a_contact_with_an_address_of_the_list_comes_once(embedded: EmbeddedWorld) -> None:
    feed = await feed_of(embedded.mailbox("ben"), FolderType.CONTACTS)
    await feed.create(card("Anna at work", "Anna@example.com"), Chosen(name="a.vcf"))
    found = await embedded.directory("ben").resolve("anna", 10)
    assert [(person.address, person.contact) for person in found] == [("anna@example.com", False)]


# --- Free and busy ----------------------------------------------------------------------------------------------------


async def busy(world: EmbeddedWorld, name: str = "ben") -> list[tuple[int, BusyStatus]] | None:
    found = await world.directory(name).busy("anna@example.com", NOW, NOW + timedelta(days=2))
    return None if found is None else [((period.start - NOW) // timedelta(hours=1), period.status) for period in found]


async def test_colleagues_see_when_somebody_is_busy(embedded: EmbeddedWorld) -> None:
    feed = await feed_of(embedded.mailbox("anna"), FolderType.CALENDAR)
    await feed.create(event("b", NOW + timedelta(hours=5), 1, summary="b"), Chosen(name="b"))
    await feed.create(event("a", NOW + timedelta(hours=2), 1, "X-MICROSOFT-CDO-BUSYSTATUS:OOF"), Chosen(name="a"))
    await feed.create(event("past", NOW - timedelta(hours=5)), Chosen(name="past"))
    await feed.create(event("free", NOW + timedelta(hours=1), 1, "TRANSP:TRANSPARENT"), Chosen(name="free"))
    await feed.create(event("daily", NOW - timedelta(days=50, hours=-8), 1, "RRULE:FREQ=DAILY"), Chosen(name="daily"))
    await feed.create(b"BEGIN:NONSENSE", Chosen(name="nonsense"))
    assert await busy(embedded) == [
        (2, BusyStatus.OUT_OF_OFFICE), (5, BusyStatus.BUSY), (8, BusyStatus.BUSY), (32, BusyStatus.BUSY),
    ]


async def test_strangers_see_it_only_if_they_may(embedded: EmbeddedWorld) -> None:
    await embedded.add("eve@other.example")
    calendar = await folder_of(embedded.mailbox("anna"), FolderType.CALENDAR)
    assert await busy(embedded, "eve") is None
    await embedded.share("anna", calendar, "eve", Right.FREE_BUSY)
    assert await busy(embedded, "eve") == []
    assert await embedded.mailbox("eve").folder(calendar.id) is None


async def test_a_colleague_can_be_shut_out(embedded: EmbeddedWorld) -> None:
    calendar = await folder_of(embedded.mailbox("anna"), FolderType.CALENDAR)
    await embedded.share("anna", calendar, "ben", Right.NONE)
    assert await busy(embedded) is None
    assert await busy(embedded, "carla") == []
    assert await busy(embedded, "anna") == []


async def test_nothing_is_known_of_unknown_addresses_and_groups(embedded: EmbeddedWorld) -> None:
    await people(embedded)
    for address in ("nobody@example.com", "x@elsewhere.example", "team@example.com", ""):
        assert await embedded.directory("ben").busy(address, NOW, NOW + timedelta(days=1)) is None


NASTY = "\x00\udcff\ud800\x1f%_\\'\";--\U0010ffff"


async def test_no_text_makes_the_database_fail(embedded: EmbeddedWorld) -> None:
    """NUL and halves of surrogates are refused by databases; they come in mail, in logins and in searches."""
    feed = await feed_of(embedded.mailbox("anna"), FolderType.INBOX)
    raw = letter("x\x00y", text="a\x00b", message_id="1\x00@x", headers=["Content-Type: text/plain; name=\"\x00\""])
    await feed.create(raw, Chosen(name="1"))
    await feed.create(b"Subject: \xff\x00\xed\xa0\x80\r\nMessage-ID: <\xff\x00>\r\n\r\n\x00\xff", Chosen(name="2"))
    contacts = await feed_of(embedded.mailbox("anna"), FolderType.CONTACTS)
    await contacts.create(card("Nul \x00", "nul\x00@x"), Chosen(name="3"))
    await contacts.create(b"BEGIN:VCARD\r\nFN:\xed\xa0\x80\x00\r\nEMAIL:\xff\x00\r\nEND:VCARD\r\n", Chosen(name="4"))
    calendar = await feed_of(embedded.mailbox("anna"), FolderType.CALENDAR)
    await calendar.create(event("u\x00id", NOW), Chosen(name="5"))
    assert await calendar.by_uid(NASTY) is None
    assert await hits(embedded, text=NASTY) == []
    directory = embedded.directory("anna")
    assert await directory.search(NASTY, 0, 10) == ([], 0)
    assert await directory.resolve(NASTY + "@example.com", 10) == []
    assert await directory.busy(NASTY + "@example.com", NOW, NOW) is None
    assert await embedded.embedded.accounts.verify(NASTY, NASTY) is None
    assert not await embedded.embedded.office.knows(NASTY + "@example.com")
    folder = await embedded.mailbox("anna").create_folder("0", "N" + NASTY, FolderType.USER_MAIL, Chosen(name="6"))
    assert await embedded.mailbox("anna").folder(folder.id) == folder


# Queries in parts -----------------------------------------------------------------------------------------------------


async def test_queries_look_into_header_flags_and_attachments(embedded: EmbeddedWorld) -> None:
    folder, ids = await fill(
        embedded,
        letter("Budget of anna", sender="Dora <dora@elsewhere.example>", text="the plan"),
        letter("Plan", sender="Eve <eve@elsewhere.example>", text="a budget for dora"),
        alternative("Rich", "<p>so rich</p>", text=""),
    )
    feed = embedded.mailbox("anna").feed(await folder_of(embedded.mailbox("anna"), FolderType.INBOX))
    await feed.set_flags(ids[0], MailFlags(read=True, categories=("Red Zone",), follow_up=FollowUp(status=2)))
    for query, found in (
        ("from:dora", [0]), ("dora", [1, 0]), ("subject:budget", [0]), ("body:budget", [1]), ("subject:plan", [1]),
        ("body:plan", [0]), ("to:anna", [2, 1, 0]), ("isread:true", [0]), ("isread:false", [2, 1]),
        ("isflagged:true", [0]), ("category:red", [0]), ('category:"red zone"', [0]), ("NOT from:dora", [2, 1]),
        ("NOT (from:dora OR subject:rich)", [1]), ("from:dora OR body:rich", [2, 0]), ("hasattachment:true", []),
        ("kind:email", [2, 1, 0]), ("NOT kind:email", []), ("importance:normal", [2, 1, 0]), ("from:100%", []),
    ):
        matching = kql.parse(query, NOW, UTC)
        assert await hits(embedded, matching=matching) == [(folder, ids[n]) for n in found], query


async def test_queries_take_what_is_no_message_as_one_text(embedded: EmbeddedWorld) -> None:
    mailbox = embedded.mailbox("anna")
    contacts = await folder_of(mailbox, FolderType.CONTACTS)
    one = await mailbox.feed(contacts).create(card("Needle Ann"), Chosen(name="1"))
    for query, count in (("needle", 1), ("subject:needle", 1), ("kind:contacts needle", 1), ("kind:email needle", 0),
                         ("hasattachment:true needle", 0), ("NOT subject:needle kind:contacts", 0)):
        found = await hits(embedded, matching=kql.parse(query, NOW, UTC))
        assert found == [(contacts.id, one.id)] * count, query


@given(st.lists(st.sampled_from(
    ["a", "from:a", "(", ")", "OR", "NOT", "AND", "received:today", "isread:true", "kind:email", "category:x", "\0",
     "%", "\\", "subject:%_", "ü", "\ud800", '"a b"']
), max_size=40).map(" ".join))
@settings(
    max_examples=40, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_no_query_makes_the_database_fail(embedded: EmbeddedWorld, query: str) -> None:
    await hits(embedded, matching=kql.parse(query, NOW, UTC))


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (MailQuery(since=NOW, text="x", collections=("1",)), "ix_gw_item_received"),
        (MailQuery(conversation=b"0123456789abcdef"), "ix_gw_content_conversation"),
    ],
)
async def test_what_has_an_index_is_found_by_it(embedded: EmbeddedWorld, query: MailQuery, index: str) -> None:
    """The texts of a whole mailbox are looked through only where words are all that is known."""
    if embedded.database.engine.dialect.name != "sqlite":
        pytest.skip("another database goes by how full its tables are")

    def explained(connection: Connection) -> list[str]:
        seen = all_seen(connection, embedded.users["anna"].id)
        statement = searching.statement_for(seen, searching.searched(seen, query), query)
        said = str(statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
        return [row.detail for row in connection.execute(sql("EXPLAIN QUERY PLAN " + said.replace(":", "\\:")))]

    await fill(embedded, letter("a"))
    plan = await embedded.embedded.groupware.read(explained)
    assert any(index in line for line in plan), plan

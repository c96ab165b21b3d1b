"""The out-of-office reply on Pigeonhole and on Cyrus timsieved: set, changed from the other side, and taken away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from groupware.cyrus import MASTER as CYRUS_MASTER
from groupware.cyrus import MASTER_PASSWORD as CYRUS_MASTER_PASSWORD
from groupware.cyrus import Cyrus
from groupware.dovecot import MASTER, MASTER_PASSWORD, Dovecot
from settling import closed, until
from sievehome import Office, sieve_settings
from sqlalchemy import insert
from worlds import EmbeddedWorld, card, feed_of

from eas.backends.embedded.groupware import Writing
from eas.backends.sieve import script
from eas.backends.sieve import vacation as vacation_module
from eas.backends.sieve.client import Script, SieveSession, connected, credentials_of
from eas.backends.sieve.errors import LoginRefused, Lost, No
from eas.backends.sieve.vacation import SieveVacation
from eas.backends.standards.tables import ObjectRow, PlaceRow
from eas.backends.standards.tenant import SieveServer, Tenant
from eas.engine.errors import NotAllowed, Unavailable
from eas.engine.model import Audience, FolderType, OofReply, OutOfOffice, Secret
from eas.engine.ports import Chosen

INNER = OofReply(enabled=True, text="Back on Monday.\n.a dot, and ${subject}\nGrüße")
OUTER = OofReply(enabled=True, text="<p>We are <b>closed</b>. ü</p>", html=True)
ON = OutOfOffice(state=1, replies={
    Audience.INTERNAL: INNER, Audience.EXTERNAL_KNOWN: OUTER, Audience.EXTERNAL_UNKNOWN: OUTER,
})
OFF = replace(ON, state=0)
USERS = b'require ["fileinto"];\r\n# my rules\r\nif header :contains "subject" "gr\xc3\xbc\xc3\x9f" { fileinto "x"; }'
NAME = "eas-vacation"


@pytest.fixture(params=["dovecot", "cyrus"])
async def office(request: pytest.FixtureRequest, embedded: EmbeddedWorld) -> AsyncIterator[Office]:
    server: Dovecot | Cyrus = request.getfixturevalue(request.param)
    login, password = server.new_user("anna")
    yield Office(embedded, server, login, Secret(value=password), sieve_settings(server))
    await closed()


@pytest.fixture
async def pigeonhole(embedded: EmbeddedWorld, dovecot: Dovecot) -> AsyncIterator[Office]:
    login, password = dovecot.new_user("anna")
    yield Office(embedded, dovecot, login, Secret(value=password), sieve_settings(dovecot))
    await closed()


pytestmark = pytest.mark.server


# --- The client -------------------------------------------------------------------------------------------------------


async def test_scripts_come_back_octet_by_octet(office: Office) -> None:
    odd = b"# \xff\xfe \r\nkeep;\n# no end \t" if isinstance(office.server, Dovecot) else USERS
    # timsieved does not escape quotes in the names that it lists, and encodes other letters in a way of its own.
    name = 'a "b" \\ ü' if isinstance(office.server, Dovecot) else "a b"
    async with office.other() as session:
        assert "VACATION" in session.capabilities["SIEVE"].upper()
        await session.put(name, odd)
        assert await session.get(name) == odd
        assert await session.list_scripts() == [Script(name, False)]
        await session.activate(name)
        assert await session.list_scripts() == [Script(name, True)]
        await session.activate("")
        await session.delete(name)
        assert await session.list_scripts() == []


async def test_what_a_server_refuses(office: Office) -> None:
    async with office.other() as session:
        with pytest.raises(No):
            await session.put("x", b"this is no script")
        with pytest.raises(No):
            await session.check(b"neither is this")
        with pytest.raises(No) as raised:
            await session.get("nothing")
        assert raised.value.code in ("NONEXISTENT", "")
        await session.have_space("x", 10)
        with pytest.raises(No):
            await session.put("x", b"x" * (9 << 20))
        assert await session.list_scripts() == []


async def test_large_scripts(office: Office) -> None:
    large = b"".join(b'if header :is "x" "%d" { stop; }\r\n' % number for number in range(500))
    await office.puts("large", large)
    assert (await office.scripts())["large"] == large


async def test_a_wrong_password(office: Office) -> None:
    office.secret = Secret(value="wrong")
    with pytest.raises(LoginRefused):
        await office.active()
    with pytest.raises(Unavailable):
        await office.vacation.read()


async def test_the_master_user(office: Office) -> None:
    master = {"master_user": MASTER, "master_password": MASTER_PASSWORD}
    if isinstance(office.server, Cyrus):
        master = {"master_user": CYRUS_MASTER, "master_password": CYRUS_MASTER_PASSWORD}
    await office.puts("mine", USERS)
    office.settings = sieve_settings(office.server, **master)
    office.secret = Secret(value="nobody knows")
    assert await office.scripts() == {"mine": USERS}


async def test_tokens(pigeonhole: Office) -> None:
    assert isinstance(pigeonhole.server, Dovecot)
    pigeonhole.secret = Secret(value=pigeonhole.server.token(pigeonhole.login), bearer=True)
    assert await pigeonhole.active() == ""
    pigeonhole.secret = Secret(value="expired", bearer=True)
    with pytest.raises(LoginRefused):
        await pigeonhole.active()


@pytest.mark.parametrize("change", [{"ca_file": ""}, {"host": "127.0.0.1"}, {"port": 1}, {"ca_file": "/nowhere"}])
async def test_whom_we_do_not_speak_to(pigeonhole: Office, change: dict[str, Any]) -> None:
    pigeonhole.settings = sieve_settings(pigeonhole.server, **change)
    with pytest.raises(Lost):
        await pigeonhole.active()


@pytest.mark.parametrize("said", [
    b"", b"220 mail ESMTP\r\n", b'"SASL" "PLAIN"\r\nOK\r\n', b'"SASL" "PLAIN"\r\n"STARTTLS"\r\nOK\r\nOK\r\nOK\r\n',
    b'BYE "full"\r\n', b'"x"\r\n' * 20_000, b"{10}\r\nabc",
])
async def test_servers_that_are_none(embedded: EmbeddedWorld, said: bytes) -> None:
    """Nothing is said to them that matters, and nobody waits for ever."""
    heard = bytearray()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        with suppress(OSError):
            while octets := await reader.read(1000):
                heard.extend(octets)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        settings = SieveServer(host="localhost", port=server.sockets[0].getsockname()[1], timeout_seconds=0.5)
        with pytest.raises(Lost):
            async with connected(settings, credentials_of(settings, "anna", Secret(value="secret"))):
                pass
        await closed()
    assert b"AUTHENTICATE" not in heard


# --- Nothing but ours -------------------------------------------------------------------------------------------------


async def test_on_and_off_where_there_are_no_rules(office: Office) -> None:
    assert await office.vacation.read() == OutOfOffice()
    await office.vacation.write(ON)
    assert await office.active() == NAME
    assert await office.vacation.read() == ON
    await office.vacation.write(OFF)
    assert await office.scripts() == {}
    assert await office.vacation.read() == OFF  # the texts are kept


async def test_a_time(office: Office) -> None:
    value = replace(
        ON, state=2, start=datetime(2026, 12, 20, 8, tzinfo=UTC), end=datetime(2027, 1, 4, 8, tzinfo=UTC)
    )
    await office.vacation.write(value)
    assert await office.vacation.read() == value


# --- Beside the user's rules ------------------------------------------------------------------------------------------


@pytest.fixture(params=["included", "inlined"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With `include`, and as if the server had none."""
    if request.param == "inlined":
        monkeypatch.setattr(
            SieveSession, "extensions",
            property(lambda s: frozenset(s.capabilities.get("SIEVE", "").lower().split()) - {"include"}),
        )
    way: str = request.param
    return way


@pytest.mark.parametrize("users", [USERS, USERS.replace(b"\r\n", b"\n"), b"keep;", b"# nothing"])
async def test_the_users_rules_stay_as_they_are(office: Office, way: str, users: bytes) -> None:
    await office.puts("mine", users)
    await office.puts("other", b"discard;", active=False)
    await office.vacation.write(ON)
    assert await office.active() == "mine"
    changed = (await office.scripts())["mine"]
    assert script.without_blocks(changed) == users
    assert users == b"" or changed != users
    assert await office.vacation.read() == ON
    await office.vacation.write(replace(ON, replies=dict.fromkeys(Audience, INNER)))
    assert script.without_blocks((await office.scripts())["mine"]) == users
    await office.vacation.write(OFF)
    assert await office.active() == "mine"
    assert await office.scripts() == {"mine": users, "other": b"discard;"}
    assert await office.vacation.read() == replace(OFF, replies=dict.fromkeys(Audience, INNER)) or way


async def test_rules_that_were_edited_elsewhere_get_ours_again(office: Office, way: str) -> None:
    await office.puts("mine", USERS)
    await office.vacation.write(ON)
    await office.puts("mine", b"keep;\r\n")  # a program that knows nothing of us
    assert await office.vacation.read() == ON
    changed = (await office.scripts())["mine"]
    assert script.has_block(changed)
    assert script.without_blocks(changed) == b"keep;\r\n"


async def test_what_is_over_is_not_put_back(pigeonhole: Office) -> None:
    value = replace(ON, state=2, end=datetime(2026, 11, 20, tzinfo=UTC))  # the world's clock is a day later
    await pigeonhole.puts("mine", USERS)
    await pigeonhole.vacation.write(value)
    assert await pigeonhole.vacation.read() == value
    await pigeonhole.puts("mine", USERS)
    assert (await pigeonhole.vacation.read()).state == 0
    assert (await pigeonhole.scripts())["mine"] == USERS


async def test_edits_beside_ours_stay(office: Office, way: str) -> None:
    await office.puts("mine", USERS)
    await office.vacation.write(ON)
    edited = (await office.scripts())["mine"] + b"\r\nkeep;\r\n"
    await office.puts("mine", edited)
    assert await office.vacation.read() == ON
    assert (await office.scripts())["mine"] == edited
    await office.vacation.write(OFF)
    assert (await office.scripts())["mine"] == USERS + b"\r\nkeep;\r\n"


async def test_another_script_that_was_made_active_gets_ours(office: Office, way: str) -> None:
    await office.puts("mine", USERS)
    await office.vacation.write(ON)
    await office.puts("new", b"keep;\r\n")
    assert await office.vacation.read() == ON
    assert script.has_block((await office.scripts())["new"])
    await office.vacation.write(OFF)
    assert await office.scripts() == {"mine": USERS, "new": b"keep;\r\n"}


async def test_rules_that_come_after_ours(office: Office) -> None:
    await office.vacation.write(ON)
    await office.puts("mine", USERS)
    assert await office.vacation.read() == ON
    assert await office.active() == "mine"
    await office.vacation.write(OFF)
    assert await office.scripts() == {"mine": USERS}


async def test_who_makes_no_script_active_wants_no_reply(office: Office) -> None:
    await office.vacation.write(ON)
    async with office.other() as session:
        await session.activate("")
    read = await office.vacation.read()
    assert (read.state, read.replies[Audience.INTERNAL].text) == (0, INNER.text)
    assert await office.active() == ""


async def test_who_removes_our_script_wants_no_reply(office: Office) -> None:
    await office.puts("mine", USERS)
    await office.vacation.write(ON)
    await office.puts("mine", USERS)
    async with office.other() as session:
        await session.delete(NAME)
    assert (await office.vacation.read()).state == 0
    assert await office.scripts() == {"mine": USERS}


async def test_our_script_changed_by_hand(office: Office) -> None:
    await office.vacation.write(ON)
    changed = (await office.scripts())[NAME].replace(b"Back on Monday.", b"Back on Friday.")
    await office.puts(NAME, changed)
    read = await office.vacation.read()
    assert read.replies[Audience.INTERNAL].text.startswith("Back on Friday.")
    assert read.state == 1


async def test_a_reply_of_the_users_own_rules(office: Office) -> None:
    """It is shown; ours beside it would make the whole script fail."""
    own = b'require "vacation";\r\nvacation "Gone fishing.";\r\n'
    await office.puts("mine", own)
    read = await office.vacation.read()
    assert (read.state, read.replies[Audience.INTERNAL].text) == (1, "Gone fishing.")
    with pytest.raises(NotAllowed, match="own filter script"):
        await office.vacation.write(ON)
    assert await office.scripts() == {"mine": own}


async def test_a_time_without_the_extensions_for_it(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SieveSession, "extensions", property(lambda _: frozenset({"vacation", "include"})))
    with pytest.raises(NotAllowed, match="time"):
        await office.vacation.write(replace(ON, state=2, end=datetime(2027, 1, 4, tzinfo=UTC)))
    await office.vacation.write(replace(ON, replies=dict.fromkeys(Audience, INNER)))
    assert await office.active() == NAME


async def test_rules_that_the_server_does_not_take_change_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.puts("mine", USERS)
    monkeypatch.setattr(script, "included", lambda *_: b"no script")
    with pytest.raises(NotAllowed):
        await office.vacation.write(ON)
    assert (await office.scripts())["mine"] == USERS
    assert (await office.vacation.read()).state == 0


async def test_without_a_server(office: Office) -> None:
    account = replace(office.account, tenant=Tenant(name="t"))
    with pytest.raises(NotAllowed):
        await SieveVacation(account).read()


@pytest.mark.parametrize("step", ["_put_own", "_keep"])
async def test_cut_off_and_done_again(office: Office, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    class Died(BaseException):
        pass

    def died(*_: object) -> None:
        raise Died

    await office.puts("mine", USERS)
    with monkeypatch.context() as patched:
        patched.setattr(SieveVacation if step == "_put_own" else vacation_module, step, died)
        writing = office.vacation.write(ON)
        with pytest.raises(Died):
            await writing
    await office.vacation.write(ON)
    assert await office.vacation.read() == ON
    await office.vacation.write(OFF)
    assert await office.scripts() == {"mine": USERS}


# --- What senders get -------------------------------------------------------------------------------------------------


def _letter(sender: str, to: str, subject: str) -> bytes:
    return (
        f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{time.time_ns()}@x.example>\r\n"
        "Date: Sat, 21 Nov 2026 08:00:00 +0000\r\n\r\nhello\r\n"
    ).encode()


async def answered(office: Office, sender: str, subject: str = "Are you there?") -> list[bytes]:
    """What is sent for a message from this sender, as soon as it is."""
    before = await delivered(office, sender, subject)
    await until(lambda: len(office.server.answers()) > before, every=0.1)
    return office.server.answers()[before:]


async def unanswered(office: Office, sender: str) -> bool:
    """A message from this sender has no answer within two seconds."""
    before = await delivered(office, sender, "Are you there?")
    await asyncio.sleep(2)
    return len(office.server.answers()) == before


async def delivered(office: Office, sender: str, subject: str) -> int:
    """How many answers there were before."""
    before = len(office.server.answers())
    letter = _letter(sender, office.login, subject)
    await asyncio.to_thread(office.server.deliver, office.login, letter, sender)
    return before


async def test_senders_are_answered(office: Office, way: str) -> None:
    await office.puts("mine", b"keep;\r\n")
    await office.vacation.write(ON)
    [inner] = await answered(office, "ben@example.com")
    assert b"Back on Monday." in inner
    assert b"\n.a dot" in inner
    assert b"closed" not in inner
    [outer] = await answered(office, "carla@elsewhere.example")
    assert b"<b>closed</b>" in outer
    assert b"multipart/alternative" in outer
    assert b"Auto-Submitted: auto-replied" in outer
    assert await unanswered(office, "carla@elsewhere.example")  # once a day
    with office.server.imap(office.login, "INBOX") as client:
        assert len(client.search(None, "ALL")[1][0].split()) == 3


async def test_known_people_are_those_in_the_address_books(pigeonhole: Office) -> None:
    """Those kept here, and those on a CardDAV server as far as they have been listed."""
    user = pigeonhole.world.users["anna"].id

    def fill(tx: Writing) -> None:
        place = {"user_id": user, "source": "dav", "locator": "/c/"}
        number = tx.connection.execute(insert(PlaceRow).values(**place).returning(PlaceRow.number)).scalar_one()
        tx.connection.execute(insert(ObjectRow).values(
            number=number, id=1, href="/c/1.vcf", etag="e", version="v", modseq=1, until=0, received=0,
            entries='{"shown":[{"address":"Carla@Elsewhere.example","name":"Carla"},{"phone":"1"}],"terms":""}',
        ))

    await pigeonhole.world.embedded.groupware.write(fill)
    contacts = await feed_of(pigeonhole.world.mailbox("anna"), FolderType.CONTACTS)
    await contacts.create(card("Dora", "dora@elsewhere.example"), Chosen(name="dora"))
    off = OofReply(enabled=False)
    await pigeonhole.vacation.write(OutOfOffice(state=1, replies={
        Audience.INTERNAL: off, Audience.EXTERNAL_KNOWN: INNER, Audience.EXTERNAL_UNKNOWN: off,
    }))
    assert len(await answered(pigeonhole, "carla@elsewhere.example")) == 1
    assert len(await answered(pigeonhole, "dora@elsewhere.example")) == 1
    assert await unanswered(pigeonhole, "emil@elsewhere.example")
    assert await unanswered(pigeonhole, "ben@example.com")


async def test_the_subject_names_what_is_answered(pigeonhole: Office) -> None:
    await pigeonhole.vacation.write(ON)
    [answer] = await answered(pigeonhole, "ben@example.com", "Lunch?")
    assert b"Subject: Automatic reply: Lunch?" in answer
    assert b"${subject}" in answer  # as it was written, and no variable


@pytest.mark.parametrize(("days", "now"), [(-1, True), (1, False), (-3, False)])
async def test_only_within_the_time(office: Office, days: int, now: bool) -> None:
    start = datetime.now(UTC) + timedelta(days=days)
    await office.vacation.write(replace(ON, state=2, start=start, end=start + timedelta(days=2)))
    assert len(await answered(office, "ben@example.com")) == 1 if now else await unanswered(office, "ben@example.com")

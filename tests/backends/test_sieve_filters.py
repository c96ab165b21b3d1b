"""Mail filters on Pigeonhole and Cyrus: scripts of other programs stay, and real mails go where the filters say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import pytest
from filter_samples import CASES, filters, letter, when
from groupware.dovecot import Dovecot
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from settling import closed
from sievehome import Office, sieve_settings
from worlds import EmbeddedWorld

from eas.backends.sieve import rules, script
from eas.backends.sieve.client import SieveSession
from eas.backends.sieve.filtering import NAME, SieveFilters
from eas.engine.errors import NotAllowed
from eas.engine.model import Audience, OofReply, OutOfOffice, Secret
from eas.engine.ports import Beside
from eas.items.mail_filters import Action, Do, Field, Filter

pytestmark = pytest.mark.server

BILLS = when(Field.SUBJECT, "contains", "invoice")
USERS = b'require "fileinto";\r\n# my\r\nif header :contains "subject" "gr\xc3\xbc\xc3\x9f" { fileinto "Other"; }'
ON = OutOfOffice(state=1, replies=dict.fromkeys(Audience, OofReply(enabled=True, text="I am away.")))


@dataclass
class Filtered(Office):
    @property
    def filters(self) -> SieveFilters:
        return SieveFilters(self.account, self.settings, {"INBOX": "Inbox", "Work": "Work"})

    async def deliver(self, raw: bytes) -> None:
        await asyncio.to_thread(self.server.deliver, self.login, raw, "sender@elsewhere.example")

    def where(self) -> dict[str, list[str]]:
        """Of each mailbox with messages: their flags."""
        found: dict[str, list[str]] = {}
        with self.server.imap(self.login) as client:
            lines = [line.decode() for line in client.list()[1] if isinstance(line, bytes) and b"NoSelect" not in line]
            for name in (line.split(' "/" ')[-1].strip('"') for line in lines):
                status, count = client.select(f'"{name}"', readonly=True)
                if status != "OK" or count == [b"0"]:
                    continue
                for one in client.fetch("1:*", "(FLAGS)")[1]:
                    if isinstance(one, bytes):
                        flags = one.decode().partition("FLAGS (")[2].rstrip(")").split()
                        found.setdefault(name, []).append(" ".join(sorted(set(flags) - {"\\Recent"})))
        return found

    def clear(self) -> None:
        with self.server.imap(self.login) as client:
            for name in self.where():
                client.select(f'"{name}"')
                client.store("1:*", "+FLAGS", "\\Deleted")
                client.expunge()


@pytest.fixture(params=["dovecot", "cyrus"])
async def office(request: pytest.FixtureRequest, embedded: EmbeddedWorld) -> AsyncIterator[Filtered]:
    server = request.getfixturevalue(request.param)
    login, password = server.new_user("anna")
    yield Filtered(embedded, server, login, Secret(value=password), sieve_settings(server))
    await closed()


@pytest.fixture
async def pigeonhole(embedded: EmbeddedWorld, dovecot: Dovecot) -> AsyncIterator[Filtered]:
    login, password = dovecot.new_user("anna")
    yield Filtered(embedded, dovecot, login, Secret(value=password), sieve_settings(dovecot))
    await closed()


# --- Scripts ----------------------------------------------------------------------------------------------------------


async def test_nothing_is_there(office: Filtered) -> None:
    state = await office.filters.read()
    assert (state.filters, state.beside, state.other, state.others) == ((), Beside.ONLY, None, ())
    assert state.both
    assert {Field.SUBJECT, Field.TEXT} <= set(state.fields)
    assert set(state.actions) == set(Do)


async def test_filters_are_set_and_taken_away(office: Filtered) -> None:
    await office.filters.write([BILLS])
    assert await office.active() == NAME
    assert (await office.filters.read()).filters == (BILLS,)
    await office.filters.write([replace(BILLS, on=False), BILLS])
    assert (await office.filters.read()).filters == (replace(BILLS, on=False), BILLS)
    await office.filters.write([])
    assert await office.scripts() == {}


@given(some=st.lists(filters(), min_size=1, max_size=3))
@settings(
    max_examples=40, deadline=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_the_server_takes_whatever_people_type(pigeonhole: Filtered, some: list[Filter]) -> None:
    async with pigeonhole.other() as session:
        written = rules.script_of(some, session.extensions)
        await session.put("x", written)
        assert rules.read(await session.get("x")) == rules.Read(filters=tuple(some))


async def test_faults_change_nothing(office: Filtered) -> None:
    await office.filters.write([BILLS])
    with pytest.raises(NotAllowed, match="name"):
        await office.filters.write([replace(BILLS, name="")])
    assert (await office.filters.read()).filters == (BILLS,)


# --- Beside what was made elsewhere -----------------------------------------------------------------------------------


async def test_a_script_of_another_program_is_shown(office: Filtered) -> None:
    await office.puts("roundcube", USERS)
    state = await office.filters.read()
    assert (state.beside, state.others) == (Beside.INSTEAD, ("roundcube",))
    assert state.other is not None
    assert (state.other.name, state.other.text) == ("roundcube", USERS.decode())


@pytest.mark.parametrize("beside", Beside)
async def test_each_choice(office: Filtered, beside: Beside) -> None:
    await office.puts("roundcube", USERS)
    await office.puts("older", b"keep;", active=False)
    await office.filters.write([BILLS], beside, "roundcube")
    assert await office.active() == ("roundcube" if beside is Beside.INSTEAD else NAME)
    state = await office.filters.read()
    assert (state.filters, state.beside) == ((BILLS,), beside)
    assert state.others == ("older", "roundcube") or state.others == ("roundcube", "older")
    scripts = await office.scripts()
    assert (scripts["roundcube"], scripts["older"]) == (USERS, b"keep;")
    # And back: nothing of ours is left.
    await office.filters.write([], Beside.BOTH, "roundcube")
    assert await office.active() == "roundcube"
    assert await office.scripts() == {"roundcube": USERS, "older": b"keep;"}


async def test_another_program_takes_over_and_ours_is_kept(office: Filtered) -> None:
    await office.filters.write([BILLS])
    await office.puts("roundcube", USERS)
    state = await office.filters.read()
    assert (state.filters, state.beside) == ((BILLS,), Beside.INSTEAD)


async def test_a_script_that_is_not_there(office: Filtered) -> None:
    with pytest.raises(NotAllowed):
        await office.filters.write([BILLS], Beside.BOTH, "nothing")
    assert await office.scripts() == {}


async def test_what_somebody_wrote_into_ours_is_kept(office: Filtered) -> None:
    await office.filters.write([BILLS])
    changed = (await office.scripts())[NAME].replace(b"invoice", b"receipt")
    await office.puts(NAME, changed)
    assert not (await office.filters.read()).intact
    await office.filters.write([BILLS, BILLS])
    scripts = await office.scripts()
    assert scripts.pop("eas-filters-changed-by-hand") == changed
    state = await office.filters.read()
    assert state.intact
    assert state.filters == (BILLS, BILLS)


async def test_no_include(office: Filtered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SieveSession, "extensions", property(lambda _: frozenset({"fileinto"})))
    await office.puts("roundcube", USERS)
    state = await office.filters.read()
    assert not state.both
    assert Do.READ not in state.actions
    with pytest.raises(NotAllowed, match="include"):
        await office.filters.write([BILLS], Beside.BOTH, "roundcube")
    await office.filters.write([BILLS], Beside.ONLY)
    assert await office.active() == NAME
    assert (await office.scripts())["roundcube"] == USERS


# --- With an out-of-office reply --------------------------------------------------------------------------------------


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


async def test_a_reply_stays_whatever_becomes_of_filters(office: Filtered, way: str) -> None:
    await office.vacation.write(ON)
    await office.filters.write([BILLS])
    assert await office.active() == NAME
    assert await office.vacation.read() == ON
    await office.filters.write([BILLS, BILLS])
    assert await office.vacation.read() == ON
    assert (await office.filters.read()).filters == (BILLS, BILLS)
    await office.filters.write([])
    assert await office.vacation.read() == ON
    assert await office.active() == "eas-vacation"


async def test_filters_stay_whatever_becomes_of_a_reply(office: Filtered, way: str) -> None:
    await office.filters.write([BILLS])
    written = (await office.scripts())[NAME]
    await office.vacation.write(ON)
    state = await office.filters.read()
    assert (state.filters, state.intact) == ((BILLS,), True)
    await office.vacation.write(replace(ON, state=0))
    assert await office.scripts() == {NAME: written}


async def test_a_reply_goes_along_from_script_to_script(office: Filtered) -> None:
    await office.puts("roundcube", USERS)
    await office.vacation.write(ON)
    for beside in (Beside.BOTH, Beside.INSTEAD, Beside.ONLY, Beside.BOTH):
        await office.filters.write([BILLS], beside, "roundcube")
        assert await office.vacation.read() == ON
        scripts = await office.scripts()
        assert script.without_blocks(scripts["roundcube"]) == USERS
        running = {Beside.ONLY: [NAME], Beside.INSTEAD: ["roundcube"], Beside.BOTH: [NAME, "roundcube"]}[beside]
        assert sum(script.has_block(scripts[name]) for name in running) == 1
    await office.vacation.write(replace(ON, state=0))
    await office.filters.write([], Beside.INSTEAD, "roundcube")
    assert await office.scripts() == {"roundcube": USERS}


async def test_a_reply_of_an_included_script(office: Filtered) -> None:
    """It is shown, and ours beside it would make both fail."""
    await office.puts("roundcube", b'require "vacation";\r\nvacation "Gone fishing.";\r\n')
    await office.filters.write([BILLS], Beside.BOTH, "roundcube")
    assert (await office.vacation.read()).replies[Audience.INTERNAL].text == "Gone fishing."
    with pytest.raises(NotAllowed, match="own filter script"):
        await office.vacation.write(ON)


# --- Where mails go ---------------------------------------------------------------------------------------------------


async def land(office: Filtered, some: Sequence[Filter], raw: bytes) -> dict[str, list[str]]:
    await office.filters.write(some)
    await office.deliver(raw)
    return office.where()


@pytest.mark.long
async def test_every_case(pigeonhole: Filtered) -> None:
    """The table that the embedded groupware goes by, too."""
    wrong = []
    for one, raw, where in CASES:
        found = await land(pigeonhole, [one], raw)
        if list(found) != [where]:
            wrong.append((one, where, found))
        pigeonhole.clear()
    assert wrong == []


async def test_actions_together(pigeonhole: Filtered) -> None:
    one = Filter(name="f", actions=(
        Action(do=Do.READ), Action(do=Do.FLAG), Action(do=Do.COPY, value="Copies/Ärger & Co"),
        Action(do=Do.MOVE, value="Work"), Action(do=Do.FORWARD, value="carla@elsewhere.example"), Action(do=Do.STOP),
    ))
    before = len(pigeonhole.server.answers())
    found = await land(pigeonhole, [one, Filter(name="g", actions=(Action(do=Do.DELETE),))], letter())
    assert sorted(flags for all_of in found.values() for flags in all_of) == ["\\Flagged \\Seen", "\\Flagged \\Seen"]
    assert "Work" in found
    assert "INBOX" not in found
    forwarded = pigeonhole.server.answers()[before:]
    assert len(forwarded) == 1
    assert b"carla@elsewhere.example" in forwarded[0]


async def test_marks_in_the_inbox(pigeonhole: Filtered) -> None:
    assert await land(pigeonhole, [when(Field.SUBJECT, "is", "hello", do=(Action(do=Do.READ),))], letter()) \
        == {"INBOX": ["\\Seen"]}


async def test_deleted(pigeonhole: Filtered) -> None:
    assert await land(pigeonhole, [when(Field.SUBJECT, "is", "hello", do=(Action(do=Do.DELETE),))], letter()) == {}


async def test_both_run(pigeonhole: Filtered) -> None:
    await pigeonhole.puts("roundcube", USERS)
    pigeonhole.server.append(pigeonhole.login, "Other", letter())
    pigeonhole.clear()
    await pigeonhole.filters.write([BILLS], Beside.BOTH, "roundcube")
    await pigeonhole.deliver(letter("an invoice"))
    await pigeonhole.deliver(letter("grüß"))
    assert set(pigeonhole.where()) == {"Work", "Other"}

"""The address list out of a real directory server: what is found, by whom, how soon, and what happens without it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from groupware.fixtures import run
from groupware.slapd import (
    ADMIN,
    ADMIN_PASSWORD,
    GROUPS,
    PEOPLE,
    PHOTO,
    READER,
    READER_PASSWORD,
    Slapd,
    entry,
)

from eas.backends.ldap import client as ldap_client
from eas.backends.ldap.directory import LdapDirectory, LdapList, View, check_settings, who_of
from eas.backends.standards import scopes
from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import LdapServer, Security, Tenant
from eas.engine.errors import Unavailable
from eas.engine.model import Secret, User

pytestmark = pytest.mark.server


@dataclass
class Time:
    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


def account(
    server: LdapServer, login: str = "anna@example.com", password: str = "", *, tenant: str = "ours", **values: Any
) -> Account:
    secret = Secret(password)
    return Account(
        user=User(id="u", login=login, address=login, addresses=(login,), name="", secret=secret),
        tenant=Tenant(name=tenant, ldap=server, **{"domain": "example.com", **values}), login=login, secret=secret,
        ground=cast(Any, None),
    )


def server(slapd: Slapd, **values: Any) -> LdapServer:
    usual = {
        "host": slapd.host, "port": slapd.ldaps_port, "ca_file": slapd.ca_file, "bases": (slapd.base,),
        "timeout_seconds": 60.0,
    }
    return LdapServer(**{**usual, **values})


def live(slapd: Slapd, **values: Any) -> LdapServer:
    """Without an index."""
    return server(slapd, max_entries=0, **values)


@dataclass
class Lists:
    """Address lists of one directory."""

    time: Time = field(default_factory=Time)

    def __post_init__(self) -> None:
        self.directory = LdapDirectory(self.time)

    def of(self, server: LdapServer, login: str = "anna@example.com", **values: Any) -> LdapList:
        return self.directory.of(account(server, login, **values))

    async def indexed(self, server: LdapServer, login: str = "anna@example.com", **values: Any) -> LdapList:
        """When what was old has been read."""
        of = account(server, login, **values)
        view = View.of(of.tenant.name, server, who_of(of))
        scope = self.directory.scope(view)
        if scope.building is not None:
            await asyncio.wait({scope.building})
        return self.directory.of(of)


@pytest.fixture
async def lists() -> AsyncIterator[Lists]:
    made = Lists()
    yield made
    await made.directory.close()


@pytest.fixture
def own_slapd() -> Iterator[Slapd]:
    """One to be ended."""
    yield from run(Slapd)


async def names(people: LdapList, text: str) -> list[str]:
    return [person.name for person in await people.search(text, 100)]


# --- What is found ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["index", "live"])
async def test_people_are_found_by_what_they_begin_with(slapd: Slapd, lists: Lists, how: str) -> None:
    people = await lists.indexed(server(slapd)) if how == "index" else lists.of(live(slapd))
    assert await names(people, "arn") == await names(people, "ANNA") == ["Anna Arnold"]
    assert await names(people, "anna@ex") == ["Anna Arnold"]
    assert "Ben Berger" in await names(people, "ben")
    assert await names(people, "sta") == ["staff"]
    assert await names(people, "*") == await names(people, "a*d") == await names(people, " ") == []
    assert await names(people, "+49 30 200") == ["Ben Berger"]


async def test_an_index_finds_more_than_names(slapd: Slapd, lists: Lists) -> None:
    people = await lists.indexed(server(slapd))
    assert await names(people, "häupt") == ["Carla Costa"]
    found = (await people.page("example ltd", 0, 2))[0]
    assert [person.name for person in found] == ["Anna Arnold", "Ben Berger"]
    assert await names(people, "+4930100") == ["Anna Arnold"]


@pytest.mark.parametrize("how", ["index", "live"])
async def test_photos_and_certificates_are_there_when_somebody_is_shown(
    slapd: Slapd, lists: Lists, how: str
) -> None:
    people = await lists.indexed(server(slapd)) if how == "index" else lists.of(live(slapd))
    found = await people.search("arn", 5)
    assert (found[0].picture, found[0].certificates) == (b"", ())
    whole = await people.whole(found)
    exact = await people.by_address("Anna@example.com ")
    assert exact is not None
    assert list(whole) == [exact]
    assert exact.picture == PHOTO
    assert len(exact.certificates) == 1
    ben = await people.by_address("ben@example.com")
    assert ben is not None
    assert (ben.picture, ben.certificates, ben.phone) == (b"", (), "+49 30 200")
    assert await people.by_address("nobody@example.com") is None
    assert await people.by_address("anna") is None


@pytest.mark.parametrize("how", ["index", "live"])
async def test_members_of_a_group_are_addresses(slapd: Slapd, lists: Lists, how: str) -> None:
    settings = server(slapd) if how == "index" else live(slapd)
    slapd.add(entry(f"cn=odd-{how},{GROUPS}", {
        "objectClass": ["groupOfNames", "extensibleObject"], "cn": f"odd-{how}", "mail": f"odd-{how}@example.com",
        "member": [f"uid=nobody,{PEOPLE}", f"UID=Anna, {PEOPLE}", f"uid=ben,{PEOPLE}"],
        "description": "a member is gone",
    }))
    people = await lists.indexed(settings) if how == "index" else lists.of(settings)
    sales = await people.by_address("sales@example.com")
    assert sales is not None
    assert sales.members == ("anna@example.com", "carla@example.com")
    odd = await people.by_address(f"odd-{how}@example.com")
    assert odd is not None
    assert set(odd.members) == {"anna@example.com", "ben@example.com"}


async def test_a_live_result_is_remembered_for_a_while(slapd: Slapd, lists: Lists) -> None:
    settings = live(slapd, bases=(f"ou=late,{slapd.base}",))
    slapd.add(entry(f"ou=late,{slapd.base}", {"objectClass": "organizationalUnit", "ou": "late"}))
    people = lists.of(settings)
    assert await names(people, "zo") == []
    slapd.new_user("zoe", f"ou=late,{slapd.base}")
    assert await names(people, "zo") == []
    lists.time.at += 61
    assert [name.split()[0] for name in await names(people, "zo")] == ["Zoe"]


async def test_the_first_search_does_not_wait_for_the_index(slapd: Slapd, lists: Lists) -> None:
    people = lists.of(server(slapd))
    assert await names(people, "arn") == ["Anna Arnold"]  # at the server
    indexed = await lists.indexed(server(slapd))
    assert await names(indexed, "head of") == ["Anna Arnold"]  # what only the index finds


async def test_an_old_index_serves_while_a_new_one_is_made(slapd: Slapd, lists: Lists) -> None:
    base = f"ou=renewed,{slapd.base}"
    slapd.add(entry(base, {"objectClass": "organizationalUnit", "ou": "renewed"}))
    slapd.new_user("yara", base)
    settings = server(slapd, bases=(base,), cache_seconds=300)
    people = await lists.indexed(settings)
    slapd.new_user("yves", base)
    assert len(await names(people, "y")) == 1
    lists.time.at += 301
    assert len(await names(people, "y")) == 1  # at once, and a new one is begun
    people = await lists.indexed(settings)
    assert len(await names(people, "y")) == 2


# --- Who sees whom ----------------------------------------------------------------------------------------------------


async def test_each_domain_sees_its_own_people(slapd: Slapd, lists: Lists) -> None:
    for domain in ("red.example", "blue.example"):
        base = f"ou={domain},{slapd.base}"
        slapd.add(entry(base, {"objectClass": "organizationalUnit", "ou": domain}))
        slapd.adopt(f"pat@{domain}", "pat-secret", base)
    for bases, filter in (
        (("ou={domain},dc=example,dc=com",), "(objectClass=inetOrgPerson)"),
        (("dc=example,dc=com",), "(&(objectClass=inetOrgPerson)(mail=*@{domain}))"),
    ):
        settings = server(slapd, bases=bases, filter=filter)
        red = await lists.indexed(settings, "pat@red.example")
        blue = await lists.indexed(settings, "pat@blue.example")
        assert [person.address for person in await red.search("pat", 9)] == ["pat@red.example"]
        assert [person.address for person in await blue.search("pat", 9)] == ["pat@blue.example"]
        assert await red.by_address("pat@blue.example") is None
        for login in ("pat@*", "pat@red.example)(mail=*", "pat@nowhere.example"):
            nobody = await lists.indexed(settings, login)
            assert await nobody.search("pat", 9) == []


async def test_the_domain_is_that_of_the_address_where_the_login_has_none(slapd: Slapd) -> None:
    two = account(
        server(slapd), "pat", domains=("red.example", "blue.example"), domain="red.example"
    )
    blue = Account(
        user=User(id="u", login="pat", address="pat@blue.example", addresses=(), name=""), tenant=two.tenant,
        login="pat", secret=two.secret, ground=two.ground,
    )
    assert (two.domain, blue.domain) == ("red.example", "blue.example")


@pytest.mark.parametrize("entries", [0, 50_000])
async def test_members_out_of_sight_are_not_named(slapd: Slapd, lists: Lists, entries: int) -> None:
    base = f"ou=team{entries},{slapd.base}"
    slapd.add(entry(base, {"objectClass": "organizationalUnit", "ou": f"team{entries}"}))
    slapd.adopt(f"ina{entries}@example.com", "x", base)
    slapd.add(entry(f"cn=team,{base}", {
        "objectClass": ["groupOfNames", "extensibleObject"], "cn": "team", "mail": "team@example.com",
        "member": [f"uid=ina{entries},{base}", f"uid=anna,{PEOPLE}"],
    }))
    people = await lists.indexed(server(slapd, bases=(base,), max_entries=entries))
    team = await people.by_address("team@example.com")
    assert team is not None
    assert team.members == (f"ina{entries}@example.com",)


async def test_who_has_no_domain_sees_no_tree_of_domains(slapd: Slapd, lists: Lists) -> None:
    people = await lists.indexed(server(slapd, bases=("ou=people,{dc}",)), "anna", domain="")
    assert await people.search("a", 5) == []


async def test_tenants_do_not_share_an_index(slapd: Slapd, lists: Lists) -> None:
    ours = await lists.indexed(server(slapd, filter="(uid=anna)"), tenant="ours")
    theirs = await lists.indexed(server(slapd, filter="(uid=ben)"), tenant="theirs")
    assert await names(ours, "b") == []
    assert await names(theirs, "ber") == ["Ben Berger"]


# --- Large trees, and servers with limits -----------------------------------------------------------------------------


async def test_more_than_fits_a_page(own_slapd: Slapd, lists: Lists) -> None:
    slapd, many = own_slapd, 700
    base = f"ou=many,{slapd.base}"
    slapd.add(entry(base, {"objectClass": "organizationalUnit", "ou": "many"}) + "".join(
        entry(f"uid=m{n},{base}", {
            "objectClass": "inetOrgPerson", "uid": f"m{n}", "cn": f"Many {n:04}", "sn": "Many",
            "mail": f"m{n}@example.com",
        }) for n in range(many)
    ))
    reader = {"bind_dn": ADMIN, "bind_password": ADMIN_PASSWORD, "bases": (base,)}
    people = await lists.indexed(server(slapd, **reader))
    assert (await people.page("many", 0, 1))[1] == many
    # Too many for memory by the settings: at the server, and what it gives is not lost.
    small = await lists.indexed(server(slapd, **reader, max_entries=100), tenant="small")
    found, total = await small.page("many", 0, 500)
    assert total == len(found) == 200
    assert (await small.page("many 0701", 0, 5))[1] == 0
    assert [person.name for person in (await small.page("many 0699", 0, 5))[0]] == ["Many 0699"]


async def test_a_server_that_limits_pages_too_is_searched_live(own_slapd: Slapd, lists: Lists) -> None:
    own_slapd.set_size_limit(3)
    people = await lists.indexed(server(own_slapd, bind_dn=READER, bind_password=READER_PASSWORD))
    found, total = await people.page("example", 0, 100)
    assert (list(found), total) == ([], 0)  # companies are in the index alone
    assert len(await people.search("a", 100)) >= 1
    assert len(await people.search("s", 100)) == 2


# --- Passwords --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user_dn", ["", "uid={user},ou=people,dc=example,dc=com", "uid={user},ou=people,{dc}"])
@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_passwords_are_checked_by_a_bind(
    slapd: Slapd, lists: Lists, user_dn: str, security: Security
) -> None:
    port = slapd.port if security is Security.STARTTLS else slapd.ldaps_port
    settings = server(slapd, user_dn=user_dn, security=security, port=port)

    async def check(login: str, password: str) -> bool:
        return await lists.directory.check(account(settings, login, password))

    assert await check("anna@example.com", "anna-secret")
    for password in ("", "wrong", "ben-secret", "anna-secret\0", "\ud800"):
        assert not await check("anna@example.com", password)
    for login in ("nobody@example.com", "an*@example.com", "anna)(uid=*@example.com", "*", "", "anna,ou=people"):
        assert not await check(login, "anna-secret")


async def test_a_token_is_no_password(slapd: Slapd, lists: Lists) -> None:
    of = account(server(slapd), "anna@example.com", "anna-secret")
    bearer = Account(user=of.user, tenant=of.tenant, login=of.login, secret=Secret("anna-secret", True),
                     ground=of.ground)
    assert not await lists.directory.check(bearer)


async def test_a_login_with_two_entries_is_nobody(slapd: Slapd, lists: Lists) -> None:
    for part in ("one", "two"):
        base = f"ou={part},{slapd.base}"
        slapd.add(entry(base, {"objectClass": "organizationalUnit", "ou": part}))
        slapd.adopt("twin@example.com", "twin-secret", base)
    settings = server(slapd)
    assert not await lists.directory.check(account(settings, "twin@example.com", "twin-secret"))
    only = server(slapd, bases=(f"ou=one,{slapd.base}",))
    assert await lists.directory.check(account(only, "twin@example.com", "twin-secret"))


async def test_all_addresses_of_a_login(slapd: Slapd, lists: Lists) -> None:
    slapd.adopt("alias@example.com", "x", mail=["alias@example.com", "other@example.com"])
    people = lists.of(server(slapd), "alias@example.com")
    assert set(await people.addresses("alias@example.com")) == {"alias@example.com", "other@example.com"}
    assert await people.addresses("unknown@example.com") == ()


# --- Servers that are away --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [
    {"ca_file": ""}, {"host": "127.0.0.1"}, {"bind_dn": READER, "bind_password": "wrong"},
], ids=["nobody we trust", "another name", "wrong password"])
async def test_a_server_that_cannot_be_used_is_unavailable(
    slapd: Slapd, lists: Lists, wrong: dict[str, Any]
) -> None:
    people = await lists.indexed(server(slapd, **wrong))
    with pytest.raises(Unavailable):
        await people.search("a", 5)
    with pytest.raises(Unavailable):
        await people.by_address("anna@example.com")


async def test_a_base_that_is_not_there_has_no_people(slapd: Slapd, lists: Lists) -> None:
    people = await lists.indexed(server(slapd, bases=("dc=nowhere,dc=com",)))
    assert await people.search("a", 5) == []


async def test_an_index_serves_while_the_server_is_away_but_not_for_ever(
    own_slapd: Slapd, lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = server(own_slapd, cache_seconds=300)
    people = await lists.indexed(settings)
    own_slapd.kill()
    assert await names(people, "arn") == ["Anna Arnold"]
    lists.time.at += 301
    people = await lists.indexed(settings)
    assert await names(people, "arn") == ["Anna Arnold"]
    with pytest.raises(Unavailable):
        await people.by_address("anna@example.com")  # the photo is not in the index
    lists.time.at += 300 * scopes.STALE_TIMES
    people = await lists.indexed(settings)
    with pytest.raises(Unavailable):
        await people.search("arn", 5)
    assert own_slapd.child is not None
    own_slapd.child.start()
    own_slapd.child.wait_for(own_slapd.ldaps_port)
    lists.time.at += max(ldap_client.AILING_SECONDS, scopes.AILING_SECONDS) + 1
    people = await lists.indexed(settings)
    assert await names(people, "arn") == ["Anna Arnold"]


async def test_a_connection_that_was_closed_is_opened_again(own_slapd: Slapd, lists: Lists) -> None:
    people = lists.of(live(own_slapd))
    assert await names(people, "arn") == ["Anna Arnold"]
    own_slapd.restart()
    assert await names(people, "ben") == ["Ben Berger"]


async def test_a_server_that_says_nothing_is_given_up_and_then_left_alone(lists: Lists) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = LdapServer(
            host="localhost", port=silent.getsockname()[1], security=Security.NONE, bases=("dc=x",),
            timeout_seconds=0.5, max_entries=0,
        )
        people = lists.of(settings)
        with pytest.raises(Unavailable):
            await people.search("a", 5)
        assert waiting(silent) == 1
        with pytest.raises(Unavailable):
            await people.search("b", 5)
        assert waiting(silent) == 0
        # Threads that wait for it do not keep others waiting.
        await asyncio.sleep(0.6)


def waiting(listening: socket.socket) -> int:
    """How many have called since the last time."""
    listening.setblocking(False)
    found = 0
    with suppress(BlockingIOError):
        while True:
            listening.accept()[0].close()
            found += 1
    return found


async def test_what_is_wrong_in_the_settings_is_no_fault_of_a_request(slapd: Slapd, lists: Lists) -> None:
    with pytest.raises(Unavailable):
        lists.of(server(slapd, attributes={"nose": "x"}))
    for wrong in ({"attributes": {"nose": "x"}}, {"filter": "(cn=x"}, {"user_filter": "x"}, {"bases": ()}):
        with pytest.raises(ValueError, match=r"nose|parenthesis|base"):
            check_settings(server(slapd, **cast(Any, wrong)))
    check_settings(server(slapd))



"""Somebody who was recognised without the password of the mailbox, over real servers: what enters them then."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from groupware.dovecot import MASTER, MASTER_PASSWORD, MASTER_SEPARATOR, Dovecot
from groupware.gateway import backend
from groupware.glewlwyd import AUDIENCE, Glewlwyd
from groupware.smtp import Sink
from wire import Wire, e

from eas import app as composition
from eas.admin import passwords
from eas.admin.acting import SERVER
from eas.admin.doctor import Finding, Patient, Verdict, examine
from eas.admin.doctor.login import Ways
from eas.backends.standards.entrance import closed_to, enters_by_itself, own_credentials
from eas.backends.standards.tenant import DavServer, ImapServer, Provider, SieveServer, SmtpServer, Tenant
from eas.config import load
from eas.engine.logins import NoEntrance
from eas.engine.model import FolderType, Secret

FOLDER_SYNC = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))
TOKEN = Secret("t", bearer=True)
MASTERS = {"master_user": MASTER, "master_password": MASTER_PASSWORD, "master_separator": MASTER_SEPARATOR}


def office(dovecot: Dovecot, sink: Sink, *, master: bool, **more: Any) -> dict[str, Any]:
    made = backend(dovecot, sink, **more)
    if master:
        made["imap"] |= MASTERS
        made["smtp"] |= {"user": "gateway", "password": "its own"}
    return made


def opened(data: Path, office: dict[str, Any]) -> composition.App:
    return composition.build(load(overrides={"data": data, "backends": {"office": office}}, environment={}))


IMAP, SMTP = ImapServer(host="localhost"), SmtpServer(host="localhost")
PLAIN = Tenant(name="office", imap=IMAP, smtp=SMTP)


@pytest.mark.parametrize(("tenant", "wanting", "closed", "by_itself"), [
    (PLAIN, ("imap", "smtp"), ("imap", "smtp"), False),
    (replace(PLAIN, imap=replace(IMAP, master_user="m")), ("smtp",), ("smtp",), True),
    (replace(PLAIN, imap=replace(IMAP, master_user="m"), smtp=replace(SMTP, login="g")), (), (), True),
    (replace(PLAIN, imap=replace(IMAP, master_user="m"), smtp=replace(SMTP, anonymous=True)), (), (), True),
    (replace(PLAIN, dav=DavServer(url="https://x")), ("imap", "smtp", "dav"), ("imap", "smtp", "dav"), False),
    (Tenant(name="d", mail=Provider.NONE, smtp=SMTP, dav=DavServer(url="https://x", login="{login}")), (), (), True),
    (Tenant(name="s", mail=Provider.NONE, sieve=SieveServer(host="localhost")), ("sieve",), (), True),
])
def test_which_servers_want_what(
    tenant: Tenant, wanting: tuple[str, ...], closed: tuple[str, ...], by_itself: bool
) -> None:
    assert own_credentials(tenant) == wanting
    assert closed_to(tenant, None) == closed_to(tenant, TOKEN) == closed
    assert closed_to(replace(tenant, tokens=True), TOKEN) == ()
    assert closed_to(replace(tenant, tokens=True), None) == closed
    assert enters_by_itself(tenant) is by_itself


async def test_a_master_user_enters_for_whoever_is_known_there(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    login, password = dovecot.new_user()
    async with opened(tmp_path, office(dovecot, mail_sink, master=True)) as app:
        accounts = app.elsewhere.accounts
        assert accounts is not None
        user = await accounts.vouched(login)
        assert user is not None
        assert user.address == login
        assert {folder.type for folder in await accounts.open(user)[0].folders()} >= {FolderType.INBOX}
        by_password = await accounts.verify(login, password)
        assert by_password is not None
        assert by_password.id == user.id
        assert await accounts.vouched("nobody-there@example.com") is None
        assert await accounts.verify(login, "") is None
        await app.embedded.admin.change_user(login, enabled=False)
        assert await accounts.vouched(login) is None


async def test_a_phone_comes_in_with_a_device_password(dovecot: Dovecot, mail_sink: Sink, tmp_path: Path) -> None:
    login, password = dovecot.new_user()
    async with opened(tmp_path, office(dovecot, mail_sink, master=True)) as app:
        assert (await Wire(app=app.asgi, user=login, password=password).post("FolderSync", FOLDER_SYNC)).http == 200
        made = await passwords.add_device_password(replace(app.site, caller=SERVER), login, "phone")
        got = await Wire(app=app.asgi, user=login, password=made["password"]).post("FolderSync", FOLDER_SYNC)
        assert (got.http, got.status) == (200, "1")


async def test_without_one_the_request_is_refused_and_the_servers_are_named(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    login, password = dovecot.new_user()
    async with opened(tmp_path, office(dovecot, mail_sink, master=False)) as app:
        accounts = app.elsewhere.accounts
        assert accounts is not None
        with pytest.raises(NoEntrance, match="imap, smtp of office"):
            await accounts.vouched(login)
        assert (await Wire(app=app.asgi, user=login, password=password).post("FolderSync", FOLDER_SYNC)).http == 200
        made = await passwords.add_device_password(replace(app.site, caller=SERVER), login, "phone")
        wire = Wire(app=app.asgi, user=login, password=made["password"])
        for _ in range(20):  # never a guess, and never 401, for which a phone would ask its owner
            assert (await wire.post("FolderSync", FOLDER_SYNC)).http == 403


async def test_a_token_is_passed_on_where_the_servers_take_it(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    login, _ = dovecot.new_user()
    async with opened(tmp_path, office(dovecot, mail_sink, master=False, tokens=True)) as app:
        accounts = app.elsewhere.accounts
        assert accounts is not None
        good = Secret(dovecot.token(login), bearer=True)
        user = await accounts.vouched(login, good)
        assert user is not None
        assert user.secret == good
        assert {folder.type for folder in await accounts.open(user)[0].folders()} >= {FolderType.INBOX}
        assert await accounts.vouched(login, Secret("made up", bearer=True)) is None
        other, _ = dovecot.new_user()
        assert await accounts.vouched(other, good) is None  # what it says to the gateway is not all that counts
        with pytest.raises(NoEntrance):
            await accounts.vouched(login)


async def test_the_doctor_says_so(dovecot: Dovecot, mail_sink: Sink, tmp_path: Path) -> None:
    async def found(ways: Ways, **more: Any) -> dict[str, Finding]:
        listed: list[Finding] = []
        async with AsyncExitStack() as stack:
            made = opened(tmp_path / str(len(more) + more["master"]), office(dovecot, mail_sink, **more))
            app = await stack.enter_async_context(made)
            await examine(Patient(
                tenants=app.elsewhere.tenants, ground=app.embedded.groupware, database="sqlite", ways=ways,
            ), listed.append)
        return {one.check: one for one in listed if one.server == "logins"}

    every = Ways(tokens=True, certificates=True)
    closed = await found(every, master=False)
    assert {name: one.verdict for name, one in closed.items()} == {
        "device passwords": Verdict.SKIP, "tokens": Verdict.FAIL, "certificates": Verdict.FAIL,
    }
    assert "imap.master_user and imap.master_password and smtp.user and smtp.password" in closed["certificates"].advice
    passed = await found(every, master=False, tokens=True)
    assert (passed["tokens"].verdict, passed["certificates"].verdict) == (Verdict.OK, Verdict.FAIL)
    whole = await found(every, master=True)
    assert whole["device passwords"].verdict is Verdict.WARN  # ManageSieve has no master user here
    assert "ManageSieve" in whole["tokens"].said


async def test_the_doctor_asks_the_provider(glewlwyd: Glewlwyd, tmp_path: Path) -> None:
    async def found(**oidc: Any) -> list[Finding]:
        listed: list[Finding] = []
        settings = {"data": tmp_path, "oidc": {"audiences": [AUDIENCE], **oidc}}
        async with composition.build(load(overrides=settings, environment={})) as app:
            ways = Ways(tokens=True, introspected=True, provider=app.identity.provider)
            await examine(Patient(
                tenants=(), ground=app.embedded.groupware, database="sqlite", ways=ways,
            ), listed.append)
        return [one for one in listed if one.server == "identity provider"]

    well = await found(issuer=glewlwyd.issuer)
    assert [one.check for one in well] == ["document", "keys", "logins to pages", "codes", "introspection"]
    assert {one.verdict for one in well} == {Verdict.OK}
    assert well[1].said.startswith("1 at ")
    for wrong in (f"{glewlwyd.issuer}/", "http://localhost:9/"):
        [ill] = await found(issuer=wrong)
        assert ill.verdict is Verdict.FAIL
        assert "oidc.issuer" in ill.advice

"""Users of other servers come in: in every form of a login, checked by the server, known to the admin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from groupware.dovecot import Dovecot
from groupware.gateway import backend
from groupware.radicale import Radicale
from groupware.smtp import Sink

from eas import app as composition
from eas.admin import actions, elsewhere, people
from eas.admin.acting import SERVER
from eas.admin.errors import Refused
from eas.admin.site import Site
from eas.backends.embedded.codec import millis
from eas.backends.smtp.outbox import PossibleDouble
from eas.backends.standards.tables import KeptRow
from eas.config import ConfigError, load
from eas.engine.model import FolderType


def settings(data: Path, office: dict[str, Any], **more: Any) -> Any:
    return load(overrides={"data": data, "backends": {"office": office}, **more}, environment={})


def site(app: composition.App) -> Site:
    return replace(app.site, caller=SERVER)


async def test_every_form_of_a_login_is_one_user(dovecot: Dovecot, mail_sink: Sink, tmp_path: Path) -> None:
    login, password = dovecot.new_user()
    name = login.partition("@")[0]
    async with composition.build(settings(tmp_path / "data", backend(dovecot, mail_sink))) as app:
        accounts = app.elsewhere.accounts
        assert accounts is not None
        found = [
            await accounts.verify(typed, password)
            for typed in (login, name, f"defaultcontext\\{name}", f"EXAMPLE\\{name}", f"\\{name}", login.upper())
        ]
        assert len({user.id for user in found if user is not None}) == 1
        assert None not in found
        assert {user.address.lower() for user in found if user is not None} == {login}
        for wrong in ("", "wrong", password + " "):
            assert await accounts.verify(login, wrong) is None
        assert await accounts.verify("nobody@example.com", password) is None
        assert await accounts.verify("somebody@elsewhere.example", password) is None


async def test_a_verdict_is_remembered_until_the_server_refuses(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    login, password = dovecot.new_user()
    async with composition.build(settings(tmp_path / "data", backend(dovecot, mail_sink))) as app:
        accounts = app.elsewhere.accounts
        assert accounts is not None
        user = await accounts.verify(login, password)
        assert user is not None
        dovecot.set_password(login, "another")
        assert await accounts.verify(login, password) is not None
        accounts.forget(user.id)
        assert await accounts.verify(login, password) is None
        assert await accounts.verify(login, "another") is not None


async def test_the_admin_sees_whose_servers_a_user_has_and_can_shut_out(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    login, password = dovecot.new_user()
    async with composition.build(settings(tmp_path / "data", backend(dovecot, mail_sink))) as app:
        accounts = app.elsewhere.accounts
        assert accounts is not None
        assert await accounts.verify(login, password) is not None
        await actions.add_user(site(app), "here@embedded.example", "secret", {})
        listed = {one["address"]: one["backend"] for one in await actions.users(site(app))}
        assert listed == {login: "office", "here@embedded.example": ""}
        assert await accounts.verify("here@embedded.example", "secret") is not None
        # A user of other servers has no password here, not even an empty one.
        assert await app.embedded.accounts.verify(login, "") is None
        await app.embedded.admin.change_user(login, enabled=False)
        assert await accounts.verify(login, password) is None


async def test_somebody_who_was_renamed_on_the_servers_stays_the_same_user(
    dovecot: Dovecot, mail_sink: Sink, tmp_path: Path
) -> None:
    (old, password), (new, other), (third, thirds) = dovecot.new_user(), dovecot.new_user(), dovecot.new_user()
    async with composition.build(settings(tmp_path / "data", backend(dovecot, mail_sink))) as app:
        accounts = app.elsewhere.accounts
        assert accounts is not None
        before = await accounts.verify(old, password)
        assert before is not None
        here = replace(site(app), tenants=app.elsewhere.tenants, domain=app.settings.domain)
        with pytest.raises(Refused, match="not of the backend office"):
            await people.rename_user(here, old, "somebody@elsewhere.example")
        await people.rename_user(here, old, new)
        after = await accounts.verify(new, other)
        assert after is not None
        assert (after.id, after.address) == (before.id, new)
        assert old in after.addresses
        # The servers are entered under the new name; and what is taken is taken.
        assert {folder.type for folder in await accounts.open(after)[0].folders()} >= {FolderType.INBOX}
        assert await accounts.verify(third, thirds) is not None
        with pytest.raises(Refused):
            await people.rename_user(here, new, third)
        assert (await accounts.verify(new, other)) == after


async def test_classes_come_from_the_servers_that_are_named_for_them(
    dovecot: Dovecot, radicale: Radicale, mail_sink: Sink, tmp_path: Path
) -> None:
    """Mail from IMAP, contacts from CardDAV, the calendar from CalDAV, tasks and notes from the gateway itself."""
    login, password = dovecot.new_user()
    radicale.adopt(login, password)
    office = backend(dovecot, mail_sink, dav=radicale, tasks="embedded")
    async with composition.build(settings(tmp_path / "data", office)) as app:
        accounts = app.elsewhere.accounts
        assert accounts is not None
        user = await accounts.verify(login, password)
        assert user is not None
        folders = {folder.type: folder for folder in await accounts.open(user)[0].folders()}
    kept = {type for type, folder in folders.items() if folder.id.startswith("e")}
    assert kept == {FolderType.TASKS, FolderType.NOTES, FolderType.OUTBOX, FolderType.RECIPIENT_CACHE}
    assert {FolderType.INBOX, FolderType.DRAFTS, FolderType.SENT_ITEMS, FolderType.DELETED_ITEMS,
            FolderType.CALENDAR, FolderType.CONTACTS} <= folders.keys()


async def test_what_may_have_gone_out_twice_is_listed(dovecot: Dovecot, mail_sink: Sink, tmp_path: Path) -> None:
    login, password = dovecot.new_user()
    async with composition.build(settings(tmp_path / "data", backend(dovecot, mail_sink))) as app:
        accounts = app.elsewhere.accounts
        assert accounts is not None
        user = await accounts.verify(login, password)
        assert user is not None
        assert await elsewhere.doubtful(site(app)) == []
        ground = app.embedded.groupware
        double = PossibleDouble(user_id=user.id, message_id="<1@x>", subject="Offer", at=ground.now())
        value = '{"message_id": "<1@x>", "subject": "Offer"}'
        await ground.write(lambda tx: tx.connection.execute(KeptRow.__table__.insert().values(  # type: ignore[attr-defined]
            user_id=user.id, name="double:1", value=value, at=millis(double.at),
        )))
        (listed,) = await elsewhere.doubtful(site(app))
        assert (listed["user"], listed["subject"], listed["message_id"]) == (login, "Offer", "<1@x>")


def test_a_filter_that_is_none_stops_the_start(tmp_path: Path) -> None:
    office = {
        "mail": "none", "check": "ldap", "directory": "ldap",
        "ldap": {"host": "localhost", "bases": ["dc=example"], "filter": "(cn=("},
    }
    with pytest.raises(ConfigError, match=r"backends\.office\.ldap"):
        composition.build(settings(tmp_path / "data", office))

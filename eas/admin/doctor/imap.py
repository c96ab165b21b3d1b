"""The mail server: login, what it offers, its folders, a message put down and taken away, news of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex

from eas.backends.imap import login
from eas.backends.imap.model import ImapError, LoginRefused, No
from eas.backends.imap.session import ImapSession
from eas.backends.standards.tenant import ImapServer
from eas.engine.model import Secret

from .findings import Notes
from .reach import clock, imap_greeting, imap_start_tls, reach

#: How long news of a new message are waited for.
_NEWS_SECONDS = 10.0
_LATE_SECONDS = 2.0
_KEYWORD = "eas-doctor"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A capability, or others that do as well; what it costs to be without."""

    check: str
    any_of: tuple[str, ...]
    means: str
    advice: str = ""


#: By what it costs to be without, the worst first.
_CAPABILITIES = (
    _Wanted("changes", ("CONDSTORE", "QRESYNC"),
            "Each look for changes lists the flags of the whole folder: slow in folders of more than some thousand "
            "messages.", "Dovecot, Cyrus and Stalwart have it; Courier has not."),
    _Wanted("deletions", ("QRESYNC",),
            "What was deleted is found by comparing lists of numbers: somewhat slower in large folders."),
    _Wanted("UIDPLUS", ("UIDPLUS",),
            "Where a message was put has to be searched for, and other programs' deletions are held back for a "
            "moment when ours are carried out."),
    _Wanted("MOVE", ("MOVE",), "A move is a copy and a deletion: two steps, one of which may fail."),
    _Wanted("waiting", ("IDLE", "NOTIFY"), "News come only when the gateway asks for them, every minute or so.",
            "Switch IDLE on at the server."),
    _Wanted("all folders", ("NOTIFY", "LIST-STATUS"),
            "Whether other folders than the inbox have news is asked folder by folder."),
    _Wanted("SPECIAL-USE", ("SPECIAL-USE",),
            "Drafts, sent and deleted messages are known by the names of their folders alone.",
            "Name them in the settings under `folders` if a wrong one is taken."),
    _Wanted("search", ("ESEARCH",), "Long results of searches are sent in full."),
    _Wanted("literals", ("LITERAL+", "LITERAL-"), "Each message that is stored costs one more round trip."),
)


async def look(notes: Notes, server: ImapServer, name: str, secret: Secret | None) -> None:
    """`name` "" and `secret` None: without a login."""
    if not await reach(notes, server, imap_start_tls, imap_greeting):
        return
    if not name:
        notes.skip("login", "needs --user")
        return
    session = None
    if secret is not None:
        session = await _enter(notes, "login", server, name, secret, own=True)
    if server.master_user:
        if session is not None:
            await session.close()
        session = await _enter(notes, "master user", server, name, secret, own=False)
    elif secret is None:
        notes.skip("login", "needs a password")
    if session is None:
        return
    try:
        await _session(notes, server, name, secret, session)
    finally:
        await session.close()


_OWN_REFUSED = (
    "This user cannot work.",
    "Is the password right? Does `login` in the settings make the name that the server knows?",
)
_MASTER_REFUSED = (
    "Nobody can work.",
    "Look at `master_user`, `master_password` and `master_separator`, and at the server's own settings for it.",
)


async def _enter(
    notes: Notes, check: str, server: ImapServer, name: str, secret: Secret | None, *, own: bool
) -> ImapSession | None:
    began = time.monotonic()
    try:
        session = await login.enter(server, login.identity(server, name, secret, own=own))
    except LoginRefused as error:
        means, advice = _OWN_REFUSED if own else _MASTER_REFUSED
        notes.fail(check, f"{name} is refused: {error}", means, advice)
        return None
    except ImapError as error:
        notes.fail(check, str(error))
        return None
    notes.ok(check, f"as {name}, {(time.monotonic() - began) * 1000:.0f} ms")
    return session


async def _session(
    notes: Notes, server: ImapServer, name: str, secret: Secret | None, session: ImapSession
) -> None:
    for wanted in _CAPABILITIES:
        found = [one for one in wanted.any_of if one in session.capabilities]
        if found:
            notes.ok(wanted.check, "offered" if found == [wanted.check] else " and ".join(found))
        else:
            notes.warn(wanted.check, f"neither {' nor '.join(wanted.any_of)}" if len(wanted.any_of) > 1 else
                       "not offered" if wanted.any_of == (wanted.check,) else f"no {wanted.any_of[0]}", wanted.means,
                       wanted.advice)
    async with notes.attempt("folders", "Phones see no folders."):
        await _folders(notes, server, session)
    # In the inbox nothing is touched.
    scratch = await _scratch(notes, session)
    if scratch is None:
        return
    try:
        async with notes.attempt("a write and a delete", "Phones cannot put messages there, nor delete them."):
            await _written(notes, session, scratch)
        async with notes.attempt("push", "Whether news come at once is not known."):
            await _pushed(notes, server, name, secret, session, scratch)
    finally:
        async with notes.attempt("scratch folder", "It is left there.", f"Delete the folder {scratch} by hand."):
            await session.unselect()
            await session.delete(scratch)


async def _folders(notes: Notes, server: ImapServer, session: ImapSession) -> None:
    listed = await session.list()
    names = {one.name for one in listed}
    marked = {use: one.name for one in listed for use in ("drafts", "sent", "trash") if f"\\{use}" in one.attributes}
    told = {use: named for use, named in server.folders.items() if use in ("drafts", "sent", "trash") and named}
    missing = [named for named in told.values() if named not in names]
    if missing:
        notes.warn("special folders", f"in the settings, but not on the server: {', '.join(missing)}",
                   "They are made at the first login.")
    elif len(marked | told) == 3:
        shown = ", ".join(f"{use}: {named}" for use, named in sorted((marked | told).items()))
        notes.ok("special folders", shown)
    else:
        lacking = ", ".join(use for use in ("drafts", "sent", "trash") if use not in marked | told)
        notes.warn("special folders", f"the server does not say which is for {lacking}",
                   "The usual names are looked for; what is missing is made at the first login.",
                   "Mark them on the server (SPECIAL-USE), or name them under `folders` in the settings.")
    notes.ok("folders", f"{len(listed)} are seen")


async def _scratch(notes: Notes, session: ImapSession) -> str | None:
    """A folder that was made for this. None if none can be made."""
    spaces = (await session.namespaces()).get("personal") or [("", "")]
    name = f"{spaces[0][0]}eas-doctor-{token_hex(4)}"
    try:
        await session.create(name)
    except ImapError as error:
        notes.warn("scratch folder", f"cannot be made: {error}", "Phones cannot make folders, either.",
                   "Look at the user's rights, and at the server's rules for names of folders.")
        return None
    notes.ok("scratch folder", f"{name} was made")
    return name


async def _written(notes: Notes, session: ImapSession, scratch: str) -> None:
    await session.append(scratch, _letter(), ("\\Seen",))
    selected = await session.select(scratch)
    if session.can_condstore and not selected.highest_modseq:
        notes.warn("change counter", "CONDSTORE is offered, but this folder has none (NOMODSEQ)",
                   "Changes are found by listing flags, which is slow in large folders.")
    spans = ((1, max(1, selected.uid_next - 1)),)
    async with aclosing(session.fetch(spans, ("UID", "INTERNALDATE", "FLAGS"))) as messages:
        found = [message async for message in messages]
    if not found:
        notes.fail("a write and a delete", "a message that was stored is not there")
        return
    uid = ((found[0].uid, found[0].uid),)
    await _keywords(notes, session, uid)
    await session.expunge(uid)
    notes.ok("a write and a delete", "a message was stored, marked and deleted again")
    stored = found[0].internal_date
    if stored is not None:
        clock(notes, stored.astimezone(UTC))


async def _keywords(notes: Notes, session: ImapSession, uid: tuple[tuple[int, int], ...]) -> None:
    assert session.selected is not None
    means = "Categories set on phones are kept by the gateway, and other mail programs do not see them."
    if not session.selected.new_keywords:
        notes.warn("keywords", "the server lets nobody make new ones", means)
        return
    try:
        await session.store(uid, "+FLAGS", (_KEYWORD,))
    except No as error:
        notes.warn("keywords", f"the server refuses one: {error}", means)
        return
    async with aclosing(session.fetch(uid, ("UID", "FLAGS"))) as messages:
        flags = {flag.lower() async for message in messages for flag in message.flags or ()}
    if _KEYWORD in flags:
        notes.ok("keywords", "are kept")
    else:
        notes.warn("keywords", "the server forgets them", means)


async def _pushed(
    notes: Notes, server: ImapServer, name: str, secret: Secret | None, session: ImapSession, scratch: str
) -> None:
    """How soon another connection hears of a message."""
    other = await login.enter(server, login.identity(server, name, secret, own=not server.master_user))
    try:
        if not {"IDLE", "NOTIFY"} & other.capabilities:
            notes.skip("push", "the server has no IDLE")
            return
        told = await other.notify()
        if not told:
            await other.select(scratch)
        listening = asyncio.create_task(_heard(other))
        try:
            await asyncio.sleep(0.3)  # until it waits
            began = time.monotonic()
            await session.append(scratch, _letter())
            heard = await listening
            took = time.monotonic() - began
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    finally:
        await other.close()
    how = "NOTIFY, for all folders" if told else "IDLE, for the inbox"
    if not heard:
        notes.fail("push", f"a new message was not announced within {_NEWS_SECONDS:.0f} seconds",
                   "News reach phones only when the gateway asks for them.",
                   "On Linux look at fs.inotify.max_user_instances: past it Dovecot looks only now and then.")
    elif took > _LATE_SECONDS:
        notes.warn("push", f"a new message was announced after {took:.1f} seconds ({how})", "News come late.")
    else:
        notes.ok("push", f"a new message was announced after {took * 1000:.0f} ms ({how})")


async def _heard(session: ImapSession) -> bool:
    async with aclosing(session.idle(_NEWS_SECONDS)) as news:
        async for _ in news:
            return True
    return False


def _letter() -> bytes:
    now = datetime.now(UTC)
    return (
        f"From: eas doctor <eas-doctor@localhost>\r\nTo: eas doctor <eas-doctor@localhost>\r\nSubject: eas doctor\r\n"
        f"Date: {now:%a, %d %b %Y %H:%M:%S} +0000\r\nMessage-ID: <{token_hex(12)}@eas-doctor.invalid>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nThis is taken away again at once.\r\n"
    ).encode()

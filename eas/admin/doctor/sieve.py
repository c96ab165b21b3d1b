"""The filter server: login, what its Sieve can do, and what the user has there."""

from __future__ import annotations

from secrets import token_hex

from eas.backends.sieve import reading
from eas.backends.sieve.client import SieveSession, connected, credentials_of
from eas.backends.sieve.errors import No
from eas.backends.sieve.grammar import ScriptError, parse
from eas.backends.sieve.script import without_blocks
from eas.backends.standards.tenant import SieveServer
from eas.engine.model import Secret

from .findings import Notes, Verdict
from .reach import reach, sieve_greeting, sieve_start_tls

#: Extensions -> how bad it is to be without one of them, and what it costs.
_EXTENSIONS: tuple[tuple[tuple[str, ...], Verdict, str], ...] = (
    (("vacation",), Verdict.FAIL, "There are no out-of-office replies."),
    (("date", "relational"), Verdict.WARN, "Out-of-office replies cannot be limited to a time."),
    (("include",), Verdict.WARN, "Ours stands as a marked block in the user's own script, instead of beside it."),
    (("envelope",), Verdict.WARN, "Who is internal is told by the From field, which can be forged."),
    (("variables",), Verdict.WARN, "The subject of replies is the server's, not \"Automatic reply: ...\"."),
)


async def look(notes: Notes, server: SieveServer, name: str, secret: Secret | None) -> None:
    if not await reach(notes, server, sieve_start_tls, sieve_greeting):
        return
    if not name or (secret is None and not server.master_user):
        notes.skip("login", "needs --user")
        return
    credentials = credentials_of(server, name, secret or Secret(value=""))
    async with notes.attempt("login", *_REFUSED), connected(server, credentials) as session:
        notes.ok("login", f"as {name}" + (f", by {server.master_user}" if server.master_user else ""))
        _extensions(notes, session)
        await _scripts(notes, server, session)


_REFUSED = (
    "Out-of-office replies cannot be read or set.",
    "Does the filter server know the same users and passwords as the mail server?",
)


def _extensions(notes: Notes, session: SieveSession) -> None:
    for names, verdict, means in _EXTENSIONS:
        missing = [name for name in names if name not in session.extensions]
        check = " and ".join(names)
        if not missing:
            notes.ok(check, "offered")
        elif verdict is Verdict.FAIL:
            notes.fail(check, f"no {', '.join(missing)}", means, "Add it to the server's `sieve_extensions`.")
        else:
            notes.warn(check, f"no {', '.join(missing)}", means)


async def _scripts(notes: Notes, server: SieveServer, session: SieveSession) -> None:
    scripts = await session.list_scripts()
    active = next((one.name for one in scripts if one.active), "")
    if active and active != server.script:
        _examined(notes, active, without_blocks(await session.get(active)))
    else:
        notes.ok("own rules", "none are active")
    name = f"eas-doctor-{token_hex(4)}"
    try:
        await session.put(name, b"keep;\r\n")
        await session.delete(name)
    except No as error:
        notes.fail("a write and a delete", str(error), "Out-of-office replies cannot be set.",
                   "Look at the user's quota of scripts (sieve_quota_max_scripts, sieve_quota_max_storage).")
    else:
        notes.ok("a write and a delete", "a script was stored and deleted again")


def _examined(notes: Notes, active: str, script: bytes) -> None:
    try:
        answers = bool(reading.replies(parse(script)))
    except ScriptError:
        answers = False
    if answers:
        notes.warn("own rules", f"the active script {active} has a vacation of its own",
                   "Phones show it but cannot set another one: of two the server runs none.",
                   "Take it out there, if replies are to be set on phones.")
    else:
        notes.ok("own rules", f"the active script is {active}; it stays as it is")

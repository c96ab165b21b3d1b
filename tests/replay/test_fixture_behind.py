"""The library played against a gateway with Dovecot and Radicale behind, whose mailbox is prepared over IMAP and DAV.

Real servers keep less than the gateway's own groupware: what they answer otherwise is named in LESS, with the reason.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from behind import Behind
from families.gateway import Clock
from families.ruling import Ruled, policies
from groupware.dovecot import Dovecot
from groupware.radicale import Radicale
from groupware.smtp import Sink
from lab import Login
from test_fixture_replay import ALLOWED, FILES, SAID, beyond, told

from eas.app import App, build
from eas.app.preparing import behind
from eas.config import load
from eas.replay.comparing.compare import compare_answers
from eas.replay.comparing.ids import Ids
from eas.replay.comparing.may_differ import DEFAULT
from eas.replay.comparing.rules import Manner as Kind
from eas.replay.comparing.rules import Rule
from eas.replay.format.reading import open_session
from eas.replay.playing.binding import Binding
from eas.replay.playing.line import AsgiLine
from eas.replay.playing.play import Manner, play, who_of
from eas.replay.preparing.prepare import prepared

pytestmark = [pytest.mark.server, pytest.mark.long]

#: What these servers keep otherwise.
OTHERWISE = (
    Rule("DateReceived", Kind.ANY, "mail that is put into a folder over IMAP was received then"),
    Rule("OrganizerName", Kind.IGNORE, "without an address list nobody has a name"),
    Rule("OrganizerEmail", Kind.ANY, "the same person has another address here"),
)
#: Pattern of a difference -> why these servers have it.
LESS: dict[str, str] = {
    r"FolderSync: (Add of '(Sent Items|Deleted Items)': DisplayName|Count is|Add of 'Junk' was not expected)":
        "Dovecot names its folders, and has one for junk",
    r"(Find|Search): (Result.* is missing|Range '.*' is missing|Total is '0')": "there is no address list",
    r"ResolveRecipients: (Recipient.* is missing|Response.*(Status is '4'|Count is '0'))": "there is no address list",
}
#: Devices that wait by whole minutes.
MINUTES = ("windows-mobile-6.5",)
#: Of so many sessions one is played in `make test`, unless EAS_SESSIONS is "all" (`make replays`).
STEP = 1 if os.environ.get("EAS_SESSIONS") == "all" else 10
PLAYED = [file for file in FILES if file.parent.name not in MINUTES][::STEP]


@asynccontextmanager
async def gateway(servers: Behind, data: Path) -> AsyncIterator[App]:
    """Its time is that of the sessions, so that what recurs and what is cut by its age is the same."""
    limits = {"heartbeat_min_seconds": 1, "free_repeats": 0}
    servers.sink.route = servers._deliver
    settings = load(overrides={**servers.settings(data), "limits": limits}, environment={})
    async with build(settings, clock=Clock()) as app:
        yield app


async def replayed(servers: Behind, me: Login, file: Path, data: Path) -> list[str]:
    async with gateway(servers, data) as app:
        there = await behind(app, me.user, me.password, app.bell.ring)
        assert there is not None
        with open_session(file) as session:
            first, rules_of_server = next(session.exchanges), policies(session.meta)
        who = who_of(first, me.user, me.address, recorded_user="anna@example.com")
        binding, rules = Binding(who=who), replace(DEFAULT, ids=Ids()).and_(OTHERWISE)
        async with prepared(there.mailbox, there.viewer, file, binding, clock=there.clock) as stage:
            manner = Manner(
                who=who, wait_seconds=1, stage=Ruled(stage, app, rules_of_server),
                compare=lambda was, got, command: compare_answers(was, got, rules, command),
            )
            said = [f"prepare: {lack}" for lack in stage.lacks]
            with open_session(file) as session:
                line = AsgiLine(app.asgi, me.user, me.password)
                async for outcome in play(session.exchanges, line, manner, binding):
                    said += told(outcome)
        return said


@pytest.mark.parametrize("file", PLAYED, ids=lambda file: f"{file.parent.name}/{file.stem}")
async def test_real_servers_answer_so(
    file: Path, tmp_path: Path, dovecot: Dovecot, radicale: Radicale, sink_of_all: Sink
) -> None:
    servers = Behind(mail=dovecot, sink=sink_of_all, dav=radicale, more={"time_zone": "Europe/Berlin"})
    said = await replayed(servers, servers.person("anna"), file, tmp_path)
    assert not (others := beyond(said, ALLOWED, SAID, LESS)), "\n".join(others)

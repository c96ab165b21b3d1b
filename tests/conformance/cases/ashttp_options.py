"""[MS-ASHTTP] HTTP OPTIONS Request and Response."""

from __future__ import annotations

import re

from lab import Lab, case
from old_kit import WRONG
from wire import Got, basic

from eas.protocol import http

#: What every server of this document offers. The older ones are named, but not demanded.
KNOWN = ("2.5", "12.0", "12.1", "14.0", "14.1", "16.0", "16.1")
DEMANDED = ("12.1", "14.0", "14.1", "16.0", "16.1")
#: Commands without which no device of any version can do anything.
COMMANDS = ("Sync", "SendMail", "SmartForward", "SmartReply", "FolderSync", "FolderCreate", "FolderDelete",
            "FolderUpdate", "MoveItems", "GetItemEstimate", "MeetingResponse", "Search", "Settings", "Ping",
            "ItemOperations", "Provision", "ResolveRecipients", "ValidateCert")


async def _options(lab: Lab, path: str = http.PATH, password: str | None = None) -> Got:
    stated = {"Authorization": basic(lab.me.user, lab.me.password if password is None else password)}
    return await lab.talker().ask("OPTIONS", path, stated)


@case("MS-ASHTTP", "R319 R450 R238 R239 R240 R241 R244")
async def options_is_answered_with_headers_alone(lab: Lab) -> None:
    got = await _options(lab)
    assert (got.http, got.body) == (200, b"")
    assert {"ms-asprotocolversions", "ms-asprotocolcommands"} <= {name.lower() for name in got.headers}
    assert all(value.isascii() for value in got.headers.values())


@case("MS-ASHTTP", "R1107 R247")
async def the_commands_are_a_list_with_commas(lab: Lab) -> None:
    listed = (await _options(lab)).headers["ms-asprotocolcommands"]
    assert re.fullmatch(r"[A-Za-z]+(,[A-Za-z]+)*", listed), listed
    found = listed.split(",")
    assert len(found) == len(set(found))
    assert set(COMMANDS) <= set(found)


@case("MS-ASHTTP", "R1107 R249 R2491 R296 R459 R460 R461 R1201 R12011")
async def the_versions_are_a_list_with_commas(lab: Lab) -> None:
    found = (await _options(lab)).headers["ms-asprotocolversions"].split(",")
    assert set(DEMANDED) <= set(found) <= set(KNOWN)
    assert lab.version.text in found
    assert found == sorted(found, key=KNOWN.index), "some clients take the last one"


@case("MS-ASHTTP", "R178 R523")
async def options_wants_a_login(lab: Lab) -> None:
    talker = lab.talker()
    for stated in ({}, {"Authorization": basic(lab.me.user, WRONG)}, {"Authorization": "Basic %%%"}):
        got = await talker.ask("OPTIONS", http.PATH, stated)
        assert got.http == 401, stated
        assert got.headers["www-authenticate"].startswith("Basic ")
        assert "ms-asprotocolversions" not in got.headers


@case("MS-ASHTTP", "R450")
async def options_may_have_a_query(lab: Lab) -> None:
    """Windows Phone states the user and the device."""
    got = await _options(lab, f"{http.PATH}?User=x&DeviceId=y&DeviceType=WP8")
    assert (got.http, lab.version.text in got.headers["ms-asprotocolversions"]) == (200, True)

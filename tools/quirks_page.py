"""docs/quirks.md, made of the tables of eas.engine.quirks and of FOR_ALL. Usage: quirks_page.py [FILE]"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from eas.engine.quirks import HEARTBEATS, PATIENCE, TABLE, Heartbeat, Quirk


@dataclass(frozen=True, slots=True, kw_only=True)
class ForAll:
    """What some devices need and every device gets. `test` is the file and the name of the test that shows it."""

    does: str
    who: str
    test: str


FOR_ALL: tuple[ForAll, ...] = (
    ForAll(
        who="Android asks under the id `validate` when an account is set up",
        does="The request is answered like that of a new device, and leaves no device behind.",
        test="tests/server/test_dispatch.py::test_android_validates_without_leaving_a_trace",
    ),
    ForAll(
        who="Android and HTC lose ids that begin with 0",
        does="No id of a folder or an item begins with 0.",
        test="tests/commands/test_device_quirks.py::test_no_id_begins_with_0",
    ),
    ForAll(
        who="Android 5 starts over where Outbox or Drafts are missing",
        does="Every mailbox has both.",
        test="tests/commands/test_device_quirks.py::test_every_mailbox_has_an_outbox_and_drafts",
    ),
    ForAll(
        who="Android takes a policy key of 0 for none",
        does="Neither the temporary key nor the final one is ever 0.",
        test="tests/commands/test_provision.py::test_a_device_gets_the_policy_and_then_its_key",
    ),
    ForAll(
        who="Android shows no importance where it has to be guessed",
        does="Importance is always told.",
        test="tests/items/test_email.py::test_importance_is_always_told",
    ),
    ForAll(
        who="iOS asks with key 0 twice, and any phone asks again after a lost answer",
        does="The same request gets the same answer, and the same key.",
        test="tests/engine/test_keys.py::test_key_0_asked_again_before_its_answer_is_used_gets_the_same_key",
    ),
    ForAll(
        who="iOS shows \"Loading\" for ever where an audience is missing from the out-of-office settings",
        does="All three are always told.",
        test="tests/commands/test_settings.py::test_out_of_office_is_answered_in_full",
    ),
    ForAll(
        who="iOS 5 takes a wipe only behind the status",
        does="The status stands before the directive.",
        test="tests/commands/test_wipe.py::test_a_failed_wipe_of_the_account_is_asked_for_again",
    ),
    ForAll(
        who="Windows Phone 8 takes no appointment without Attendees",
        does="The element is there, empty where nobody is invited.",
        test="tests/commands/test_device_quirks.py::test_attendees_are_told_even_if_there_are_none",
    ),
    ForAll(
        who="Windows Mobile states its User-Agent now and then, Windows Phone in OPTIONS only",
        does="A request without one counts as of the program that the device named last.",
        test="tests/commands/test_device_quirks.py::test_a_device_without_a_name_is_the_device_that_it_was",
    ),
    ForAll(
        who="Samsung sends text messages, asked for or not",
        does="They are taken, and not kept.",
        test="tests/commands/test_sync_choice.py::test_text_messages_are_taken_and_not_kept",
    ),
    ForAll(
        who="Old devices go round in circles over settings of a policy that their version lacks",
        does="A policy is filtered to the version before it is compared with what the device acknowledged.",
        test="tests/server/test_gate.py::test_a_setting_beyond_the_devices_version_does_not_lock_it_out",
    ),
    ForAll(
        who="Some clients take \"no policy\" for an error",
        does="There is always a policy to hand out.",
        test="tests/items/test_policy.py::test_an_empty_policy_restricts_nothing",
    ),
    ForAll(
        who="People log in as `user`, `user@domain` and `DOMAIN\\user`; Outlook writes them in ISO-8859-1",
        does="All of these are taken.",
        test="tests/server/test_routes.py::test_a_login_has_many_forms",
    ),
    ForAll(
        who="Many pass over Status 12 of a Sync and repeat it; Outlook 2013 keeps a folder that FolderSync took away",
        does="It is said three times of a folder, then Status 3, until there is a FolderSync or the folder.",
        test="tests/commands/test_folders_gone.py::test_it_begins_anew_in_the_end",
    ),
    ForAll(
        who="Any client may break off and come back",
        does="What a device did once is not done again, and what it was told is told again.",
        test="tests/commands/test_send_mail.py::test_the_same_again_is_not_sent_again",
    ),
)

HEAD = """# Devices differ

This page is made by `tools/quirks_page.py` of the tables in `eas/engine/quirks.py`. `eas device show USER DEVICE` lists
the quirks of a device, `eas device quirk USER DEVICE NAME on|off|auto` switches one for it. A pattern is a regular
expression, matched anywhere in the text, whatever its case.

## Done for some devices
"""
PATIENCE_HEAD = """
## Patience

How long devices wait in silence for an answer. A window of a Sync is closed while there is time to send it.

| devices | seconds | known from |
|---|---|---|
"""
HEARTBEATS_HEAD = """
## Heartbeats

What is done where the way to a device, or the device itself, ends waits before their time
([019](decisions/019-door.md)).

| devices | done | known from |
|---|---|---|
"""
FOR_ALL_HEAD = """
## Done for every device

| known of | done | shown by |
|---|---|---|
"""
LEFT = """
## Left to the administrator

- Gmail refuses an account whose policy asks for a password by weaker rules than its own (tine20, issue 7108). A policy
  that says nothing of passwords is taken.
- Devices without TLS 1.2 (Symbian, Windows Mobile, BlackBerry) need a front of their own; see operations.md.
- Outlook for iOS and Android comes from servers at Microsoft, which keep the password; many users share an address.
"""


def _heartbeat(row: Heartbeat) -> str:
    told = "told the longest heartbeat that holds" if row.tell else "answered when what holds is over, and told nothing"
    return f"{told}; never kept longer than {row.longest} seconds" if row.longest else told


def page() -> str:
    quirks = "".join(_quirk(quirk) for quirk in Quirk)
    patience = "".join(_line(_patterns(row) or "all others", row.seconds, row.evidence) for row in PATIENCE)
    heartbeats = "".join(
        _line(f"User-Agent `{row.agent}`" if row.agent else "all others", _heartbeat(row), row.evidence)
        for row in HEARTBEATS
    )
    for_all = "".join(_line(row.who, row.does, f"`{row.test.partition('::')[2]}`") for row in FOR_ALL)
    return f"{HEAD}{quirks}{PATIENCE_HEAD}{patience}{HEARTBEATS_HEAD}{heartbeats}{FOR_ALL_HEAD}{for_all}{LEFT}"


def _quirk(quirk: Quirk) -> str:
    rows = [row for row in TABLE if row.quirk is quirk]
    texts = dict.fromkeys(row.does for row in rows)
    table = "".join(_line(_patterns(row), row.evidence) for row in rows)
    return f"\n### {quirk.value}\n\n{' '.join(texts)}\n\n| devices | known from |\n|---|---|\n{table}"


def _patterns(row: object) -> str:
    names = {"type": "DeviceType", "agent": "User-Agent", "os": "OS"}
    stated = [(title, getattr(row, name, "")) for name, title in names.items()]
    return ", ".join(f"{title} `{pattern}`" for title, pattern in stated if pattern)


def _line(*cells: object) -> str:
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |\n"


def main(arguments: list[str]) -> int:
    if arguments:
        Path(arguments[0]).write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

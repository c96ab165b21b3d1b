"""The texts of notices. Values stand in braces; each is one line (`Notices.tell`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    subject: str
    body: str


SIGNATURE = "-- \nThis message was written by the ActiveSync gateway. Nobody reads answers to it."

LAST_OF_THE_HOUR = (
    "This is notice {count} about this to you within an hour. There will be no more of this kind before the hour is "
    "over; the audit log and the pages have the rest."
)

#: By name, which is also the topic under which they are counted.
TEXTS: Mapping[str, Text] = {
    "test": Text(
        "Test of notices",
        "This is a test: notices of the gateway arrive at {to}.\n\nNothing has to be done.",
    ),
    "wipe_asked": Text(
        "Your phone will be wiped: {phone}",
        """{by} has asked for a remote wipe of your phone {phone}: {what} will be erased as soon as it connects.

Until then it gets nothing more from the server. If this is a mistake, have the wipe cancelled before the phone
connects: {my_link}, or ask your administrator.

If the phone was lost or stolen, change the password of your mailbox as well: a phone that never connects again keeps
it.""",
    ),
    "wipe_asked_staff": Text(
        "Remote wipe asked for: {phone} of {owner}",
        """{by} has asked for a remote wipe of {phone} of {owner}: {what}.
Reason given: {note}

The phone is told at its next request; until then it gets nothing more. To follow or cancel it: {link}""",
    ),
    "wipe_waiting_staff": Text(
        "Remote wipe waits for a second person: {phone} of {owner}",
        """{by} wants a remote wipe of {phone} of {owner}: {what}.
Reason given: {note}

Nothing happens before somebody else agrees, at the latest at {until}. Please look at it and agree or decline: {link}

If the phone is in wrong hands now, block it meanwhile: that needs no second person.""",
    ),
    "wipe_declined_staff": Text(
        "Remote wipe declined: {phone} of {owner}",
        """{decided_by} has declined the remote wipe of {phone} of {owner} that {by} had asked for. The phone goes on as
before.""",
    ),
    "wipe_expired_staff": Text(
        "Remote wipe was not agreed to in time: {phone} of {owner}",
        """Nobody has agreed to the remote wipe of {phone} of {owner} that {by} had asked for, and its time is over. The
phone goes on as before. If it still has to be wiped, ask for it again.""",
    ),
    "wipe_cancelled": Text(
        "Your phone will not be wiped: {phone}",
        """{decided_by} has cancelled the remote wipe of your phone {phone}.

If it was told before, it may have erased itself all the same; then set it up again.""",
    ),
    "wipe_cancelled_staff": Text(
        "Remote wipe cancelled: {phone} of {owner}",
        """{decided_by} has cancelled the remote wipe of {phone} of {owner}. If the phone was told before, it may have
erased itself all the same.""",
    ),
    "wipe_done": Text(
        "Your phone was wiped: {phone}",
        """Your phone {phone} has reported that the wipe is done: {what} is erased.

The server refuses this phone now, and the passwords that were its own are revoked. To set it up again, allow it first:
{my_link}, or ask your administrator.

If the phone was lost or stolen and used the password of your mailbox, change that password: the server cannot take it
back, and whoever knows it can try it from another phone.""",
    ),
    "wipe_done_staff": Text(
        "Remote wipe done: {phone} of {owner}",
        """{phone} of {owner} has reported that the wipe is done: {what} is erased. {by} had asked for it.

The phone is refused from now on, until it is allowed again ({link}); the passwords that were its own are revoked. If it
was lost and used the password of the mailbox, that has to be changed: only the id of the phone is blocked.""",
    ),
    "wipe_failed": Text(
        "Your phone could not be wiped: {phone}",
        """Your phone {phone} has reported that it could not erase {what}. It gets nothing more from the server, and
is told again each time it connects.

Change the password of your mailbox if the phone is not with you. Your administrator has been told as well.""",
    ),
    "wipe_failed_staff": Text(
        "Remote wipe failed: {phone} of {owner}",
        """{phone} of {owner} has reported that it could not erase {what}. It gets nothing more from the server, and
is told again each time it connects.

Next: where only the account was to be erased, ask for a wipe of the whole phone; otherwise have the owner erase it by
hand, or change the password of the mailbox: {link}""",
    ),
    "suspended_admin": Text(
        "A phone of {user} is kept out for a while",
        "The gateway keeps the phone {device} of {user} out until {until}: {why}.\n\nIt is told to come back later; "
        "nothing has to be done. If it goes on afterwards, restart the phone or set its account up anew. To let it in "
        "before: eas access approve {user} {device}, or {link}",
    ),
    "quarantine_admin": Text(
        "A phone of {user} is waiting to be approved",
        "{user} has set up a phone, and it is in quarantine: it is shown its folders and a notice, nothing else.\n\n"
        "Type:    {type}\nModel:   {model}\nSystem:  {os}\nProgram: {agent}\nId:      {device}\n"
        "Reason:  {why}\n\n"
        "To let it in or to block it, open this page, log in and press the button there:\n{link}\n\n"
        "On the command line: eas access approve {user} {device}",
    ),
    "quarantine_user": Text(
        "A phone was set up with your account",
        "A phone was set up with your account ({type}, {model}, id {device}). An administrator has to approve it before"
        " it gets your mail, calendar and contacts; they have been told. When they have, it goes on by itself.\n\n"
        "If this was not you, change your password now and tell your administrator.",
    ),
}

"""What the gateway answered a phone, in plain words, with the next step: a table from (command, status) to words.

Free of I/O, for whatever shows a session to people. (eas.client.words is another matter: items from and to words.)
"""

from __future__ import annotations

from collections.abc import Mapping

from eas.engine.apply import ItemStatus

from .by_command import BY_COMMAND, OF_COMMAND
from .common import COMMON
from .model import CLIENT_FAULT, NOTHING, OUR_FAULT, RETRY, WELL, Words

__all__ = ["BY_COMMAND", "COMMON", "HTTP", "ITEM", "OF_COMMAND", "WELL", "Words", "explain"]

#: What stands for an item within a Sync, in place of a command.
ITEM = "Sync item"

#: Of HTTP alone, where no status comes with it.
HTTP: Mapping[int, Words] = {
    200: WELL,
    400: Words("The request is malformed.", CLIENT_FAULT),
    401: Words(
        "User name or password are wrong.",
        "Its owner enters the password anew on the phone. Look for an old password in other programs of the "
        "same user, too.",
    ),
    403: Words(
        "The phone is not let in: it is blocked, in quarantine, or its user may not use phones.",
        "The device's page says what decided it.",
    ),
    404: Words("There is nothing at this address.", "Look at the server's name in the account's settings."),
    405: Words("That is not done here.", CLIENT_FAULT),
    413: Words("What the phone sent is larger than allowed.", "Send less, or raise `limits.max_body_bytes`."),
    449: Words(
        "The phone was told to fetch its policy first.",
        "Nothing to do if it does. If it stays so, its owner has to accept the policy on the phone, or the "
        "policy asks for what this phone cannot do.",
    ),
    451: Words("The phone was told to use another address.", NOTHING),
    500: Words("The server failed.", OUR_FAULT),
    501: Words("The phone asked for what is not there.", CLIENT_FAULT),
    503: Words(
        "The phone was told to come back later: what is behind the gateway is away, or the phone asks the same "
        "too often, or too many wrong passwords came.",
        RETRY,
    ),
    505: Words("The phone speaks a version of before 2003.", "It cannot be helped; use another app."),
    507: Words(
        "The mailbox is full, or there is no room on the server.",
        "Its owner has to delete something; look at the server's disk as well.",
    ),
}

_UNKNOWN = Words("No words are known for this answer.", OUR_FAULT)


def explain(command: str, status: str | int, http: int = 200) -> Words:
    """What an answer to a command means; `command` may be ITEM. `status` "" where the answer has none."""
    if http != 200:
        return HTTP.get(http, _UNKNOWN)
    text = str(status)
    if not text:
        return WELL
    if not text.isdecimal():
        return _UNKNOWN
    number = int(text)
    kinds = (ItemStatus,) if command == ITEM else OF_COMMAND.get(command, ())
    for kind in kinds:
        if number in BY_COMMAND[kind]:
            return BY_COMMAND[kind][number]
    return COMMON.get(number, WELL if number == 1 else _UNKNOWN)

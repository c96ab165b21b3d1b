"""What a status is in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Words(NamedTuple):
    """`means` is one sentence, or two; `next` is what to do about it, "" where there is nothing to be done."""

    means: str
    next: str = ""


Table = Mapping[int, Words]

#: Steps that recur.
NOTHING = "Nothing to do: the phone goes on by itself."
RETRY = (
    "Nothing to do at first: the phone tries again. If it stays so, look into the server's log and run `eas doctor`."
)
OUR_FAULT = "Look into the server's log for this device and this time; if it comes again, report it as a fault."
ASK_AGAIN = "Nothing to do if it happens now and then; if it comes again and again, resync the folder."
CLIENT_FAULT = "It is the app's fault. See whether an update of the app helps; a quirk may exist (docs/quirks.md)."
WELL = Words("All went well.")

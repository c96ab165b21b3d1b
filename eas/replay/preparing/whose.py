"""Whose mailbox a session saw: the account's own name and time zone, as far as its items tell of them.

A server says both of items that do not say so themselves: who organizes a meeting of one's own, when a task's day
begins. An account that is called otherwise, or lives elsewhere, gets other answers, and nothing is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from eas.items.native import Viewer
from eas.items.timezone import zone_or_utc
from eas.protocol.wbxml import Element
from eas.replay.playing.learning import text
from eas.replay.playing.moments import instant


@dataclass(slots=True)
class Whose:
    viewer: Viewer
    #: Names of the organizer of what the account organizes.
    names: set[str] = field(default_factory=set)
    #: Beginnings of days of tasks that are not midnight for the account: (instant, midnight without a zone).
    days: list[tuple[datetime, datetime]] = field(default_factory=list)

    def learn(self, data: Element) -> None:
        """From the elements of one item."""
        own = {address.lower() for address in self.viewer.addresses}
        if text(data, "Calendar:OrganizerEmail").lower() in own and (name := text(data, "Calendar:OrganizerName")):
            self.names.add(name)
        utc, local = instant(text(data, "Tasks:UtcDueDate")), instant(text(data, "Tasks:DueDate"))
        if utc is not None and local is not None and not self.days and self._offset(utc) != local - utc:
            self.days.append((utc, local))

    def _offset(self, at: datetime) -> timedelta:
        return at.astimezone(zone_or_utc(self.viewer.zone)).utcoffset() or timedelta()

    def lacks(self) -> list[str]:
        """What of the account is not as in the session, in words, with what would mend it."""
        said = []
        if len(self.names) == 1 and self.viewer.name not in self.names:
            (name,) = self.names
            said.append(f"the account is called {self.viewer.name!r}, in the session {name!r} (eas user set --name)")
        for utc, local in self.days:
            hours = (local - utc) / timedelta(hours=1)
            said.append(
                f"the account's time zone is {self.viewer.zone or 'UTC'}, in the session one of UTC{hours:+g} in "
                f"{utc:%B} (eas user set --zone)"
            )
        return said

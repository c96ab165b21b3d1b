"""The machine of test_sync_machine, whose database is put back to an older backup at any point.

Once the groupware with it (it is the embedded one), once the state alone (the groupware stands elsewhere and goes on).
In the end devices and groupware hold the same, each item once, and no device that could go on had to begin anew.
"""

from __future__ import annotations

import sqlite3
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from line_kit import Clock, World, run
from test_sync_machine import PICK, ContactsMachine, MailMachine, SyncMachine, _settings

from eas.admin.restored import after_restore
from eas.engine.apply import Done
from eas.engine.ids import parse_server_id
from eas.engine.keys import LostTime
from eas.store import restored as store

pytestmark = pytest.mark.long

#: Tables of the state, children after their parents.
STATE = ("sync_state", "sync_generation", "sync_blob", "degraded", "intent", "device")


class Ticking(Clock):
    """No two moments are one."""

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment


class Backups(SyncMachine):
    """`elsewhere`: the groupware is not put back."""

    elsewhere = False

    def __init__(self) -> None:
        super().__init__()
        self.world.close()
        self.world = World(clock=Ticking())
        self.copy: sqlite3.Connection | None = None
        self.names: Any = None
        self.changed_since = False

    def teardown(self) -> None:
        super().teardown()
        if self.copy is not None:
            self.copy.close()

    @rule()
    def a_backup_is_made(self) -> None:
        if self.copy is not None:
            self.copy.close()
        self.copy = sqlite3.connect(":memory:")
        self.world.memory.raw.backup(self.copy)
        # What a device wants to add and has not been told of may be in the backup or not: if it is done in the lost
        # time, it is lost with it.
        asked = {mine.said["name"] for phone in self.phones for mine in phone.mine if mine.verb is Done.ADD}
        self.names = deepcopy((self.added - asked, self.deleted))
        # One that begins after the backup is not in it.
        self.changed_since = any(phone.key == "0" for phone in self.phones)
        self.trace.append("=== backup")

    @precondition(lambda self: self.copy is not None)
    @rule(pick=PICK, first=st.booleans())
    def it_is_put_back(self, pick: int, first: bool) -> None:
        """No copy of a request outlives the time without a server."""
        self.trace.append("=== put back")
        self.line.clear()
        if self.elsewhere:
            self.put_state_back()
        else:
            self.put_all_back()
        # One that began anew, or had another filter since, begins anew again; and maybe one that has heard of items
        # after this very backup was put back before: from its ids to those there are too many.
        self.began_anew = self.began_anew or self.changed_since
        self.changed_since = True
        if first:
            self.ask_and_get(pick)
            self.check(self.phone(pick))

    @precondition(lambda self: self.copy is not None)
    @rule(pick=PICK, what=PICK, rounds=st.integers(1, 3))
    def something_happens_and_it_is_put_back(self, pick: int, what: int, rounds: int) -> None:
        self.a_backup_is_made()
        for n in range(rounds):
            self.somebody_else_writes(what + n)
            self.changes_something(pick, what)
            if n % 2:
                self.deletes_something(pick, what)
            self.ask_and_get(pick)
        self.ask_and_get(pick)
        self.it_is_put_back(pick, True)

    @rule(pick=PICK, what=PICK)
    def what_was_changed_and_changed_back_in_the_lost_time_is_told(self, pick: int, what: int) -> None:
        """The device holds it as it was in between; the state and the groupware agree, and both look otherwise."""
        phone = self.phone(pick)
        self.ask_and_get(pick)
        self.ask_and_get(pick)
        if ids := sorted(phone.view().keys() & set(self.ids())):
            self.a_backup_is_made()
            undo = self.somebody_else_changes(ids[what % len(ids)], what)
            self.ask_and_get(pick)
            self.ask_and_get(pick)
            undo()
            self.it_is_put_back(pick, True)

    def put_all_back(self) -> None:
        assert self.copy is not None
        self.copy.backup(self.world.memory.raw)
        self.added, self.deleted = deepcopy(self.names)
        for phone in self.phones:
            for mine in phone.mine:
                if mine.verb is Done.ADD:
                    self.added.add(mine.said["name"])
                elif mine.verb is Done.DELETE and (parsed := parse_server_id(mine.named)):
                    self.deleted.add(phone.held.get(parsed[1], {}).get("name", ""))
        run(after_restore(self.world.memory, self.world.clock.now()))

    def put_state_back(self) -> None:
        assert self.copy is not None
        raw, copy = self.world.memory.raw, self.copy

        def work(connection: Any) -> None:
            for table in reversed(STATE):
                raw.execute(f"DELETE FROM {table}")
            for table in STATE:
                for row in copy.execute(f"SELECT * FROM {table}"):
                    raw.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)
            lost = LostTime(after=0, before=0, elsewhere=True)
            store.mark(connection, lambda collections: [lost] * len(collections), self.world.clock.now())
            store.forget_requests(connection)

        run(self.world.memory.write(work))

    def begins_anew(self, pick: int) -> None:
        super().begins_anew(pick)
        self.changed_since = True


class HereContacts(Backups, ContactsMachine):
    pass


class HereMail(Backups, MailMachine):
    def filter_is_changed(self, filter_type: int) -> None:
        super().filter_is_changed(filter_type)
        self.changed_since = True


class ElsewhereContacts(HereContacts):
    elsewhere = True

    def begins_anew_with_an_add_unanswered(self, pick: int, died_at: int = 0) -> None:
        """No rule here: a device that began anew in the lost time and names its Adds otherwise is not recognised once
        what was written down of them is gone. They are there twice (decision 023)."""


class ElsewhereMail(HereMail):
    elsewhere = True


TestHereContacts = HereContacts.TestCase
TestHereContacts.settings = _settings(8)
TestHereMail = HereMail.TestCase
TestHereMail.settings = _settings(7)
TestElsewhereContacts = ElsewhereContacts.TestCase
TestElsewhereContacts.settings = _settings(8)
TestElsewhereMail = ElsewhereMail.TestCase
TestElsewhereMail.settings = _settings(7)

"""What requests ask of PostgreSQL: `python tests/bench/explain.py [USERS]`.

Fills a PostgreSQL of its own as for 10,000 users with 2 devices, 10 collections each and some mail (by copying the rows
of one real user whose devices have synchronised), has a gateway in memory answer requests over it, and prints, as
Markdown for docs/scaling.md: what each kind of request reads and writes, and the plan of every statement, with the
pages that it touched. Ends with 1 if a request reads a large table from end to end.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import httpx
from groupware.postgresql import Postgresql
from letters import letter
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from eas import app as composition
from eas.client import mail
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.config import load
from eas.engine.model import FolderType
from eas.protocol.version import Version

USERS = 10_000
#: Messages in the inbox of each.
MESSAGES = 12
#: Requests of each kind over which rows and bytes are counted.
TIMES = 30
#: Rows from which on a table is not to be read from end to end in a request.
LARGE = 5_000
URL, DOMAIN = "http://mail.example.com", "example.com"

#: What is copied for every user, each column as an expression of the row `t`, the user's number `n`, and the most ids
#: of the original (`{ids}`); what is not named stays as it is. In the order in which rows refer to each other.
COPIES: dict[str, dict[str, str]] = {
    "gw_user": {"id": "t.id || n", "login": "t.login || n", "address": "t.login || n || '@example.com'"},
    "gw_address": {"address": "split_part(t.address, '@', 1) || n || '@example.com'", "user_id": "t.user_id || n"},
    "gw_term": {"entry": "t.entry || n"},
    "gw_folder": {"id": "t.id + n * {ids}", "owner": "t.owner || n",
                  "parent": "CASE t.parent WHEN 0 THEN 0 ELSE t.parent + n * {ids} END"},
    "gw_content": {"id": "t.id + n * {ids}", "user_id": "t.user_id || n"},
    "gw_chunk": {"content_id": "t.content_id + n * {ids}"},
    "gw_item": {"folder_id": "t.folder_id + n * {ids}", "content_id": "t.content_id + n * {ids}"},
    "gw_tombstone": {"folder_id": "t.folder_id + n * {ids}"},
    "gw_delivered": {"user_id": "t.user_id || n"},
    "gw_submitted": {"user_id": "t.user_id || n"},
    "device": {"number": "t.number + n * {ids}", "user_id": "t.user_id || n"},
    "sync_state": {"number": "t.number + n * {ids}", "user_id": "t.user_id || n"},
    "sync_generation": {"state": "t.state + n * {ids}"},
    "sync_blob": {"state": "t.state + n * {ids}"},
    "intent": {"id": "t.id + n * {ids}", "user_id": "t.user_id || n"},
}
#: More than any id of the original.
IDS = 1000


@dataclass(slots=True)
class Heard:
    """The statements that went to the database, each with the parameters of its first time."""

    statements: dict[str, Any] = field(default_factory=dict)
    count: Counter[str] = field(default_factory=Counter)
    on: bool = False

    def hear(self, conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        if self.on:
            self.statements.setdefault(statement, parameters[0] if executemany else parameters)
            self.count[statement] += 1

    @contextmanager
    def listening(self) -> Iterator[Heard]:
        self.statements, self.count, self.on = {}, Counter(), True
        try:
            yield self
        finally:
            self.on = False


@dataclass(slots=True, kw_only=True)
class Bench:
    app: composition.App
    phones: list[Phone]
    server: Postgresql
    database: str
    heard: Heard = field(default_factory=Heard)
    bad: list[str] = field(default_factory=list)
    delivered: int = 0
    lines: dict[str, str] = field(default_factory=dict)
    plans: dict[str, list[str]] = field(default_factory=dict)

    def psql(self, statement: str) -> str:
        return self.server.run(statement, self.database).strip()

    async def deliver(self) -> None:
        self.delivered += 1
        (failure,) = await self.app.embedded.office.take("sender@elsewhere.test", [f"anna@{DOMAIN}"],
                                                          letter(10_000 + self.delivered))
        assert failure is None

    # -- the original, and its copies

    async def original(self) -> None:
        for _ in range(MESSAGES):
            await self.deliver()
        for phone in self.phones:
            await phone.set_up()
            while len(phone.state.folders) < 10:
                await phone.create_folder(f"Folder {len(phone.state.folders)}")
            await phone.sync()
        for phone in self.phones:
            await phone.folder_sync()
            await phone.sync()
        inbox = self.phones[0].state.folder(FolderType.INBOX)
        for id in list(inbox.items)[:2]:
            self.phones[0].delete(inbox, id)
        await self.phones[0].sync()
        for _ in range(3):
            await self.send(f"anna@{DOMAIN}")
            for phone in self.phones:
                await phone.sync()

    async def send(self, to: str) -> None:
        self.delivered += 1
        body = re.sub(rb"(?im)^(from|to):.*\r\n", b"", letter(90_000 + self.delivered))
        await mail.send(self.phones[0], f"From: anna@{DOMAIN}\r\nTo: {to}\r\n".encode() + body)

    def copies(self, users: int) -> None:
        for table, expressions in COPIES.items():
            columns = self.psql(
                f"SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns"
                f" WHERE table_name = '{table}'"
            ).split(",")
            values = ", ".join(expressions.get(name, f't."{name}"').format(ids=IDS) for name in columns)
            names = ", ".join(f'"{name}"' for name in columns)
            self.psql(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} t, generate_series(1, {users}) n")
        self.psql("VACUUM ANALYZE")

    # -- what requests do

    async def measure(self, name: str, do: Callable[[], Awaitable[object]], *, request: bool = True) -> None:
        """Once while listening, then often for rows and bytes."""
        await do()
        with self.heard.listening() as heard:
            await do()
        statements, count = dict(heard.statements), Counter(heard.count)
        rows, bytes = await self._written(do) if request else ("", "")
        reads = sum(n for one, n in count.items() if one.lstrip().upper().startswith("SELECT"))
        writes = sum(n for one, n in count.items() if re.match(r"\s*(INSERT|UPDATE|DELETE)", one, re.I))
        self.lines[name] = f"| {name} | {reads} | {writes} | {rows} | {bytes} |"
        self.plans[name] = [await self._plan(name, one, given, request) for one, given in statements.items()
                            if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)", one, re.I)]

    async def _written(self, do: Callable[[], Awaitable[object]]) -> tuple[str, str]:
        before = await self._counters()
        for _ in range(TIMES):
            await do()
        after = await self._counters()
        rows, octets = ((b - a) / TIMES for a, b in zip(before, after, strict=True))
        return f"{rows:.1f}", f"{octets:,.0f}"

    async def _counters(self) -> tuple[int, int]:
        await self.app.store.flush()
        await asyncio.sleep(1.2)  # so long a backend keeps its counts to itself
        self.psql("SELECT pg_stat_force_next_flush()")
        told = self.psql(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint, pg_current_wal_lsn() - '0/0'"
            " FROM pg_stat_user_tables"
        )
        rows, octets = told.split("|")
        return int(rows), int(octets)

    async def _plan(self, name: str, statement: str, given: Any, request: bool) -> str:
        plan = await self._explained(statement, given)
        nodes = list(_nodes(plan["Plan"]))
        for node in nodes:
            if node["Node Type"] == "Seq Scan" and request and self._size(node["Relation Name"]) > LARGE:
                self.bad.append(f"{name}: {node['Relation Name']}: {_short(statement)}")
        ways = "; ".join(dict.fromkeys(_way(node) for node in nodes if "Relation Name" in node))
        pages = plan["Plan"].get("Shared Hit Blocks", 0) + plan["Plan"].get("Shared Read Blocks", 0)
        return f"| `{_short(statement)}` | {ways or '-'} | {pages} | {plan.get('Execution Time', 0):.2f} |"

    async def _explained(self, statement: str, given: Any) -> dict[str, Any]:
        """Done and undone; planned only, where it cannot be done twice."""
        for way in ("ANALYZE, BUFFERS, ", ""):
            try:
                async with self.app.database.engine.connect() as connection:
                    await connection.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
                    done = await connection.exec_driver_sql(f"EXPLAIN ({way}FORMAT JSON) {statement}", given)
                    told = done.scalar_one()
                    await connection.rollback()
            except DBAPIError:
                continue
            return dict((json.loads(told) if isinstance(told, str) else told)[0])
        raise AssertionError(statement)

    def _size(self, table: str) -> int:
        return int(float(self.psql(f"SELECT reltuples FROM pg_class WHERE relname = '{table}'")))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _way(node: dict[str, Any]) -> str:
    index = f" by `{node['Index Name']}`" if "Index Name" in node else ""
    if node["Node Type"] == "ModifyTable":
        return f"{node['Operation'].lower()} `{node['Relation Name']}`"
    return str(node["Node Type"] + (index or " of `" + node["Relation Name"] + "`"))


def _short(statement: str) -> str:
    """One line, without types and lists of columns."""
    line = re.sub(r"::[A-Z]+(\(\d+\))?| AS \w+", "", " ".join(statement.split()))
    line = re.sub(r"^SELECT .*? FROM", "SELECT ... FROM", line)
    line = re.sub(r"(\$\d+, )+\$\d+", "...", line)
    line = re.sub(r"\(([a-z_\"]+, )+[a-z_\"]+\)", "", line)
    line = re.sub(r" SET .*? WHERE", " SET ... WHERE", line)
    return (line if len(line) <= 150 else line[:147] + "...").replace("|", "\\|")


async def requests(bench: Bench) -> None:
    phone = bench.phones[0]
    inbox = phone.state.folder(FolderType.INBOX)

    async def one_change() -> None:
        await bench.deliver()
        await phone.sync([inbox])

    async def ping() -> None:
        waiting = asyncio.create_task(phone.ping(None, 60))
        await asyncio.sleep(0.15)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    await bench.measure("Sync of one collection, nothing new", lambda: phone.sync([inbox]))
    await bench.measure("Sync of ten collections, nothing new", lambda: phone.sync())
    await bench.measure("Ping of ten collections, until it waits", ping)
    await bench.measure("FolderSync, nothing new", phone.folder_sync)
    await bench.measure("a mail delivered here", bench.deliver)
    await phone.sync([inbox])
    await bench.measure("a mail delivered here, and the Syncs that fetch it", one_change)
    await bench.measure("SendMail to somebody here", lambda: bench.send(f"anna5@{DOMAIN}"))
    await bench.measure("clean-up of the state", bench.app.store.tidy, request=False)
    await bench.measure("clean-up of the groupware", bench.app.embedded.tidy, request=False)


async def main(users: int) -> int:
    composition.configure_log("console", "error")
    server = Postgresql().start()
    try:
        with tempfile.TemporaryDirectory(prefix="eas-explain-") as folder:
            url = server.new_database(name="explain")
            settings = load(
                overrides={"data": Path(folder), "domain": DOMAIN, "database": url}, environment={}
            )
            async with composition.build(settings) as app:
                await app.embedded.admin.add_user(f"anna@{DOMAIN}", "anna-secret", name="Anna")
                bench = Bench(app=app, phones=_phones(app), server=server, database="explain")
                event.listen(app.database.engine.sync_engine, "before_cursor_execute", bench.heard.hear)
                await bench.original()
                bench.copies(users)
                await requests(bench)
                _print(bench, users)
                for phone in bench.phones:
                    await phone.connection.close()
                return bool(bench.bad)
    finally:
        server.stop()


def _phones(app: composition.App) -> list[Phone]:
    made = []
    for device in ("PHONE1", "PHONE2"):
        line = Connection(
            URL, Credentials(user=f"anna@{DOMAIN}", password="anna-secret"), Identity(device_id=device),
            version=Version.V16_1, transport=httpx.ASGITransport(app.asgi),
        )
        made.append(Phone(DeviceState(url=URL, user="anna", device_id=device), line))
    return made


def _print(bench: Bench, users: int) -> None:
    print(f"By `python tests/bench/explain.py {users}`, {datetime.now(UTC):%Y-%m-%d}: PostgreSQL, "
          f"{bench.psql('SHOW server_version').split()[0]}, {users:,} users.\n")
    print("| request | selects | writing statements | rows written | octets of WAL |\n|---|---|---|---|---|")
    print(*bench.lines.values(), sep="\n")
    print("\nRows of the largest tables, their size with indexes, and how many of their updates since were HOT:\n")
    print("| table | rows | size | updates | HOT |", "|---|---|---|---|---|", sep="\n")
    told = bench.psql(
        "SELECT relname, n_live_tup, pg_size_pretty(pg_total_relation_size(relid)), n_tup_upd,"
        " CASE n_tup_upd WHEN 0 THEN '' ELSE (100 * n_tup_hot_upd / n_tup_upd) || ' %' END FROM pg_stat_user_tables"
        " WHERE n_live_tup > 5000 OR n_tup_upd > 0 ORDER BY pg_total_relation_size(relid) DESC"
    )
    print(*[f"| `{'` | '.join(line.split('|', 1)).replace('|', ' | ')} |" for line in told.splitlines()], sep="\n")
    shown: set[str] = set()
    for name, plans in bench.plans.items():
        new = [plan for plan in plans if plan.partition("` |")[0] not in shown]
        shown |= {plan.partition("` |")[0] for plan in plans}
        if new:
            print(f"\n{name}:\n\n| statement | how | pages | ms |\n|---|---|---|---|", *new, sep="\n")
    for line in bench.bad:
        print(f"\nA large table is read from end to end: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else USERS)))

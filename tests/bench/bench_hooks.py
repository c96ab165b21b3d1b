"""Hooks that a groupware calls: `python tests/bench/bench_hooks.py [HOOKS]`.

A server with 10,000 users of a groupware elsewhere (20 folders each) that nobody waits for is called 20,000 times by 20
connections which are kept, as those of Dovecot are: for another user each time (a newsletter to all), for one and the
same (somebody who sorts their mail), and for a hundred in each body. Printed are hooks and users a second, how long one
was answered in, and what it cost on the server's core, with the looking up that goes on behind. Target: 1,000 a second,
p95 under 50 ms.

Then, in this process: how many users a second are looked up and rung if somebody waits for all of them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from load import Failed, at, machine, table, verdict
from serving import Server, cores
from sqlalchemy import Connection, insert

from eas.backends.embedded.groupware import Groupware
from eas.backends.embedded.tables import UserRow
from eas.backends.standards.hooked import Hooked
from eas.backends.standards.tables import MemberRow, PlaceRow
from eas.backends.standards.tenant import Tenant
from eas.db import Database
from eas.db.migrations import migrate
from eas.db.transactions import transactions

HOOKS, USERS, FOLDERS, CONNECTIONS, IN_A_BODY = 20_000, 10_000, 20, 20, 100
A_SECOND, P95_MS = 1000, 50
TOKEN = "of the measurement"
CONFIG = f"""
domain = "example.com"
[hooks]
token = "{TOKEN}"
[backends.office]
domains = ["example.com"]
changes = "hooks"
[backends.office.imap]
host = "localhost"
port = 1
[backends.office.smtp]
host = "localhost"
port = 1
"""


def login(number: int) -> str:
    return f"user{number % USERS}@example.com"


async def fill(database: Database) -> None:
    await migrate(database)
    users = [
        {"id": f"u{n}", "login": f"user{n}", "domain": "example.com", "address": login(n), "created": 0, "password": ""}
        for n in range(USERS)
    ]
    members = [{"user_id": f"u{n}", "tenant": "office", "login": login(n)} for n in range(USERS)]
    names = ["INBOX", *(f"Folder {n}" for n in range(1, FOLDERS))]

    def work(connection: Connection) -> None:
        connection.execute(insert(UserRow), users)
        connection.execute(insert(MemberRow), members)
        for name in names:
            connection.execute(
                insert(PlaceRow), [{"user_id": one["id"], "source": "imap", "locator": name} for one in users]
            )

    await transactions(database).write(work)


# --- Over HTTP --------------------------------------------------------------------------------------------------------


def request(told: object) -> bytes:
    body = json.dumps(told).encode()
    return (
        f"POST /hooks/dovecot HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def call(port: int, requests: Iterator[bytes], took: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for one in requests:
        began = time.perf_counter()
        writer.write(one)
        answer = await reader.readuntil(b"\r\n\r\n")
        if answer[9:12] != b"204":
            raise Failed(answer.decode())
        took.append(time.perf_counter() - began)
    writer.close()


async def measure(server: Server, name: str, count: int, users: int, of: Callable[[int], object]) -> list[str]:
    """A row; `users` are those in one body."""
    requests, took = iter([request(of(n)) for n in range(count)]), list[float]()
    cpu, began = server.cpu_seconds(), time.perf_counter()
    await asyncio.gather(*(call(server.port, requests, took) for _ in range(CONNECTIONS)))
    seconds = time.perf_counter() - began
    await asyncio.sleep(3)  # what is left to be looked up
    cpu = server.cpu_seconds() - cpu
    p95 = at(took, 95) * 1000
    if users == 1:
        print(verdict(name, f"{count / seconds:.0f} a second, p95 {p95:.0f} ms", f"{A_SECOND} a second, {P95_MS} ms",
                      count / seconds >= A_SECOND and p95 < P95_MS))
    return [
        name, f"{count / seconds:.0f}", f"{users * count / seconds:.0f}", f"{at(took, 50) * 1000:.1f}", f"{p95:.1f}",
        f"{cpu / count * 1e6:.0f}", f"{server.memory() / 2**20:.0f}",
    ]


async def over_http(data: Path, hooks: int) -> None:
    config = data.with_name("eas.toml")
    config.write_text(CONFIG)
    theirs, _ = cores()
    with Server(data=data, core=theirs, arguments=("--config", str(config))) as server:
        rows = [["", "hooks/s", "users/s", "p50 ms", "p95 ms", "us of a core", "MB"]]
        rows.append(await measure(server, "another user each time", hooks, 1, lambda n: told_of(n)))
        rows.append(await measure(server, "one and the same user", hooks, 1, lambda n: told_of(7)))
        rows.append(await measure(
            server, f"{IN_A_BODY} users in a body", hooks // IN_A_BODY, IN_A_BODY,
            lambda n: [told_of(IN_A_BODY * n + more) for more in range(IN_A_BODY)],
        ))
    print(table(rows))


def told_of(number: int) -> dict[str, object]:
    return {"user": login(number), "folders": ["INBOX"], "hierarchy": False}


# --- Looking up -------------------------------------------------------------------------------------------------------


async def looked_up(ground: Groupware) -> None:
    """All are waited for: both questions are asked, and each user is rung."""
    rung: list[str] = []
    all_rung = asyncio.Event()

    def ring(user_id: str, ids: object) -> None:
        rung.append(user_id)
        if len(rung) == USERS:
            all_rung.set()

    hooked = Hooked(
        [Tenant(name="office", domains=("example.com",), domain="example.com")], ground, ring,
        default_domain="example.com", monotonic=time.monotonic, forget=lambda user_id: None, waits=lambda user_id: True,
    )
    for name, folder in (("INBOX", lambda n: "INBOX"), ("one of 20", lambda n: f"Folder {1 + n % 19}")):
        rung.clear()
        all_rung.clear()
        began = time.perf_counter()
        for n in range(USERS):
            hooked.changed(login(n), [folder(n)])
        noted = time.perf_counter() - began
        await all_rung.wait()
        print(f"rung for {USERS} users, folder {name}: {USERS / (time.perf_counter() - began):.0f} a second, "
              f"of which noting took {noted / USERS * 1e6:.1f} us each")
    await hooked.close()


async def main(hooks: int) -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        database = Database(f"sqlite+aiosqlite:///{data / 'eas.db'}")
        await fill(database)
        run = transactions(database)
        await looked_up(Groupware(transactions=run))
        await run.close()
        await database.close()
        await over_http(data, hooks)
    print(machine())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else HOOKS))

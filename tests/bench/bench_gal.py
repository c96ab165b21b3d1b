"""Typing ahead in an address list of 10,000 people out of LDAP: `python tests/bench/bench_gal.py [PEOPLE]`.

Each person has a name, an address, phone numbers, a company, a title and an office. Measured are reading the tree and
making the index, what it takes of memory, and searches for the first one to four letters of names, with 100 people in
each answer. Targets: p95 within 5 ms, and 2 KB of index a person.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).parents[1]))

from groupware.slapd import ADMIN, ADMIN_PASSWORD, PEOPLE, Slapd, entry
from load import at, machine, verdict

from eas.backends.ldap.directory import LdapDirectory, View, who_of
from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import LdapServer, Tenant
from eas.engine.model import Secret, User

SEARCH_MS, INDEX_KB = 5.0, 2.0
SHOWN, TIMES = 100, 200

NAMES = """
Anna Ben Carla Dieter Eva Frank Gerda Hans Ines Jan Karin Lars Maria Nils Olga Paul Rita Sven Tina Udo Vera Willi
Yvonne Zoe Anton Berta Cäsar Dora Emil Friedrich Gustav Heinrich Ida Jakob Kurt Ludwig Martha Nora Otto

Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Koch Bauer Richter Klein Wolf Schröder
Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Krause Meier Lehmann Schmid Schulze
"""
FIRST, LAST = (part.split() for part in NAMES.split("\n\n"))
TITLES = ("Engineer", "Head of Sales", "Assistant", "Lawyer", "Driver", "Nurse", "Teacher", "Buyer")


def people(count: int) -> str:
    chance = random.Random(1)
    out = []
    for n in range(count):
        first, last = chance.choice(FIRST), chance.choice(LAST)
        local = f"{first}.{last}.{n}".lower().encode("ascii", "ignore").decode()
        out.append(entry(f"uid=u{n},{PEOPLE}", {
            "objectClass": "inetOrgPerson", "uid": f"u{n}", "cn": f"{first} {last} {n}", "sn": last,
            "givenName": first, "mail": f"{local}@example.com", "o": "Example Ltd",
            "title": chance.choice(TITLES), "telephoneNumber": f"+49 30 {100000 + n}",
            "mobile": f"+49 170 {200000 + n}", "roomNumber": f"{n % 9}.{n % 40:02}",
        }))
    return "".join(out)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def delays(seen: list[float]) -> None:
    """How much later than wanted this coroutine goes on, in milliseconds, again and again."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.002)
        seen.append(1000 * (time.perf_counter() - began) - 2)


async def measured(slapd: Slapd, count: int) -> None:
    server = LdapServer(
        host=slapd.host, port=slapd.ldaps_port, ca_file=slapd.ca_file, bases=(slapd.base,), bind_dn=ADMIN,
        bind_password=ADMIN_PASSWORD,
    )
    user = User(id="u", login="anna@example.com", address="anna@example.com", addresses=(), name="")
    account = Account(
        user=user, tenant=Tenant(name="bench", ldap=server, domain="example.com"), login=user.login,
        secret=Secret("x"), ground=cast(Any, None),
    )
    directory = LdapDirectory()
    gc.collect()
    before, began, cpu = resident(), time.perf_counter(), time.process_time()
    scope = directory.scope(View.of("bench", server, who_of(account)))
    late: list[float] = []
    others = asyncio.create_task(delays(late))
    index = await scope.ready()
    others.cancel()
    gc.collect()
    print(f"{len(index):,} entries read and indexed in {time.perf_counter() - began:.1f} s "
          f"({time.process_time() - cpu:.1f} s of a core); the index has {index.size / 1e6:.1f} MB, "
          f"the process has grown by {(resident() - before) / 1e6:.0f} MB")
    print(f"meanwhile others went on later by p50 {at(late, 50):.1f} ms, p95 {at(late, 95):.1f} ms, at most "
          f"{max(late):.0f} ms")
    each = index.size / len(index) / 1024
    print(verdict("KB of the index a person", f"{each:.2f}", f"{INDEX_KB}", each <= INDEX_KB))
    people = directory.of(account)
    everything: list[float] = []
    for letters in (1, 2, 3, 4):
        took, found, cpu = [], [], time.process_time()
        for number in range(TIMES):
            name = (FIRST + LAST)[number % (len(FIRST) + len(LAST))]
            began = time.perf_counter()
            _, total = await people.page(name[:letters], 0, SHOWN)
            took.append(1000 * (time.perf_counter() - began))
            found.append(total)
        spent = 1000 * (time.process_time() - cpu) / TIMES
        everything += took
        print(f"{letters} letters: {statistics.median(found):,.0f} found; p50 {at(took, 50):.2f} ms, "
              f"p95 {at(took, 95):.2f} ms, {spent:.2f} ms of the core each")
    slow = at(everything, 95)
    print(verdict("ms of a search, p95", f"{slow:.2f}", f"{SEARCH_MS}", slow <= SEARCH_MS))
    await directory.close()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    slapd = Slapd()
    try:
        slapd.start()
        slapd.add(people(count))
        asyncio.run(measured(slapd, count))
    finally:
        slapd.stop()
    print(machine())


if __name__ == "__main__":
    main()

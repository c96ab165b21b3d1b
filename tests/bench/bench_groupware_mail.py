"""Mail over Dovecot, as a device has it: `python tests/bench/bench_groupware_mail.py [PART ...]`.

Parts: `first` takes 10,000 messages (HTML, cut at 4 KiB, windows of 100) and compares with a bare IMAP client that
fetches the same over one connection. `sync` asks for news where there is none, and where one message has come, in a
folder of 100 and in one of 50,000, and counts the IMAP commands in Dovecot's own log. `large` downloads an attachment
of 25 MB by ItemOperations and sends one by SendMail, and says by how much the gateway's memory rises.

Targets: within 2 times the bare client, rise under 80 MB; within 1.3 times and at most 3 commands; rise under 30 MB
each.
"""

from __future__ import annotations

import asyncio
import base64
import imaplib
import os
import sys
import time
from statistics import median

from bench_first_sync import first_sync_of
from bench_groupware_mix import AppendLine
from letters import letter
from load import BarePhone, Failed, e, html_options, machine, sync_document, sync_key, table, verdict
from standing import Login, Standing, fill, standing

from eas.protocol import wbxml

INBOX = 2
MESSAGES, CUT = 10_000, 4096
SIZES = (100, 50_000)
ROUNDS, WARM, QUIET, CHANGES = 10, 2, 30, 6
LARGE = 25 << 20


async def ready(servers: Standing, user: Login, device: str) -> tuple[BarePhone, str]:
    phone = BarePhone(port=servers.gateway.port, user=user[0], password=user[1], device=device)
    await phone.provision()
    return phone, (await phone.folders())[INBOX]


# --- The first Sync ---------------------------------------------------------------------------------------------------


def bare(servers: Standing, user: Login) -> float:
    """Seconds of a client that fetches what a phone needs of each message, 100 at a time, and does nothing with it."""
    with servers.dovecot.imap(user[0], "INBOX") as client:
        began = time.perf_counter()
        client.uid("FETCH", "1:*", "(FLAGS)")
        for first in range(1, MESSAGES + 1, 100):
            status, _ = client.uid(
                "FETCH", f"{first}:{first + 99}",
                f"(FLAGS INTERNALDATE RFC822.SIZE BODYSTRUCTURE BODY.PEEK[HEADER] BODY.PEEK[1]<0.{3 * CUT}>)",
            )
            assert status == "OK"
        return time.perf_counter() - began


async def first(servers: Standing) -> None:
    # Of each mailbox everything is read for the first time: what Dovecot parses of a message it parses once.
    user, other = servers.new_user(), servers.new_user()
    for at in range(0, MESSAGES, 1000):
        letters = [letter(number, bodies=True) for number in range(at, at + 1000)]
        for one in (user, other):
            await asyncio.to_thread(fill, servers.dovecot, one, letters)
    alone = await asyncio.to_thread(bare, servers, other)
    run = await first_sync_of(servers.gateway, user[0], user[1], MESSAGES, device="first")
    again = await asyncio.to_thread(bare, servers, other)
    seconds = sum(run.times)
    print(f"first Sync: {MESSAGES:,} messages in {seconds:.2f} s ({MESSAGES / seconds:,.0f} a second), bare client "
          f"{alone:.2f} s (a second time {again:.2f} s); cpu of the gateway {run.cpu:.2f} s")
    print(verdict("time : bare client", f"{seconds / alone:.2f}", "2", seconds <= 2 * alone))
    print(verdict("memory rise MB", f"{run.rise / 1e6:.1f}", "80", run.rise < 80e6))


# --- No news, one message ---------------------------------------------------------------------------------------------


class Subject:
    def __init__(self, servers: Standing, phone: BarePhone, inbox: str, key: str, line: AppendLine) -> None:
        self.servers, self.phone, self.inbox, self.key, self.line = servers, phone, inbox, key, line
        self.times: dict[str, list[float]] = {"no change": [], "one change": []}

    async def quiet(self, times: int) -> None:
        body = sync_document(self.key, self.inbox, html_options())
        for _ in range(times):
            began = time.perf_counter()
            if (await self.phone.post("Sync", body)).body:
                raise Failed("there is news where none should be")
            self.times["no change"].append(time.perf_counter() - began)

    async def changed(self, number: int) -> None:
        await self.line.message(letter(number))
        began = time.perf_counter()
        answer = await self.phone.post("Sync", sync_document(self.key, self.inbox, html_options()))
        self.times["one change"].append(time.perf_counter() - began)
        if not answer.body:
            raise Failed("a new message is not told")
        self.key = sync_key(answer.body)


async def subject(servers: Standing, user: Login, size: int) -> Subject:
    for at in range(0, size, 5000):
        letters = [letter(number) for number in range(at, min(at + 5000, size))]
        await asyncio.to_thread(fill, servers.dovecot, user, letters)
    phone, inbox = await ready(servers, user, f"sync{size}")
    key = await phone.catch_up(inbox, await phone.prime(inbox))
    return Subject(servers, phone, inbox, key, await AppendLine.open(servers.dovecot.imap_port, user))


async def sync(servers: Standing) -> None:
    subjects = {size: await subject(servers, servers.new_user(), size) for size in SIZES}
    for number in range(ROUNDS):
        if number == WARM:
            for one in subjects.values():
                for values in one.times.values():
                    values.clear()
        for one in subjects.values():
            await one.quiet(QUIET)
        for at in range(CHANGES):
            for one in subjects.values():
                await one.changed(1_000_000 + number * CHANGES + at)
    rows = [("messages", *(f"{kind} ms" for kind in subjects[SIZES[0]].times))]
    rows += [
        (f"{size:,}", *(f"{1000 * median(values):.2f}" for values in one.times.values()))
        for size, one in subjects.items()
    ]
    print(table(rows))
    small, large = subjects[SIZES[0]].times, subjects[SIZES[-1]].times
    for kind in small:
        ratio = median(large[kind]) / median(small[kind])
        print(verdict(f"{kind}, {SIZES[-1]:,} : {SIZES[0]:,}", f"{ratio:.2f}", "1.3", ratio <= 1.3))
    await commands(servers)


async def commands(servers: Standing) -> None:
    """How many commands Dovecot reads for one Sync."""
    user = servers.new_user()
    with servers.dovecot.commands(user[0]) as lines:
        one = await subject(servers, user, 20)
        told: dict[str, list[int]] = {"no change": [], "one change": []}
        for number in range(5):
            for kind in told:
                before = _count(servers.dovecot.traffic(user[0]))
                await (one.quiet(1) if kind == "no change" else one.changed(2_000_000 + number))
                await asyncio.sleep(0.1)
                told[kind].append(_count(servers.dovecot.traffic(user[0])) - before)
    del lines[:]
    for kind, counts in told.items():
        print(verdict(f"IMAP commands of a Sync, {kind}", str(max(counts)), "3", max(counts) <= 3))


def _count(lines: list[str]) -> int:
    """Commands of the gateway's connections: its tags begin with an A."""
    return sum(line[:1] == "A" and line[1:2].isdigit() for line in lines)


# --- Large attachments ------------------------------------------------------------------------------------------------


def large_letter(user: str) -> bytes:
    attached = base64.encodebytes(os.urandom(LARGE)).replace(b"\n", b"\r\n")
    return (
        f"From: <{user}>\r\nTo: <friend@elsewhere.example>\r\nSubject: large\r\nMessage-ID: <large-{time.time()}@x>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=bound\r\n\r\n"
        "--bound\r\nContent-Type: text/plain\r\n\r\nsee below\r\n"
        "--bound\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment; filename=a.bin\r\n\r\n"
    ).encode() + attached + b"--bound--\r\n"


async def large(servers: Standing) -> None:
    user = servers.new_user()
    servers.sink.any_login = True
    message = large_letter(user[0])
    with servers.dovecot.imap(user[0]) as client:
        assert isinstance(client, imaplib.IMAP4)
        client.append("INBOX", "", None, message)
    phone, inbox = await ready(servers, user, "large")
    await phone.catch_up(inbox, await phone.prime(inbox))
    reference = f"{inbox}:{(1 << 32) | 1}:2"
    fetch = e("ItemOperations:Fetch", e("ItemOperations:Store", "Mailbox"), e("AirSyncBase:FileReference", reference))
    document = wbxml.encode(e("ItemOperations:ItemOperations", fetch))

    async def download() -> int:
        return len((await phone.post("ItemOperations", document)).body)

    async def send() -> int:
        number = str(time.perf_counter_ns())
        body = wbxml.encode(e(
            "ComposeMail:SendMail", e("ComposeMail:ClientId", number), wbxml.Element("ComposeMail:Mime", message),
        ))
        await phone.post("SendMail", body)
        return len(body)

    for name, do, least in (("download", download, LARGE), ("send", send, LARGE)):
        before = servers.gateway.memory()
        highest, done = before, asyncio.create_task(do())
        while not done.done():
            highest = max(highest, servers.gateway.memory())
            await asyncio.sleep(0.01)
        if await done < least:
            raise Failed(f"{name}: only {await done} octets")
        rise = highest - before
        print(verdict(f"memory rise of a {name} of 25 MB, MB", f"{rise / 1e6:.1f}", "30", rise < 30e6))
    if len(servers.sink.messages) != 1:
        raise Failed("the message was not sent once")
    phone.close()


PARTS = {"first": first, "sync": sync, "large": large}


def main() -> None:
    wanted = sys.argv[1:] or list(PARTS)
    with standing() as servers:
        for name in wanted:
            asyncio.run(PARTS[name](servers))
    print(machine())


if __name__ == "__main__":
    main()

"""Users' messages over a submission server that refuses, hangs or breaks off at each stage: none lost, none doubled but
where SMTP cannot tell."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from groupware.authority import authority
from groupware.dovecot import Dovecot
from groupware.smtp import DROP, HANG, TAKE_AND_DROP, Sink, Stage
from settling import closed, until
from sqlalchemy import select
from structlog.testing import capture_logs
from worlds import EmbeddedWorld

from eas.backends.embedded import submissions
from eas.backends.embedded.tables import ItemRow, SubmittedRow
from eas.backends.smtp import outbox, submission
from eas.backends.smtp.outbox import SmtpOutbox, possible_doubles
from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import Security, SmtpServer, Tenant
from eas.engine.errors import Refusal, Unavailable, Undeliverable
from eas.engine.model import Secret
from eas.items import compose
from eas.items.compose import Outgoing
from eas.items.native import Viewer

pytestmark = pytest.mark.server

MIME = (
    b"From: Anna <anna@example.com>\r\nTo: Ben <ben@elsewhere.example>\r\nSubject: Hello\r\n"
    b"Message-ID: <one@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\n.dot\r\n..\r\ngr\xc3\xbc\xc3\x9fe\r\n"
)


def message(*to: str, **more: Any) -> Outgoing:
    values: dict[str, Any] = {
        "sender": "anna@example.com", "recipients": to or ("ben@elsewhere.example",), "mime": MIME,
        "message_id": "<one@example.com>", "subject": "Hello",
    }
    return Outgoing(**values | more)


@dataclass
class Desk:
    """An outbox of anna's at a server, and what stands in her Sent folder."""

    world: EmbeddedWorld
    sink: Sink
    secret: Secret
    login: str
    sent: set[str] = field(default_factory=set)
    looked: list[str] = field(default_factory=list)

    def server(self, **more: Any) -> SmtpServer:
        values: dict[str, Any] = {
            "host": "localhost", "port": self.sink.port, "security": Security.STARTTLS, "ca_file": self.sink.ca_file,
            "timeout_seconds": 60.0,
        }
        return SmtpServer(**values | more)

    def outbox(self, server: SmtpServer | None = None, secret: Secret | None = None, **more: Any) -> SmtpOutbox:
        account = Account(
            user=self.world.users["anna"], login=self.login, secret=secret or self.secret,
            tenant=Tenant(name="t", smtp=server or self.server(**more)), ground=self.world.embedded.groupware,
        )
        return SmtpOutbox(account, self.in_sent)

    async def in_sent(self, message_id: str) -> bool:
        self.looked.append(message_id)
        return message_id in self.sent

    async def stage(self) -> int | None:
        return await self.world.embedded.groupware.read(
            lambda c: c.execute(select(SubmittedRow.done)).scalar_one_or_none()
        )

    async def doubles(self) -> list[str]:
        return [one.message_id for one in await self.world.embedded.groupware.read(possible_doubles)]


@pytest.fixture
async def desk(
    embedded: EmbeddedWorld, mail_sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    login, password = mail_sink.new_user("anna")
    monkeypatch.setattr(submission, "_BACK_OFF_SECONDS", 0.01)
    yield Desk(embedded, mail_sink, Secret(value=password), login)
    await closed()


# --- What goes out ----------------------------------------------------------------------------------------------------


async def test_a_message_goes_out_as_it_is_and_once(desk: Desk) -> None:
    for _ in range(2):
        await desk.outbox().submit(message("ben@elsewhere.example", "carla@elsewhere.example"))
    [taken] = desk.sink.messages
    assert taken.octets == MIME
    assert taken.sender == "anna@example.com"
    assert taken.recipients == ("ben@elsewhere.example", "carla@elsewhere.example")
    assert (taken.login, taken.secured) == (desk.login, True)
    assert set(taken.parameters) == {f"SIZE={len(MIME)}", "BODY=8BITMIME", "RET=HDRS"}
    assert taken.recipient_parameters == (("NOTIFY=FAILURE",), ("NOTIFY=FAILURE",))
    assert await desk.stage() == submissions.Stage.DONE
    assert desk.looked == []


async def test_extensions_are_used_only_where_they_are_offered(desk: Desk) -> None:
    desk.sink.extensions = ()
    await desk.outbox().submit(message())
    [taken] = desk.sink.messages
    assert taken.parameters == (f"SIZE={len(MIME)}",)
    assert taken.recipient_parameters == ((),)


async def test_bcc_leaves_in_the_envelope_alone(desk: Desk) -> None:
    viewer = Viewer(
        addresses=("anna@example.com",), name="Anna", zone="UTC", now=datetime(2026, 11, 21, 9, tzinfo=UTC)
    )
    raw = b"To: ben@elsewhere.example\r\nBcc: secret@elsewhere.example\r\nResent-Bcc: other@x.example\r\n\r\nhello"
    await desk.outbox().submit(compose.prepare(raw, viewer, message_id="<two@example.com>"))
    [taken] = desk.sink.messages
    assert taken.recipients == ("ben@elsewhere.example", "secret@elsewhere.example")
    assert b"secret" not in taken.octets
    assert b"bcc" not in taken.octets.lower()


async def test_a_sender_must_be_one_of_the_users_addresses(desk: Desk) -> None:
    with pytest.raises(Undeliverable) as raised:
        await desk.outbox().submit(message(sender="ben@example.com"))
    assert raised.value.reason is Refusal.SENDER
    assert desk.sink.commands == []
    await desk.outbox().submit(message(sender="Anna@Example.COM"))


async def test_whom_a_user_writes_to_is_remembered(desk: Desk) -> None:
    before = await desk.world.embedded.groupware.read(lambda c: c.execute(select(ItemRow.id)).all())
    await desk.outbox().submit(message())
    after = await desk.world.embedded.groupware.read(lambda c: c.execute(select(ItemRow.id)).all())
    assert len(after) == len(before) + 1


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 200_001])
@pytest.mark.parametrize("unit", [b".", b"\r\n.", b"x\r\n", b"\r\n..\r\n"])
def test_content_of_any_size_is_stuffed_with_dots(size: int, unit: bytes) -> None:
    """Where pieces begin and end makes no difference."""
    content = (unit * (size // len(unit) + 1))[:size]
    content += b"\n" if content.endswith(b"\r") else b""
    sent = b"".join(submission.stuffed(content))
    ended = content if content.endswith(b"\r\n") or not content else content + b"\r\n"
    expected = b"".join(b"." + line if line.startswith(b".") else line for line in ended.splitlines(keepends=True))
    assert sent == expected + b".\r\n"


def test_lone_line_ends_become_whole_ones() -> None:
    assert b"".join(submission.stuffed(b"a\nb\rc\r\n.\nd")) == b"a\r\nb\r\nc\r\n..\r\nd\r\n.\r\n"


async def test_a_large_message_needs_little_memory_of_its_own(desk: Desk) -> None:
    large = message(mime=MIME + b"x" * 76 + (b"y" * 76 + b"\r\n") * 130_000)
    tracemalloc.start()
    try:
        pieces = sum(len(piece) for piece in submission.stuffed(large.mime))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert pieces > 10_000_000
    assert peak < 1_000_000
    await desk.outbox().submit(large)
    assert desk.sink.messages[0].octets == large.mime


# --- Logging in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("offered", "expected"), [("PLAIN LOGIN", "PLAIN"), ("LOGIN", "LOGIN")])
async def test_passwords(desk: Desk, monkeypatch: pytest.MonkeyPatch, offered: str, expected: str) -> None:
    desk.sink.auth = False
    desk.sink.extensions = (f"AUTH {offered}",)
    await desk.outbox().submit(message())
    assert [line.split()[:2] for line in desk.sink.commands if line.startswith("AUTH")] == [["AUTH", expected]]
    assert desk.sink.messages[0].login == desk.login


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
async def test_tokens(desk: Desk, mechanism: str) -> None:
    desk.sink.auth = False
    desk.sink.extensions = (f"AUTH PLAIN {mechanism}",)
    await desk.outbox(secret=Secret(value=desk.secret.value, bearer=True)).submit(message())
    assert any(line.startswith(f"AUTH {mechanism}") for line in desk.sink.commands)
    assert desk.sink.messages[0].login == desk.login


async def test_the_gateways_own_login(desk: Desk) -> None:
    name, password = desk.sink.new_user("gateway")
    await desk.outbox(login=name, password=password).submit(message())
    assert desk.sink.messages[0].login == name


async def test_no_login_at_all(desk: Desk) -> None:
    desk.sink.auth = False
    await desk.outbox(anonymous=True).submit(message())
    assert desk.sink.messages[0].login == ""


@pytest.mark.parametrize(
    ("bearer", "offered", "told"),
    [(False, "XOAUTH2", "PLAIN or LOGIN"), (True, "PLAIN LOGIN", "OAUTHBEARER or XOAUTH2"), (False, "", "none")],
)
async def test_a_server_without_a_fitting_login(desk: Desk, bearer: bool, offered: str, told: str) -> None:
    desk.sink.auth = False
    desk.sink.extensions = (f"AUTH {offered}",) if offered else ()
    with pytest.raises(Undeliverable, match=told) as raised:
        await desk.outbox(secret=Secret(value="x", bearer=bearer)).submit(message())
    assert raised.value.reason is Refusal.UNREACHABLE
    assert len([line for line in desk.sink.commands if line.startswith("STARTTLS")]) == 1  # not tried again


async def test_a_wrong_password_is_not_tried_again(desk: Desk) -> None:
    with pytest.raises(Undeliverable, match="login refused") as raised:
        await desk.outbox(secret=Secret(value="wrong")).submit(message())
    assert raised.value.reason is Refusal.UNREACHABLE
    assert len([line for line in desk.sink.commands if line.startswith("AUTH")]) == 1
    assert await desk.stage() == submissions.Stage.OPEN


# --- TLS --------------------------------------------------------------------------------------------------------------


async def test_tls_from_the_first_octet(desk: Desk) -> None:
    await desk.outbox(port=desk.sink.tls_port, security=Security.TLS).submit(message())
    assert desk.sink.messages[0].secured


async def test_starttls_is_insisted_on(desk: Desk) -> None:
    desk.sink.starttls = False
    with pytest.raises(Undeliverable):
        await desk.outbox().submit(message())
    assert not any(line.startswith(("AUTH", "MAIL")) for line in desk.sink.commands)


@pytest.mark.parametrize("change", [{"ca_file": ""}, {"host": "127.0.0.1"}, {"ca_file": "/nowhere.pem"}])
async def test_a_certificate_that_cannot_be_trusted(desk: Desk, change: dict[str, str]) -> None:
    """Nobody we know; another name; and no such file."""
    with pytest.raises(Undeliverable) as raised:
        await desk.outbox(**change).submit(message())
    assert raised.value.reason is Refusal.UNREACHABLE
    assert not any(line.startswith(("AUTH", "MAIL")) for line in desk.sink.commands)
    assert desk.sink.commands.count("STARTTLS") <= 1
    assert authority().ca_file


# --- Addresses --------------------------------------------------------------------------------------------------------


async def test_addresses_in_utf8_where_the_server_hears_them(desk: Desk) -> None:
    await desk.outbox().submit(message("jörg@bücher.example"))
    [taken] = desk.sink.messages
    assert taken.recipients == ("jörg@bücher.example",)
    assert "SMTPUTF8" in taken.parameters


async def test_a_domain_can_be_said_in_ascii_but_not_a_name(desk: Desk) -> None:
    desk.sink.extensions = ("8BITMIME",)
    await desk.outbox().submit(message("ben@bücher.example"))
    assert desk.sink.messages[0].recipients == ("ben@xn--bcher-kva.example",)
    with pytest.raises(Undeliverable, match=r"jörg@bücher\.example.*SMTPUTF8") as raised:
        await desk.outbox().submit(message("jörg@bücher.example", message_id="<two@example.com>"))
    assert raised.value.reason is Refusal.UNKNOWN_RECIPIENT


@pytest.mark.parametrize("address", ["a b@x", "a@x>\r\nRCPT TO:<c@x", "a@x\r\nDATA", "<a@x"])
async def test_nothing_but_an_address_gets_into_the_envelope(desk: Desk, address: str) -> None:
    with pytest.raises(Undeliverable) as raised:
        await desk.outbox().submit(message(address))
    assert raised.value.reason is Refusal.UNKNOWN_RECIPIENT
    assert not any(line.startswith("MAIL") for line in desk.sink.commands)


# --- Refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "answer", "reason"),
    [
        (Stage.CONNECT, "554 5.3.2 closed", Refusal.UNREACHABLE),
        (Stage.AUTH, "535 5.7.8 no", Refusal.UNREACHABLE),
        (Stage.MAIL, "550 5.7.1 not you", Refusal.SENDER),
        (Stage.MAIL, "552 5.3.4 too large", Refusal.TOO_LARGE),
        (Stage.MAIL, "530 5.7.0 log in first", Refusal.UNREACHABLE),
        (Stage.RCPT, "550 5.1.1 who?", Refusal.UNKNOWN_RECIPIENT),
        (Stage.RCPT, "552 5.2.2 full", Refusal.REJECTED),
        (Stage.RCPT, "452 4.5.3 too many", Refusal.REJECTED),
        (Stage.DATA, "554 5.6.0 no", Refusal.REJECTED),
        (Stage.END, "554 5.7.1 spam", Refusal.REJECTED),
        (Stage.END, "552 5.3.4 too large", Refusal.TOO_LARGE),
        (Stage.END, "552 too large", Refusal.TOO_LARGE),
    ],
)
async def test_a_permanent_refusal_sends_nothing_and_is_not_repeated(
    desk: Desk, stage: Stage, answer: str, reason: Refusal
) -> None:
    desk.sink.fail(stage, answer)
    with pytest.raises(Undeliverable) as raised:
        await desk.outbox().submit(message())
    assert raised.value.reason is reason
    assert desk.sink.messages == []
    assert len([line for line in desk.sink.commands if line.startswith("EHLO")]) <= 2  # of one connection
    assert await desk.stage() == submissions.Stage.OPEN
    desk.sink.faults.clear()
    await desk.outbox().submit(message())
    assert len(desk.sink.messages) == 1
    assert await desk.doubles() == []


async def test_of_some_refused_recipients_all_are_named_and_nothing_is_sent(desk: Desk) -> None:
    desk.sink.fail(Stage.RCPT, "550 5.1.1 who?", about="bad")
    with pytest.raises(Undeliverable) as raised:
        await desk.outbox().submit(message("bad1@x.example", "good@x.example", "bad2@x.example"))
    assert raised.value.reason is Refusal.UNKNOWN_RECIPIENT
    assert "bad1@x.example" in str(raised.value)
    assert "bad2@x.example" in str(raised.value)
    assert "good@x.example" not in str(raised.value)
    assert desk.sink.messages == []


async def test_what_is_too_large_is_not_even_begun(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groupware.smtp.MAX_MESSAGE", 100)
    with pytest.raises(Undeliverable, match="100") as raised:
        await desk.outbox().submit(message())
    assert raised.value.reason is Refusal.TOO_LARGE
    assert not any(line.startswith("MAIL") for line in desk.sink.commands)


# --- For the moment ---------------------------------------------------------------------------------------------------

BEFORE_CONTENT = [Stage.CONNECT, Stage.EHLO, Stage.STARTTLS, Stage.AUTH, Stage.MAIL, Stage.RCPT, Stage.DATA]


@pytest.mark.parametrize("stage", BEFORE_CONTENT)
@pytest.mark.parametrize("answer", ["421 4.3.2 later", "451 4.3.0 later", DROP])
async def test_what_passes_is_tried_again(desk: Desk, stage: Stage, answer: str) -> None:
    desk.sink.fail(stage, answer, times=2)
    await desk.outbox().submit(message())
    assert len(desk.sink.messages) == 1
    assert await desk.doubles() == []


@pytest.mark.parametrize("stage", BEFORE_CONTENT)
async def test_what_does_not_pass_is_tried_as_often_as_the_settings_say(desk: Desk, stage: Stage) -> None:
    desk.sink.fail(stage, "451 4.3.0 later", times=3)
    with pytest.raises(Undeliverable) as raised:
        await desk.outbox(attempts=3).submit(message())
    assert raised.value.reason is Refusal.UNREACHABLE
    assert await desk.stage() == submissions.Stage.OPEN
    await desk.outbox(attempts=3).submit(message())
    assert len(desk.sink.messages) == 1


@pytest.mark.parametrize("stage", BEFORE_CONTENT)
async def test_a_server_that_hangs(desk: Desk, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first try has a time-out that comes soon."""
    once, tried = submission._once, []

    async def brief(server: SmtpServer, *more: Any) -> None:
        tried.append(server)
        await once(replace(server, timeout_seconds=0.4) if len(tried) == 1 else server, *more)

    monkeypatch.setattr(submission, "_once", brief)
    desk.sink.fail(stage, HANG, times=1)
    await desk.outbox().submit(message())
    assert len(desk.sink.messages) == 1
    assert len(tried) == 2


async def test_nobody_there(desk: Desk) -> None:
    with pytest.raises(Undeliverable) as raised:
        await desk.outbox(port=1).submit(message())
    assert raised.value.reason is Refusal.UNREACHABLE


async def test_a_server_that_is_busy_with_the_content_refuses_for_the_moment(desk: Desk) -> None:
    desk.sink.fail(Stage.END, "451 4.3.0 later", times=1)
    await desk.outbox().submit(message())
    assert len(desk.sink.messages) == 1
    assert await desk.doubles() == []


# --- Nobody can tell --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "copies"), [(DROP, 1), (TAKE_AND_DROP, 2)])
async def test_a_lost_answer_and_nothing_in_sent_goes_again_and_is_written_down(
    desk: Desk, fault: str, copies: int
) -> None:
    desk.sink.fail(Stage.END, fault, times=1)
    with pytest.raises(Undeliverable) as raised:
        await desk.outbox().submit(message())
    assert raised.value.reason is Refusal.UNREACHABLE
    assert await desk.stage() == submissions.Stage.MIDWAY
    with capture_logs() as logs:
        await desk.outbox().submit(message())
    assert len(desk.sink.messages) == copies
    assert {one.octets for one in desk.sink.messages} == {MIME}
    assert await desk.doubles() == ["<one@example.com>"]
    assert "a message may have been sent twice" in [entry["event"] for entry in logs]
    await desk.outbox().submit(message())
    assert len(desk.sink.messages) == copies


async def test_a_lost_answer_and_a_copy_in_sent_is_done(desk: Desk) -> None:
    desk.sink.fail(Stage.END, TAKE_AND_DROP, times=1)
    with pytest.raises(Undeliverable):
        await desk.outbox().submit(message())
    desk.sent.add("<one@example.com>")
    await desk.outbox().submit(message())
    assert len(desk.sink.messages) == 1
    assert await desk.doubles() == []
    assert await desk.stage() == submissions.Stage.DONE


async def test_the_answer_to_the_content_may_take_long(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other than that to a command, which here may take a minute."""
    monkeypatch.setattr(submission, "PATIENCE", 1 / 60)
    desk.sink.fail(Stage.END, HANG, times=1)
    began = asyncio.get_running_loop().time()
    with pytest.raises(Undeliverable, match="lost"):
        await desk.outbox().submit(message())
    assert 1.0 <= asyncio.get_running_loop().time() - began < 40
    assert await desk.stage() == submissions.Stage.MIDWAY


async def test_a_refusal_of_the_second_try_leaves_the_first_uncertain(desk: Desk) -> None:
    desk.sink.fail(Stage.END, TAKE_AND_DROP, times=1)
    with pytest.raises(Undeliverable):
        await desk.outbox().submit(message())
    desk.sink.fail(Stage.END, "554 5.7.1 seen before", times=1)
    with pytest.raises(Undeliverable):
        await desk.outbox().submit(message())
    assert await desk.stage() == submissions.Stage.MIDWAY


async def test_while_sent_cannot_be_looked_into_nothing_is_sent(desk: Desk) -> None:
    desk.sink.fail(Stage.END, DROP, times=1)
    with pytest.raises(Undeliverable):
        await desk.outbox().submit(message())

    async def away(message_id: str) -> bool:
        raise Unavailable("no mail server")

    box = desk.outbox()
    box._sent = away
    with pytest.raises(Unavailable):
        await box.submit(message())
    assert desk.sink.messages == []
    await desk.outbox().submit(message())
    assert len(desk.sink.messages) == 1


async def test_only_the_newest_possible_doubles_are_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_MAX_DOUBLES", 2)
    for number in range(4):
        one = replace(message(), message_id=f"<{number}@example.com>")
        desk.sink.fail(Stage.END, DROP, times=1)
        with pytest.raises(Undeliverable):
            await desk.outbox().submit(one)
        await desk.outbox().submit(one)
        desk.world.clock.later(seconds=1)
    assert await desk.doubles() == ["<3@example.com>", "<2@example.com>"]


# --- Cut off at each step ---------------------------------------------------------------------------------------------


class Died(BaseException):
    """The process is gone: nothing is released, nothing is tidied up."""


def dies_in(where: str) -> Callable[[pytest.MonkeyPatch], None]:
    def patch(patched: pytest.MonkeyPatch) -> None:
        async def nothing(*_: object) -> None:
            return None

        patched.setattr(submissions.Claims, "_release", nothing)
        if where == "after the content":
            async def content(*_: object) -> None:
                await original(*_)  # type: ignore[arg-type]
                raise Died

            original = submission._content
            patched.setattr(submission, "_content", content)
            return
        async def died(*_: object, **__: object) -> None:
            raise Died

        owner, name = {
            "before the envelope": (outbox, "deliver"), "before the content": (submission, "_content"),
            "remembering": (SmtpOutbox, "_remember_recipients"),
        }[where]
        patched.setattr(owner, name, died)

    return patch


@pytest.mark.parametrize(
    ("where", "before", "after", "doubled"),
    [
        ("before the envelope", 0, 1, False),
        ("before the content", 0, 1, True),
        ("after the content", 1, 2, True),
        ("remembering", 1, 1, False),
    ],
)
async def test_a_process_that_died(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, where: str, before: int, after: int, doubled: bool
) -> None:
    """It comes again to another process: the claim goes stale first, or is freed by `resume`."""
    with monkeypatch.context() as patched:
        dies_in(where)(patched)
        submitting = desk.outbox().submit(message())
        with pytest.raises(Died):
            await submitting
    assert len(desk.sink.messages) == before
    await desk.world.embedded.office.resume()
    await desk.outbox().submit(message())
    assert len(desk.sink.messages) == after
    assert await desk.doubles() == (["<one@example.com>"] if doubled else [])
    await desk.outbox().submit(message())
    assert len(desk.sink.messages) == after


async def test_what_the_server_has_taken_is_not_sent_again_for_a_database_that_is_busy(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_NOTE_SECONDS", (0.01, 0.01))
    failures = 2
    advance = submissions.Claims.advance

    async def busy(self: submissions.Claims, claim: submissions.Claim, stage: submissions.Stage) -> None:
        nonlocal failures
        if stage is submissions.Stage.DONE and failures:
            failures -= 1
            raise Unavailable("the database is busy")
        await advance(self, claim, stage)

    monkeypatch.setattr(submissions.Claims, "advance", busy)
    await desk.outbox().submit(message())
    await desk.outbox().submit(message())
    assert len(desk.sink.messages) == 1
    failures = 3
    with pytest.raises(Unavailable):
        await desk.outbox().submit(replace(message(), message_id="<two@example.com>"))


async def test_many_at_a_time_send_one(desk: Desk) -> None:
    await asyncio.gather(*(desk.outbox().submit(message()) for _ in range(5)))
    assert len(desk.sink.messages) == 1


async def test_one_that_is_cut_off_can_come_again_at_once(desk: Desk) -> None:
    desk.sink.fail(Stage.MAIL, HANG, times=1)
    task = asyncio.create_task(desk.outbox().submit(message()))
    await until(lambda: any(line.startswith("MAIL") for line in desk.sink.commands))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await desk.outbox().submit(message())
    assert len(desk.sink.messages) == 1


# --- A server of the real world ---------------------------------------------------------------------------------------


async def test_dovecots_submission_server(desk: Desk) -> None:
    """It asks a relay behind it, which here is the sink."""
    desk.sink.any_login, desk.sink.auth = True, False
    dovecot = Dovecot(relay_port=desk.sink.port)
    try:
        dovecot.start()
        login, password = dovecot.new_user("anna")
        desk.login = login
        server = desk.server(port=dovecot.submission_port, ca_file=dovecot.ca_file)
        await desk.outbox(server, Secret(value=password)).submit(message())
        token = Secret(value=dovecot.token(login), bearer=True)
        await desk.outbox(server, token).submit(replace(message(), message_id="<two@example.com>"))
        with pytest.raises(Undeliverable, match="login refused"):
            await desk.outbox(server, Secret(value="bad", bearer=True)).submit(
                replace(message(), message_id="<three@example.com>")
            )
    finally:
        dovecot.stop()
    assert [one.octets.endswith(MIME) for one in desk.sink.messages] == [True, True]

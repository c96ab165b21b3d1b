"""What `eas doctor` finds on real servers, whole ones and broken ones, and how it says so."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from groupware.authority import Pair, authority
from groupware.cyrus import Cyrus
from groupware.dovecot import MASTER, MASTER_PASSWORD, MASTER_SEPARATOR, Dovecot
from groupware.radicale import Radicale
from groupware.slapd import READER, READER_PASSWORD, SIZE_LIMIT, Slapd
from groupware.smtp import HANG, Sink, Stage
from serving import free_port
from settling import closed
from typer.testing import CliRunner
from worlds import EmbeddedWorld, card

from eas.admin.doctor import Finding, Patient, Verdict, examine
from eas.admin.doctor import imap as imap_checks
from eas.admin.doctor import ldap as ldap_checks
from eas.admin.doctor.reach import context_of
from eas.backends.sieve.client import SieveSession
from eas.backends.smtp import outbox
from eas.backends.standards.logins import named
from eas.backends.standards.tenant import (
    DavServer,
    ImapServer,
    LdapServer,
    Provider,
    Security,
    SieveServer,
    SmtpServer,
    Tenant,
)
from eas.cli import app as commands
from eas.engine.model import Secret

pytestmark = [pytest.mark.server, pytest.mark.long]

Found = dict[tuple[str, str], Finding]


@pytest.fixture(autouse=True)
async def settled() -> AsyncIterator[None]:
    """Connections under TLS take some turns of the loop to close."""
    yield
    await closed()


def imap_of(server: Dovecot | Cyrus, **more: Any) -> ImapServer:
    return ImapServer(**{"host": "localhost", "port": server.imaps_port, "ca_file": server.ca_file} | more)


def sieve_of(server: Dovecot | Cyrus, **more: Any) -> SieveServer:
    return SieveServer(**{"host": "localhost", "port": server.sieve_port, "ca_file": server.ca_file} | more)


def ldap_of(server: Slapd, **more: Any) -> LdapServer:
    values = {"host": "localhost", "port": server.ldaps_port, "ca_file": server.ca_file, "bases": (server.base,),
              "bind_dn": READER, "bind_password": READER_PASSWORD}
    return LdapServer(**values | more)


def smtp_of(server: Sink, **more: Any) -> SmtpServer:
    values = {"host": "localhost", "port": server.port, "ca_file": server.ca_file, "security": Security.STARTTLS,
              "timeout_seconds": 60.0}
    return SmtpServer(**values | more)


async def look(
    world: EmbeddedWorld, login: str = "", password: str | None = None, url: str = "", **servers: Any
) -> Found:
    """By server's kind ("IMAP", "gateway", ...) and check; the last one of each."""
    values = {"name": "company", "domains": ("example.com",), "calendar": Provider.CALDAV,
              "contacts": Provider.CARDDAV, "directory": Provider.LDAP}
    tenant = Tenant(**values | servers)
    findings: list[Finding] = []
    await examine(Patient(
        tenants=(tenant,), ground=world.embedded.groupware, database="sqlite", url=url,
        who=named(login, (tenant,), "example.com") if login else None,
        secret=Secret(value=password) if password is not None else None, url_ca_file=authority().ca_file,
    ), findings.append)
    for finding in findings:
        assert finding.said
        assert finding.verdict in (Verdict.OK, Verdict.SKIP) or finding.means or finding.advice, finding
    return {(finding.server.partition(" ")[0], finding.check): finding for finding in findings}


def bad(found: Found, *verdicts: Verdict) -> dict[tuple[str, str], str]:
    wanted = verdicts or (Verdict.FAIL,)
    return {where: finding.said for where, finding in found.items() if finding.verdict in wanted}


@contextmanager
def speaking(pair: Pair | None, said: bytes = b"") -> Iterator[int]:
    """A server with this certificate that says something and no more; its port."""
    import ssl

    listening = socket.create_server(("127.0.0.1", 0))
    context = None
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)

    def serve() -> None:
        while True:
            try:
                line, _ = listening.accept()
            except OSError:
                return
            try:
                if context is not None:
                    line = context.wrap_socket(line, server_side=True)
                line.sendall(said)
                line.recv(1000)
            except OSError:
                pass
            finally:
                line.close()

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


# --- All is well ------------------------------------------------------------------------------------------------------


async def test_nothing_is_wrong_and_nothing_is_left(
    embedded: EmbeddedWorld, dovecot: Dovecot, radicale: Radicale, slapd: Slapd, mail_sink: Sink
) -> None:
    login, password = dovecot.new_user("anna")
    radicale.adopt(login, password)
    mail_sink.users.passwords[login] = password
    found = await look(
        embedded, login, password, imap=imap_of(dovecot), sieve=sieve_of(dovecot), smtp=smtp_of(mail_sink),
        dav=DavServer(url=radicale.url), ldap=ldap_of(slapd),
    )
    assert bad(found) == {}
    assert bad(found, Verdict.WARN) == {("DAV", "free and busy"): "the server has no schedule outbox"}
    assert {one for one, _ in found} == {"gateway", "IMAP", "SMTP", "DAV", "LDAP", "Sieve", "logins"}
    assert "NOTIFY" in found["IMAP", "push"].said
    assert mail_sink.messages == []
    with dovecot.imap(login) as client:
        assert b"eas-doctor" not in b"".join(part for part in client.list()[1] if isinstance(part, bytes))
        assert client.select("INBOX")[1] == [b"0"]


async def test_cyrus(embedded: EmbeddedWorld, cyrus: Cyrus) -> None:
    login, password = cyrus.new_user("anna")
    found = await look(
        embedded, login, password, imap=imap_of(cyrus), sieve=sieve_of(cyrus), dav=DavServer(url=f"{cyrus.url}dav/"),
        smtp=None, directory=Provider.NONE,
    )
    assert bad(found) == {("settings", "smtp"): "is not in the settings"}
    assert found["DAV", "scheduling"].said == "the server sends invitations and answers itself"


async def test_what_a_poor_server_costs(embedded: EmbeddedWorld, dovecot_plain: Dovecot) -> None:
    login, password = dovecot_plain.new_user("anna")
    found = await look(embedded, login, password, imap=imap_of(dovecot_plain))
    for check in ("changes", "deletions", "UIDPLUS", "MOVE", "SPECIAL-USE", "special folders", "all folders"):
        assert found["IMAP", check].verdict is Verdict.WARN, check
        assert found["IMAP", check].means
    assert found["IMAP", "waiting"].verdict is Verdict.OK
    assert "IDLE" in found["IMAP", "push"].said


async def test_without_a_user_only_what_can_be_seen(
    embedded: EmbeddedWorld, dovecot: Dovecot, radicale: Radicale, slapd: Slapd, mail_sink: Sink
) -> None:
    found = await look(
        embedded, imap=imap_of(dovecot), sieve=sieve_of(dovecot), smtp=smtp_of(mail_sink),
        dav=DavServer(url=radicale.url), ldap=ldap_of(slapd),
    )
    assert bad(found) == {}
    assert {where for where, finding in found.items() if finding.verdict is Verdict.SKIP} == {
        ("gateway", "address"), ("IMAP", "login"), ("SMTP", "login"), ("DAV", "login"), ("Sieve", "login"),
        ("logins", "device passwords"),
    }


async def test_by_the_master_user(embedded: EmbeddedWorld, dovecot: Dovecot) -> None:
    login, _ = dovecot.new_user("anna")
    master = {"master_user": MASTER, "master_password": MASTER_PASSWORD}
    found = await look(
        embedded, login, imap=imap_of(dovecot, master_separator=MASTER_SEPARATOR, **master),
        sieve=sieve_of(dovecot, **master),
    )
    assert found["IMAP", "master user"].verdict is Verdict.OK
    assert found["IMAP", "a write and a delete"].verdict is Verdict.OK
    assert found["Sieve", "login"].verdict is Verdict.OK
    found = await look(
        embedded, login, imap=imap_of(dovecot, master_separator=MASTER_SEPARATOR, **master | {"master_password": "x"}),
    )
    assert found["IMAP", "master user"].verdict is Verdict.FAIL


# --- Name, port, certificate, greeting --------------------------------------------------------------------------------


async def test_a_name_that_nobody_knows(embedded: EmbeddedWorld) -> None:
    found = await look(embedded, imap=ImapServer(host="nowhere.invalid"))
    assert found["IMAP", "name"].verdict is Verdict.FAIL
    assert ("IMAP", "port") not in found


async def test_a_port_where_nobody_listens(embedded: EmbeddedWorld) -> None:
    found = await look(embedded, imap=ImapServer(host="localhost", port=free_port()))
    assert found["IMAP", "port"].verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("pair", "said"),
    [("expired", "has expired"), ("stranger", "not trusted"), ("other_name", "another name")],
)
async def test_certificates(embedded: EmbeddedWorld, pair: str, said: str) -> None:
    with speaking(getattr(authority(), pair), b"* OK IMAP\r\n") as port:
        found = await look(embedded, imap=ImapServer(host="localhost", port=port, ca_file=authority().ca_file))
    assert said in found["IMAP", "TLS"].said
    assert found["IMAP", "TLS"].verdict is Verdict.FAIL
    assert found["IMAP", "TLS"].advice


async def test_a_certificate_that_ends_soon(
    embedded: EmbeddedWorld, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eas.admin.doctor.reach.SOON_DAYS", 100_000)
    found = await look(embedded, imap=imap_of(dovecot))
    assert found["IMAP", "TLS"].verdict is Verdict.WARN


async def test_a_file_of_certificates_that_is_none(embedded: EmbeddedWorld, dovecot: Dovecot, tmp_path: Path) -> None:
    found = await look(embedded, imap=imap_of(dovecot, ca_file=str(tmp_path / "none.pem")))
    assert "none.pem" in found["IMAP", "greeting"].said
    (tmp_path / "no.pem").write_text("no certificate")
    with pytest.raises(OSError, match="holds no certificates"):
        context_of(str(tmp_path / "no.pem"))


@pytest.mark.parametrize("kind", ["imap", "smtp", "sieve", "ldap"])
@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_another_server_than_meant(embedded: EmbeddedWorld, kind: str, security: Security) -> None:
    """An HTTP server in clear text, say, or TLS where STARTTLS is meant."""
    made: dict[str, Any] = {
        "imap": ImapServer, "smtp": SmtpServer, "sieve": SieveServer, "ldap": LdapServer,
    }
    with speaking(None, b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        server = made[kind](host="localhost", port=port, security=security, ca_file=authority().ca_file,
                            timeout_seconds=2.0)
        found = await look(embedded, **{kind: server})
    assert [finding for finding in found.values() if finding.verdict is Verdict.FAIL and finding.advice]


async def test_no_starttls(embedded: EmbeddedWorld, mail_sink: Sink) -> None:
    mail_sink.starttls = False
    found = await look(embedded, smtp=smtp_of(mail_sink))
    assert "STARTTLS" in found["SMTP", "greeting"].said


async def test_no_tls_is_told_unless_it_is_this_machine(
    embedded: EmbeddedWorld, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = imap_of(dovecot, port=dovecot.imap_port, security=Security.NONE)
    assert (await look(embedded, imap=server))["IMAP", "TLS"].verdict is Verdict.OK
    monkeypatch.setattr("eas.admin.doctor.reach.socket.gethostbyname", lambda _: "192.0.2.1")
    assert (await look(embedded, imap=server))["IMAP", "TLS"].verdict is Verdict.WARN


async def test_starttls(embedded: EmbeddedWorld, dovecot: Dovecot, slapd: Slapd) -> None:
    found = await look(
        embedded, imap=imap_of(dovecot, port=dovecot.imap_port, security=Security.STARTTLS),
        ldap=ldap_of(slapd, port=slapd.port, security=Security.STARTTLS),
    )
    assert found["IMAP", "TLS"].verdict is found["LDAP", "TLS"].verdict is Verdict.OK
    assert found["LDAP", "search"].verdict is Verdict.OK


# --- Logins -----------------------------------------------------------------------------------------------------------


async def test_a_wrong_password(
    embedded: EmbeddedWorld, dovecot: Dovecot, radicale: Radicale, slapd: Slapd, mail_sink: Sink
) -> None:
    login, _ = dovecot.new_user("anna")
    found = await look(
        embedded, login, "wrong", imap=imap_of(dovecot), sieve=sieve_of(dovecot), smtp=smtp_of(mail_sink),
        dav=DavServer(url=radicale.url), ldap=ldap_of(slapd), check="ldap",
    )
    for server in ("IMAP", "SMTP", "DAV", "LDAP", "Sieve"):
        assert found[server, "login"].verdict is Verdict.FAIL, server


async def test_the_directory_that_checks_passwords(embedded: EmbeddedWorld, slapd: Slapd) -> None:
    login, password = slapd.new_user("dora")
    found = await look(embedded, login, password, ldap=ldap_of(slapd), check="ldap")
    assert found["LDAP", "login"].verdict is Verdict.OK


async def test_another_tenants_servers_are_not_logged_in_to(embedded: EmbeddedWorld, dovecot: Dovecot) -> None:
    one = Tenant(name="one", domains=("example.com",), imap=imap_of(dovecot))
    two = replace(one, name="two", domains=("example.org",))
    login, password = dovecot.new_user("anna")
    findings: list[Finding] = []
    await examine(Patient(
        tenants=(one, two), ground=embedded.embedded.groupware, database="sqlite",
        who=named(login, (one, two), ""), secret=Secret(value=password),
    ), findings.append)
    logins = {f.tenant: f.verdict for f in findings if f.check == "login"}
    assert logins == {"one": Verdict.OK, "two": Verdict.SKIP}


# --- What goes wrong behind the login ---------------------------------------------------------------------------------


async def test_a_full_mailbox(embedded: EmbeddedWorld, dovecot: Dovecot) -> None:
    login, password = dovecot.new_user("anna", quota="1B")
    found = await look(embedded, login, password, imap=imap_of(dovecot))
    assert found["IMAP", "a write and a delete"].verdict is Verdict.FAIL
    with dovecot.imap(login) as client:
        assert b"eas-doctor" not in b"".join(part for part in client.list()[1] if isinstance(part, bytes))


async def test_folders_of_the_settings_that_are_not_there(embedded: EmbeddedWorld, dovecot: Dovecot) -> None:
    login, password = dovecot.new_user("anna")
    found = await look(embedded, login, password, imap=imap_of(dovecot, folders={"sent": "Gesendet"}))
    assert "Gesendet" in found["IMAP", "special folders"].said
    assert found["IMAP", "special folders"].verdict is Verdict.WARN


async def test_news_that_do_not_come(
    embedded: EmbeddedWorld, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    login, password = dovecot.new_user("anna")
    monkeypatch.setattr(imap_checks, "_NEWS_SECONDS", 0.01)
    found = await look(embedded, login, password, imap=imap_of(dovecot))
    assert found["IMAP", "push"].verdict is Verdict.FAIL


async def test_what_a_submission_server_lacks(embedded: EmbeddedWorld, mail_sink: Sink) -> None:
    mail_sink.extensions = ()
    login, password = mail_sink.new_user("anna")
    found = await look(embedded, login, password, smtp=smtp_of(mail_sink))
    assert {check for server, check in bad(found, Verdict.WARN) if server == "SMTP"} == {"8BITMIME", "SMTPUTF8", "DSN"}


async def test_a_submission_server_that_hangs(embedded: EmbeddedWorld, mail_sink: Sink) -> None:
    mail_sink.fail(Stage.CONNECT, HANG)
    found = await look(embedded, smtp=smtp_of(mail_sink, timeout_seconds=0.5))
    assert found["SMTP", "greeting"].verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("change", "check"),
    [({"bases": ("dc=nowhere,dc=com",)}, "search"), ({"bind_password": "wrong"}, "search"),
     ({"attributes": {"address": "description"}}, "attributes"), ({"attributes": {"nonsense": "cn"}}, "settings"),
     ({"max_entries": 2}, "paging")],
)
async def test_an_address_list_that_is_set_up_wrongly(
    embedded: EmbeddedWorld, slapd: Slapd, change: dict[str, Any], check: str
) -> None:
    found = await look(embedded, ldap=ldap_of(slapd, **change))
    assert found["LDAP", check].verdict in (Verdict.FAIL, Verdict.WARN)


async def test_an_address_list_that_tells_not_all(embedded: EmbeddedWorld, slapd: Slapd) -> None:
    slapd.set_size_limit(2)
    try:
        found = await look(embedded, ldap=ldap_of(slapd, bind_dn="", bind_password=""))
    finally:
        slapd.set_size_limit(SIZE_LIMIT)
    assert found["LDAP", "paging"].verdict is Verdict.FAIL or found["LDAP", "search"].verdict is not Verdict.OK


async def test_a_slow_search(embedded: EmbeddedWorld, slapd: Slapd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ldap_checks, "_SLOW_SECONDS", -1)
    found = await look(embedded, ldap=ldap_of(slapd))
    assert found["LDAP", "index"].verdict is Verdict.WARN


async def test_bases_that_name_the_user_need_one(embedded: EmbeddedWorld, slapd: Slapd) -> None:
    found = await look(embedded, ldap=ldap_of(slapd, bases=("ou={domain},dc=com",)))
    assert found["LDAP", "search"].verdict is Verdict.SKIP


async def test_a_script_that_answers_by_itself(embedded: EmbeddedWorld, dovecot: Dovecot) -> None:
    from eas.backends.sieve.client import connected, credentials_of

    login, password = dovecot.new_user("anna")
    settings = sieve_of(dovecot)
    async with connected(settings, credentials_of(settings, login, Secret(value=password))) as session:
        await session.put("mine", b'require "vacation"; vacation "away";')
        await session.activate("mine")
    found = await look(embedded, login, password, sieve=settings)
    assert found["Sieve", "own rules"].verdict is Verdict.WARN


async def test_what_a_filter_server_lacks(
    embedded: EmbeddedWorld, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    login, password = dovecot.new_user("anna")
    monkeypatch.setattr(SieveSession, "extensions", property(lambda _: frozenset({"fileinto"})))
    found = await look(embedded, login, password, sieve=sieve_of(dovecot))
    assert found["Sieve", "vacation"].verdict is Verdict.FAIL
    assert found["Sieve", "include"].verdict is Verdict.WARN


@pytest.mark.parametrize("path", ["nowhere/", "{login}/Nowhere.ics/x/"])
async def test_dav_that_is_looked_for_at_the_wrong_place(
    embedded: EmbeddedWorld, radicale: Radicale, path: str
) -> None:
    login, password = radicale.new_user("dora")
    found = await look(embedded, login, password, dav=DavServer(url="http://localhost:1/" + path))
    assert found["DAV", "port"].verdict is Verdict.FAIL
    with speaking(None, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as port:
        found = await look(embedded, login, password, dav=DavServer(url=f"http://localhost:{port}/{path}"))
    assert bad(found)


async def test_an_empty_dav_user(embedded: EmbeddedWorld, radicale: Radicale) -> None:
    login, password = radicale.new_user("dora", empty=True)
    found = await look(embedded, login, password, dav=DavServer(url=radicale.url))
    assert found["DAV", "contacts"].verdict is Verdict.WARN
    assert found["DAV", "a write and a delete of contacts"].verdict is Verdict.OK


async def test_the_companys_address_book(embedded: EmbeddedWorld, radicale: Radicale) -> None:
    login, password = radicale.new_user("dora")

    async def address_list(url: str) -> Finding:
        dav = DavServer(url=radicale.url, addressbook_url=url)
        return (await look(embedded, login, password, dav=dav, directory=Provider.CARDDAV))["DAV", "address list"]

    assert (await address_list("")).verdict is Verdict.FAIL
    assert (await address_list(f"{radicale.url}{login}/nothing-there/")).verdict is Verdict.FAIL
    assert (await address_list(f"{radicale.url}{login}/contacts/")).verdict is Verdict.WARN
    radicale.put(f"{login}/contacts/one.vcf", login, card("Emil", "emil@example.com"))
    assert (await address_list(f"{radicale.url}{login}/contacts/")).said == "1 cards"


# --- The gateway itself -----------------------------------------------------------------------------------------------


async def test_no_backends_but_the_own_one(embedded: EmbeddedWorld) -> None:
    findings: list[Finding] = []
    await examine(Patient(tenants=(), ground=embedded.embedded.groupware, database="sqlite"), findings.append)
    assert {f.check: f.verdict for f in findings} == {
        "database": Verdict.OK, "address": Verdict.SKIP, "backends": Verdict.OK,
    }


async def test_possible_doubles_are_listed(embedded: EmbeddedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    one = outbox.PossibleDouble(
        user_id="x", message_id="<one@example.com>", subject="s", at=embedded.clock.now()
    )
    monkeypatch.setattr("eas.admin.doctor.home.possible_doubles", lambda _: [one])
    found = await look(embedded)
    assert "<one@example.com>" in found["gateway", "possible doubles"].said


@pytest.mark.parametrize(
    ("said", "verdict"),
    [(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", Verdict.OK),
     (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Verdict.FAIL), (b"", Verdict.FAIL)],
)
async def test_how_it_looks_from_outside(embedded: EmbeddedWorld, said: bytes, verdict: Verdict) -> None:
    with speaking(authority().good, said) as port:
        found = await look(embedded, url=f"https://localhost:{port}")
    assert found[f"https://localhost:{port}", "ActiveSync"].verdict is verdict
    assert found[f"https://localhost:{port}", "TLS"].verdict is Verdict.OK


# --- The command ------------------------------------------------------------------------------------------------------


async def test_hooks(embedded: EmbeddedWorld, dovecot: Dovecot) -> None:
    """That they can be called; who knows whether they are."""
    tenant = Tenant(name="company", domains=("example.com",), domain="example.com", hooks=True)
    for token, url, verdict in ((False, "", Verdict.FAIL), (True, "", Verdict.OK)):
        findings: list[Finding] = []
        await examine(Patient(
            tenants=(tenant,), ground=embedded.embedded.groupware, database="sqlite", hooks=token, url=url,
        ), findings.append)
        found = {finding.check: finding for finding in findings if finding.server == "hooks"}
        assert found["token"].verdict is verdict
        assert ("call" in found) is token
    assert "Bearer $TOKEN" in found["call"].said
    assert "anna@example.com" in found["call"].said


def _config(folder: Path, server: Dovecot, sink: Sink) -> Path:
    file = folder / "eas.toml"
    file.write_text(f"""
data = "{folder / 'data'}"
domain = "example.com"
[backends.company]
domains = ["example.com"]
imap = {{ host = "localhost", port = {server.imaps_port}, ca_file = "{server.ca_file}" }}
sieve = {{ host = "localhost", port = {server.sieve_port}, ca_file = "{server.ca_file}" }}
smtp = {{ host = "localhost", port = {sink.tls_port}, ca_file = "{sink.ca_file}" }}
""")
    return file


def test_the_command(dovecot: Dovecot, mail_sink: Sink, tmp_path: Path) -> None:
    login, password = dovecot.new_user("anna")
    mail_sink.users.passwords[login] = password
    config = str(_config(tmp_path, dovecot, mail_sink))
    asked = ["doctor", "--config", config, "--user", login, "--password-stdin"]
    result = CliRunner().invoke(commands, asked, input=f"{password}\n")
    assert result.exit_code == 0, result.output
    assert f"company: IMAP localhost:{dovecot.imaps_port}" in result.stdout.splitlines()
    assert "  ok   keywords: are kept" in result.stdout.splitlines()
    assert result.stdout.splitlines()[-1] == "2 not tried"
    result = CliRunner().invoke(commands, [*asked, "--json"], input="wrong\n")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert said["counts"]["fail"] == 3
    failed = [finding["check"] for finding in said["findings"] if finding["verdict"] == "fail"]
    assert failed == ["login", "login", "login"]
    result = CliRunner().invoke(commands, ["doctor", "--config", config, "--user", "x@elsewhere.example"], input="")
    assert result.exit_code == 2


def test_a_password_is_never_shown(dovecot: Dovecot, mail_sink: Sink, tmp_path: Path) -> None:
    login, password = dovecot.new_user("anna")
    config = str(_config(tmp_path, dovecot, mail_sink))
    for more in ([], ["--json"]):
        result = CliRunner().invoke(
            commands, ["doctor", "--config", config, "--user", login, "--password-stdin", *more],
            input=f"{password}\n",
        )
        assert password not in result.output

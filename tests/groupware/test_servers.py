"""The servers of the tests do what their modules say."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import ssl

import ldap3
import pytest
import redis

from .cyrus import MASTER as CYRUS_MASTER
from .cyrus import MASTER_PASSWORD as CYRUS_MASTER_PASSWORD
from .cyrus import Cyrus
from .dovecot import MASTER, MASTER_PASSWORD, Dovecot
from .postgresql import Postgresql
from .radicale import Radicale
from .redis import RedisCluster, RedisSentinels, RedisServer
from .slapd import PEOPLE, Slapd
from .smtp import DROP, TAKE_AND_DROP, Sink, Stage
from .xandikos import Xandikos

LETTER = b"From: ben@example.com\r\nTo: anna@example.com\r\nSubject: Hello\r\n\r\nWords\r\n"


def test_dovecot_delivers_to_a_new_user(dovecot: Dovecot) -> None:
    login, _ = dovecot.new_user("anna")
    dovecot.deliver(login, LETTER)
    with dovecot.commands(login) as commands, dovecot.imap(login, "INBOX") as client:
        status, found = client.search(None, "ALL")
        assert (status, found) == ("OK", [b"1"])
    assert [line.split(" ", 1)[1] for line in commands] == ['SELECT "INBOX"', "SEARCH ALL", "LOGOUT"]


def test_dovecot_knows_the_master_user_and_tokens(dovecot: Dovecot) -> None:
    login, _ = dovecot.new_user()
    trust = ssl.create_default_context(cafile=dovecot.ca_file)
    with imaplib.IMAP4_SSL(dovecot.host, dovecot.imaps_port, ssl_context=trust) as client:
        client.authenticate("PLAIN", lambda _: f"{login}\0{MASTER}\0{MASTER_PASSWORD}".encode())
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port) as client:
        client.starttls(trust)
        client.authenticate("XOAUTH2", lambda _: f"user={login}\1auth=Bearer {dovecot.token(login)}\1\1".encode())
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port) as client, pytest.raises(imaplib.IMAP4.error):
        client.login(login, "wrong")


def test_dovecot_refuses_above_the_quota(dovecot: Dovecot) -> None:
    login, _ = dovecot.new_user(quota="2K")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        dovecot.deliver(login, LETTER + b"x" * 4000)
    assert refused.value.smtp_code == 552


def test_the_poor_dovecot_refuses_what_it_does_not_offer(dovecot_plain: Dovecot) -> None:
    login, password = dovecot_plain.new_user("anna")
    dovecot_plain.deliver(login, LETTER)
    trust = ssl.create_default_context(cafile=dovecot_plain.ca_file)
    with imaplib.IMAP4_SSL(dovecot_plain.host, dovecot_plain.imaps_port, ssl_context=trust) as client:
        client.login(login, password)
        assert client.capability()[1][-1] == b"IMAP4rev1 CHILDREN NAMESPACE IDLE"
        assert b"APPENDUID" not in client.append("INBOX", "", None, LETTER)[1][0]
        client.select("INBOX")
        assert client.untagged_responses.get("HIGHESTMODSEQ") is None
        assert len(client.uid("FETCH", "1:*", "(FLAGS)")[1]) == 2
        for command in (
            ("MOVE", "1", "INBOX.a"), ("EXPUNGE", "1"), ("SEARCH", "RETURN", "(ALL)", "ALL"),
            ("FETCH", "1", "(FLAGS)", "(CHANGEDSINCE 1)"), ("STORE", "1", "(UNCHANGEDSINCE 1)", "+FLAGS", "x"),
        ):
            with pytest.raises(imaplib.IMAP4.error):
                client.uid(*command)
        with pytest.raises(imaplib.IMAP4.error):
            client.enable("QRESYNC")
        assert client.create("INBOX.a")[0] == "OK"
        assert client.uid("COPY", "1", "INBOX.a")[0] == "OK"
        assert "COPYUID" not in client.untagged_responses


def test_cyrus_has_everything_for_a_new_user(cyrus: Cyrus) -> None:
    login, _ = cyrus.new_user("anna")
    cyrus.deliver(login, LETTER)
    with cyrus.imap(login, "INBOX") as client:
        assert client.search(None, "ALL") == ("OK", [b"1"])
    trust = ssl.create_default_context(cafile=cyrus.ca_file)
    with imaplib.IMAP4_SSL(cyrus.host, cyrus.imaps_port, ssl_context=trust) as client:
        client.authenticate("PLAIN", lambda _: f"{login}\0{CYRUS_MASTER}\0{CYRUS_MASTER_PASSWORD}".encode())
    with imaplib.IMAP4(cyrus.host, cyrus.imap_port) as client, pytest.raises(imaplib.IMAP4.error):
        client.login(login, "wrong")
    home = f"/dav/calendars/user/{login}/"
    assert b"Default" in cyrus.dav.request("PROPFIND", home, login, Depth="1").body
    assert cyrus.dav.request("PROPFIND", home, login, password="wrong").status == 401


def test_radicale_checks_passwords_and_protects_what_is_frozen(radicale: Radicale) -> None:
    login, _ = radicale.new_user("anna")
    other, _ = radicale.new_user("ben")
    calendar = f"/{login}/calendar/"
    assert radicale.request("PROPFIND", calendar, login, Depth="0").status == 207
    assert radicale.request("PROPFIND", calendar, login, password="wrong").status == 401
    assert radicale.request("PROPFIND", calendar, other).status == 403
    frozen = radicale.make_frozen(login)
    assert radicale.request("PROPFIND", frozen, login, Depth="0").status == 207
    assert radicale.request("DELETE", frozen, login).status == 403


def test_xandikos_keeps_users_apart(xandikos: Xandikos) -> None:
    login, _ = xandikos.new_user("anna")
    other, _ = xandikos.new_user("ben")
    home = f"/{login}/calendars/"
    assert b"calendars/calendar/" in xandikos.request("PROPFIND", home, login, Depth="1").body
    assert xandikos.request("PROPFIND", home, login, password="wrong").status == 401
    assert xandikos.request("PROPFIND", home, other, Depth="1").status >= 400  # 500, when it means 403


def test_slapd_has_an_office_and_takes_more(slapd: Slapd) -> None:
    login, password = slapd.new_user("dora")
    trust = ssl.create_default_context(cafile=slapd.ca_file)
    with socket.create_connection((slapd.host, slapd.ldaps_port)) as plain:
        trust.wrap_socket(plain, server_hostname=slapd.host).close()
    server = ldap3.Server(slapd.host, slapd.port)
    line = ldap3.Connection(server, f"uid={login.partition('@')[0]},{PEOPLE}", password, auto_bind=True)
    try:
        assert line.search(slapd.base, "(uid=anna)", attributes=["cn", "jpegPhoto", "userCertificate;binary"])
        assert line.entries[0].cn.value == "Anna Arnold"
    finally:
        line.unbind()


@pytest.mark.parametrize("tls", [False, True])
def test_the_sink_takes_mail(mail_sink: Sink, tls: bool) -> None:
    login, password = mail_sink.new_user("anna")
    trust = ssl.create_default_context(cafile=mail_sink.ca_file)
    with (
        smtplib.SMTP_SSL(mail_sink.host, mail_sink.tls_port, context=trust) if tls
        else smtplib.SMTP(mail_sink.host, mail_sink.port)
    ) as client:
        if not tls:
            client.starttls(context=trust)
        client.login(login, password)
        client.sendmail(
            login, ["a@example.com", "b@example.com"], LETTER + b"..two dots\r\n", ["SMTPUTF8"], ["NOTIFY=NEVER"]
        )
    (taken,) = mail_sink.messages
    assert taken.octets == LETTER + b"..two dots\r\n"
    assert (taken.sender, taken.recipients, taken.login) == (login, ("a@example.com", "b@example.com"), login)
    assert "SMTPUTF8" in taken.parameters
    assert taken.recipient_parameters == (("NOTIFY=NEVER",),) * 2
    assert taken.secured


def _send(sink: Sink) -> None:
    with smtplib.SMTP(sink.host, sink.port, timeout=60) as client:
        client.sendmail("a@example.com", ["b@example.com"], LETTER)


def test_the_sink_refuses_as_told(mail_sink: Sink) -> None:
    mail_sink.auth = False
    mail_sink.fail(Stage.RCPT, "450 4.2.1 Later", times=1)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        _send(mail_sink)
    _send(mail_sink)
    mail_sink.fail(Stage.END, DROP, times=1)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        _send(mail_sink)
    assert len(mail_sink.messages) == 1
    mail_sink.fail(Stage.END, TAKE_AND_DROP, times=1)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        _send(mail_sink)
    assert len(mail_sink.messages) == 2


def test_postgresql_gives_databases_that_are_copies(postgresql: Postgresql) -> None:
    postgresql.new_database(name="full")
    postgresql.run("CREATE TABLE words (word TEXT); INSERT INTO words VALUES ('b'), ('A'), ('B'), ('a')", "full")
    name = postgresql.new_database("full").partition("@/")[2].partition("?")[0]
    # As people sort them: SQLite would have A, B, a, b.
    assert postgresql.run("SELECT word FROM words ORDER BY word", name).split() == ["a", "A", "b", "B"]
    many = [postgresql.new_database() for _ in range(10)]
    assert len(set(many)) == 10
    assert int(postgresql.run("SELECT count(*) FROM pg_database WHERE datname LIKE 'tests%'")) < 10


def test_redis_can_be_killed_and_paused() -> None:
    server = RedisServer()
    try:
        server.start()
        server.run("SET", "a", "1")
        assert server.keys() == ["a"]
        server.pause()
        with redis.Redis(port=server.port, socket_timeout=0.1, retry=None) as client, pytest.raises(redis.TimeoutError):
            client.get("a")
        server.resume()
        assert server.run("GET", "a") == "1"
        server.restart()
        assert server.keys() == []
    finally:
        server.stop()


def test_prefixes_of_redis_are_never_the_same(redis_server: RedisServer) -> None:
    assert redis_server.new_prefix() != redis_server.new_prefix()


@pytest.mark.long
def test_sentinels_make_the_replica_master(redis_sentinels: RedisSentinels) -> None:
    old = redis_sentinels.master
    redis_sentinels.fail_over()
    assert redis_sentinels.master is not old
    redis_sentinels.heal()
    redis_sentinels.master.run("SET", "a", "1")


def test_the_cluster_shares_the_slots(redis_cluster: RedisCluster) -> None:
    keys = {f"{redis_cluster.new_prefix()}:{number}" for number in range(20)}
    for key in keys:
        redis_cluster.holder(key).run("SET", key, 1)
    assert keys <= set(redis_cluster.keys("tests"))
    assert all(server.keys() for server in redis_cluster.servers)

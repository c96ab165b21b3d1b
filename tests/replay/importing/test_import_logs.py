"""Logs of other servers: what their samples say is what the sessions hold."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eas.protocol.codepages import TOKEN_OF
from eas.protocol.wbxml import Element, encode
from eas.replay.format.document import from_text
from eas.replay.format.model import Document, Exchange, Meta, SessionError, Text
from eas.replay.format.reading import open_session
from eas.replay.format.writing import writer
from eas.replay.importing import names
from eas.replay.importing.joining import Import, with_head
from eas.replay.importing.tally import Note

SAMPLES = Path(__file__).parents[3] / "fixtures" / "sessions" / "imports"
LOGS = ("zpush.log", "horde/APPLDNQXV00AC0.txt", "sogo.log", "sogo-container.log", "exchange.txt")
#: 22 November 2026, a day after the samples: logs without a year are of the year in which they were written.
NEXT_DAY = 1795350000

FOLDERS = from_text("""<FolderSync xmlns="FolderHierarchy"><Status>1</Status><SyncKey>{5f1c}1</SyncKey><Changes>
  <Count>1</Count><Add><ServerId>U1</ServerId><ParentId>0</ParentId><DisplayName>Posteingang</DisplayName>
  <Type>2</Type></Add></Changes></FolderSync>""")


def imported(file: Path | str, **wanted: str) -> tuple[Import, Meta, list[Exchange]]:
    run = Import([SAMPLES / file], **wanted)
    meta, exchanges = with_head(run)
    return run, meta, list(exchanges)


def root(exchange: Exchange, whose: str = "answer") -> Element:
    body = getattr(exchange, whose).body
    assert isinstance(body, Document), body
    return body.root


def texts(element: Element, tag: str) -> list[str]:
    found = [element.text] if element.tag == tag else []
    return found + [text for child in element.elements for text in texts(child, tag)]


@pytest.mark.parametrize("sample", LOGS)
def test_what_is_imported_survives_writing_and_reading(sample: str, tmp_path: Path) -> None:
    _, meta, exchanges = imported(sample)
    with writer(tmp_path / "x.session") as session:
        session.head(meta)
        for exchange in exchanges:
            session.add(exchange)
    with open_session(tmp_path / "x.session") as session:
        assert session.meta == meta
        assert list(session.exchanges) == exchanges
    assert [exchange.number for exchange in exchanges] == list(range(1, len(exchanges) + 1))
    assert sorted(exchange.time for exchange in exchanges) == [exchange.time for exchange in exchanges]
    assert meta.get("origin").startswith("imported from ")


# Z-Push ---------------------------------------------------------------------------------------------------------------


def test_zpush_tells_processes_apart_and_keeps_their_order() -> None:
    _, meta, exchanges = imported("zpush.log")
    assert [exchange.request.query.partition("&")[0] for exchange in exchanges] == [
        "Cmd=FolderSync", "Cmd=Ping", "Cmd=Sync", "Cmd=ItemOperations", "Cmd=Sync", "User=ben", "Cmd=Sync",
    ]
    assert root(exchanges[0]) == FOLDERS
    assert texts(root(exchanges[1], "request"), "Ping:HeartbeatInterval") == ["480"]
    assert exchanges[1].answer.seconds == 42.07
    assert exchanges[1].time == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert exchanges[5].request.method == "OPTIONS"
    assert meta.get("device") == ""  # there are two


def test_zpush_one_device() -> None:
    run, meta, exchanges = imported("zpush.log", device="ApplDNQXV00AC0")
    assert len(exchanges) == 4
    assert (meta.get("device"), meta.get("user"), meta.get("protocol")) == ("appldnqxv00ac0", "anna", "16.1")
    assert run.tally.counts[Note.UNWANTED] == 3
    assert len(imported("zpush.log", user="ben")[2]) == 3
    assert ("X-MS-PolicyKey", "2468") in exchanges[0].request.headers


def test_zpush_texts_go_over_lines_and_look_like_tags() -> None:
    exchange = imported("zpush.log")[2][2]
    assert texts(root(exchange), "AirSyncBase:Data") == ["Guten Morgen,\r\n\r\n<b>bis gleich</b>\r\nAnna"]
    assert texts(root(exchange), "Email:ReplyTo") == ["ben@example.com"]
    assert texts(root(exchange), "Email:Status") == ["2"]


def test_zpush_says_what_it_left_out() -> None:
    run, _, exchanges = imported("zpush.log")
    exchange = exchanges[3]
    assert texts(root(exchange), "AirSyncBase:Data") == ["x" * 23]
    assert exchange.comments == (
        "answer: placeholders for texts that the log leaves out: AirSyncBase:Data",
        "answer: cut short in the log: Email:To",
    )
    assert run.tally.counts[Note.REPLACED] == 1
    refused, last = exchanges[4], exchanges[6]
    assert (refused.answer.status, refused.answer.why[:29]) == (449, "ProvisioningRequiredException")
    assert (last.answer.status, last.answer.why) == (None, "the log has no answer")
    assert "ends inside AirSync:Collections" in last.comments[0]


def test_zpush_bytes_count_more_than_traces(tmp_path: Path) -> None:
    """Where the log has the WBXML itself, a trace that is cut does no harm."""
    cut = "Po <log message with 20000 bytes truncated>"
    (tmp_path / "z.log").write_bytes((SAMPLES / "zpush.log").read_bytes().replace(b"Posteingang", cut.encode()))
    assert root(imported(tmp_path / "z.log")[2][0]) == FOLDERS


@pytest.mark.parametrize("lines", [
    [
        "21/11/2026 10:00:00 [20169] [DEBUG] [anna] -------- Start",
        "21/11/2026 10:00:00 [20169] [ INFO] [anna] Version='2.1' method='POST' from='192.0.2.1' cmd='Ping' "
        "getUser='anna' devId='a1' devType='SP'",
        "21/11/2026 10:00:00 [20169] [WBXML] [anna] I  <Ping:Ping/>",
        "21/11/2026 10:00:03 [20169] [DEBUG] [anna] Memory usage information: 1/2 - Execution time: 3.2500 - "
        "HTTP responde code: 200",
        "21/11/2026 10:00:03 [20169] [DEBUG] [anna] -------- End",
    ],
    [
        "Nov 21 10:00:00 mail z-push[20169]: [20169] [DEBUG] [anna] -------- Start",
        "Nov 21 10:00:00 mail z-push[20169]: [20169] [DEBUG] [anna] cmd='Ping' devType='SP' devId='a1' getUser='anna'",
        "Nov 21 10:00:00 mail z-push[20169]: [20169] [WBXML] [anna] I  <Ping:Ping/>",
        "Nov 21 10:00:03 mail z-push[20169]: [20169] [INFO] [anna] cmd='Ping' time='3.25s' httpcode='200'",
        "Nov 21 10:00:03 mail z-push[20169]: [20169] [DEBUG] [anna] -------- End",
    ],
], ids=["old", "syslog"])
def test_zpush_of_other_kinds(lines: list[str], tmp_path: Path) -> None:
    log = tmp_path / "z-push.log"
    log.write_text("\n".join(lines) + "\n")
    os.utime(log, (NEXT_DAY, NEXT_DAY))
    (exchange,) = imported(log)[2]
    assert exchange.request.target == "/Microsoft-Server-ActiveSync?Cmd=Ping&User=anna&DeviceId=a1&DeviceType=SP"
    assert (exchange.time.year, exchange.answer.status, exchange.answer.seconds) == (2026, 200, 3.25)
    assert root(exchange, "request") == Element("Ping:Ping")


def test_their_names_lead_to_tags_that_exist() -> None:
    assert set(names._TAG_OF_THEIRS.values()) <= set(TOKEN_OF)
    assert names.tag_of_trace("Folder") == "AirSync:Collection"
    assert names.tag_of_trace("Ping:Folder") == "Ping:Folder"
    assert names.tag_of_trace("POOMCAL:Attendee_Type") == "Calendar:AttendeeType"
    assert names.tag_of_trace("POOMMAIL2:UmCallerId") == "Email2:UmCallerID"
    assert names.tag_of_trace("Synchronise") == ""
    assert names.tag_of_xml("Email:", "Subject") == "Email:Subject"


# Horde ----------------------------------------------------------------------------------------------------------------


def test_horde() -> None:
    run, meta, exchanges = imported("horde/APPLDNQXV00AC0.txt")
    assert (meta.get("device"), meta.get("user")) == ("APPLDNQXV00AC0", "anna@example.com")
    assert root(exchanges[0]) == FOLDERS
    assert exchanges[0].time == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert texts(root(exchanges[1]), "Email:Subject") == ["x" * 64]
    assert exchanges[1].answer.seconds == 2
    assert [exchange.answer.status for exchange in exchanges] == [200, 200, 400, None, None]
    assert exchanges[4].request.method == "OPTIONS"
    assert run.tally.counts[Note.UNANSWERED] == 2


def test_horde_in_one_file_is_of_the_device_that_is_said(tmp_path: Path) -> None:
    log = tmp_path / "activesync.log"
    line = "2026-11-21T10:00:0{} +00:00 DEBUG: [7] {}\n".replace(" +", "+")
    log.write_text("".join(line.format(second, text) for second, text in [
        (0, "I: <Ping:Ping>"), (0, "I: </Ping:Ping>"),
        (5, "O: <Ping:Ping>"), (5, "O:  <Ping:Status>"), (5, "O:   1"), (5, "O:  </Ping:Status>"),
        (5, "O: </Ping:Ping>"),
        (6, "I: <Ping:Ping>"), (6, "I: </Ping:Ping>"),
    ]))
    _, _, exchanges = imported(log, device="A1")
    assert [exchange.request.query for exchange in exchanges] == ["Cmd=Ping&DeviceId=A1"] * 2
    assert root(exchanges[0]) == Element("Ping:Ping", (Element("Ping:Status", "1"),))
    assert exchanges[1].answer.status is None


# SOGo -----------------------------------------------------------------------------------------------------------------


def test_sogo(tmp_path: Path) -> None:
    log = tmp_path / "sogo.log"
    log.write_bytes((SAMPLES / "sogo.log").read_bytes())
    os.utime(log, (NEXT_DAY, NEXT_DAY))
    _, _, exchanges = imported(log)
    assert [exchange.time.isoformat() for exchange in exchanges] == [
        "2026-11-21T10:00:00+00:00", "2026-11-21T10:00:00+00:00", "2026-11-21T10:00:03+00:00",
    ]
    assert [exchange.answer.seconds for exchange in exchanges] == [0.412, 41.02, 0.23]
    assert texts(root(exchanges[0]), "FolderHierarchy:DisplayName") == ["Posteingang"]
    assert texts(root(exchanges[1]), "Ping:Folder") == ["mail%2Finbox"]
    sent = root(exchanges[2], "request").child("ComposeMail:Mime")
    assert sent is not None
    assert sent.text.splitlines() == [
        "From: anna@example.com", "To: ben@example.com", "Subject: Fruehstueck", "", "Bis morgen!",
    ]
    assert exchanges[2].answer.body is None
    assert exchanges[0].request.path == "/Microsoft-Server-ActiveSync"


def test_sogo_in_a_container_without_its_first_line() -> None:
    _, meta, (exchange,) = imported("sogo-container.log")
    assert meta.get("device") == "Nine4383AF346860"
    assert texts(root(exchange, "request"), "AirSyncBase:Type") == ["1"]
    assert texts(root(exchange), "AirSync:SyncKey") == ["1521064232"]


@pytest.mark.parametrize("own", ["Nov 21 10:00:00 sogod [37]: ", ""], ids=["twice", "once"])
def test_sogo_in_the_journal(own: str, tmp_path: Path) -> None:
    """Where each line gets a time and a process from somebody else."""
    begin = "Nov 21 10:00:00 sogod [37]: "
    lines = (SAMPLES / "sogo.log").read_text().replace("10:00:01", "10:00:00").splitlines()
    first = [line.removeprefix(begin) for line in lines[:6] + lines[19:23] if line]
    ours = [own + line if line.startswith(("|", "<0x", "192")) else line for line in first]
    text = "".join(f"Nov 21 10:00:01 mail sogod[37]: {line}\n" for line in ours)
    (tmp_path / "journal.log").write_text(text)
    (exchange,) = imported(tmp_path / "journal.log")[2]
    assert exchange.answer.seconds == 0.412
    assert texts(root(exchange, "request"), "FolderHierarchy:SyncKey") == ["0"]
    assert texts(root(exchange), "FolderHierarchy:DisplayName") == ["Posteingang"]


def test_a_log_of_december_read_in_january(tmp_path: Path) -> None:
    log = tmp_path / "sogo.log"
    log.write_text((SAMPLES / "sogo.log").read_text().replace("Nov 21", "Dec 31"))
    os.utime(log, (1798761600, 1798761600))  # 1 January 2027
    assert imported(log)[2][0].time.year == 2026


# Exchange -------------------------------------------------------------------------------------------------------------


def test_exchange() -> None:
    run, meta, exchanges = imported("exchange.txt")
    assert (meta.get("device"), meta.get("server"), meta.get("client")) == (
        "ApplDNQXV00AC0", "15.2", "Apple-iPhone14C2/2001.50",
    )
    assert exchanges[0].request.path == "/Microsoft-Server-ActiveSync"
    assert ("Authorization", "***") in exchanges[0].request.headers
    assert texts(root(exchanges[0]), "FolderHierarchy:DisplayName") == ["x" * 11]
    assert "AccessState: Allowed" in exchanges[0].comments
    added = root(exchanges[1])
    assert texts(added, "Email:Subject") == ["x" * 19]
    assert texts(added, "Email2:ConversationId") == ["x" * 16]
    assert "AirSyncBase:Data" in exchanges[1].comments[-1]
    assert exchanges[1].answer.seconds == 550
    assert (exchanges[2].answer.status, exchanges[2].request.body, exchanges[2].answer.body) == (503, None, None)
    assert run.tally.counts == {Note.REPLACED: 5, Note.BROKEN: 1, Note.UNANSWERED: 1, Note.NOT_WBXML: 1}
    assert run.tally.first[Note.BROKEN].endswith("exchange.txt:157: no RequestTime that is a time")


def test_exchange_keeps_what_is_no_document_of_ours() -> None:
    last = imported("exchange.txt")[2][3]
    assert isinstance(last.request.body, Text)
    assert b"<Strange>1</Strange>" in last.request.body.data
    assert "Search:Strange" in last.comments[0]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_exchange_as_powershell_writes_it(encoding: str, tmp_path: Path) -> None:
    text = (SAMPLES / "exchange.txt").read_text().replace("\n", "\r\n")
    (tmp_path / "log.txt").write_bytes(text.encode(encoding))
    _, _, exchanges = imported(tmp_path / "log.txt")
    assert exchanges == imported("exchange.txt")[2]


def test_exchange_with_the_bytes_in_it(tmp_path: Path) -> None:
    text = (SAMPLES / "exchange.txt").read_text()
    text = text.replace("RequestBody : \n", f"WbxmlRequestBody : \n{encode(FOLDERS).hex()}\n\nRequestBody : \n", 1)
    (tmp_path / "log.txt").write_text(text)
    assert root(imported(tmp_path / "log.txt")[2][0], "request") == FOLDERS


# All ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "said"), [
    ("", "not recognised"), ("hello\n", "not recognised"), ("eas-session 1\n", "session file already"),
])
def test_what_is_no_log(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(SessionError, match=said):
        imported(tmp_path / "x")

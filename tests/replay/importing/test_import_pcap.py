"""Captures: connections are put together however their packets lie. dpkt makes the packets, so that what is read here
was written by somebody else; tcpdump.pcap is a real one."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.protocol import http
from eas.protocol.wbxml import Element, encode
from eas.replay.format.model import Document, Exchange, LeftOut, SessionError
from eas.replay.importing.joining import Import, with_head
from eas.replay.importing.streams import Stream
from eas.replay.importing.tally import Note

SAMPLE = Path(__file__).parents[3] / "fixtures" / "sessions" / "imports" / "tcpdump.pcap"
PHONE, SERVER = ("192.0.2.7", 50123), ("192.0.2.1", 8080)
NOON = 1795262400.0

Packet = tuple[float, bytes]


def document(number: int, size: int = 10) -> Element:
    return Element("Ping:Ping", (Element("Ping:Status", str(number)), Element("Ping:MaxFolders", "7" * size)))


def request(number: int, size: int = 10, *more: str) -> bytes:
    body = encode(document(number, size))
    lines = [
        f"POST /Microsoft-Server-ActiveSync?Cmd=Ping&DeviceId=a{number} HTTP/1.1", "Host: mail.example.com",
        f"Content-Type: {http.WBXML}", f"Content-Length: {len(body)}", *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer(number: int, size: int = 10) -> bytes:
    body = encode(document(number, size))
    return f"HTTP/1.1 200 OK\r\nContent-Type: {http.WBXML}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(number: int) -> bytes:
    body = encode(document(number))
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]))
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {http.WBXML}\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + chunks + b"0\r\n\r\n"


def ethernet(source: tuple[str, int], target: tuple[str, int], segment: dpkt.tcp.TCP) -> bytes:
    return bytes(dpkt.ethernet.Ethernet(type=dpkt.ethernet.ETH_TYPE_IP, data=ip(source, target, segment)))


def vlan(source: tuple[str, int], target: tuple[str, int], segment: dpkt.tcp.TCP) -> bytes:
    frame = ethernet(source, target, segment)
    return frame[:12] + b"\x88\xa8\0\x07" + b"\x81\0\0\x09" + frame[12:]


def ip(source: tuple[str, int], target: tuple[str, int], segment: dpkt.tcp.TCP) -> dpkt.ip.IP | dpkt.ip6.IP6:
    addresses = {"src": ip_address(source[0]).packed, "dst": ip_address(target[0]).packed}
    if ":" in source[0]:
        return dpkt.ip6.IP6(**addresses, nxt=6, hlim=64, plen=len(segment), data=segment)
    return dpkt.ip.IP(**addresses, p=6, len=20 + len(segment), data=segment)


def bare(source: tuple[str, int], target: tuple[str, int], segment: dpkt.tcp.TCP) -> bytes:
    return bytes(ip(source, target, segment))


def loopback(source: tuple[str, int], target: tuple[str, int], segment: dpkt.tcp.TCP) -> bytes:
    return struct.pack("<I", 2) + bare(source, target, segment)


def cooked(source: tuple[str, int], target: tuple[str, int], segment: dpkt.tcp.TCP) -> bytes:
    return struct.pack(">HHH8sH", 0, 1, 6, b"", 0x0800) + bare(source, target, segment)


def cooked2(source: tuple[str, int], target: tuple[str, int], segment: dpkt.tcp.TCP) -> bytes:
    return struct.pack(">HHIHBB8s", 0x0800, 0, 1, 1, 0, 6, b"") + bare(source, target, segment)


class Wire:
    """Packets of one connection; each thing said is a packet or several."""

    def __init__(
        self, phone: tuple[str, int] = PHONE, server: tuple[str, int] = SERVER, size: int = 1400,
        frame: Callable[..., bytes] = ethernet, first: int = 2**32 - 300,
    ) -> None:
        self.ends = {True: phone, False: server}
        self.next = {True: first, False: first}
        self.size, self.frame, self.now = size, frame, NOON
        self.packets: list[Packet] = []

    def _put(self, up: bool, flags: int, data: bytes = b"") -> None:
        self.now += 0.01
        source, target = self.ends[up], self.ends[not up]
        segment = dpkt.tcp.TCP(sport=source[1], dport=target[1], seq=self.next[up] % 2**32, flags=flags, data=data)
        self.packets.append((self.now, self.frame(source, target, segment)))
        self.next[up] += len(data) + bool(flags & 3)

    def open(self) -> Wire:
        for up, flags in ((True, 0x02), (False, 0x12), (True, 0x10)):
            self._put(up, flags)
        return self

    def up(self, data: bytes) -> Wire:
        return self._say(True, data)

    def down(self, data: bytes) -> Wire:
        return self._say(False, data)

    def _say(self, up: bool, data: bytes) -> Wire:
        for at in range(0, len(data), self.size):
            self._put(up, 0x18, data[at : at + self.size])
        return self

    def close(self) -> Wire:
        self._put(True, 0x11)
        self._put(False, 0x11)
        self._put(True, 0x10)
        return self


def pcap(path: Path, packets: Iterable[Packet], link: int = 1) -> Path:
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file, linktype=link)
        for time, data in packets:
            writer.writepkt(data, time)
    return path


def imported(file: Path) -> tuple[Import, list[Exchange]]:
    run = Import([file])
    _, exchanges = with_head(run)
    return run, list(exchanges)


def numbers(exchanges: Iterable[Exchange]) -> list[tuple[str, str]]:
    """The numbers of the documents that went up and came down."""
    found = []
    for exchange in exchanges:
        bodies = (exchange.request.body, exchange.answer.body)
        found.append(tuple(body.root.elements[0].text if isinstance(body, Document) else "" for body in bodies))
    return found


@pytest.mark.parametrize(("frame", "link"), [
    (ethernet, 1), (vlan, 1), (bare, 101), (bare, 12), (loopback, 0), (cooked, 113), (cooked2, 276),
])
def test_links(frame: Callable[..., bytes], link: int, tmp_path: Path) -> None:
    wire = Wire(frame=frame).open().up(request(1)).down(answer(2)).close()
    run, (exchange,) = imported(pcap(tmp_path / "x.pcap", wire.packets, link))
    assert numbers([exchange]) == [("1", "2")]
    assert exchange.answer.seconds == 0.01
    assert run.tally.counts == {}


def test_ipv6(tmp_path: Path) -> None:
    wire = Wire(("2001:db8::7", 50000), ("2001:db8::1", 443), frame=bare).open().up(request(1)).down(answer(2))
    assert numbers(imported(pcap(tmp_path / "x.pcap", wire.packets, 229))[1]) == [("1", "2")]


def test_keep_alive_pipelining_and_chunks(tmp_path: Path) -> None:
    wire = Wire(size=50).open().up(request(1)).down(chunked(2)).up(request(3) + request(5)).down(answer(4) + chunked(6))
    run, exchanges = imported(pcap(tmp_path / "x.pcap", wire.close().packets))
    assert numbers(exchanges) == [("1", "2"), ("3", "4"), ("5", "6")]
    assert run.tally.counts == {}


def test_who_speaks_to_himself_is_passed_over(tmp_path: Path) -> None:
    wire = Wire(PHONE, PHONE).open().up(request(1))
    assert imported(pcap(tmp_path / "x.pcap", wire.packets))[1] == []


def test_an_invitation_to_go_on_is_no_answer(tmp_path: Path) -> None:
    head, body = request(1, 10, "Expect: 100-continue").split(b"\r\n\r\n", 1)
    wire = Wire().open().up(head + b"\r\n\r\n").down(b"HTTP/1.1 100 Continue\r\n\r\n").up(body).down(answer(2))
    assert numbers(imported(pcap(tmp_path / "x.pcap", wire.packets))[1]) == [("1", "2")]


def test_an_answer_that_ends_with_the_connection(tmp_path: Path) -> None:
    down = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.ms-sync.wbxml\r\n\r\n" + encode(document(2))
    assert numbers(imported(pcap(tmp_path / "x.pcap", Wire().open().up(request(1)).down(down).close().packets))[1]) == [
        ("1", "2"),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_packets_in_any_order_and_more_than_once(seed: int, tmp_path: Path) -> None:
    wire = Wire(size=200).open()
    for number in range(0, 20, 2):
        wire.up(request(number, 3000)).down(answer(number + 1, 3000))
    chance = random.Random(seed)
    packets = [packet for packet in wire.packets[3:] for _ in range(chance.choice((1, 1, 2)))]
    packets = wire.packets[:3] + sorted(packets, key=lambda packet: packet[0] + chance.uniform(0, 0.05))
    run, exchanges = imported(pcap(tmp_path / "x.pcap", packets))
    assert numbers(exchanges) == [(str(number), str(number + 1)) for number in range(0, 20, 2)]
    assert run.tally.counts == {}


def test_lost_packets(tmp_path: Path) -> None:
    wire = Wire(size=200).open().up(request(1)).down(answer(2, 900)).up(request(3)).down(answer(4)).close()
    lost = next(at for at, (_, data) in enumerate(wire.packets) if data.endswith(b"7" * 200))
    run, exchanges = imported(pcap(tmp_path / "x.pcap", wire.packets[:lost] + wire.packets[lost + 1 :]))
    assert numbers(exchanges) == [("1", ""), ("3", "4")]
    assert isinstance(exchanges[0].answer.body, LeftOut)
    assert exchanges[0].answer.body.length == len(encode(document(2, 900)))
    assert exchanges[0].comments == ("answer: bytes of it are lost",)
    assert run.tally.counts == {Note.LOST: 1}


def test_a_lost_answer_does_not_move_the_others(tmp_path: Path) -> None:
    wire = Wire(size=2000).open().up(request(1)).down(answer(2)).up(request(3)).down(answer(4)).up(request(5)).close()
    _, exchanges = imported(pcap(tmp_path / "x.pcap", wire.packets[:4] + wire.packets[5:]))
    assert numbers(exchanges) == [("1", ""), ("3", "4"), ("5", "")]
    _, exchanges = imported(pcap(tmp_path / "y.pcap", wire.packets[:5] + wire.packets[6:]))
    assert numbers(exchanges) == [("1", "2"), ("5", "")]


def test_a_capture_that_cuts_packets(tmp_path: Path) -> None:
    wire = Wire().open().up(request(1)).down(answer(2, 900)).up(request(3)).down(answer(4)).close()
    run, exchanges = imported(pcap(tmp_path / "x.pcap", [(time, data[:500]) for time, data in wire.packets]))
    assert numbers(exchanges) == [("1", ""), ("3", "4")]
    assert run.tally.counts == {Note.LOST: 1}


@pytest.mark.parametrize(("begin", "found"), [(0, [("1", "2"), ("3", "4")]), (4, [("3", "4")]), (5, [("3", "4")])])
def test_a_capture_that_begins_in_the_middle(begin: int, found: list[tuple[str, str]], tmp_path: Path) -> None:
    wire = Wire().open().up(request(1)).down(answer(2)).up(request(3)).down(answer(4))
    assert numbers(imported(pcap(tmp_path / "x.pcap", wire.packets[begin:]))[1]) == found


def test_a_capture_that_ends_in_the_middle(tmp_path: Path) -> None:
    wire = Wire().open().up(request(1)).down(answer(2)).up(request(3)).down(answer(4)[:30])
    run, exchanges = imported(pcap(tmp_path / "x.pcap", wire.packets))
    assert [exchange.answer.status for exchange in exchanges] == [200, None]
    assert run.tally.counts == {Note.UNANSWERED: 1}
    file = pcap(tmp_path / "y.pcap", wire.packets)
    file.write_bytes(file.read_bytes()[:-10])
    assert imported(file)[0].tally.counts[Note.BROKEN] == 1


def test_connections_across_each_other_and_the_same_ports_again(tmp_path: Path) -> None:
    first, second = Wire().open().up(request(1)), Wire(("192.0.2.8", 50123)).open().up(request(3)).down(answer(4))
    second.packets = [(time + 0.5, data) for time, data in second.packets]
    first.now += 1
    first.down(answer(2)).close()
    again = Wire(first=77)
    again.now = first.now + 1
    again.open().up(request(5)).down(answer(6))
    packets = sorted(first.packets + second.packets) + again.packets
    assert numbers(imported(pcap(tmp_path / "x.pcap", packets))[1]) == [("1", "2"), ("3", "4"), ("5", "6")]


def test_what_is_encrypted_or_not_ours_is_said(tmp_path: Path) -> None:
    tls = Wire().open().up(b"\x16\x03\x01\x02\x00\x01" + b"x" * 100).down(b"\x16\x03\x03" + b"y" * 50)
    other = Wire(("192.0.2.9", 4000)).open().up(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").down(answer(1))
    two = Wire(("192.0.2.9", 4001)).open().up(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    run, exchanges = imported(pcap(tmp_path / "x.pcap", tls.packets + other.packets + two.packets))
    assert exchanges == []
    assert run.tally.counts == {Note.OTHER: 1, Note.ENCRYPTED: 1, Note.HTTP2: 1}
    assert run.tally.first[Note.ENCRYPTED].endswith("192.0.2.7:50123 to 192.0.2.1:8080")


@pytest.mark.parametrize("order", "<>")
def test_pcapng_with_two_interfaces(order: str, tmp_path: Path) -> None:
    """dpkt reads the first interface alone; here the second has another kind of link, and counts nanoseconds."""

    def block(kind: int, body: bytes) -> bytes:
        body += b"\0" * (-len(body) % 4)
        return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)

    def packet(interface: int, count: int, data: bytes) -> bytes:
        head = struct.pack(f"{order}IIIII", interface, count >> 32, count & 0xFFFFFFFF, len(data), len(data))
        return block(6, head + data)

    resolution = struct.pack(f"{order}HHB3xHH", 9, 1, 9, 0, 0)
    up, down = Wire().up(request(1)), Wire(frame=bare).down(answer(2))
    (tmp_path / "x.pcapng").write_bytes(
        block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
        + block(1, struct.pack(f"{order}HHI", 1, 0, 65535))
        + block(1, struct.pack(f"{order}HHI", 101, 0, 0) + resolution)
        + block(5, b"statistics") + packet(0, int(NOON * 10**6), up.packets[0][1])
        + packet(1, int(NOON + 2) * 10**9 + 250_000_000, down.packets[0][1])
    )
    run, (exchange,) = imported(tmp_path / "x.pcapng")
    assert numbers([exchange]) == [("1", "2")]
    assert (exchange.time.timestamp(), exchange.answer.seconds) == (NOON, 2.25)
    assert run.tally.counts == {}


def test_pcapng_of_another_program(tmp_path: Path) -> None:
    wire = Wire().open().up(request(1)).down(answer(2))
    with (tmp_path / "x.pcapng").open("wb") as file:
        writer = dpkt.pcapng.Writer(file)
        for time, data in wire.packets:
            writer.writepkt(data, time)
    assert numbers(imported(tmp_path / "x.pcapng")[1]) == [("1", "2")]


@pytest.mark.parametrize("data", [
    b"\xd4\xc3\xb2\xa1", b"\xd4\xc3\xb2\xa1" + b"\0" * 20 + b"\xff" * 16, b"\x0a\x0d\x0d\x0a123",
])
def test_captures_that_are_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pcap").write_bytes(data)
    with pytest.raises(SessionError, match="at byte"):
        imported(tmp_path / "x.pcap")


@settings(max_examples=200)
@given(st.binary(min_size=1, max_size=300), st.randoms(use_true_random=False), st.integers(0, 2**32 - 1))
def test_a_stream_is_the_bytes_that_were_sent(data: bytes, chance: random.Random, first: int) -> None:
    """However it is cut, doubled and mixed, with pieces that overlap."""
    pieces = [(at, data[at : at + 1 + chance.randrange(40)]) for at in range(0, len(data), 1 + chance.randrange(10))]
    pieces += [(at, data[at : at + 1]) for at in range(len(data))]
    chance.shuffle(pieces)
    stream = Stream()
    stream.opened((first - 1) % 2**32)
    now = datetime(2026, 11, 21)
    found = [piece for at, part in pieces for piece in stream.add(now, (first + at) % 2**32, part)]
    found += stream.finish()
    assert b"".join(piece.data for piece in found) == data
    assert not any(piece.lost for piece in found)

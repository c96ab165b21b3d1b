"""Frames -> segments of TCP. Ethernet with VLAN tags, Linux' cooked frames, loopback and bare IP; IPv4 and IPv6."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from struct import error, unpack_from

_IPV4, _IPV6 = 0x0800, 0x86DD
_VLAN = frozenset({0x8100, 0x88A8, 0x9100})
_PPPOE = 0x8864
_TCP = 6
#: Extension headers of IPv6 that may stand before TCP, and the one of fragments.
_EXTENSIONS = frozenset({0, 43, 60, 135})
_FRAGMENT = 44
FIN, SYN, RST = 0x01, 0x02, 0x04


@dataclass(frozen=True, slots=True)
class Segment:
    """`source` and `target` are (address, port). `data` may be less than what was sent: it is what was kept."""

    source: tuple[bytes, int]
    target: tuple[bytes, int]
    sequence: int
    flags: int
    data: bytes


def segment_of(link: int, frame: bytes) -> Segment | None:
    """None for anything that is no whole TCP header."""
    unpack = _LINKS.get(link)
    if unpack is None:
        return None
    try:
        return unpack(frame)
    except (error, IndexError):  # ends early
        return None


def known_link(link: int) -> bool:
    return link in _LINKS


def _ethernet(frame: bytes) -> Segment | None:
    return _typed(frame, 12)


def _typed(frame: bytes, at: int) -> Segment | None:
    """An EtherType stands at `at`."""
    (kind,) = unpack_from(">H", frame, at)
    at += 2
    while kind in _VLAN:
        (kind,) = unpack_from(">H", frame, at + 2)
        at += 4
    if kind == _PPPOE:
        return _ip(frame[at + 8 :])
    return _ip(frame[at:]) if kind in (_IPV4, _IPV6) else None


def _cooked(frame: bytes) -> Segment | None:
    return _typed(frame, 14)


def _cooked2(frame: bytes) -> Segment | None:
    (kind,) = unpack_from(">H", frame)
    return _ip(frame[20:]) if kind in (_IPV4, _IPV6) else None


def _loopback(frame: bytes) -> Segment | None:
    return _ip(frame[4:])


def _ip(packet: bytes) -> Segment | None:
    version = packet[0] >> 4
    return _ipv4(packet) if version == 4 else _ipv6(packet) if version == 6 else None


def _ipv4(packet: bytes) -> Segment | None:
    header = (packet[0] & 0x0F) * 4
    total, fragment = unpack_from(">H2xH", packet, 2)
    if packet[9] != _TCP or header < 20 or fragment & 0x3FFF:  # a fragment has no header that counts
        return None
    # Offloading leaves the length 0.
    return _tcp(packet, header, total or len(packet), packet[12:16], packet[16:20])


def _ipv6(packet: bytes) -> Segment | None:
    length, kind = unpack_from(">HB", packet, 4)
    at = 40
    while kind in _EXTENSIONS:
        kind, size = packet[at], packet[at + 1]
        at += 8 + size * 8
    if kind == _FRAGMENT:
        kind, (rest,) = packet[at], unpack_from(">H", packet, at + 2)
        at += 8
        if rest & 0xFFF9:
            return None
    if kind != _TCP:
        return None
    return _tcp(packet, at, 40 + length if length else len(packet), packet[8:24], packet[24:40])


def _tcp(packet: bytes, at: int, end: int, source: bytes, target: bytes) -> Segment | None:
    from_port, to_port, sequence, _, offset, flags = unpack_from(">HHIIBB", packet, at)
    begin = at + (offset >> 4) * 4
    if begin < at + 20 or begin > end:
        return None
    return Segment((source, from_port), (target, to_port), sequence, flags, packet[begin:end])


def shown(address: tuple[bytes, int]) -> str:
    name = str(ip_address(address[0]))
    return f"[{name}]:{address[1]}" if ":" in name else f"{name}:{address[1]}"


#: Kinds of links by number, https://www.tcpdump.org/linktypes.html.
_LINKS: dict[int, Callable[[bytes], Segment | None]] = {
    0: _loopback, 1: _ethernet, 12: _ip, 14: _ip, 101: _ip, 108: _loopback, 113: _cooked, 228: _ip, 229: _ip,
    276: _cooked2,
}

"""Pictures made of numbers: portraits for the address list, a plan, a photograph of sorts, a one-page PDF.

They are drawn, not stored, so that the package has no binary files; the same input gives the same bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from hashlib import sha256

Colour = tuple[int, int, int]

#: Pixels on a side. A portrait is about 1 KB then, well below what a device may ask at most for.
PORTRAIT = 96


def png(width: int, height: int, colour_at: Callable[[int, int], Colour]) -> bytes:
    """An RGB image."""
    rows = b"".join(
        b"\0" + b"".join(bytes(colour_at(x, y)) for x in range(width)) for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def portrait(name: str) -> bytes:
    """Head and shoulders before a wall, in colours that come from the name."""
    seed = sha256(name.encode()).digest()
    wall = (120 + seed[0] % 110, 130 + seed[1] % 100, 140 + seed[2] % 100)
    skin = [(241, 205, 175), (224, 172, 130), (160, 110, 80), (110, 74, 52)][seed[3] % 4]
    hair = [(60, 40, 30), (30, 26, 24), (170, 130, 70), (120, 120, 125), (110, 60, 35)][seed[4] % 5]
    shirt = (40 + seed[5] % 140, 50 + seed[6] % 130, 60 + seed[7] % 140)
    long_hair = bool(seed[8] % 2)

    def colour_at(x: int, y: int) -> Colour:
        dx, dy = x - 48, y - 42
        if dx * dx * 4 + dy * dy * 3 < 1600:
            fringe = dy < -12
            return hair if fringe else skin
        if dx * dx * 3 + (dy + 4) * (dy + 4) * 2 < 1500 or (long_hair and abs(dx) < 25 and -10 < dy < 24):
            return hair
        if y > 66 and dx * dx + (y - 108) * (y - 108) < 1900:
            return shirt
        if y > 58 and abs(dx) < 9:
            return skin
        return wall

    return png(PORTRAIT, PORTRAIT, colour_at)


def floor_plan() -> bytes:
    """Rooms as a carpenter would sketch them."""
    walls = {(x, y) for x in range(240) for y in (8, 9, 150, 151)}
    walls |= {(x, y) for y in range(8, 152) for x in (4, 5, 234, 235)}
    walls |= {(120, y) for y in range(8, 100)} | {(x, 100) for x in range(4, 90)} | {(x, 70) for x in range(150, 236)}

    def colour_at(x: int, y: int) -> Colour:
        if (x, y) in walls:
            return (40, 44, 60)
        return (222, 228, 236) if x % 20 == 0 or y % 20 == 0 else (250, 250, 246)

    return png(240, 160, colour_at)


def wood_sample(seed: int) -> bytes:
    """The grain of a board."""

    def colour_at(x: int, y: int) -> Colour:
        grain = ((x * 7 + (y * y) // (60 + seed) + seed * 31) % 37) // 4
        return (176 - grain * 5, 128 - grain * 5, 82 - grain * 4)

    return png(160, 100, colour_at)


def pdf(title: str, lines: list[str]) -> bytes:
    """A page of text, in ASCII."""

    def escaped(text: str) -> str:
        return text.encode("ascii", "replace").decode().replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")

    shown = "".join(f"({escaped(line)}) Tj T*\n" for line in lines)
    text = f"BT /F1 18 Tf 60 770 Td ({escaped(title)}) Tj /F1 11 Tf 16 TL 0 -32 Td\n{shown}ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        "/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        f"<< /Length {len(text)} >>\nstream\n{text}\nendstream",
    ]
    out, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{out.index('xref')}\n%%EOF\n"
    return out.encode("ascii")

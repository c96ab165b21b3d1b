"""GlobalObjId <-> the UID of a calendar object. [MS-ASEMAIL] GlobalObjId R121, R20000-R20022; the conversion is that of
"Determining Whether a Meeting Request Corresponds to an Existing Calendar Object" R23-R30, R1009.

Outlook's own UIDs are such an id in hexadecimal; those of all other programs are wrapped in one as "vCal-Uid".
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

CLASS_ID = bytes.fromhex("040000008200E00074C5B7101A82E008")
_MARK, _VERSION = b"vCal-Uid", b"\x01\0\0\0"
#: Offsets: the date of an instance, the length of the data, the data; and what wraps a UID in the data.
_DATE, _LENGTH, _DATA = 16, 36, 40
_WRAPPING = len(_MARK) + len(_VERSION) + 1


def of_uid(uid: str, instance: datetime | None = None) -> str:
    """Base64 of the id of a meeting, or of one instance of a series (by the date on its clock)."""
    packed = _outlook(uid)
    if packed is None:
        data = _MARK + _VERSION + uid.encode("utf-8", "replace") + b"\0"
        packed = CLASS_ID + bytes(20) + len(data).to_bytes(4, "little") + data
    date = bytes(4)
    if instance is not None:
        date = instance.year.to_bytes(2, "big") + bytes((instance.month, instance.day))
    return base64.b64encode(packed[:_DATE] + date + packed[_DATE + 4 :]).decode()


def to_uid(text: str) -> str | None:
    """The UID that a GlobalObjId means; None if it is not base64."""
    try:
        packed = base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        return None
    return _uid(packed)


def plain_uid(uid: str) -> str:
    """The UID that is wrapped in `uid`, if that is the hexadecimal form of a GlobalObjId; else `uid` itself.

    Phones that put an invitation into the calendar before the server does take that form: one meeting, one UID.
    """
    packed = _outlook(uid)
    return uid if packed is None else _uid(packed)


def _outlook(uid: str) -> bytes | None:
    """The octets of an Outlook UID in hexadecimal."""
    if len(uid) < 2 * _DATA or uid[: 2 * len(CLASS_ID)].upper() != CLASS_ID.hex().upper():
        return None
    try:
        return bytes.fromhex(uid)
    except ValueError:
        return None


def _uid(packed: bytes) -> str:
    length = int.from_bytes(packed[_LENGTH:_DATA], "little")
    outlook = (
        len(packed) < _DATA + _WRAPPING
        or packed[_DATA : _DATA + len(_MARK)] != _MARK
        or not _WRAPPING <= length <= len(packed) - _DATA
    )
    if outlook:
        return (packed[:_DATE] + bytes(len(packed[_DATE : _DATE + 4])) + packed[_DATE + 4 :]).hex().upper()
    start = _DATA + len(_MARK) + len(_VERSION)
    return packed[start : start + length - _WRAPPING].decode("utf-8", "replace")

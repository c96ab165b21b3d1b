"""What SOGo keeps: a table for each user (`sogo_cache_folder_<user>`), or one for all with the user in each row
(`sogo_cache_folder`), with a row for each device and one for each of its folders. Which phone it is, its policy and
wipes are not kept there. docs/move-in.md has the form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .dump import DumpError, Row, rows
from .found import Found, Reading, earliest, latest, moment_of, number_of, text_of

TABLE = "sogo_cache_folder"
#: `c_type` of what ActiveSync keeps: of a device, of a folder. Others are those of another protocol.
_TYPES = (200, 201)
#: What stands in a table's name for a character of the user's; a hyphen becomes a low line after that.
_ESCAPES = {
    "_": "_U_", ".": "_D_", "#": "_H_", "@": "_A_", "*": "_S_", ":": "_C_", ";": "_SC_", ",": "_CO_", " ": "_SP_",
    "'": "_SQ_", '"': "_DQ_", "(": "_LP_", ")": "_RP_", "[": "_LS_", "]": "_RS_", "{": "_LC_", "}": "_RC_",
    "&": "_AM_", "+": "_P_", "$": "_DS_",
}  # fmt: skip


def escaped(name: str) -> str:
    """As a user's name stands in the name of a table, in small letters."""
    before = "_" if name[:1].isdecimal() else ""
    return (before + "".join(_ESCAPES.get(letter, letter) for letter in name)).replace("-", "_").lower()


def read(path: Path) -> Reading:
    """Raises DumpError, OSError."""
    found: dict[tuple[str, str], Found] = {}
    known = False
    for table, row in rows(path, lambda name: name == TABLE or name.startswith(f"{TABLE}_")):
        known = known or "c_path" in row
        device = _device(row)
        if device:
            user = text_of(row.get("c_uid")) or table.removeprefix(f"{TABLE}_")
            bare = Found(names=(user,), device=device, escaped="c_uid" not in row)
            found[user, device] = _also(found.get((user, device), bare), row)
    if not known:
        raise DumpError(f"{path}: no table {TABLE} with a row in it")
    return Reading(found=list(found.values()))


def _device(row: Row) -> str:
    """Of `/<device>`, or `/<device>+<folder>`; "" for what is deleted or of another protocol."""
    if number_of(row.get("c_type")) not in _TYPES or number_of(row.get("c_deleted")) == 1:
        return ""
    path = text_of(row.get("c_path"))
    return path[1:].partition("+")[0] if path.startswith("/") else ""


def _also(found: Found, row: Row) -> Found:
    return replace(
        found, first_seen=earliest(found.first_seen, moment_of(row.get("c_creationdate"))),
        last_seen=latest(found.last_seen, moment_of(row.get("c_lastmodified"))),
    )

"""The query of a request: who asks, from which device, for which command. [MS-ASHTTP] Request Line.

There are two forms, and devices use both: plain text (`Cmd=Sync&User=...`), whose version and policy key stand in
headers, and one base64 token with everything in it. `parse` reads either, `complete` adds the headers of the plain
form, `plain` and `encode_base64` write. What a device sends is taken generously where its meaning is plain (order,
case of names, alphabet and padding of the base64), and refused with QueryError where it is not.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from struct import pack, unpack
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from .statuses import CommonStatus
from .version import COMMON_STATUS, Version

#: [MS-ASHTTP] Command Codes R58-R78. 5 to 8 are not assigned; 23 is what Microsoft's own test client sends for Find.
COMMAND_OF_CODE: dict[int, str] = {
    0: "Sync",
    1: "SendMail",
    2: "SmartForward",
    3: "SmartReply",
    4: "GetAttachment",
    9: "FolderSync",
    10: "FolderCreate",
    11: "FolderDelete",
    12: "FolderUpdate",
    13: "MoveItems",
    14: "GetItemEstimate",
    15: "MeetingResponse",
    16: "Search",
    17: "Settings",
    18: "Ping",
    19: "ItemOperations",
    20: "Provision",
    21: "ResolveRecipients",
    22: "ValidateCert",
    23: "Find",
}
CODE_OF_COMMAND: dict[str, int] = {command: code for code, command in COMMAND_OF_CODE.items()}
#: GetHierarchy has no code: it can be asked for in plain text only.
COMMANDS: tuple[str, ...] = (*CODE_OF_COMMAND, "GetHierarchy")
#: What is answered where a device asks for it, but what no device shall be led to ask for.
UNOFFERED: tuple[str, ...] = ("Notify",)

#: Parameter tag of the base64 form -> name in the plain form. [MS-ASHTTP] Command Parameters R81-R86, R510.
PARAMETER_OF_TAG: dict[int, str] = {
    0: "AttachmentName",
    1: "CollectionId",
    3: "ItemId",
    4: "LongId",
    6: "Occurrence",
    8: "User",
}
#: The tag whose value is a byte of flags. R85.
OPTIONS = 7
SAVE_IN_SENT, ACCEPT_MULTI_PART = 0x01, 0x02  # R92, R94

#: Name of a parameter -> field of Query.
FIELD_OF_PARAMETER: dict[str, str] = {
    "AttachmentName": "attachment_name",
    "CollectionId": "collection_id",
    "ItemId": "item_id",
    "LongId": "long_id",
    "Occurrence": "occurrence",
    "User": "user",
}

#: Bytes. The longest in use is a LongId of some hundred bytes; web servers in front allow 8 KiB for the whole line.
MAX_QUERY = 8192
#: Characters. [MS-ASHTTP] Plain Text Query Value R98; longer ones have an invalid format ([MS-ASCMD] R4828, R4830).
MAX_DEVICE_TYPE = 32
MAX_DEVICE_ID_TEXT = 32
#: As which 32 bytes that are no text are known.
MAX_DEVICE_ID = 64
#: [MS-LCID] of en-US, which is what a writer without a locale sends.
EN_US = 0x0409

#: R98 wants letters and digits. GUIDs in braces, MAC addresses and dotted names have been seen.
_DEVICE_ID = re.compile(r"[0-9A-Za-z._:{}-]+")
#: What may be longer: a GUID, and the hex digits of bytes.
_LONG_ID = re.compile(r"\{?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?|(?:[0-9A-F]{2}){17,32}")
_NAMES = {name.lower() for name in (*FIELD_OF_PARAMETER, "Cmd", "DeviceId", "DeviceType", "SaveInSent", "PolicyKey")}
_COMMAND_OF_LOWER = {command.lower(): command for command in (*COMMANDS, *UNOFFERED)}


class Reason(Enum):
    """What is wrong with a query."""

    MALFORMED = "malformed"
    VERSION = "version"
    COMMAND = "command"
    DEVICE_ID = "device id"
    DEVICE_TYPE = "device type"


#: The common status that says so to a device that speaks 14.0 or later.
STATUS_OF_REASON: dict[Reason, CommonStatus] = {
    Reason.MALFORMED: CommonStatus.INVALID_CONTENT,
    Reason.VERSION: CommonStatus.VERSION_NOT_SUPPORTED,
    Reason.COMMAND: CommonStatus.COMMAND_NOT_SUPPORTED,
    Reason.DEVICE_ID: CommonStatus.DEVICE_ID_MISSING_OR_INVALID,
    Reason.DEVICE_TYPE: CommonStatus.DEVICE_TYPE_MISSING_OR_INVALID,
}


class QueryError(ValueError):
    """The query is not usable. `command` and `version` say what could be read before the fault, for the answer."""

    def __init__(self, reason: Reason, message: str, *, command: str = "", version: Version | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.command = command
        self.version = version

    @property
    def status(self) -> CommonStatus:
        return STATUS_OF_REASON[self.reason]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A request line, and the headers that the plain form needs beside it.

    `version`, `policy_key` and `locale` (an [MS-LCID] number) are None where they are not stated; a policy key of 0 is
    stated. `user` is what the device puts there for the log, and proves nothing; Nokia's N900 leaves it out. `encoded`
    tells the base64 form. `device_type` is "" where a plain query leaves it out, which a device that is known by its id
    may do up to 12.1 (see `complete`); Status 109 is for later versions.
    """

    command: str
    device_id: str
    device_type: str
    user: str = ""
    version: Version | None = None
    policy_key: int | None = None
    locale: int | None = None
    attachment_name: str | None = None
    collection_id: str | None = None
    item_id: str | None = None
    long_id: str | None = None
    occurrence: str | None = None
    save_in_sent: bool = False
    accept_multipart: bool = False
    encoded: bool = False


def parse(query: str | bytes) -> Query:
    """Read what follows the `?`, still percent-encoded. Raises QueryError, and nothing else."""
    raw = query.encode("utf-8", "surrogatepass") if isinstance(query, str) else query
    if len(raw) > MAX_QUERY:
        raise QueryError(Reason.MALFORMED, f"query of {len(raw)} bytes")
    stated: dict[str, str] = {}
    for part in raw.split(b"&"):
        name, equals, value = part.partition(b"=")
        key = _text(unquote_to_bytes(name)).lower()
        if equals and key in _NAMES:
            stated.setdefault(key, _text(unquote_to_bytes(value)))
    return _of_plain(stated) if stated else _of_base64(raw)


def complete(query: Query, headers: Mapping[str, str]) -> Query:
    """The query with what a plain one leaves to headers; a base64 query wins over headers. Header names in lower case.

    Raises QueryError for a version that does not exist, and for a device type that is left out where the version does
    not let it. Without a version header `version` stays None. A policy key that is no number counts as 0, a stated key
    that no policy has.
    """
    version, key = query.version, query.policy_key
    if version is None and (stated := headers.get("ms-asprotocolversion", "").strip()):
        try:
            version = Version.parse(stated)
        except ValueError as error:
            raise QueryError(Reason.VERSION, str(error), command=query.command) from None
    if key is None and (stated := headers.get("x-ms-policykey", "").strip()):
        key = _policy_key(stated)
    if not query.device_type and (version is None or version in COMMON_STATUS):
        raise QueryError(Reason.DEVICE_TYPE, "no device type", command=query.command, version=version)
    multipart = query.accept_multipart
    if not query.encoded:
        multipart = headers.get("ms-asacceptmultipart", "").strip().upper() == "T"
    return replace(query, version=version, policy_key=key, accept_multipart=multipart)


def plain(query: Query) -> str:
    """The plain form. Version, policy key and the wish for a multipart answer are headers beside it (see `http`)."""
    parts = {"Cmd": query.command, "User": query.user, "DeviceId": query.device_id, "DeviceType": query.device_type}
    parts |= {name: value for name, value in _parameters(query).items() if name != "User"}
    if query.save_in_sent:
        parts["SaveInSent"] = "T"
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parts.items())


def encode_base64(query: Query) -> str:
    """The base64 form. Raises ValueError where it cannot say it: versions below 12.1, GetHierarchy, values too long."""
    if query.version is None or query.version < Version.V12_1:
        raise ValueError("the base64 form has versions from 12.1 on")
    if query.command not in CODE_OF_COMMAND:
        raise ValueError(f"{query.command} has no code")
    key = b"" if query.policy_key is None else pack("<I", query.policy_key)
    out = pack("<BBH", query.version, CODE_OF_COMMAND[query.command], EN_US if query.locale is None else query.locale)
    out += _sized(query.device_id.encode()) + _sized(key) + _sized(query.device_type.encode())
    parameters = _parameters(query)
    for tag, name in PARAMETER_OF_TAG.items():
        if name in parameters:
            out += bytes([tag]) + _sized(parameters[name].encode())
    flags = SAVE_IN_SENT * query.save_in_sent | ACCEPT_MULTI_PART * query.accept_multipart
    if flags:
        out += bytes([OPTIONS]) + _sized(bytes([flags]))
    return b64encode(out).decode()


def _parameters(query: Query) -> dict[str, str]:
    """The parameters that are stated, an empty user counting as not."""
    values = {name: getattr(query, field) for name, field in FIELD_OF_PARAMETER.items()}
    return {name: value for name, value in values.items() if value or (value is not None and name != "User")}


def _sized(value: bytes) -> bytes:
    if len(value) > 0xFF:
        raise ValueError(f"{len(value)} bytes do not fit into a field of the base64 form")
    return bytes([len(value)]) + value


def _text(raw: bytes) -> str:
    """UTF-8, else ISO-8859-1, in which any bytes are text."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _policy_key(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0
    return number if number <= 0xFFFFFFFF else 0


def _of_plain(stated: Mapping[str, str]) -> Query:
    """A query from its parameters by name in lower case. [MS-ASHTTP] Plain Text Query Value."""
    name = stated.get("cmd", "")
    command = _COMMAND_OF_LOWER.get(name.lower())
    if command is None:
        raise QueryError(Reason.COMMAND, f"no command {name[:32]!r}")
    return _query(
        command,
        None,
        stated.get("deviceid", ""),
        stated.get("devicetype", ""),
        {parameter: stated[parameter.lower()] for parameter in FIELD_OF_PARAMETER if parameter.lower() in stated},
        # A client that ends its provisioning with the key in the URL is known (pyactivesync).
        policy_key=_policy_key(stated["policykey"]) if "policykey" in stated else None,
        save_in_sent=stated.get("saveinsent", "").upper() == "T",
    )


class _Fields:
    """The bytes of a base64 query, taken from the front."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def take(self, size: int) -> bytes:
        if size > len(self.left):
            raise QueryError(Reason.MALFORMED, "base64 query ends early")
        taken, self.left = self.left[:size], self.left[size:]
        return taken

    def sized(self) -> bytes:
        return self.take(self.take(1)[0])


def _of_base64(raw: bytes) -> Query:
    """A query from its token. [MS-ASHTTP] Base64 Encoded Query Value R23-R54."""
    fields = _Fields(_bytes_of(raw))
    number, code, locale = unpack("<BBH", fields.take(4))
    try:
        version = Version(number)
    except ValueError:
        raise QueryError(Reason.VERSION, f"no protocol version {number}") from None
    command = COMMAND_OF_CODE.get(code)
    if command is None:
        raise QueryError(Reason.COMMAND, f"no command has the code {code}", version=version)
    try:
        device_id, key, device_type = fields.sized(), fields.sized(), fields.sized()
        if len(key) not in (0, 4):
            raise QueryError(Reason.MALFORMED, f"policy key of {len(key)} bytes")  # R38
        parameters: dict[str, str] = {}
        flags = 0
        while fields.left:
            tag, value = fields.take(1)[0], fields.sized()
            if tag in PARAMETER_OF_TAG:
                parameters.setdefault(PARAMETER_OF_TAG[tag], _text(value))
            elif tag == OPTIONS and value:
                flags = value[0]
    except QueryError as error:
        raise QueryError(error.reason, str(error), command=command, version=version) from None
    if not device_type:
        raise QueryError(Reason.DEVICE_TYPE, "no device type", command=command, version=version)
    return _query(
        command,
        version,
        _device_id(device_id),
        _text(device_type),
        parameters,
        policy_key=unpack("<I", key)[0] if key else None,
        locale=locale,
        save_in_sent=bool(flags & SAVE_IN_SENT),
        accept_multipart=bool(flags & ACCEPT_MULTI_PART),
        encoded=True,
    )


def _bytes_of(token: bytes) -> bytes:
    """Base64 in the standard or the URL-safe alphabet, with or without padding, percent-encoded or not."""
    plain_token = unquote_to_bytes(token).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return b64decode(plain_token + b"=" * (-len(plain_token) % 4), validate=True)
    except ValueError:
        raise QueryError(Reason.MALFORMED, "neither parameters nor base64") from None


def _device_id(raw: bytes) -> str:
    """A device id in the base64 form is text, or the bytes of a GUID (R34), which become hex digits: capitals, as
    Windows Phone 8 writes the same id in its OPTIONS."""
    text = raw.decode("latin-1")
    return text if _DEVICE_ID.fullmatch(text) else raw.hex().upper()


def _query(
    command: str,
    version: Version | None,
    device_id: str,
    device_type: str,
    parameters: Mapping[str, str],
    **others: Any,
) -> Query:
    """A Query whose device has a valid id, and a valid type if one is stated."""
    if not (_LONG_ID if len(device_id) > MAX_DEVICE_ID_TEXT else _DEVICE_ID).fullmatch(device_id):
        shown = device_id[: MAX_DEVICE_ID + 1]
        raise QueryError(Reason.DEVICE_ID, f"not a device id: {shown!r}", command=command, version=version)
    if not device_type.isprintable() or len(device_type) > MAX_DEVICE_TYPE:
        shown = device_type[: MAX_DEVICE_TYPE + 1]
        raise QueryError(Reason.DEVICE_TYPE, f"not a device type: {shown!r}", command=command, version=version)
    values: dict[str, Any] = {FIELD_OF_PARAMETER[name]: value for name, value in parameters.items()}
    # The user is for the log (R485): nothing in it may look like another line.
    values["user"] = "".join(filter(str.isprintable, values.get("user", "")))
    return Query(command=command, version=version, device_id=device_id, device_type=device_type, **values, **others)

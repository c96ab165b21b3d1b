"""What ActiveSync says in HTTP beside the query: headers, content types, multipart bodies, credentials. [MS-ASHTTP].

Pure functions over values; which server or client carries them is not known here.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import Struct

from .query import Query
from .version import Version

PATH = "/Microsoft-Server-ActiveSync"

# Headers of requests. [MS-ASHTTP] Request Headers.
PROTOCOL_VERSION = "MS-ASProtocolVersion"
ACCEPT_MULTIPART = "MS-ASAcceptMultiPart"
POLICY_KEY = "X-MS-PolicyKey"

# Headers of answers. [MS-ASHTTP] Response Headers.
PROTOCOL_VERSIONS = "MS-ASProtocolVersions"
PROTOCOL_COMMANDS = "MS-ASProtocolCommands"
SERVER_ACTIVESYNC = "MS-Server-ActiveSync"
RESYNCHRONIZE = "X-MS-RP"
LOCATION = "X-MS-Location"
THROTTLE = "X-MS-ASThrottle"
#: Both spellings stand in the specification: with "s" in R705, without in R808.
CREDENTIALS_EXPIRE = "X-MS-Credentials-Expire"
CREDENTIAL_SERVICE_URL = "X-MS-Credential-Service-Url"

WBXML = "application/vnd.ms-sync.wbxml"
#: The shortened string that clients may send for it. R438.
WBXML_SHORT = "application/vnd.ms-sync"
MULTIPART = "application/vnd.ms-sync.multipart"
#: The body of SendMail, SmartForward and SmartReply up to 12.1.
MIME = "message/rfc822"


def media_type(content_type: str) -> str:
    """The bare type of a Content-Type header, in lower case: "application/vnd.ms-sync" of whatever parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_wbxml(content_type: str) -> bool:
    """Whether a request body of this type is WBXML. R143, R438."""
    return media_type(content_type) in (WBXML, WBXML_SHORT)


# Headers ------------------------------------------------------------------------------------------------------------


def options_headers(versions: Iterable[Version], commands: Iterable[str], server: str) -> dict[str, str]:
    """The headers of an OPTIONS answer, whose body is empty. [MS-ASHTTP] HTTP OPTIONS Response R244-R249.

    `server` is the free text of MS-Server-ActiveSync; clients take a version number from it as a hint.
    """
    return {
        "Allow": "OPTIONS,POST",
        "Public": "OPTIONS,POST",
        **_offer(versions, commands),
        SERVER_ACTIVESYNC: server,
        "Cache-Control": "private",
        "Content-Length": "0",
    }


def answer_headers(length: int, server: str, content_type: str = WBXML) -> dict[str, str]:
    """The headers of the answer to a command. An empty body has no type. R199, R212, R219."""
    headers = {SERVER_ACTIVESYNC: server, "Cache-Control": "private", "Content-Length": str(length)}
    if length:
        headers["Content-Type"] = content_type
    return headers


def resynchronize_headers(versions: Iterable[Version], commands: Iterable[str]) -> dict[str, str]:
    """What the answer to a FolderSync with key 0 has besides. R227, R707-R800.

    Elsewhere X-MS-RP makes a client throw away all that it has (R226): not for anything but the first FolderSync.
    """
    offer = _offer(versions, commands)
    return {**offer, RESYNCHRONIZE: offer[PROTOCOL_VERSIONS]}


def request_headers(query: Query) -> dict[str, str]:
    """What a request with the plain form of the query must say in headers; nothing for the base64 form."""
    headers: dict[str, str] = {}
    if query.encoded:
        return headers
    if query.version is not None:
        headers[PROTOCOL_VERSION] = query.version.text
    if query.policy_key is not None:
        headers[POLICY_KEY] = str(query.policy_key)
    if query.accept_multipart:
        headers[ACCEPT_MULTIPART] = "T"
    return headers


def _offer(versions: Iterable[Version], commands: Iterable[str]) -> dict[str, str]:
    """Versions in ascending order: some clients take the last one (Firefox OS), the others look for the highest."""
    return {
        PROTOCOL_VERSIONS: ",".join(version.text for version in sorted(versions)),
        PROTOCOL_COMMANDS: ",".join(commands),
    }


# Multipart bodies ---------------------------------------------------------------------------------------------------

_COUNT = Struct("<i")
_PART = Struct("<ii")  # offset from the beginning of the body, length
_MAX_INT = 0x7FFFFFFF


class MultipartError(ValueError):
    """The bytes are not a MultiPartResponse."""


def multipart(parts: Sequence[bytes]) -> bytes:
    """A body of parts, the WBXML document first. [MS-ASCMD] MultiPartResponse R5508-R5517.

    Raises ValueError where the whole is longer than its own 32-bit offsets reach.
    """
    return b"".join([multipart_head([len(part) for part in parts]), *parts])


def multipart_head(lengths: Sequence[int]) -> bytes:
    """What stands before parts of such lengths. Raises ValueError as `multipart`."""
    offset = _COUNT.size + _PART.size * len(lengths)
    if offset + sum(lengths) > _MAX_INT:
        raise ValueError("parts of more than 2 GiB")
    head = [_COUNT.pack(len(lengths))]
    for length in lengths:
        head.append(_PART.pack(offset, length))
        offset += length
    return b"".join(head)


def parts_of(body: bytes) -> tuple[bytes, ...]:
    """The parts of a multipart body. Raises MultipartError; together they are never longer than the body."""
    if len(body) < _COUNT.size:
        raise MultipartError("no number of parts")
    (count,) = _COUNT.unpack_from(body)
    start = _COUNT.size + _PART.size * count
    if count < 0 or start > len(body):
        raise MultipartError(f"{count} parts in {len(body)} bytes")
    spans = list(_PART.iter_unpack(body[_COUNT.size : start]))
    for offset, length in spans:
        if offset < start or length < 0 or offset + length > len(body):
            raise MultipartError(f"part of {length} bytes at {offset} in {len(body)} bytes")
    if sum(length for _, length in spans) > len(body) - start:
        raise MultipartError("parts that share bytes")
    return tuple(body[offset : offset + length] for offset, length in spans)


# Credentials --------------------------------------------------------------------------------------------------------


def basic_credentials(header: str) -> tuple[str, str] | None:
    """Login and password of an Authorization header; None if it is another scheme or not well-formed. RFC 7617.

    Clients write UTF-8 or (Outlook) ISO-8859-1 without saying which: what is not the one is the other. The login is
    as it was typed, for `login`.
    """
    scheme, _, token = header.strip().partition(" ")
    token = token.strip().rstrip("=")
    if scheme.lower() != "basic" or not token.isascii():
        return None
    try:
        raw = b64decode(token + "=" * (-len(token) % 4), validate=True)
    except Base64Error:
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    user, colon, password = text.partition(":")
    if not colon or any(character < " " or character == "\x7f" for character in text):
        return None
    return user, password


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in: `domain` is what stood after an @ (then `is_address`), else before a backslash, else ""."""

    name: str
    domain: str = ""
    is_address: bool = False


def login(text: str) -> Login:
    """A login in any of its forms: `user`, `user@domain`, `DOMAIN\\user`, `defaultcontext\\user`, `\\user`.

    Blanks around the parts go: Nokia's client sends a blank for an empty domain, keyboards add one at the end. Of
    `DOMAIN\\user@domain` the address counts. The name is "" where there is none.
    """
    before, backslash, after = text.strip().partition("\\")
    context, typed = (before.strip(), after.strip()) if backslash else ("", before)
    name, at, domain = typed.rpartition("@")
    if at:
        return Login(name.strip(), domain.strip(), is_address=True)
    return Login(typed, context)

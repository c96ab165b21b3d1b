"""What stands around a body: the target, headers, the head of the file."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from struct import pack
from urllib.parse import quote, unquote

from eas.protocol import query as queries
from eas.replay.format import model
from eas.replay.format.model import Headers, Meta

from . import units
from .prose import Prose

_KEPT_NAMES = """
    accept accept-charset accept-encoding accept-language allow authorization cache-control connection content-encoding
    content-language content-length cookie date etag keep-alive ms-asacceptmultipart ms-asprotocolcommands
    ms-asprotocolversion ms-asprotocolversions ms-server-activesync ms-asprotocolrevisions pragma proxy-authorization
    public retry-after server set-cookie strict-transport-security transfer-encoding upgrade-insecure-requests
    user-agent vary x-aspnet-version x-content-type-options x-frame-options x-ms-asthrottle x-ms-credentials-expire
    x-ms-policykey x-ms-rp x-ms-wl x-powered-by x-xss-protection
"""
#: Headers that say nothing of people, in lower case: they stay.
_KEPT = frozenset(_KEPT_NAMES.split())
#: Those with numbers of versions, which look like IP addresses.
_VERSIONS = frozenset({"ms-server-activesync", "user-agent", "server", "x-powered-by", "x-aspnet-version"})
_URLS = frozenset({"location", "content-location", "origin", "referer", "x-ms-location", "x-ms-credential-service-url"})
_DATES = frozenset({"expires", "last-modified", "if-modified-since", "if-unmodified-since"})
_HOSTS = frozenset({"host", "x-forwarded-host", "x-feserver", "x-beserver", "x-calculatedbetarget", "x-targetserver"})
_IDS = frozenset({"request-id", "client-request-id", "x-request-id", "x-correlation-id", "x-ms-diagnostics-id"})
#: Types of content with parameters that are private: a file's name.
_TYPES = frozenset({"content-type", "content-disposition"})
_NAME_PARAMETER = re.compile(r"(?i)(;\s*(?:file)?name\*?\s*=\s*)(\"[^\"]*\"?|[^;]*)")
#: The scheme and what it protects. The name of a realm is often that of a company.
_QUOTED = re.compile(r"\"([^\"]*)\"")

#: Parameters of queries -> manner, by their names in lower case. What stands nowhere is text.
_PARAMETERS: Mapping[str, str] = {
    "cmd": "keep", "devicetype": "keep", "saveinsent": "keep", "protocol": "keep", "redirectcount": "keep",
    "policykey": "keep", "protocolversion": "keep", "locale": "keep", "acceptmultipart": "keep",
    "occurrence": "date",
    "user": "person", "deviceid": "device", "attachmentname": "id", "collectionid": "id", "itemid": "id",
    "longid": "id",
}
#: The same by the tags of the base64 form.
_MANNER_OF_TAG = {tag: _PARAMETERS.get(name.lower(), "text") for tag, name in queries.PARAMETER_OF_TAG.items()}
_TEXT_ID = re.compile(rb"[0-9A-Za-z._:{}-]+")


class Around:
    def __init__(self, prose: Prose) -> None:
        self._prose = prose
        self._manners: Mapping[str, Callable[[str], str]] = {
            "keep": prose.only_places, "id": prose.id, "date": prose.shift.text, "text": prose.text,
            "person": prose.person, "device": self.device,
        }

    # Target ----------------------------------------------------------------------------------------------------------

    def target(self, target: str) -> str:
        path, mark, query = target.partition("?")
        shown = self._prose.places.url(path) if "://" in path else self._prose.places.path(path)
        return shown + mark + (self._base64(query) or self.parameters(query))

    def parameters(self, query: str) -> str:
        return "&".join(map(self._parameter, query.split("&")))

    def _parameter(self, part: str) -> str:
        name, equals, value = part.partition("=")
        if not equals:
            return units.percent(part, self._prose.text)
        known = _PARAMETERS.get(unquote(name).lower(), "text")
        return f"{name}={units.percent(value, self._manners[known])}"

    def _base64(self, query: str) -> str:
        """The base64 form with its fields changed; "" for what is none."""
        if not query or "&" in query or "=" in query.rstrip("="):
            return ""
        try:
            queries.parse(query)
            return self._fields(query)
        except (queries.QueryError, ValueError, Base64Error, IndexError):
            return ""

    def _fields(self, query: str) -> str:
        plain = unquote(query)
        url_safe = "-" in plain or "_" in plain
        data = b64decode(plain.rstrip("=").replace("-", "+").replace("_", "/") + "=" * (-len(plain.rstrip("=")) % 4))
        fields, rest = _split(data[4:])
        made = [self._device_id(fields[0]), fields[1], fields[2]]
        out = data[:4] + b"".join(pack("B", len(field)) + field for field in made)
        for tag, value in rest:
            manner = _MANNER_OF_TAG.get(tag)
            new = value if manner is None else units.in_charset(value, "utf-8", self._manners[manner])
            out += pack("BB", tag, len(new)) + new
        text = b64encode(out).decode()
        text = text if "=" in plain else text.rstrip("=")
        text = text.replace("+", "-").replace("/", "_") if url_safe else text
        return quote(text, safe="/+=" if "%" not in query else "") if "%" in query else text

    def _device_id(self, raw: bytes) -> bytes:
        """Text, or the bytes of what is written in hex digits elsewhere."""
        if _TEXT_ID.fullmatch(raw):
            return self.device(raw.decode()).encode()
        return bytes.fromhex(self.device(raw.hex().upper()))

    def device(self, text: str) -> str:
        return text if "devices" in self._prose.keep else self._prose.words.id(text)

    # Headers ---------------------------------------------------------------------------------------------------------

    def headers(self, headers: Headers) -> Headers:
        return tuple((name, self._header(name.lower(), value)) for name, value in headers)

    def _header(self, name: str, value: str) -> str:
        prose = self._prose
        if name in _KEPT:
            return value if name in _VERSIONS else prose.only_places(value)
        if name in _URLS:
            return self.target(value)
        if name in _HOSTS:
            return prose.places.host(value)
        if name in _DATES:
            return prose.shift.text(value)
        if name in _IDS:
            return prose.id(value)
        if name in _TYPES:
            return _NAME_PARAMETER.sub(lambda found: found[1] + prose.text(found[2]), prose.only_places(value))
        if name == "www-authenticate":
            return _QUOTED.sub(lambda found: f'"{self._realm(found[1])}"', value)
        return prose.text(value)

    def _realm(self, text: str) -> str:
        return text if text.upper() == "UTF-8" else self._prose.text(text)

    # Head of the file ------------------------------------------------------------------------------------------------

    def meta(self, meta: Meta) -> Meta:
        changes: Mapping[str, Callable[[str], str]] = {
            model.DEVICE: self.device, model.USER: self._prose.person, model.STARTED: self._prose.shift.text,
            model.SERVER: self._server, model.NOTE: self._prose.text,
            model.DEVICE_TYPE: str, model.CLIENT: str, model.PROTOCOL: str, model.MASKED: str,
            model.ORIGIN: self._prose.only_places,
        }
        return Meta(tuple((name, changes.get(name, self._prose.text)(value)) for name, value in meta.fields))

    def _server(self, text: str) -> str:
        """A URL, a host, or the name of a product as its header has it."""
        made = self._prose.only_places(text)
        return made if made != text or " " in text or "." not in text else self._prose.places.host(text)


def _split(data: bytes) -> tuple[list[bytes], list[tuple[int, bytes]]]:
    """The three fields that are always there, and those with a tag."""
    fields: list[bytes] = []
    for _ in range(3):
        fields.append(data[1 : 1 + data[0]])
        data = data[1 + data[0] :]
    rest = []
    while data:
        rest.append((data[0], data[2 : 2 + data[1]]))
        data = data[2 + data[1] :]
    return fields, rest

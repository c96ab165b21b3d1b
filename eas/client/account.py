"""From what somebody types (an address and a password) to the server: Autodiscover, as phones do it.

[MS-ASCMD] Autodiscover: the mobilesync schema over XML; and the short JSON form that newer clients ask first. Places
are asked over https, and a redirect is followed only to another https address or to another mail address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import httpx
from lxml import etree

from .connection import Credentials
from .errors import BadAnswer, ClientError, LostAnswer, Unauthorised

REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006"
RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
#: Redirects to another address or server that are followed.
MAX_HOPS = 5
#: Seconds; the address of a server that does not exist is the usual case, and the next one waits.
PATIENCE_SECONDS = 20.0
#: Bytes of an answer. A real one has a thousand.
MAX_ANSWER = 256 * 1024

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """`url` is where to post commands; `address` and `name` are the user's, as the server has them."""

    url: str
    address: str
    name: str = ""


def places(address: str) -> tuple[str, ...]:
    """Where to ask, in order. Raises ValueError for what is no mail address."""
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or "/" in domain:
        raise ValueError(f"not a mail address: {address!r}")
    return tuple(f"https://{host}/autodiscover/autodiscover.xml" for host in (domain, f"autodiscover.{domain}"))


async def autodiscover(
    address: str,
    credentials: Credentials,
    *,
    urls: Sequence[str] = (),
    transport: httpx.AsyncBaseTransport | None = None,
    verify: bool = True,
) -> Discovered:
    """Ask at `urls` (else at the usual `places`), the first answer counting.

    Raises Unauthorised, and BadAnswer where nobody knows the address.
    """
    troubles: list[str] = []
    todo = list(urls or places(address))
    async with httpx.AsyncClient(transport=transport, verify=verify, timeout=PATIENCE_SECONDS) as client:
        for _ in range(MAX_HOPS + len(todo)):
            if not todo:
                break
            url = todo.pop(0)
            try:
                found = read(await _ask(client, url, address, credentials))
            except Unauthorised:
                raise
            except ClientError as error:
                troubles.append(f"{url}: {error}")
                continue
            if isinstance(found, Discovered):
                return found
            address = found
            todo = list(places(address))
    raise BadAnswer("no server was found: " + "; ".join(troubles or ["too many redirects"]))


async def _ask(client: httpx.AsyncClient, url: str, address: str, credentials: Credentials) -> bytes:
    headers = {"Content-Type": "text/xml; charset=utf-8"}
    auth = httpx.BasicAuth(credentials.user.encode(), credentials.password.encode())
    for _ in range(MAX_HOPS):
        try:
            response = await client.post(url, content=request_body(address), headers=headers, auth=auth)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise LostAnswer(str(error) or type(error).__name__) from error
        if response.status_code not in (301, 302, 307, 308):
            break
        url = str(response.url.join(response.headers.get("location", "")))
        if urlsplit(url).scheme != "https":
            raise BadAnswer(f"redirected to {url}, which is not https")
    if response.status_code == 401:
        raise Unauthorised("the server does not take this name and password")
    if response.status_code != 200:
        raise BadAnswer(f"HTTP {response.status_code}")
    return response.content


def request_body(address: str) -> bytes:
    root = etree.Element("Autodiscover", xmlns=REQUEST)
    request = etree.SubElement(root, "Request")
    etree.SubElement(request, "EMailAddress").text = address
    etree.SubElement(request, "AcceptableResponseSchema").text = RESPONSE
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))


def read(body: bytes) -> Discovered | str:
    """An answer: where the server is, or the address to ask for instead. Raises BadAnswer."""
    if len(body) > MAX_ANSWER:
        raise BadAnswer(f"an answer of {len(body)} bytes")
    try:
        root = etree.fromstring(body, _PARSER)
    except etree.XMLSyntaxError as error:
        raise BadAnswer(f"not XML: {error}") from error
    if redirect := _text(root, "Action", "Redirect"):
        return redirect
    for server in _named(root, "Server"):
        url = _text(server, "Url")
        if _text(server, "Type") == "MobileSync" and urlsplit(url).scheme in ("https", "http"):
            address, name = _text(root, "User", "EMailAddress"), _text(root, "User", "DisplayName")
            return Discovered(url=url, address=address, name=name)
    reason = _text(root, "Error", "Message") or _text(root, "Error", "ErrorCode") or _text(root, "Error", "Status")
    raise BadAnswer(f"the server does not know: {reason or 'no MobileSync server in the answer'}")


def _named(root: etree._Element, name: str) -> list[etree._Element]:
    """Descendants by local name: answers mix two namespaces, and servers differ in which stands where."""
    return [e for e in root.iter(etree.Element) if etree.QName(e).localname == name]


def _text(root: etree._Element, *path: str) -> str:
    """The text of the first element at the end of the path; "" if there is none."""
    at = [root]
    for name in path:
        at = [found for parent in at for found in _named(parent, name)]
    return (at[0].text or "").strip() if at else ""


async def autodiscover_json(
    base_url: str, address: str, *, transport: httpx.AsyncBaseTransport | None = None, verify: bool = True
) -> str:
    """The address to post to, by the JSON form, which asks for no password. Raises BadAnswer, LostAnswer."""
    url = f"{base_url.rstrip('/')}/autodiscover/autodiscover.json/v1.0/{quote(address)}?Protocol=ActiveSync"
    async with httpx.AsyncClient(transport=transport, verify=verify, timeout=PATIENCE_SECONDS) as client:
        try:
            response = await client.get(url)
            found = response.json() if response.status_code == 200 else None
        except httpx.TransportError as error:
            raise LostAnswer(str(error) or type(error).__name__) from error
        except ValueError as error:
            raise BadAnswer("not JSON") from error
    if not isinstance(found, dict) or not isinstance(found.get("Url"), str):
        raise BadAnswer(f"no Url in the answer (HTTP {response.status_code})")
    return str(found["Url"])

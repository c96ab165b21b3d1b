"""Both phases of provisioning, where a server wants them and the session does not have them. [MS-ASPROV]."""

from __future__ import annotations

from dataclasses import replace

from eas.client.device import ZERO
from eas.commands import provision
from eas.commands._device_information import DeviceInformation
from eas.commands._registry import COMMANDS
from eas.protocol import http
from eas.protocol import query as queries
from eas.protocol.query import Query, QueryError
from eas.protocol.schema import SchemaError, dump, load
from eas.protocol.version import PROVISION_DEVICE_INFORMATION, Version
from eas.protocol.wbxml import Element, WbxmlError, decode, encode
from eas.replay.format.model import Request

from .line import Line

_INFORMATION = {"Model": "Recorded device", "FriendlyName": "eas session replay", "OS": "eas"}
#: Headers of the request that stands for the device in ours.
_KEPT = ("user-agent", "ms-asprotocolversion", "accept-language")


async def provisioned(line: Line, request: Request) -> str:
    """The policy key, "" where the server gives none. `request` is one of the device, as it was sent."""
    try:
        asked = queries.complete(
            queries.parse(request.query), {name.lower(): value for name, value in request.headers}
        )
    except QueryError:
        return ""
    version = asked.version or Version.V12_1
    kind = provision.policy_type(version)
    values = tuple(Element(f"Settings:{name}", value) for name, value in _INFORMATION.items())
    information = DeviceInformation(values=Element("Settings:Set", values))
    first = provision.Request(
        device_information=information if version in PROVISION_DEVICE_INFORMATION else None,
        policies=(provision.AskedPolicy(policy_type=kind),),
    )
    key = await _phase(line, request, replace(asked, policy_key=0), version, first)
    if not key:
        return ""
    second = provision.Request(policies=(provision.AskedPolicy(policy_type=kind, policy_key=key, status=1),))
    return await _phase(line, request, replace(asked, policy_key=int(key)), version, second) or key


async def _phase(line: Line, request: Request, asked: Query, version: Version, message: provision.Request) -> str:
    query = Query(
        command="Provision", device_id=asked.device_id, device_type=asked.device_type, user=asked.user,
        version=version, policy_key=asked.policy_key,
    )
    headers = [(name, value) for name, value in request.headers if name.lower() in _KEPT]
    stated = {name.lower() for name, _ in headers}
    headers += [(name, value) for name, value in http.request_headers(query).items() if name.lower() not in stated]
    headers.append(("Content-Type", http.WBXML))
    body = encode(dump(COMMANDS["Provision"].root, message, version))
    answer = await line.send("POST", f"{request.path}?{queries.plain(query)}", headers, body)
    if answer.status != 200 or not answer.body:
        return ""
    try:
        response = load(provision.Response, decode(answer.body), version)
    except (WbxmlError, SchemaError):
        return ""
    given = response.policies[0].policy_key if response.policies else None
    return given if given and given.isascii() and given.isdigit() and given != ZERO else ""

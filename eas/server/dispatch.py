"""bytes -> WBXML -> request -> command -> response -> WBXML -> bytes, for a user who has logged in.

`answer` is the middle of the server: look up the command, read the request, ask whether it may, let it be handled,
write the answer. Whatever goes wrong on the way becomes an answer in `faults`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from eas import measures
from eas.commands._registry import Command, CommonFault, Counted, Multipart, Raw
from eas.commands._sync_messages import Request as SyncRequest
from eas.commands.all import COMMANDS
from eas.engine.model import Device, Level, User
from eas.engine.partnership import PENDING
from eas.engine.ports import Bell, StateStore
from eas.engine.quirks import heartbeat_of, patience_of, quirks_of
from eas.engine.session import Session
from eas.engine.wire_quirks import understood, worded
from eas.protocol import http, schema, wbxml
from eas.protocol import query as queries
from eas.protocol.query import Query, QueryError
from eas.protocol.schema import SchemaError
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import RIGHTS_MANAGEMENT, Version
from eas.protocol.wbxml import Element, Later

from . import faults, streaming
from .admission import TELLING, Rules, decided, restricted, tell_once
from .gate import refusal
from .note import Note
from .ports import Manner, Ports
from .reply import Reply
from .streaming import Streamed
from .unkept import UNKEPT_IDS, Unkept

log = structlog.get_logger("eas.dispatch")

#: The key of a Sync or FolderSync that begins anew; the answer to the latter says what the server offers. [MS-ASHTTP]
#: R1104
FIRST_KEY = "0"

#: Where the figures of an answer are counted.
FIGURES = {
    "items": measures.SYNC_ITEMS, "item failures": measures.SYNC_ITEM_FAILURES, "starts": measures.SYNC_STARTS,
    "degraded": measures.DEGRADED_ITEMS, "failures": measures.SYNC_FAILURES,
}

#: Versions before 2.5, which are in no list.
LEGACY = frozenset(("1.0", "2.0", "2.1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A POST as it came. `query` is still percent-encoded; header names are in lower case. `body` is a list of one,
    from which it is taken: what waits for an hour should not hold the bytes that it was asked with. `began` is
    when the request came (monotonic), `address` whence."""

    query: bytes
    headers: Mapping[str, str]
    body: list[bytes]
    user: User
    began: float | None = None
    address: str = ""


@dataclass(slots=True)
class _Heard:
    """How far the request has been understood, which decides the form of a refusal. `legacy`: it is of a version before
    2.5. `stated_key`: it has a policy key."""

    command: Command[Any] | None = None
    version: Version | None = None
    stated_key: bool = True
    legacy: bool = False


async def answer(incoming: Incoming, bell: Bell, ports: Ports, manner: Manner, note: Note) -> Reply:
    """Never raises, except for cancellation. `bell` is this request's own."""
    heard = _Heard()
    try:
        query, command, version = _understand(incoming, heard, manner, note)
        session = await _session(incoming, query, version, bell, ports, manner, note)
        await _admit(command, session, ports.access)
        request = _request(command, incoming, session)
        begins = command.name == "FolderSync" and getattr(request, "sync_key", "") == FIRST_KEY
        note.anew = begins or _begins_a_folder(request)
        handled = command.handle(request, session)
        del request
        reply = _reply(command, await handled, session, note)
        if session.access.level is Level.DISCOVERY and command.name in TELLING:
            session.bell.end(session.user.id, session.device.id)  # now it may have said what it is
        # Anywhere else X-MS-RP makes a client drop all its state.
        offer = http.resynchronize_headers(manner.versions, offered_commands(manner)) if begins else {}
        return reply.with_headers(offer)
    except _Malformed as error:
        log.info("request does not fit", reason=str(error.__cause__))
        note.status = str(error.status)
        return faults.status_only(error.command, error.status)
    except Exception as error:
        return _refused(error, heard, note)


# Understanding --------------------------------------------------------------------------------------------------------


def offered_commands(manner: Manner) -> tuple[str, ...]:
    """The commands that exist in one of the versions on offer, in the order of their codes."""
    return tuple(
        name for name in queries.COMMANDS
        if name in COMMANDS and any(version in COMMANDS[name].spoken for version in manner.versions)
    )


def _understand(
    incoming: Incoming, heard: _Heard, manner: Manner, note: Note
) -> tuple[Query, Command[Any], Version]:
    """Who asks for what in which version. Raises QueryError and CommonFault."""
    try:
        query = queries.complete(queries.parse(incoming.query), incoming.headers)
    except QueryError as error:
        stated = incoming.headers.get("ms-asprotocolversion", "").strip()
        heard.command, heard.version = COMMANDS.get(error.command), error.version or _version(stated)
        heard.legacy = stated in LEGACY
        note.command = error.command
        raise
    note.device, note.command = query.device_id, query.command
    structlog.contextvars.bind_contextvars(device=query.device_id, command=query.command)
    heard.version, heard.stated_key = query.version, query.policy_key is not None
    command = COMMANDS.get(query.command)
    if command is None:
        raise CommonFault(CommonStatus.COMMAND_NOT_SUPPORTED, query.command)
    heard.command = command
    if query.version is None:
        # Only the plain form can leave it out, and then nobody knows in which words to answer.
        raise CommonFault(CommonStatus.INVALID_CONTENT, "no protocol version")
    note.version = query.version.text
    if query.version not in manner.versions or query.version not in command.spoken:
        raise CommonFault(CommonStatus.VERSION_NOT_SUPPORTED, f"{command.name} in {query.version.text}")
    return query, command, query.version


def _version(text: str) -> Version | None:
    try:
        return Version.parse(text)
    except ValueError:
        return None


class _Malformed(Exception):
    """The request does not fit the schema, and the command has a status of its own for that."""

    def __init__(self, command: Command[Any], status: int) -> None:
        super().__init__(status)
        self.command = command
        self.status = status


def _request(command: Command[Any], incoming: Incoming, session: Session) -> Any:
    """The typed request. Raises WbxmlError, SchemaError, CommonFault, and _Malformed."""
    if command.bare is not None:
        return command.bare(session.query)
    body, content_type = incoming.body.pop(), incoming.headers.get("content-type", "")
    if not command.spooled:
        body = bytes(body)
    if command.from_mime is not None and command.mime is not None and session.version in command.mime:
        if http.media_type(content_type) not in ("", http.MIME) or not body:
            raise CommonFault(CommonStatus.INVALID_CONTENT, f"{content_type[:40]!r} instead of a message")
        return command.from_mime(body, session.query)
    if not body and command.when_empty is not None:
        return command.when_empty()
    if not body or (content_type and not http.is_wbxml(content_type)):
        raise CommonFault(CommonStatus.INVALID_CONTENT, f"{len(body)} bytes of {content_type[:40]!r}")
    root = understood(wbxml.decode(body, max_size=session.limits.max_body_bytes), session.quirks)
    try:
        if root.tag != command.root:
            raise SchemaError(f"{root.tag} instead of {command.root}", root.tag)
        if session.version not in RIGHTS_MANAGEMENT and _names(root, "RightsManagement:"):
            raise SchemaError("rights management in a version without", root.tag)
        return schema.load(command.request, root, session.version)
    except SchemaError as error:
        if command.malformed is None:
            raise
        raise _Malformed(command, command.malformed) from error


def _names(root: Element, namespace: str) -> bool:
    """Whether any element of the document is of that namespace."""
    return root.tag.startswith(namespace) or any(_names(child, namespace) for child in root.elements)


def _begins_a_folder(request: object) -> bool:
    return isinstance(request, SyncRequest) and any(c.sync_key == FIRST_KEY for c in request.collections)


# Admitting ------------------------------------------------------------------------------------------------------------


async def _session(
    incoming: Incoming, query: Query, version: Version, bell: Bell, ports: Ports, manner: Manner, note: Note
) -> Session:
    user, store, now = incoming.user, ports.store, ports.clock.now()
    agent = incoming.headers.get("user-agent", "")
    if query.device_id.lower() in UNKEPT_IDS:
        store = Unkept(store)
    device = await store.device(user.id, query.device_id)
    if device is None or (query.device_type and not device.type):  # one that was moved in, perhaps
        device = await store.claim_device(user.id, query.device_id, query.device_type) or device
    if device is None:
        device = await _new_device(query, version, agent, user, store, now, manner.limits.max_devices, ports.access)
    # Windows Phone 8 names itself in OPTIONS and seldom after; a device without a name is still the device it was.
    agent = agent or device.agent
    await store.seen(user.id, query.device_id, agent, version.text, now)
    named, access = await decided(
        ports.access, store, user, replace(device, agent=agent, version=version.text), incoming.address, now
    )
    mailbox, directory, outbox = ports.accounts.open(user)
    session = Session(
        user=user, device=replace(named, agent=device.agent, version=device.version), version=version, query=query,
        mailbox=mailbox, directory=directory, outbox=outbox, store=store, bell=bell, clock=ports.clock,
        leases=ports.leases, entropy=ports.entropy, limits=manner.limits, trust_anchors=manner.trust_anchors,
        documents=ports.documents(user) if ports.documents is not None else None,
        quirks=quirks_of(named), patience_seconds=patience_of(named), heartbeat=heartbeat_of(agent), cuts=ports.cuts,
        insisting=ports.insisting, began=incoming.began, gone=lambda: note.gone, access=access,
        policy=await store.policy(user.id, device), revocation_lists=ports.revocation_lists,
        wipe_turned=ports.wipe_turned,
    )
    return session if ports.access is None else restricted(session, ports.access.words)


async def _new_device(
    query: Query, version: Version, agent: str, user: User, store: StateStore, now: datetime, most: int,
    rules: Rules | None,
) -> Device:
    """Raises CommonFault where the user has as many as may be ([MS-ASCMD] R4980), and for one of no type."""
    if not query.device_type:
        raise CommonFault(CommonStatus.DEVICE_TYPE_MISSING_OR_INVALID)
    most = most if rules is None else await rules.may_have(user, most)
    if most and len(await store.devices(user.id)) >= most:
        raise CommonFault(CommonStatus.MAXIMUM_DEVICES_REACHED)
    new = Device(
        user_id=user.id, id=query.device_id, type=query.device_type, agent=agent, version=version.text,
        first_seen=now, last_seen=now,
        listed=None if rules is None else await rules.listed(user.id, query.device_id),
    )
    return await store.add_device(new)


async def _admit(command: Command[Any], session: Session, rules: Rules | None) -> None:
    """Raises CommonFault for what the gate refuses, Suspended for who is kept out for a while."""
    refused = refusal(
        command=command.name, gated=command.gated, user=session.user, device=session.device,
        policy=session.policy, policy_key=session.query.policy_key,
        version=session.version, now=session.clock.now(), quirks=session.quirks, access=session.access.level,
    )
    if refused is not None:
        measures.REFUSALS["gate"].inc()
        raise CommonFault(refused)
    if session.access.level is Level.SUSPEND and session.device.wipe not in PENDING:
        measures.REFUSALS["gate"].inc()
        until = session.access.until or session.clock.now()
        raise faults.Suspended((until - session.clock.now()).total_seconds())
    if rules is not None:
        await tell_once(rules, session, command.name)


# Answering ------------------------------------------------------------------------------------------------------------


def _reply(command: Command[Any], answered: Any, session: Session, note: Note) -> Reply:
    if isinstance(answered, Counted):
        _counted(answered, note)
        answered = answered.response
    if answered is None:
        return Reply()
    if isinstance(answered, Raw):
        body = streaming.octets(answered.body) if isinstance(answered.body, Later) else answered.body
        return Reply(body=body, content_type=answered.content_type)
    if isinstance(answered, Multipart):
        document = wbxml.encode(_document(command, answered.response, session, note))
        return Reply(body=_multipart((document, *answered.parts)), content_type=http.MULTIPART)
    pieces = wbxml.encode_pieces(_document(command, answered, session, note))
    body = pieces[0] if len(pieces) == 1 and isinstance(pieces[0], bytes) else streaming.document(pieces)
    return Reply(body=body, content_type=http.WBXML)


def _counted(answered: Counted, note: Note) -> None:
    note.folders = answered.folders
    if answered.response is not None:
        note.items = answered.items
    for (name, *values), number in answered.figures.items():
        FIGURES[name][tuple(values)].inc(number)
        if name == "items":
            note.moved = (*note.moved, (values[0], values[1], number))


def _multipart(parts: Sequence[bytes | Later]) -> bytes | Streamed:
    at_hand = [part for part in parts if isinstance(part, bytes)]
    return http.multipart(at_hand) if len(at_hand) == len(parts) else streaming.multipart(parts)


def _document(command: Command[Any], response: object, session: Session, note: Note) -> Element:
    root = schema.dump(command.root, response, session.version)
    note.status = _status(root)
    return worded(root, session.quirks)


def _status(root: Element) -> str:
    """The status of the whole answer; "" where it has none, as a Sync that went well."""
    return next((child.text for child in root.elements if child.tag.endswith(":Status")), "")


def _refused(error: Exception, heard: _Heard, note: Note) -> Reply:
    if isinstance(error, faults.Suspended):
        log.info("request refused", reason="suspended", seconds=round(error.seconds))
        return faults.later(error.seconds)
    status = faults.status_of(error)
    if status is None:
        log.error("command failed", exc_info=error)
        status = CommonStatus.SERVER_ERROR
    else:
        log.info("request refused", reason=str(error), status=int(status))
    note.status = str(int(status))
    if heard.legacy and status is CommonStatus.VERSION_NOT_SUPPORTED:
        return faults.http_only(505)  # [MS-ASCMD] R7560
    return faults.refuse(status, heard.command, heard.version, stated_key=heard.stated_key)

"""A device's side of Sync, without I/O: what to ask, and what to make of the answer.

[MS-ASCMD] Sync. A device applies an answer as a whole and takes the new key with it; until then it holds the old key,
and asks again, word for word, if no answer comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from eas.commands import _sync_messages as messages
from eas.commands._sync_messages import Status
from eas.engine.apply import ItemStatus
from eas.items.body import BodyPreference, BodyType
from eas.protocol.schema import dump
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import COLLECTION_CLASS, Version
from eas.protocol.wbxml import Element

from .device import APPLICATION_DATA, ZERO, DeviceState, Folder, Item, Kind, Pending, merged, updated

#: Commands in one request. The protocol allows 200; fewer keep a lost request cheap.
COMMANDS_AT_ONCE = 100

#: What the simulated phone asks for, by class, in the manner of present-day phones: HTML cut at 32 KiB, previews.
DEFAULT_OPTIONS: Mapping[str, messages.Options] = {
    "Email": messages.Options(
        mime_support=0,
        preferences=(BodyPreference(type=BodyType.HTML, truncation_size=32768, preview=120),),
    ),
    **dict.fromkeys(
        ("Contacts", "Calendar", "Tasks", "Notes"),
        messages.Options(preferences=(BodyPreference(type=BodyType.TEXT, truncation_size=32768),)),
    ),
}


@dataclass(slots=True, kw_only=True)
class Failure:
    """A change of the device that the server did not take."""

    folder_id: str
    kind: Kind
    id: str
    status: int

    @property
    def words(self) -> str:
        known: tuple[type[IntEnum], ...] = (ItemStatus, CommonStatus)
        names = {int(status): status.name for kind in reversed(known) for status in kind}
        return names.get(self.status, "unknown")


@dataclass(slots=True, kw_only=True)
class Change:
    """What one Sync brought to one folder, by ServerId. `returned` are Adds of items that were there already."""

    folder_id: str
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    soft_deleted: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    #: ClientId -> ServerId of the Adds that the server confirmed.
    created: dict[str, str] = field(default_factory=dict)
    #: What this device changed or deleted, and the server took.
    taken: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    primed: bool = False
    reset: bool = False

    def __bool__(self) -> bool:
        return bool(
            self.added or self.changed or self.deleted or self.soft_deleted or self.returned
            or self.created or self.taken or self.fetched or self.reset
        )


@dataclass(slots=True, kw_only=True)
class Report:
    """What one or more rounds of Sync did. `windows` counts the answers that had a body, `requests` all."""

    changes: dict[str, Change] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    requests: int = 0
    windows: int = 0
    hierarchy_changed: bool = False
    statuses: dict[str, Status] = field(default_factory=dict)
    limit: int | None = None

    def of(self, folder_id: str) -> Change:
        return self.changes.setdefault(folder_id, Change(folder_id=folder_id))

    def add(self, other: Report) -> None:
        for folder_id, new in other.changes.items():
            mine = self.of(folder_id)
            for name in ("added", "changed", "deleted", "soft_deleted", "returned", "taken", "fetched"):
                getattr(mine, name).extend(getattr(new, name))
            mine.created |= new.created
            mine.primed, mine.reset = mine.primed or new.primed, mine.reset or new.reset
        self.failures += other.failures
        self.requests += other.requests
        self.windows += other.windows
        self.hierarchy_changed |= other.hierarchy_changed
        self.statuses |= other.statuses
        self.limit = other.limit if other.limit is not None else self.limit

    @property
    def quiet(self) -> bool:
        """Nothing came and nothing was taken."""
        return not any(self.changes.values()) and not self.failures


# Asking -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a device asks. `options` by class; `window` for each collection, `total` for all of them together.

    `supported` by class is sent with key 0: None sends none, () an empty one.
    """

    options: Mapping[str, messages.Options] = field(default_factory=lambda: DEFAULT_OPTIONS)
    window: int | None = 100
    total: int | None = None
    deletes_as_moves: bool | None = None
    get_changes: bool | None = None
    supported: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def request_for(
    folders: Iterable[Folder],
    manner: Manner,
    version: Version,
    *,
    wait: int | None = None,
    heartbeat: int | None = None,
) -> messages.Request:
    """One request for all the folders: key 0 for new ones, what is pending and the next window for the others."""
    return messages.Request(
        collections=tuple(_collection(folder, manner, version) for folder in folders),
        wait=wait, heartbeat=heartbeat, window=manner.total,
    )


def _collection(folder: Folder, manner: Manner, version: Version) -> messages.Collection:
    item_class = folder.item_class if version in COLLECTION_CLASS else None
    options = manner.options.get(folder.item_class)
    if folder.sync_key == ZERO:
        tags = manner.supported.get(folder.item_class)
        supported = None if tags is None else Element("AirSync:Supported", tuple(Element(tag) for tag in tags))
        return messages.Collection(
            item_class=item_class, sync_key=ZERO, collection_id=folder.id, supported=supported,
            options=(options,) if options else (),
        )
    return messages.Collection(
        item_class=item_class, sync_key=folder.sync_key, collection_id=folder.id,
        deletes_as_moves=manner.deletes_as_moves, get_changes=manner.get_changes, window=manner.window,
        options=(options,) if options else (),
        commands=tuple(map(_command, folder.pending[:COMMANDS_AT_ONCE])),
    )


Command = messages.AddCommand | messages.ChangeCommand | messages.DeleteCommand | messages.FetchCommand


def _command(pending: Pending) -> Command:
    match pending.kind:
        case Kind.ADD:
            return messages.AddCommand(client_id=pending.client_id, data=pending.data)
        case Kind.CHANGE:
            return messages.ChangeCommand(server_id=pending.server_id, data=pending.data)
        case Kind.DELETE:
            return messages.DeleteCommand(server_id=pending.server_id)
        case Kind.FETCH:
            return messages.FetchCommand(server_id=pending.server_id)


def document(request: messages.Request, version: Version) -> Element:
    return dump("AirSync:Sync", request, version)


# Answers ------------------------------------------------------------------------------------------------------------


def apply(state: DeviceState, request: messages.Request, response: messages.Response | None) -> Report:
    """Take over an answer to `request`. An empty answer says that there is nothing new."""
    report = Report(requests=1)
    if response is None:
        return report
    report.windows = 1
    report.limit = response.limit
    if response.status is not None and response.status is not Status.SUCCESS:
        report.statuses[""] = response.status
        report.hierarchy_changed = response.status is Status.HIERARCHY_CHANGED
        return report
    asked = {collection.collection_id: collection for collection in request.collections}
    for answered in response.collections:
        folder, collection = state.folders.get(answered.collection_id), asked.get(answered.collection_id)
        if folder is None:
            continue
        if answered.status is Status.SUCCESS:
            _take_over(folder, collection, answered, report)
        else:
            _refused(folder, answered, report)
    return report


def _refused(folder: Folder, answered: messages.CollectionResponse, report: Report) -> None:
    report.statuses[folder.id] = answered.status
    if answered.status is Status.INVALID_SYNC_KEY:
        # [MS-ASCMD] Status (Sync) 3: the device starts the collection over.
        folder.sync_key, folder.more = ZERO, False
        report.of(folder.id).reset = True
    elif answered.status is Status.HIERARCHY_CHANGED:
        report.hierarchy_changed = True


def _take_over(
    folder: Folder, asked: messages.Collection | None, answered: messages.CollectionResponse, report: Report
) -> None:
    change = report.of(folder.id)
    if asked is not None and asked.sync_key == ZERO:
        folder.items.clear()
        change.primed = True
    if asked is not None:
        _settle(folder, asked.commands, answered.responses, change, report)
    for command in answered.commands:
        _hear(folder, command, change)
    folder.sync_key = answered.sync_key
    folder.more = bool(answered.more_available)


def _settle(
    folder: Folder, sent: Sequence[Command], results: Sequence[object], change: Change, report: Report
) -> None:
    """What became of this device's own changes: those that no result names were taken."""
    added = {r.client_id: r for r in results if isinstance(r, messages.Added)}
    refused = {
        (type(r), r.server_id): r for r in results
        if isinstance(r, messages.AnsweredChange | messages.NotDeleted) and r.status != ItemStatus.SUCCESS
    }
    fetched = {r.server_id: r for r in results if isinstance(r, messages.Fetched)}
    for command in sent:
        match command:
            case messages.AddCommand(client_id=name):
                _drop(folder, Kind.ADD, name)
                if (result := added.get(name)) is None:
                    continue
                if result.status == ItemStatus.SUCCESS and result.server_id:
                    folder.items[result.server_id] = Item(server_id=result.server_id, data=command.data)
                    change.created[name] = result.server_id
                else:
                    report.failures.append(Failure(folder_id=folder.id, kind=Kind.ADD, id=name, status=result.status))
            case messages.FetchCommand(server_id=name):
                _drop(folder, Kind.FETCH, name)
                got = fetched.get(name)
                if got is not None and got.data is not None:
                    folder.items[name] = Item(server_id=name, data=_whole(got.data))
                    change.fetched.append(name)
                elif got is not None:
                    report.failures.append(Failure(folder_id=folder.id, kind=Kind.FETCH, id=name, status=got.status))
            case messages.ChangeCommand(server_id=name):
                _drop(folder, Kind.CHANGE, name)
                if (no := refused.get((messages.AnsweredChange, name))) is not None:
                    report.failures.append(Failure(folder_id=folder.id, kind=Kind.CHANGE, id=name, status=no.status))
                elif name in folder.items:
                    folder.items[name].data = merged(folder.item_class, folder.items[name].data, command.data)
                    change.taken.append(name)
            case messages.DeleteCommand(server_id=name):
                _drop(folder, Kind.DELETE, name)
                if (no := refused.get((messages.NotDeleted, name))) is not None:
                    report.failures.append(Failure(folder_id=folder.id, kind=Kind.DELETE, id=name, status=no.status))
                else:
                    folder.items.pop(name, None)
                    change.taken.append(name)


def _drop(folder: Folder, kind: Kind, name: str) -> None:
    """Forget one pending change, the oldest of its kind and name."""
    for number, pending in enumerate(folder.pending):
        if pending.kind is kind and name in (pending.client_id, pending.server_id):
            del folder.pending[number]
            return


def _hear(folder: Folder, command: object, change: Change) -> None:
    match command:
        case messages.Changed(server_id=name, data=data):
            known = folder.items.get(name)
            whole = updated(known.data, data) if known is not None and folder.item_class == "Email" else _whole(data)
            folder.items[name] = Item(server_id=name, data=whole)
            change.changed.append(name)
        case messages.Item(server_id=name, data=data):
            (change.returned if name in folder.items else change.added).append(name)
            folder.items[name] = Item(server_id=name, data=_whole(data))
        case messages.Deleted(server_id=name):
            folder.items.pop(name, None)
            change.deleted.append(name)
        case messages.SoftDeleted(server_id=name):
            folder.items.pop(name, None)
            change.soft_deleted.append(name)


def _whole(data: Element) -> Element:
    return Element(APPLICATION_DATA, data.content)

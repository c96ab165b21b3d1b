"""A whole device: an account that is set up, folders and items that are kept in step, changes that are sent.

    phone = Phone(state, connection)
    await phone.set_up()
    report = await phone.sync()
    inbox = phone.state.folder(FolderType.INBOX)
    phone.edit(inbox, server_id, read=True)
    await phone.sync([inbox])

What is changed here waits in `Folder.pending` until the server has confirmed it. The device asks for provisioning when
the server wants it, repeats a Sync whose answer was lost word for word, and begins a collection anew where it is told
to. Mail, search and the like are in `eas.client.mail` and `eas.client.services`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from eas.commands import _sync_messages as sync_messages
from eas.commands import folder_create as creating
from eas.commands import folder_delete as deleting
from eas.commands import folder_sync as hierarchy
from eas.commands import folder_update as renaming
from eas.commands import get_item_estimate as estimating
from eas.commands import move_items as moving
from eas.commands import ping as pinging
from eas.commands import provision as provisioning
from eas.commands import settings
from eas.commands._device_information import DeviceInformation
from eas.commands.all import COMMANDS
from eas.engine.classes import RECORDS
from eas.engine.model import FolderType
from eas.protocol.schema import content, load
from eas.protocol.version import COLLECTION_CLASS, NOTES, PROVISION_DEVICE_INFORMATION, Version
from eas.protocol.wbxml import Element

from . import sync as syncing
from .connection import Connection, negotiate
from .device import APPLICATION_DATA, MAIL_CHANGEABLE, ZERO, DeviceState, Folder, Kind, Pending, sendable
from .errors import BadAnswer, NeedsProvisioning, Refusal
from .sync import Manner, Report

R = TypeVar("R")

#: Requests in a row that change nothing although there is still something to send or to fetch: the server does not
#: get on, and neither should we.
MAX_STANDSTILL = 3
#: Times that a server may ask for another attempt (Status 5, 16) within one `sync`.
MAX_RETRIES = 3

INFORMATION = {"Model": "Simulated phone", "FriendlyName": "eas phone", "OS": "eas", "OSLanguage": "English"}


class Wiped(Exception):
    """The server had this device wiped: everything that came from it is gone from the device."""


class Phone:
    """`state_path` is where the state is kept (None: in memory only). `acknowledge` is what the device says of a
    policy: 1 applied, 2 in part, 3 not, 4 managed by others; `information` what it says of itself, by the names of
    DeviceInformation."""

    def __init__(
        self,
        state: DeviceState,
        connection: Connection,
        *,
        state_path: Path | None = None,
        manner: Manner | None = None,
        acknowledge: int = 1,
        information: Mapping[str, str] = INFORMATION,
    ) -> None:
        self.state = state
        self.connection = connection
        self.state_path = state_path
        self.manner = manner or Manner()
        self.acknowledge = acknowledge
        self.information = information
        #: The policy that the server handed out last, its elements; empty before provisioning.
        self.policy: tuple[Element, ...] = ()
        #: Told of every round of a Sync, for those who show progress.
        self.on_round: Callable[[Report], None] = lambda report: None

    @property
    def version(self) -> Version:
        return self.connection.version

    def save(self) -> None:
        if self.state_path is not None:
            self.state.save(self.state_path)

    async def ask(self, command: str, request: object, response: type[R], *, hang_seconds: float = 0.0) -> R | None:
        """As Connection.ask, provisioning once if the server wants that first."""
        try:
            return await self.connection.ask(command, request, response, hang_seconds=hang_seconds)
        except NeedsProvisioning:
            await self.provision()
            return await self.connection.ask(command, request, response, hang_seconds=hang_seconds)

    async def must(self, command: str, request: object, response: type[R]) -> R:
        """As `ask`, for commands whose answer is never empty. Raises BadAnswer if it is."""
        answer = await self.ask(command, request, response)
        if answer is None:
            raise BadAnswer(f"{command}: the answer is empty")
        return answer

    # -- the account ---------------------------------------------------------------------------------------------------

    async def set_up(self, wanted: Version | None = None) -> None:
        """What a phone does when an account is entered: OPTIONS, a version, the policy, the folders."""
        offer = await self.connection.options()
        self.connection.version = negotiate(offer, wanted)
        self.state.version, self.state.user = self.version, self.connection.credentials.user
        self.state.url = self.connection.url
        if "Provision" in offer.commands:
            await self.provision()
        told = self.version in PROVISION_DEVICE_INFORMATION or self.version not in COMMANDS["Settings"].spoken
        if "Settings" in offer.commands and not told:
            await self.tell_device_information()
        await self.folder_sync()

    async def provision(self) -> None:
        """Both phases. Raises Refusal where the server has no policy for us, Wiped after a remote wipe."""
        self._set_policy_key(0)
        information = self._information() if self.version in PROVISION_DEVICE_INFORMATION else None
        asked = provisioning.AskedPolicy(policy_type=provisioning.policy_type(self.version))
        given = await self._policy(provisioning.Request(device_information=information, policies=(asked,)))
        self.policy = given.data.elements if given.data is not None else ()
        self._set_policy_key(int(given.policy_key or 0))
        answer = provisioning.AskedPolicy(
            policy_type=provisioning.policy_type(self.version), policy_key=given.policy_key, status=self.acknowledge
        )
        final = await self._policy(provisioning.Request(policies=(answer,)))
        self._set_policy_key(int(final.policy_key or 0))
        self.save()

    def _set_policy_key(self, key: int) -> None:
        self.connection.policy_key = self.state.policy_key = key

    async def _policy(self, request: provisioning.Request) -> provisioning.GivenPolicy:
        response = await self.connection.ask("Provision", request, provisioning.Response)
        if response is None:
            raise BadAnswer("Provision: the answer is empty")
        if response.remote_wipe or response.account_only_wipe:
            await self._wipe(account_only=bool(response.account_only_wipe))
        if response.status is not provisioning.Status.SUCCESS:
            raise Refusal("Provision", response.status)
        if not response.policies:
            raise BadAnswer("Provision: the answer has no policy")
        given = response.policies[0]
        if given.status is not provisioning.PolicyStatus.SUCCESS:
            raise Refusal("Provision", given.status, "of the policy")
        return given

    async def _wipe(self, *, account_only: bool) -> None:
        """Do as we are told: forget everything, say so, stop. The one account is all that there is. [MS-ASPROV]
        RemoteWipe, AccountOnlyRemoteWipe."""
        self.state.forget()
        self.state.wiped = True
        self.save()
        done = provisioning.WipeReport(status=1)
        report = provisioning.Request(
            account_only_wipe=done if account_only else None, remote_wipe=None if account_only else done
        )
        await self.connection.ask("Provision", report, provisioning.Response)
        raise Wiped("the server had this device wiped")

    def _information(self) -> DeviceInformation:
        agent = {"UserAgent": self.connection.identity.agent} if self.version >= Version.V12_1 else {}
        stated = dict(self.information) | agent
        values = tuple(Element(f"Settings:{name}", text) for name, text in stated.items())
        return DeviceInformation(values=Element("Settings:Set", values))

    async def tell_device_information(self) -> settings.Status:
        response = await self.must(
            "Settings", settings.Request(properties=(self._information(),)), settings.Response
        )
        return response.status

    # -- folders -------------------------------------------------------------------------------------------------------

    async def folder_sync(self) -> hierarchy.Changes:
        """Bring the folders up to date; what came is returned. A key that the server refuses is begun anew, once."""
        response = await self._folder_sync(self.state.folder_key)
        if response.status is hierarchy.Status.INVALID_SYNC_KEY and self.state.folder_key != ZERO:
            response = await self._folder_sync(ZERO)
        if response.status is not hierarchy.Status.SUCCESS or response.sync_key is None:
            raise Refusal("FolderSync", response.status)
        changes = response.changes or hierarchy.Changes(count=0)
        folders = self.state.folders
        if self.state.folder_key == ZERO:
            present = {entry.server_id for entry in changes.added}
            for gone in [id for id in folders if id not in present]:
                del folders[gone]
        for deleted in changes.deleted:
            folders.pop(deleted.server_id, None)
        for entry in (*changes.added, *changes.updated):
            self._put_folder(entry)
        self.state.folder_key = response.sync_key
        self.save()
        return changes

    async def _folder_sync(self, key: str) -> hierarchy.Response:
        self.state.folder_key = key
        return await self.must("FolderSync", hierarchy.Request(sync_key=key), hierarchy.Response)

    def _put_folder(self, entry: hierarchy.FolderEntry) -> None:
        known = self.state.folders.get(entry.server_id)
        kind = FolderType(entry.type) if entry.type in set(FolderType) else FolderType.UNKNOWN
        if known is None:
            known = Folder(id=entry.server_id, parent=entry.parent_id, name=entry.name, type=kind)
            self.state.folders[known.id] = known
        known.parent, known.name, known.type = entry.parent_id, entry.name, kind

    async def create_folder(self, name: str, type: FolderType = FolderType.USER_MAIL, parent: str = ZERO) -> Folder:
        request = creating.Request(sync_key=self.state.folder_key, parent_id=parent, name=name, type=type)
        response = await self.must("FolderCreate", request, creating.Response)
        if response.status is not creating.Status.SUCCESS or not response.sync_key or not response.server_id:
            raise Refusal("FolderCreate", response.status)
        folder = Folder(id=response.server_id, parent=parent, name=name, type=type)
        self.state.folders[folder.id] = folder
        self.state.folder_key = response.sync_key
        self.save()
        return folder

    async def rename_folder(self, folder: Folder, name: str, parent: str | None = None) -> None:
        parent = folder.parent if parent is None else parent
        request = renaming.Request(
            sync_key=self.state.folder_key, server_id=folder.id, parent_id=parent, name=name
        )
        response = await self.must("FolderUpdate", request, renaming.Response)
        if response.status is not renaming.Status.SUCCESS or not response.sync_key:
            raise Refusal("FolderUpdate", response.status)
        folder.name, folder.parent, self.state.folder_key = name, parent, response.sync_key
        self.save()

    async def delete_folder(self, folder: Folder) -> None:
        request = deleting.Request(sync_key=self.state.folder_key, server_id=folder.id)
        response = await self.must("FolderDelete", request, deleting.Response)
        if response.status is not deleting.Status.SUCCESS or not response.sync_key:
            raise Refusal("FolderDelete", response.status)
        self.state.folder_key = response.sync_key
        del self.state.folders[folder.id]
        self.save()

    def folders(self) -> list[Folder]:
        """Those that a phone of this version keeps in step."""
        known = [f for f in self.state.folders.values() if f.synchronised]
        return known if self.version in NOTES else [f for f in known if f.item_class != "Notes"]

    # -- items ---------------------------------------------------------------------------------------------------------

    async def sync(self, folders: Iterable[Folder] | None = None) -> Report:
        """Send what is pending and take what is new, window after window, until both sides are even."""
        todo = list(self.folders() if folders is None else folders)
        total, standstill, retries = Report(), 0, 0
        if self.state.unanswered is not None:
            total.add(await self._exchange(self.state.unanswered))
        while todo:
            before = [(f.sync_key, len(f.pending)) for f in todo]
            report = await self.round(todo)
            total.add(report)
            if report.hierarchy_changed:
                await self.folder_sync()
                todo = [f for f in todo if f.id in self.state.folders]
            elif (refused := [s for s in report.statuses.values() if s in RETRIED]) and retries < MAX_RETRIES:
                retries += 1
            elif refused or any(status not in HANDLED for status in report.statuses.values()):
                raise Refusal("Sync", next(iter(report.statuses.values())))
            moved = before != [(f.sync_key, len(f.pending)) for f in todo]
            standstill = 0 if moved else standstill + 1
            todo = [f for f in todo if unfinished(f, report)]
            if todo and standstill >= MAX_STANDSTILL:
                raise BadAnswer(f"Sync does not get on in {', '.join(f.name for f in todo)}")
        return total

    async def round(
        self, folders: Sequence[Folder], *, wait: int | None = None, heartbeat: int | None = None
    ) -> Report:
        """One request for these folders. `wait` in minutes or `heartbeat` in seconds makes the server hold it."""
        request = syncing.request_for(folders, self.manner, self.version, wait=wait, heartbeat=heartbeat)
        return await self._exchange(syncing.document(request, self.version), (wait or 0) * 60 + (heartbeat or 0))

    async def repeat_sync(self) -> Report:
        """A Sync with an empty body: as the last one. [MS-ASCMD] Empty Sync Request."""
        answer = await self.connection.post("Sync")
        response = self.connection.read("Sync", answer, sync_messages.Response)
        return self._applied(sync_messages.Request(), response)

    async def _exchange(self, document: Element, hang_seconds: float = 0.0) -> Report:
        """Send a Sync document and apply its answer. Until an answer came it is to be sent again as it is."""
        self.state.unanswered = document
        self.save()
        try:
            answer = await self.connection.post("Sync", document, hang_seconds=hang_seconds)
        except NeedsProvisioning:
            await self.provision()
            answer = await self.connection.post("Sync", document, hang_seconds=hang_seconds)
        except Refusal:
            self.state.unanswered = None
            self.save()
            raise
        request = load(sync_messages.Request, document, self.version)
        return self._applied(request, self.connection.read("Sync", answer, sync_messages.Response))

    def _applied(self, request: sync_messages.Request, response: sync_messages.Response | None) -> Report:
        report = syncing.apply(self.state, request, response)
        self.state.unanswered = None
        self.save()
        self.on_round(report)
        return report

    def add(self, folder: Folder, item: object, *, empty: Iterable[str] = ()) -> str:
        """Queue a new item, a message of `eas.items` or ApplicationData as it is; gives its ClientId."""
        client_id = self.state.client_id()
        data = item if isinstance(item, Element) else Element(
            APPLICATION_DATA, content(item, self.version, tuple(empty))
        )
        folder.pending.append(Pending(kind=Kind.ADD, client_id=client_id, data=data))
        return client_id

    def change(self, folder: Folder, server_id: str, *elements: Element) -> None:
        """Queue a Change of exactly these elements. For other classes than Email, what is missing is deleted."""
        data = Element(APPLICATION_DATA, elements)
        folder.pending.append(Pending(kind=Kind.CHANGE, server_id=server_id, data=data))

    def edit(self, folder: Folder, server_id: str, **fields: Any) -> None:
        """Queue a Change of some fields (by their names in `eas.items`), the others staying as they are here. None, or
        (), deletes a field. Not for mail, whose few changes have `mark` and `change`. Raises KeyError."""
        kind: Any = RECORDS[folder.item_class].message
        item = folder.current(server_id).read(kind, self.version)
        self.change(folder, server_id, *sendable(content(replace(item, **fields), self.version)))

    def mark(
        self,
        folder: Folder,
        server_id: str,
        *,
        read: bool | None = None,
        flagged: bool | None = None,
        categories: Sequence[str] | None = None,
    ) -> None:
        """Queue a change of a mail's state: read, flagged for follow-up, categories. [MS-ASEMAIL] Read, Flag."""
        elements: list[Element] = []
        if flagged is not None:
            active = (Element("Email:Status", "2"), Element("Email:FlagType", "for Follow Up"))
            elements.append(Element("Email:Flag", active if flagged else ()))
        if read is not None:
            elements.append(Element("Email:Read", "1" if read else "0"))
        if categories is not None:
            named = tuple(Element("Email:Category", name) for name in categories)
            elements.append(Element("Email:Categories", named))
        assert all(element.tag in MAIL_CHANGEABLE for element in elements)
        self.change(folder, server_id, *elements)

    def delete(self, folder: Folder, server_id: str) -> None:
        folder.pending.append(Pending(kind=Kind.DELETE, server_id=server_id))

    def fetch(self, folder: Folder, server_id: str) -> None:
        """Queue a Fetch: the mail whole, with the next Sync."""
        folder.pending.append(Pending(kind=Kind.FETCH, server_id=server_id))

    async def move(self, folder: Folder, server_ids: Iterable[str], to: Folder) -> dict[str, str]:
        """Move items; ServerId -> the new one, without those that could not be moved. Here they move at once, without
        waiting for the Syncs that say so."""
        moves = tuple(moving.Move(item=name, source=folder.id, destination=(to.id,)) for name in server_ids)
        response = await self.must("MoveItems", moving.Request(moves=moves), moving.Response)
        moved: dict[str, str] = {}
        for result in response.responses:
            if result.status is moving.Status.SUCCESS and result.moved_to:
                moved[result.item] = result.moved_to
                if (item := folder.items.pop(result.item, None)) is not None:
                    to.items[result.moved_to] = replace(item, server_id=result.moved_to)
        self.save()
        return moved

    async def estimate(self, folder: Folder) -> int:
        """How many changes a Sync would bring. Raises Refusal."""
        asked = estimating.Collection(
            sync_key=folder.sync_key, collection_id=folder.id,
            item_class=folder.item_class if self.version in COLLECTION_CLASS else None,
        )
        request = estimating.Request(collections=(asked,))
        response = await self.must("GetItemEstimate", request, estimating.Response)
        answered = response.responses[0]
        if answered.collection is None:
            raise Refusal("GetItemEstimate", answered.status)
        return answered.collection.estimate

    async def ping(
        self, folders: Iterable[Folder] | None = None, heartbeat: int | None = 480, *, empty: bool = False
    ) -> pinging.Response:
        """Wait until something changes in the folders, at most `heartbeat` seconds. `empty` repeats the last Ping."""
        if empty:
            answer = await self.connection.post("Ping", hang_seconds=heartbeat or 0)
            response = self.connection.read("Ping", answer, pinging.Response)
        else:
            chosen = self.folders() if folders is None else folders
            watched = tuple(pinging.Folder(id=f.id, item_class=f.item_class) for f in chosen)
            request = pinging.Request(heartbeat=heartbeat, folders=watched)
            response = await self.ask("Ping", request, pinging.Response, hang_seconds=heartbeat or 0)
        if response is None:
            raise BadAnswer("Ping: the answer is empty")
        return response


#: Collection statuses that a device deals with by itself, and those after which it asks again.
RETRIED = frozenset({sync_messages.Status.SERVER_ERROR, sync_messages.Status.RETRY})
HANDLED = RETRIED | {sync_messages.Status.INVALID_SYNC_KEY, sync_messages.Status.HIERARCHY_CHANGED}


def unfinished(folder: Folder, report: Report) -> bool:
    """Whether another request is due for the folder after this one."""
    change = report.changes.get(folder.id)
    begun = change is not None and (change.primed or change.reset)
    return begun or folder.more or bool(folder.pending) or folder.sync_key == ZERO or folder.id in report.statuses

"""Devices that go on asking for a folder that is not there.

Status 12 of a Sync sends a device to FolderSync. Many pass it over and repeat the Sync, and some do FolderSync and keep
the old folder all the same. After a few times they are told Status 3, upon which devices begin a collection anew. One
that goes on even so repeats itself without effect, and is slowed down like any other that does (eas.server.brake).

What is counted lies in the memory of the process: with several of them a device is told Status 12 more often. That
a FolderSync has told a device something is known to all of them by its key. [MS-ASCMD] Status (Sync)
"""

from __future__ import annotations

from collections import OrderedDict

from .model import CollectionId

#: So often Status 12 is said of one folder, until there is a FolderSync.
TOLD = 3
#: Devices that are remembered, some 300 bytes each; those that were told longest ago go first.
MOST = 20_000
#: Folders of one device.
MOST_FOLDERS = 300


class Insisting:
    """By user and device: the key of the hierarchy that the device holds, and how often each folder was asked for."""

    def __init__(self) -> None:
        self._asked: OrderedDict[tuple[str, str], tuple[str, dict[CollectionId, int]]] = OrderedDict()

    def asks(self, user_id: str, device_id: str, hierarchy: str, collection_id: CollectionId) -> bool:
        """A device asks for a folder that is not there; whether it has been told so often enough. `hierarchy` is the
        key that its last FolderSync answered, "" for none."""
        key, counts = self._asked.pop((user_id, device_id), (hierarchy, {}))
        if key != hierarchy:
            counts = {}
        asked = counts.pop(collection_id, 0)
        counts[collection_id] = min(asked + 1, TOLD)
        if len(counts) > MOST_FOLDERS:
            del counts[next(iter(counts))]
        self._asked[user_id, device_id] = hierarchy, counts
        if len(self._asked) > MOST:
            self._asked.popitem(last=False)
        return asked >= TOLD

    def found(self, user_id: str, device_id: str, collection_id: CollectionId) -> None:
        """The folder is there (again)."""
        if (remembered := self._asked.get((user_id, device_id))) is not None:
            remembered[1].pop(collection_id, None)

    def listed(self, user_id: str, device_id: str) -> None:
        """The device has been told which folders there are."""
        self._asked.pop((user_id, device_id), None)

    def __len__(self) -> int:
        return len(self._asked)

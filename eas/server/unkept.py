"""A state store that keeps nothing, for requests of no real device.

Android checks an account that is being set up under the device id "validate". Its requests are answered like those of
any new device, but leave no partnership behind: it comes back under its real id.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from eas.engine.keys import Held
from eas.engine.model import CollectionId, Device, Policy
from eas.engine.ports import DegradedItem, Intent, Owner, StateStore, Step, StoredBody
from eas.items.native import ItemId

#: Device ids that name no device, in lower case.
UNKEPT_IDS = frozenset(("validate",))


class Unkept:
    """Every write succeeds and is forgotten; policies are the real ones."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def device(self, user_id: str, device_id: str) -> Device | None:
        return None

    async def devices(self, user_id: str) -> Sequence[Device]:
        return ()

    async def add_device(self, device: Device) -> Device:
        return device

    async def claim_device(self, user_id: str, device_id: str, type: str) -> Device | None:
        return None

    async def save_device(self, device: Device, *, lasting: bool = True) -> bool:
        return True

    async def seen(self, user_id: str, device_id: str, agent: str, version: str, at: datetime) -> None:
        pass

    async def policy(self, user_id: str, device: Device | None = None) -> Policy:
        return await self._store.policy(user_id, device)

    async def load(self, owner: Owner) -> Held | None:
        return None

    async def load_several(
        self, user_id: str, device_id: str, collections: Collection[CollectionId]
    ) -> Mapping[CollectionId, Held]:
        return {}

    async def body(self, owner: Owner, key: str, base: int, listing: int) -> StoredBody:
        return StoredBody()

    async def commit(self, owner: Owner, row: int, step: Step) -> bool:
        return True

    async def forget(self, user_id: str, device_id: str, collection_id: CollectionId | None = None) -> None:
        pass

    async def degraded(self, user_id: str | None = None, device_id: str | None = None) -> Sequence[DegradedItem]:
        return ()

    async def drop_degraded(self, owner: Owner, ids: Collection[ItemId]) -> None:
        pass

    async def intents(self, owner: Owner) -> Sequence[Intent]:
        return ()

    async def intend(self, owner: Owner, intent: Intent, *, proven: str = "") -> Intent:
        return replace(intent, id=1)

    async def settle(self, owner: Owner, intent: Intent, result: str) -> None:
        pass

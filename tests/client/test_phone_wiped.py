"""A simulated phone against a whole server that has it wiped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eas.client.phone import Phone, Wiped
from eas.engine.model import Wipe
from eas.protocol.version import Version


@pytest.mark.parametrize("account_only", [True, False])
async def test_a_phone_of_16_1_does_as_it_is_told(
    phone: Callable[..., Phone], world: Any, account_only: bool
) -> None:
    """[MS-ASPROV] RemoteWipe, AccountOnlyRemoteWipe"""
    made = phone(version=Version.V16_1)
    await made.provision()
    await made.folder_sync()
    device = made.connection.identity.device_id
    await world.store.request_wipe(world.ids["anna"], device, account_only=account_only)
    with pytest.raises(Wiped):
        await made.folder_sync()
    assert made.state.wiped
    assert (await world.device(device=device)).wipe is Wipe.DONE
